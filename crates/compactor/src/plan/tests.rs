//! Lists of blocks and what is to be done with them, as text.

use super::*;
use block_store::{Deletion, Manifest};
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
