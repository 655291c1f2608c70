//! A full disk passes, a failed sync does not.

use std::time::Duration;

use super::*;
use crate::fs::sim::Fault;

#[test]
fn a_full_disk_refuses_and_recovers_without_a_restart() {
    for seed in 0..300 {
        let (fs, clock) = (SimFs::new(seed), clock());
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let (mut log, ..) = Inline::open(&fs, clock.clone(), small()).unwrap();
        fs.set_capacity(40 << 10);
        while ledger.lock().refused.is_empty() {
            log.group(&ledger, 3);
        }
        log.group(&ledger, 3);
        let before = ledger.lock().acknowledged.len();
        assert!(fs.used() <= 40 << 10);

        fs.set_capacity(u64::MAX);
        clock.advance(Duration::from_secs(10));
        log.group(&ledger, 3);
        assert_eq!(ledger.lock().acknowledged.len(), before + 3);

        fs.crash();
        let (_, replayed, report) = Inline::open(&fs, clock, small()).unwrap();
        ledger.lock().check(&replayed, 0);
        assert_eq!((report.quarantined, report.missing_records), (0, 0));
    }
}

#[test]
fn a_write_that_finds_no_space_half_way_leaves_nothing_behind() {
    for seed in 0..1000 {
        let (fs, clock) = (SimFs::new(seed), clock());
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let (mut log, ..) = Inline::open(&fs, clock.clone(), small()).unwrap();
        log.group(&ledger, 4);
        fs.fail_in(0, Fault::NoSpace);
        log.group(&ledger, 4);
        assert_eq!(ledger.lock().refused.len(), 4);
        log.group(&ledger, 4);
        assert_eq!(
            ledger.lock().acknowledged.len(),
            8,
            "space is there again, so the next write goes through"
        );
        if seed % 2 == 0 {
            fs.crash();
        }
        let (_, replayed, report) = Inline::open(&fs, clock, small()).unwrap();
        ledger.lock().check(&replayed, 0);
        assert_eq!((report.records, report.quarantined, report.torn_bytes), (8, 0, 0));
    }
}

#[test]
fn cutting_works_on_a_full_disk_so_that_a_flush_can_make_space() {
    let (fs, clock) = (SimFs::new(1), clock());
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    let (mut log, ..) = Inline::open(&fs, clock.clone(), small()).unwrap();
    fs.set_capacity(40 << 10);
    while ledger.lock().refused.is_empty() {
        log.group(&ledger, 3);
    }
    let ended = log.cut().unwrap();
    assert!(ledger.lock().acknowledged.values().all(|position| position.segment <= ended));
    assert!(log.shared.remove_up_to(ended).unwrap() > 0);
    clock.advance(Duration::from_secs(2));
    let before = ledger.lock().acknowledged.len();
    log.group(&ledger, 3);
    assert_eq!(ledger.lock().acknowledged.len(), before + 3);
}

#[test]
fn after_a_failed_sync_nothing_is_acknowledged_falsely() {
    let mut failures = 0;
    for seed in 0..3000 {
        let mut random = Random(seed);
        let (fs, clock) = (SimFs::new(seed), clock());
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let (mut log, ..) = Inline::open(&fs, clock.clone(), small()).unwrap();
        fs.fail_in(random.below(40), Fault::Io);
        for _group in 0..25 {
            log.group(&ledger, 1 + random.below(4));
            if log.shared.failure().is_some() {
                let acknowledged = ledger.lock().acknowledged.len();
                log.group(&ledger, 2);
                assert!(matches!(log.cut(), Err(WalError::Failed(_))));
                assert_eq!(ledger.lock().acknowledged.len(), acknowledged);
                failures += 1;
                break;
            }
        }
        fs.crash();
        let (_, replayed, _) = Inline::open(&fs, clock, small()).unwrap();
        ledger.lock().check(&replayed, 0);
    }
    assert!(failures > 2000, "{failures} of 3000 met the fault");
}

struct Huge(Arc<Mutex<Option<WalError>>>);

impl Record for Huge {
    fn encode(&mut self, _segment: u64, out: &mut Vec<u8>) {
        out.resize(out.len() + (64 << 20) + 1, 7);
    }

    fn committed(self: Box<Self>, result: Result<Position, WalError>) {
        *self.0.lock() = result.err();
    }
}

#[test]
fn a_record_over_the_bound_is_refused_alone() {
    let (fs, clock) = (SimFs::new(1), clock());
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    let (mut log, ..) = Inline::open(&fs, clock.clone(), small()).unwrap();
    log.group(&ledger, 2);
    let error = Arc::new(Mutex::new(None));
    let record = Box::new(Huge(error.clone()));
    log.writer.process(vec![Entry::Record(Queued { record, approx_bytes: 1, permit: None })]);
    log.group(&ledger, 2);
    assert_eq!(
        error.lock().take().unwrap().to_string(),
        "a record of 67108865 bytes is over the write-ahead log's bound of 67108864"
    );
    fs.crash();
    let (_, replayed, _) = Inline::open(&fs, clock, small()).unwrap();
    assert_eq!(replayed.len(), 4);
    ledger.lock().check(&replayed, 0);
}
