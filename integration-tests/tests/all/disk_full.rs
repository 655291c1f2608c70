//! A full disk under the write-ahead log: writes are refused, none is lost, and it passes.

use integration_tests::{Fate, Ledger, Settings, Version};
use std::io::Write;
use std::{fs, path::Path, path::PathBuf, process::Command, time::Duration};

const DISK: usize = 24 << 20;

/// A small disk in memory, mounted as long as this lives.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where mounting is not allowed.
    fn mount(at: &Path) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let size = format!("size={DISK}");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).output();
        mount.is_ok_and(|o| o.status.success()).then(|| Self(at.to_owned()))
    }

    fn free(&self) -> u64 {
        let output = Command::new("df").args(["-B1", "--output=avail"]).arg(&self.0).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().last().unwrap().trim().parse().unwrap()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_writes_loses_none_and_recovers() {
    let settings = Settings::new(&["wal.segment_size=1MiB"]);
    let folder = settings.folder().join("small");
    let Some(disk) = SmallDisk::mount(&folder) else {
        // Past the test runner, which keeps what `println!` prints to itself.
        let _ = writeln!(std::io::stderr(), "skipped: mounting a small tmpfs is not permitted here");
        return;
    };
    let settings = settings.with_data_dir(&folder.join("data"));
    let mut yagura = settings.start().await;
    let (http, url) = (yagura.http.clone(), yagura.base().to_owned());
    let mut ledgers: Vec<_> = (0..2).map(|n| Ledger::new(&format!("full-{n}"), 100, Version::V1)).collect();
    for ledger in &mut ledgers {
        for _ in 0..20 {
            ledger.send(&http, &url).await;
        }
    }
    // Somebody else fills the disk but for a little.
    let balloon = folder.join("balloon");
    fs::write(&balloon, vec![1; disk.free() as usize - (256 << 10)]).unwrap();
    let mut refused = 0;
    for _ in 0..20_000 {
        for ledger in &mut ledgers {
            refused += usize::from(ledger.send(&http, &url).await == Fate::Refused);
        }
        if refused >= 20 {
            break;
        }
    }
    assert!(refused >= 20, "the disk was full and writes went on");
    assert_eq!(yagura.get("/-/healthy").await.status, 200);
    fs::remove_file(&balloon).unwrap();

    // The promise: it recovers within ten seconds.
    let mut recovered = false;
    for _ in 0..100 {
        if ledgers[0].send(&http, &url).await == Fate::Acknowledged {
            recovered = true;
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(recovered, "no write was taken within 10 s of space being free:\n{}", yagura.process.log());
    for ledger in &mut ledgers {
        for _ in 0..20 {
            ledger.send(&http, &url).await;
        }
        ledger.check(&yagura).await;
    }
    yagura.process.kill();
    let yagura = settings.start().await;
    for ledger in &ledgers {
        ledger.check(&yagura).await;
    }
    assert!(yagura.stop().await.success());
    drop(disk);
}
