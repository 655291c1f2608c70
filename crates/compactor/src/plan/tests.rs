//! Lists of blocks and what is to be done with them, as text.

use super::*;
use block_store::{Deletion, Manifest, Rollup};
use proptest::prelude::*;
use removal::Retention;
use service_api::Limits;
use std::sync::Arc;

/// `NAME FROM-TO CREATED SIZE [of MERGE]`, times in hours since an epoch's day, sizes in MiB.
fn block(line: &str) -> BlockMeta {
    let words: Vec<&str> = line.split_whitespace().collect();
    let hours = |text: &str| (text.parse::<f64>().unwrap() * HOUR as f64) as i64;
    let (from, to) = words[1].split_once('-').unwrap();
    let merge = words.get(5);
    BlockMeta {
        id: Ulid::from_parts(0, words[0].bytes().fold(0, |id, byte| id << 8 | u128::from(byte))),
        min_time: hours(from),
        max_time: hours(to) - 1,
        series: 1,
        samples: 1,
        text_bytes: 0,
        bytes: words[3].parse::<u64>().unwrap() << 20,
        level: u8::from(merge.is_some()),
        source: merge.map_or("ingester-0/1", |merge| merge).to_owned(),
        sources: Vec::new(),
        damaged: (words.get(4) == Some(&"damaged")).then(|| "for a test".to_owned()),
        created: hours(words[2]),
        cleared: Vec::new(),
        rules: 0,
    }
}

fn name(block: &BlockMeta) -> String {
    let bytes = block.id.random().to_be_bytes();
    String::from_utf8_lossy(&bytes).trim_matches('\0').to_owned()
}

fn owed(now: f64, blocks: Vec<BlockMeta>, deletions: Vec<Deletion>) -> Owed {
    let manifest = Arc::new(Manifest { sequence: 1, blocks, deletions, rollups: Vec::new() });
    let retention = Arc::new(Retention::new(&Limits::default()).unwrap());
    Owed { manifest, retention, now: (now * HOUR as f64) as i64 }
}

fn plan(owed: &Owed) -> Plan<'_> {
    Plan { owed, delay: Duration::from_secs(600), block_bytes: 1 << 30 }
}

/// The jobs at an hour, as `FROM-TO: NAMES`.
fn jobs(now: f64, blocks: &str) -> Vec<String> {
    let blocks: Vec<_> = blocks.lines().filter(|line| !line.trim().is_empty()).map(block).collect();
    let owed = owed(now, blocks, Vec::new());
    let plan = plan(&owed);
    let job = |job: &Job| {
        let TimeRange { start, end } = job.window;
        let names: Vec<_> = job.inputs.iter().map(name).collect();
        format!("{}-{}: {}", start / HOUR, (end + 1) / HOUR, names.join(" "))
    };
    plan.merges(&TenantId::anonymous(), Signal::Metrics).iter().map(job).collect()
}

#[test]
fn replicas_of_two_hours_are_merged_once_they_are_quiet() {
    let replicas = "
        a 0-2 2.1 10
        b 0-2 2.2 10
        c 0.1-2 2.3 10
        d 2-4 2.3 10";
    assert_eq!(jobs(2.4, replicas), [""; 0], "not yet quiet");
    assert_eq!(jobs(2.5, replicas), ["0-2: a b c"]);
    // What is flushed early lies in a window that is still open.
    assert_eq!(jobs(1.5, "a 0-1 0.5 10\nb 0-1 0.6 10"), [""; 0]);
    assert_eq!(jobs(9.0, "a 0-2 2.1 10"), [""; 0], "one alone is merged with nothing");
}

#[test]
fn a_day_that_is_over_becomes_one() {
    let parts = "
        a 0-2 2.5 30 of merge1
        b 2-4 4.5 30 of merge2
        c 22-24 24.5 30 of merge3
        d 24-26 26.1 10
        e 24-26 26.1 10";
    assert_eq!(jobs(24.6, parts), [""; 0], "the last part has just come");
    assert_eq!(jobs(24.8, parts), ["0-24: a b c"]);
    assert_eq!(jobs(27.0, parts), ["0-24: a b c", "24-26: d e"]);
}

#[test]
fn what_comes_late_waits_until_it_is_worth_it() {
    let day = |late: &str| format!("a 0-24 25 800 of merge1\nb 0-24 25 700 of merge1\n{late}");
    assert_eq!(jobs(30.0, &day("")), [""; 0], "parts of one merge are one");
    let late = |n: usize, size: u64| -> String {
        (0..n).map(|n| format!("{} 3-4 28 {size}\n", (b'k' + n as u8) as char)).collect()
    };
    assert_eq!(jobs(30.0, &day(&late(1, 10))), [""; 0]);
    assert_eq!(jobs(34.0, &day(&late(2, 10))), ["0-24: a b k l"], "for six hours");
    assert_eq!(jobs(30.0, &day(&late(2, 120))), ["0-24: a b k l"], "an eighth of all");
    assert_eq!(jobs(30.0, &day(&late(8, 1))), ["0-24: a b k l m n o p q r"], "many");
    // Beside the day's they are merged with each other before.
    assert_eq!(jobs(30.0, &day(&late(3, 10))), ["2-4: k l m"]);
}

#[test]
fn a_day_of_large_blocks_stays_as_it_is() {
    let large: String = (0..12)
        .map(|n| format!("{} {}-{} {} 1000 of m{n}\n", (b'a' + n) as char, 2 * n, 2 * n + 2, 2 * n + 3))
        .collect();
    assert_eq!(jobs(50.0, &large), [""; 0]);
    let replicas = "\nu 2-4 49 30\nv 2-4 49 30";
    assert_eq!(jobs(50.0, &format!("{large}{replicas}")), [""; 0], "little comes late");
    assert_eq!(jobs(56.0, &format!("{large}{replicas}")), [""; 0], "of three there would be two");
    assert_eq!(jobs(56.0, &format!("{large}{replicas}\nw 2-4 49 30")), ["2-4: b u v w"]);
}

#[test]
fn where_there_are_too_many_those_of_one_time_come_together() {
    // Two replicas, flushed whenever they had enough.
    let many: String = (0..90u8)
        .map(|n| {
            let (name, from) = (char::from(b'!' + n), f64::from(n % 45) / 30.0);
            format!("{name} {from}-{} 3 100\n", from + 0.03)
        })
        .collect();
    let found = jobs(5.0, &many);
    assert_eq!(found.len(), 1);
    let names: Vec<&str> = found[0].split_once(": ").unwrap().1.split(' ').collect();
    let expected: Vec<String> =
        (0..90u8).filter(|n| n % 45 < 32).map(|n| char::from(b'!' + n).to_string()).collect();
    assert_eq!(names, expected);
    // Eight gibibytes are enough, too.
    let large: String =
        (0..6).map(|n| format!("{} {n}-{} 7 2000\n", (b'a' + n) as char, n + 1)).collect::<String>();
    assert_eq!(jobs(30.0, &large), ["0-24: a b c d"]);
    assert_eq!(jobs(5.0, "a 0-2 3 6000\nb 0-2 3 7000"), [""; 0], "two are too large");
}

/// What a merge makes, with `kept` percent of what it was given.
fn merged(job: &Job, number: u64, kept: u64) -> Vec<BlockMeta> {
    let bytes = job.inputs.iter().map(|block| block.bytes).sum::<u64>() * kept / 100;
    let parts = bytes.div_ceil(1 << 30).max(1);
    let level = job.inputs.iter().map(|block| block.level).max().unwrap() + 1;
    let part = |part: u64| BlockMeta {
        id: Ulid::from_parts(number, part.into()),
        min_time: job.inputs.iter().map(|block| block.min_time).min().unwrap(),
        max_time: job.inputs.iter().map(|block| block.max_time).max().unwrap(),
        bytes: if part + 1 < parts { 1 << 30 } else { bytes - (parts - 1) * (1 << 30) },
        level,
        source: format!("merge {number}"),
        ..job.inputs[0].clone()
    };
    (0..parts).map(part).collect()
}

proptest! {
    #[test]
    fn the_work_comes_to_an_end(
        sizes in prop::collection::vec((0u64..12, 1u64..3000, 0u8..3), 1..200), kept in 30u64..101,
    ) {
        let flushed = sizes.iter().enumerate().map(|(n, (window, mib, level))| BlockMeta {
            level: *level,
            source: format!("merge {n}"),
            ..block(&format!("{n} {}-{} 30 {mib}", 2 * window, 2 * window + 2))
        });
        let mut blocks: Vec<BlockMeta> = flushed.collect();
        let first = blocks.len();
        for number in 1.. {
            let owed = owed(60.0, blocks.clone(), Vec::new());
            let jobs = plan(&owed).merges(&TenantId::anonymous(), Signal::Logs);
            let Some(job) = jobs.first() else { break };
            prop_assert!(number <= 2 * first as u64, "{number} merges of {first} blocks and more to come");
            let gone: Vec<Ulid> = job.inputs.iter().map(|block| block.id).collect();
            blocks.retain(|block| !gone.contains(&block.id));
            blocks.extend(merged(job, number, kept));
        }
        // A day that is over has no crowd of small blocks.
        let bytes: u64 = blocks.iter().map(|block| block.bytes).sum();
        prop_assert!((blocks.len() as u64) < 2 * bytes.div_ceil(1 << 30) + 8, "{} blocks", blocks.len());
    }
}

#[test]
fn damaged_blocks_are_left_alone() {
    assert_eq!(jobs(5.0, "a 0-2 3 10\nb 0-2 3 10 damaged\nc 0-2 3 10"), ["0-2: a c"]);
    assert_eq!(jobs(5.0, "a 0-2 3 10\nb 0-2 3 10 damaged"), [""; 0]);
}

/// The days to be rolled up at an hour, as `DAY: NAMES`; those of `done` have figures.
fn rollups(now: f64, blocks: &str, done: &[i64]) -> Vec<String> {
    let blocks: Vec<_> = blocks.lines().filter(|line| !line.trim().is_empty()).map(block).collect();
    let mut owed = owed(now, blocks, Vec::new());
    let manifest = Arc::get_mut(&mut owed.manifest).unwrap();
    manifest.rollups = done
        .iter()
        .map(|day| {
            let (start, end) = (day * LONG, (day + 1) * LONG);
            Rollup { start, end, of: Vec::new(), blocks: Vec::new(), unsuitable: *day == 3 }
        })
        .collect();
    rolled_up(&owed)
}

fn rolled_up(owed: &Owed) -> Vec<String> {
    let (plan, tenant) = (plan(owed), TenantId::anonymous());
    let merges = plan.merges(&tenant, Signal::Metrics);
    let job = |job: &Job| {
        let TimeRange { start, end } = job.window;
        assert_eq!((start - 1 + LONG, job.day()), (end, start - 1));
        let names: Vec<_> = job.inputs.iter().map(name).collect();
        format!("{}: {}", start.div_euclid(LONG), names.join(" "))
    };
    plan.rollups(&tenant, &merges).iter().map(job).collect()
}

#[test]
fn a_day_is_rolled_up_two_days_after_its_end_and_once() {
    // The first moment of a day is the end of the last bucket of the day before.
    let days = "
        a 24.1-48 49 800 of merge1
        b 24.1-48 49 700 of merge1
        c 48.1-72 73 900 of merge2
        d 72.1-96 97 900 of merge3";
    assert_eq!(rollups(95.9, days, &[]), [""; 0]);
    assert_eq!(rollups(96.0, days, &[]), ["1: a b"]);
    assert_eq!(rollups(200.0, days, &[]), ["3: d", "2: c", "1: a b"]);
    assert_eq!(rollups(200.0, days, &[1]), ["3: d", "2: c"]);
    assert_eq!(rollups(200.0, days, &[1, 2, 3]), [""; 0], "what is unsuitable is known, too");
    assert_eq!(
        rollups(200.0, "a 24-48 49 800 of merge1", &[]),
        ["1: a", "0: a"],
        "it has the last bucket of day 0"
    );
}

#[test]
fn a_day_is_rolled_up_once_all_its_blocks_rest() {
    let day = |more: &str| format!("a 24.1-36 49 30 of merge1\nb 48.1-72 73 30 of merge2\n{more}");
    assert_eq!(rollups(200.0, &day(""), &[]), ["2: b", "1: a"]);
    assert_eq!(rollups(200.0, &day("c 36-48 49 30 of merge3"), &[]), ["2: b"], "they are merged first");
    assert_eq!(rollups(200.0, &day("c 36-48 49 30 damaged"), &[]), ["2: b"]);
    // Little that comes late waits until it is worth a merge, and then for that.
    let late = day("c 36-38 150 1");
    assert_eq!(rollups(155.0, &late, &[]), ["2: b"]);
    assert_eq!(rollups(156.0, &late, &[]), ["2: b"]);
    assert_eq!(rollups(156.0, "c 24.1-26 150 1", &[]), ["1: c"], "which there is none with");
    assert_eq!(rollups(155.9, "c 24.1-26 150 1", &[]), [""; 0]);
}

#[test]
fn a_day_of_which_something_is_deleted_is_rolled_up_when_that_is_gone() {
    let blocks: Vec<_> = ["a 24.1-48 49 30 of merge1", "b 48.1-72 73 30 of merge2"].map(block).to_vec();
    let deletion = |due: i64| Deletion {
        id: Ulid::from_parts(7, 7),
        queries: vec!["up".to_owned()],
        min_time: 30 * HOUR,
        max_time: 31 * HOUR,
        due,
        heads_until: 24 * HOUR,
    };
    for due in [0, 300 * HOUR] {
        let mut blocks = blocks.clone();
        let at = |blocks: &[BlockMeta]| owed(200.0, blocks.to_vec(), vec![deletion(due)]);
        assert_eq!(rolled_up(&at(&blocks)), ["2: b"]);
        blocks[0].cleared.push(deletion(due).id);
        assert_eq!(rolled_up(&at(&blocks)), ["2: b", "1: a"]);
    }
    let rule = service_api::RetentionRule { selector: "up".to_owned(), retention: "1d".to_owned() };
    let mut with_rules = owed(200.0, blocks, Vec::new());
    let limits = Limits { retention_rules: vec![rule], ..Limits::default() };
    with_rules.retention = Arc::new(Retention::new(&limits).unwrap());
    assert_eq!(rolled_up(&with_rules), [""; 0], "the rules are not applied yet");
    let manifest = Arc::get_mut(&mut with_rules.manifest).unwrap();
    manifest.blocks[1].rules = with_rules.retention.expired(manifest.blocks[1].max_time, with_rules.now).note;
    assert_eq!(rolled_up(&with_rules), ["2: b"]);
}
