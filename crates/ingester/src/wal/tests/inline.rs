//! The log without threads: what a call leaves behind is all there is.

use futures::FutureExt;

use super::*;
use crate::fs::sim::Fault;

fn open(fs: &SimFs) -> (Wal, Vec<Replayed>) {
    let config = WalConfig { threads: Threads::Inline, ..small() };
    let mut replayed = Vec::new();
    let mut visit = |position: Position, payload: &[u8]| replayed.push(parse(position, payload));
    let (wal, _) = Wal::open(Arc::new(fs.clone()), &dir(), config, clock(), &mut visit).unwrap();
    (wal, replayed)
}

#[test]
fn a_record_is_told_before_its_append_returns() {
    let fs = SimFs::new(1);
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    let (wal, _) = open(&fs);
    for records in 1..=200 {
        wal.append(TestRecord::next(&ledger), 100).now_or_never().unwrap().unwrap();
        assert_eq!(ledger.lock().acknowledged.len(), records);
    }
    let ended = wal.cut().now_or_never().unwrap().unwrap();
    wal.append(TestRecord::next(&ledger), 100).now_or_never().unwrap().unwrap();
    assert_eq!(ledger.lock().acknowledged[&200].segment, ended + 1);
    fs.crash();
    let (again, replayed) = open(&fs);
    ledger.lock().check(&replayed, 0);
    assert_eq!(replayed.len(), 201);
    again.close().now_or_never().unwrap();
    let refused = again.append(TestRecord::next(&ledger), 1).now_or_never().unwrap();
    assert!(matches!(refused, Err(WalError::Closed)));
}

#[test]
fn a_failed_sync_is_told_and_stays() {
    let fs = SimFs::new(2);
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    let (wal, _) = open(&fs);
    wal.append(TestRecord::next(&ledger), 100).now_or_never().unwrap().unwrap();
    // Behind the write.
    fs.fail_in(1, Fault::Io);
    wal.append(TestRecord::next(&ledger), 100).now_or_never().unwrap().unwrap();
    assert!(ledger.lock().failed.contains(&1));
    let refused = wal.append(TestRecord::next(&ledger), 100).now_or_never().unwrap();
    assert!(matches!(refused, Err(WalError::Failed(_))));
    assert!(matches!(wal.failed().now_or_never(), Some(WalError::Failed(_))));
}
