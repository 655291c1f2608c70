//! Power loss and sudden death at any operation, over several lives of the process.

use std::time::Duration;

use super::*;
use crate::fs::sim::Fault;

#[test]
fn nothing_acknowledged_is_lost_wherever_the_power_goes() {
    // All ten thousand take some seconds without optimisation; the variable is for more.
    let seeds = std::env::var("YAGURA_TEST_SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    let (mut records, mut crashes, mut full) = (0, 0, 0);
    for seed in 0..seeds.unwrap_or(10_000) {
        let result = std::panic::catch_unwind(|| history(seed));
        let Ok((ledger, died)) = result else { panic!("seed {seed}") };
        records += ledger.acknowledged.len();
        full += ledger.refused.len();
        crashes += died;
    }
    println!("{records} records acknowledged, {full} refused for want of space, {crashes} crashes");
    assert!(records > 0 && crashes > 0 && full > 0);
}

fn history(seed: u64) -> (Ledger, u64) {
    let mut random = Random(seed ^ 0x5eed);
    let (fs, clock) = (SimFs::new(seed), clock());
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    let (mut removed, mut crashes) = (0, 0);
    for _life in 0..2 + random.below(4) {
        fs.fail_in(random.below(100), Fault::Crash);
        if random.below(3) == 0 {
            fs.fail_in(random.below(60), Fault::NoSpace);
        }
        match Inline::open(&fs, clock.clone(), small()) {
            Ok((mut log, replayed, _)) => {
                ledger.lock().check(&replayed, removed);
                live(&mut log, &fs, &clock, &ledger, &mut random, &mut removed);
            }
            Err(error) => assert!(fs.is_dead(), "does not start: {error}"),
        }
        // A killed process leaves what it wrote with the kernel; a power loss does not.
        if fs.is_dead() || random.below(2) == 0 {
            crashes += 1;
            fs.crash();
        }
    }
    fs.crash();
    let (_, replayed, report) = Inline::open(&fs, clock.clone(), small()).unwrap();
    ledger.lock().check(&replayed, removed);
    let (_, again, report_again) = Inline::open(&fs, clock, small()).unwrap();
    assert_eq!((replayed, report), (again, report_again), "replay changes what it reads");
    (std::mem::take(&mut ledger.lock()), crashes)
}

fn live(
    log: &mut Inline,
    fs: &SimFs,
    clock: &ManualClock,
    ledger: &Arc<Mutex<Ledger>>,
    random: &mut Random,
    removed: &mut u64,
) {
    for _group in 0..random.below(40) {
        if fs.is_dead() {
            return;
        }
        clock.advance(Duration::from_millis(random.below(1500)));
        log.group(ledger, 1 + random.below(6));
        if random.below(12) == 0
            && let Ok(ended) = log.cut()
        {
            let ended = ended - random.below(2).min(ended);
            *removed = ended.max(*removed);
            let result = log.shared.remove_up_to(ended);
            assert!(result.is_ok() || fs.is_dead());
        }
    }
}

/// A head that has replayed a record answers queries from it and goes on from there.
#[test]
fn what_a_replay_has_shown_stays_once_the_log_goes_on() {
    for seed in 0..200 {
        let (fs, clock) = (SimFs::new(seed), clock());
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let (mut killed, ..) =
            Inline::open(&fs, clock.clone(), WalConfig { sync: Sync::Interval, ..small() }).unwrap();
        killed.group(&ledger, 10);
        drop(killed);
        let (mut log, replayed, _) = Inline::open(&fs, clock.clone(), small()).unwrap();
        assert_eq!(replayed.len(), 10);
        ledger.lock().check(&replayed, 0);
        log.group(&ledger, 1);
        fs.crash();
        let (_, replayed, _) = Inline::open(&fs, clock, small()).unwrap();
        ledger.lock().check(&replayed, 0);
    }
}
