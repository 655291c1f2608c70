//! Bits that flip on the disk: the log opens, and no record comes back altered.

use super::*;
use crate::fs::Fs;

const FLIPS: u64 = 10_000;

fn intact() -> (SimFs, Vec<Replayed>) {
    let (fs, clock) = (SimFs::new(1), clock());
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    let (mut log, ..) = Inline::open(&fs, clock.clone(), small()).unwrap();
    for _group in 0..20 {
        log.group(&ledger, 4);
    }
    fs.crash();
    let (_, replayed, report) = Inline::open(&fs, clock, small()).unwrap();
    assert_eq!((replayed.len(), report.records, report.missing_records), (80, 80, 0));
    assert!(report.segments >= 3, "{report:?}");
    (fs, replayed)
}

#[test]
fn no_flipped_bit_goes_undetected() {
    let (fs, written) = intact();
    let names = fs.list(&dir()).unwrap();
    let mut random = Random(2);
    let (mut damaged, mut lost) = (0, 0);
    for round in 0..FLIPS {
        let fs = fs.fork(round);
        let path = dir().join(&names[random.below(names.len() as u64) as usize]);
        let bits = fs.open(&path).unwrap().len().unwrap() * 8;
        for _flip in 0..1 + random.below(3) {
            fs.flip_bit(&path, random.below(bits));
        }
        let (mut log, replayed, report) = Inline::open(&fs, clock(), small()).unwrap();
        assert!(replayed.is_sorted_by_key(|record| record.id));
        assert!(replayed.iter().all(|record| written.contains(record)), "round {round}: {report:?}");
        let missing = written.len() - replayed.len();
        let counted = report.quarantined + report.torn_bytes + report.missing_records > 0;
        assert!(missing == 0 || counted, "round {round}: {missing} missing, {report:?}");
        assert!(missing <= 3, "round {round}: {missing} missing for so few bits");
        damaged += u64::from(counted);
        lost += missing;

        if report.quarantined > 0 {
            assert!(!fs.list(&dir().join("quarantine")).unwrap().is_empty());
        }
        if round % 16 == 0 {
            let ledger = Arc::new(Mutex::new(Ledger { next_id: 1000, ..Ledger::default() }));
            log.group(&ledger, 3);
            fs.crash();
            let (_, again, _) = Inline::open(&fs, clock(), small()).unwrap();
            assert_eq!(again.len(), replayed.len() + 3, "round {round}: the log goes on after damage");
        }
    }
    println!("{FLIPS} rounds: damage counted in {damaged}, {lost} records lost, none altered");
    assert!(damaged > FLIPS / 4);
}

#[test]
fn the_quarantine_is_bounded() {
    let (fs, _) = intact();
    fs.flip_bit(&dir().join("00000001"), (1024 + 30) * 8);
    let config = WalConfig { quarantine_bytes: 0, ..small() };
    let (_, replayed, report) = Inline::open(&fs, clock(), config).unwrap();
    assert_eq!((replayed.len(), report.quarantined, report.missing_records), (79, 1, 0));
    assert!(fs.list(&dir().join("quarantine")).unwrap().is_empty());
}
