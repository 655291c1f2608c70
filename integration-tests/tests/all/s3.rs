//! The bucket in S3: blocks written over a real socket, read after the data folder is gone.

use integration_tests::{Ledger, S3, Settings, Version, Wire, now_ms};
use std::{fs, net::Ipv4Addr};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocks_in_s3_answer_when_the_data_folder_is_gone() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("metrics")).unwrap();
    let s3 = S3::start(root.path(), Ipv4Addr::LOCALHOST.into()).await;
    let set = s3.settings("metrics/some/prefix");
    let settings = Settings::new(&set.iter().map(String::as_str).collect::<Vec<_>>());
    let start = now_ms() - 600_000;
    let wires = [Wire::RemoteWrite(Version::V2), Wire::LokiProtobuf];
    let mut ledgers = wires.map(|wire| Ledger::new(&format!("{wire:?}"), 50, wire).with_times(start, 5000));
    let yagura = settings.start().await;
    let (http, url) = (yagura.http.clone(), yagura.base().to_owned());
    for _ in 0..100 {
        for ledger in &mut ledgers {
            ledger.send(&http, &url).await;
        }
    }
    assert_eq!(yagura.post("/flush", &[], Vec::new()).await.status / 100, 2);
    for ledger in &ledgers {
        ledger.check(&yagura).await;
    }
    let log = yagura.process.log();
    let shown = [yagura.get("/config").await.body, yagura.get("/metrics").await.body, log];
    assert!(shown.iter().all(|text| !text.contains(S3::SECRET)), "the secret is shown");
    assert!(yagura.stop().await.success());

    for signal in ["metrics", "logs"] {
        assert!(root.path().join(format!("metrics/some/prefix/anonymous/{signal}/manifest")).is_dir());
    }
    fs::remove_dir_all(settings.data_dir()).unwrap();
    let yagura = settings.start().await;
    for ledger in &ledgers {
        assert_eq!(ledger.acknowledged(), 5000);
        ledger.check(&yagura).await;
    }
}

#[tokio::test]
async fn a_wrong_secret_is_said_at_once() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("metrics")).unwrap();
    let s3 = S3::start(root.path(), Ipv4Addr::LOCALHOST.into()).await;
    let settings = Settings::new(&[
        "bucket.url=s3://metrics",
        &format!("s3.endpoint={}", s3.url()),
        &format!("s3.access_key_id={}", S3::KEY),
        "s3.secret_access_key=wrong",
    ]);
    let log = settings.folder().join("log");
    let process = integration_tests::Process::start(settings.command(), &log);
    // Writes need only the log on disk, so the process goes on; but it says what is wrong.
    let told = async {
        while !process.log().contains("cannot read the bucket") {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), told).await.expect("nothing was said");
    let log = process.log();
    assert!(log.contains("s3://metrics") && !log.contains(S3::SECRET), "{log}");
}
