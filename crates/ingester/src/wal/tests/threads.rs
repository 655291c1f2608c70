//! The same promises with the threads running and many senders at once.

use tokio::runtime::Runtime;

use super::*;
use crate::fs::sim::Fault;

fn open(fs: &SimFs, config: WalConfig) -> (Wal, Vec<Replayed>) {
    let mut replayed = Vec::new();
    let mut visit = |position: Position, payload: &[u8]| replayed.push(parse(position, payload));
    let (wal, _) = Wal::open(Arc::new(fs.clone()), &dir(), config, clock(), &mut visit).unwrap();
    (wal, replayed)
}

/// Records get their number and their place in the log in the same order.
async fn append(wal: &Wal, ledger: &Arc<Mutex<Ledger>>, order: &tokio::sync::Mutex<()>) -> bool {
    let _turn = order.lock().await;
    let record = TestRecord::next(ledger);
    let id = record.id;
    let queued = wal.append(record, 100).await;
    if queued.is_err() {
        ledger.lock().failed.insert(id);
    }
    queued.is_ok()
}

#[test]
fn a_crash_amid_many_senders_loses_nothing() {
    let runtime = Runtime::new().unwrap();
    for seed in 0..200 {
        let fs = SimFs::new(seed);
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let (wal, _) = open(&fs, small());
        fs.fail_in(Random(seed).below(80), Fault::Crash);
        let wal = Arc::new(wal);
        let order = Arc::new(tokio::sync::Mutex::new(()));
        runtime.block_on(async {
            let sender = |_| {
                let (wal, ledger, order) = (wal.clone(), ledger.clone(), order.clone());
                tokio::spawn(async move { while append(&wal, &ledger, &order).await {} })
            };
            let senders: Vec<_> = (0..4).map(sender).collect();
            for sender in senders {
                sender.await.unwrap();
            }
            assert!(matches!(wal.failed().await, WalError::Failed(_)));
            wal.close().await;
        });
        {
            let ledger = ledger.lock();
            let told = ledger.acknowledged.len() + ledger.refused.len() + ledger.failed.len();
            assert_eq!(told as u64, ledger.next_id, "seed {seed}: each record is told once");
        }
        fs.crash();
        let (_, replayed) = open(&fs, small());
        ledger.lock().check(&replayed, 0);
    }
}

#[test]
fn closing_finishes_what_was_taken_and_refuses_the_rest() {
    let runtime = Runtime::new().unwrap();
    for sync in [Sync::Always, Sync::Interval] {
        let fs = SimFs::new(3);
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let order = tokio::sync::Mutex::new(());
        let (wal, _) = open(&fs, WalConfig { sync, ..small() });
        runtime.block_on(async {
            for _record in 0..200 {
                assert!(append(&wal, &ledger, &order).await);
            }
            let ended = wal.cut().await.unwrap();
            assert_eq!(ledger.lock().acknowledged.len(), 200, "a cut waits for what came before it");
            assert!(append(&wal, &ledger, &order).await);
            wal.close().await;
            assert_eq!(ledger.lock().acknowledged[&200].segment, ended + 1);
            assert!(matches!(wal.append(TestRecord::next(&ledger), 1).await, Err(WalError::Closed)));
            assert!(matches!(wal.cut().await, Err(WalError::Closed)));
        });
        assert_eq!(wal.metrics().appended_records.get(), 201);
        fs.crash();
        let (_, replayed) = open(&fs, small());
        ledger.lock().check(&replayed, 0);
        assert_eq!(replayed.len(), 201);
    }
}

struct Panicking;

impl Record for Panicking {
    fn encode(&mut self, _segment: u64, _out: &mut Vec<u8>) {
        panic!("a record's bug");
    }

    fn committed(self: Box<Self>, _result: Result<Position, WalError>) {}
}

#[test]
fn a_panic_in_a_record_fails_the_log_and_blocks_nobody() {
    let (wal, _) = open(&SimFs::new(4), small());
    Runtime::new().unwrap().block_on(async {
        wal.append(Box::new(Panicking), 1).await.unwrap();
        assert!(matches!(wal.failed().await, WalError::Failed(_)));
        wal.close().await;
    });
}

/// Holds the applier until it is let go.
struct Holding(std::sync::mpsc::Receiver<()>);

impl Record for Holding {
    fn encode(&mut self, _segment: u64, _out: &mut Vec<u8>) {}

    fn committed(self: Box<Self>, _result: Result<Position, WalError>) {
        let _ = self.0.recv();
    }
}

#[test]
fn a_full_queue_makes_senders_wait() {
    let (wal, _) = open(&SimFs::new(5), small());
    Runtime::new().unwrap().block_on(async {
        let (let_go, held) = std::sync::mpsc::channel();
        wal.append(Box::new(Holding(held)), 40 << 10).await.unwrap();
        let (done, held) = std::sync::mpsc::channel();
        let mut second = std::pin::pin!(wal.append(Box::new(Holding(held)), 40 << 10));
        let patience = std::time::Duration::from_millis(50);
        assert!(tokio::time::timeout(patience, &mut second).await.is_err(), "no room for 80 KiB in 64");
        drop(let_go);
        second.await.unwrap();
        drop(done);
        // A record greater than the whole queue passes when it is alone.
        let (_, held) = std::sync::mpsc::channel();
        wal.append(Box::new(Holding(held)), 1 << 30).await.unwrap();
        wal.close().await;
    });
}

/// Says when it is being told, and waits for leave to go on.
struct Slow(std::sync::mpsc::Receiver<()>);

impl Record for Slow {
    fn encode(&mut self, _: u64, out: &mut Vec<u8>) {
        out.push(1);
    }

    fn committed(self: Box<Self>, result: Result<Position, WalError>) {
        result.unwrap();
        self.0.recv().unwrap();
    }
}

#[test]
fn the_queue_is_measured_until_its_records_are_told() {
    let (wal, _) = open(&SimFs::new(1), small());
    let (leave, wait) = std::sync::mpsc::channel();
    Runtime::new().unwrap().block_on(async {
        wal.append(Box::new(Slow(wait)), 300).await.unwrap();
        assert_eq!(wal.metrics().queue_bytes.get(), 300);
        leave.send(()).unwrap();
        wal.close().await;
        assert_eq!(wal.metrics().queue_bytes.get(), 0);
    });
}
