//! On the machine's own file system, with figures.

use std::{fs, time::Duration};

use runtime::SystemClock;
use tokio::{runtime::Runtime, sync::oneshot};

use super::*;
use crate::fs::RealFs;

struct Bulk {
    payload: Arc<Vec<u8>>,
    done: Option<oneshot::Sender<Result<Position, WalError>>>,
}

impl Record for Bulk {
    fn encode(&mut self, _segment: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.payload);
    }

    fn committed(self: Box<Self>, result: Result<Position, WalError>) {
        let Some(done) = self.done else { return };
        let _ = done.send(result);
    }
}

async fn write(wal: &Wal, payload: &Arc<Vec<u8>>) -> Position {
    let (done, answer) = oneshot::channel();
    let record = Bulk { payload: payload.clone(), done: Some(done) };
    wal.append(Box::new(record), payload.len()).await.unwrap();
    answer.await.unwrap().unwrap()
}

/// Of the whole process, in clock ticks of 10 ms.
fn cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

#[test]
fn a_log_in_a_folder_is_written_cut_removed_and_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("a").join("wal");
    let config = WalConfig { segment_size: 1 << 20, ..WalConfig::default() };
    let open = |visit: &mut dyn FnMut(Position, &[u8])| {
        Wal::open(Arc::new(RealFs), &dir, config.clone(), Arc::new(SystemClock::new()), visit).unwrap()
    };
    let payload = Arc::new(vec![7; 100_000]);
    let (wal, report) = open(&mut |_, _| panic!("the log is new"));
    assert_eq!(report, ReplayReport::default());
    Runtime::new().unwrap().block_on(async {
        for _record in 0..25 {
            write(&wal, &payload).await;
        }
        assert_eq!(wal.segments().len(), 3);
        assert_eq!(wal.cut().await.unwrap(), 3);
        assert_eq!(wal.remove_up_to(2).unwrap(), 2);
        let size = |name| fs::metadata(dir.join(name)).unwrap().len();
        assert_eq!(size("00000004"), 1024, "a segment takes its space with its first record");
        write(&wal, &payload).await;
        assert_eq!(size("00000004"), 1 << 20);
        wal.close().await;
    });
    let mut names: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort_unstable();
    assert_eq!(names, ["00000003", "00000004"]);
    let mut sizes = Vec::new();
    let (_, report) = open(&mut |_, payload| sizes.push(payload.len()));
    assert_eq!((sizes, report.records), (vec![100_000; 6], 6));
}

#[test]
fn throughput() {
    const RECORDS: u32 = 1000;
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(SystemClock::new());
    let (wal, _) =
        Wal::open(Arc::new(RealFs), folder.path(), WalConfig::default(), clock.clone(), &mut |_, _| {})
            .unwrap();
    let wal = Arc::new(wal);
    let runtime = Runtime::new().unwrap();
    for (senders, bytes) in [(1, 1000), (1, 100_000), (16, 100_000)] {
        let payload = Arc::new(vec![7; bytes]);
        let (start, cpu_start, groups) = (clock.monotonic(), cpu(), wal.metrics().groups.get());
        runtime.block_on(async {
            let sender = |_| {
                let (wal, payload) = (wal.clone(), payload.clone());
                tokio::spawn(async move {
                    for _record in 0..RECORDS / senders {
                        write(&wal, &payload).await;
                    }
                })
            };
            let tasks: Vec<_> = (0..senders).map(sender).collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
        let took = (clock.monotonic() - start).as_secs_f64();
        let groups = wal.metrics().groups.get() - groups;
        println!(
            "{senders} senders x {bytes} bytes: {:.0} records/s, {:.0} groups/s, {} ns of CPU a record",
            f64::from(RECORDS) / took,
            groups as f64 / took,
            (cpu() - cpu_start).as_nanos() / u128::from(RECORDS),
        );
    }
    runtime.block_on(wal.close());
    drop(wal);
    let mut bytes = 0;
    let start = clock.monotonic();
    let mut visit = |_: Position, payload: &[u8]| bytes += payload.len();
    Wal::open(Arc::new(RealFs), folder.path(), WalConfig::default(), clock.clone(), &mut visit).unwrap();
    let took = (clock.monotonic() - start).as_secs_f64();
    println!("replay: {:.0} MB/s", bytes as f64 / 1e6 / took);
}
