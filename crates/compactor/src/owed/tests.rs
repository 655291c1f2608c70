//! What is to be done about deletions and rules, as it follows from lists.

use super::*;
use crate::Plan;
use model::TenantId;
use service_api::{Limits, RetentionRule};
use std::time::Duration;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

fn id(number: u64) -> Ulid {
    Ulid::from_parts(number, 0)
}

/// A block of two hours, flushed or of a merge.
fn block(number: u64, from: i64, level: u8) -> BlockMeta {
    let source = if level == 0 { "ingester-0/1:2".to_owned() } else { format!("merge {number}") };
    BlockMeta {
        id: id(number),
        min_time: from * HOUR,
        max_time: (from + 2) * HOUR - 1,
        series: 1,
        samples: 1,
        text_bytes: 0,
        bytes: 1 << 20,
        level,
        source,
        created: (from + 2) * HOUR,
        sources: Vec::new(),
        damaged: None,
        cleared: Vec::new(),
        rules: 0,
    }
}

/// Of everything from one hour to another, asked for at an hour, due some hours later.
fn deletion(from: i64, to: i64, asked: i64, due: i64) -> Deletion {
    let asked = asked * HOUR;
    Deletion {
        id: id(asked as u64),
        queries: vec!["{a=\"b\"}".to_owned()],
        min_time: from * HOUR,
        max_time: to * HOUR,
        due: asked + due * HOUR,
        heads_until: asked + DAY,
    }
}

fn owed(now: i64, blocks: Vec<BlockMeta>, deletions: Vec<Deletion>, rules: &[(&str, &str)]) -> Owed {
    let rule = |(selector, retention): &(&str, &str)| RetentionRule {
        selector: (*selector).to_owned(),
        retention: (*retention).to_owned(),
    };
    let limits = Limits { retention_rules: rules.iter().map(rule).collect(), ..Limits::default() };
    Owed {
        manifest: Arc::new(Manifest { blocks, deletions, ..Manifest::default() }),
        retention: Arc::new(Retention::new(&limits).unwrap()),
        now: now * HOUR,
    }
}

/// The jobs by the numbers of their blocks: merges, and blocks that are written again on their own.
fn jobs(owed: &Owed) -> (Vec<Vec<u64>>, Vec<Vec<u64>>) {
    let plan = Plan { owed, delay: Duration::ZERO, block_bytes: 1 << 30 };
    let tenant = TenantId::anonymous();
    let merges = plan.merges(&tenant, Signal::Metrics);
    let rewrites = plan.rewrites(&tenant, Signal::Metrics, &merges);
    let numbers = |jobs: &[crate::Job]| {
        jobs.iter().map(|job| job.inputs.iter().map(|input| input.id.timestamp_ms()).collect()).collect()
    };
    (numbers(&merges), numbers(&rewrites))
}

#[test]
fn a_deletion_waits_until_it_is_due_and_is_carried_out_in_every_block_of_its_time() {
    let blocks = || vec![block(1, 0, 0), block(2, 4, 0), block(3, 6, 1)];
    let of_first = |now| owed(now, blocks(), vec![deletion(1, 5, 10, 2)], &[]);
    assert_eq!(jobs(&of_first(11)), (vec![], vec![]));
    assert_eq!(jobs(&of_first(12)), (vec![], vec![vec![1], vec![2]]));
    let due = of_first(12);
    let (one, three) = (&due.manifest.blocks[..1], &due.manifest.blocks[2..]);
    assert_eq!((due.applied(one), due.applied(three)), (vec![id(10 * HOUR as u64)], vec![]));
    assert!(due.omissions(Signal::Metrics, one).unwrap().contains_key(&id(1)));
    assert!(due.omissions(Signal::Metrics, three).unwrap().is_empty());
    // It is noted, and then there is nothing to do.
    let mut settled = blocks();
    settled.iter_mut().for_each(|block| block.cleared = due.settled(std::slice::from_ref(block)).cleared);
    assert_eq!(settled[2].cleared, [], "a deletion of another time is not noted");
    assert_eq!(jobs(&owed(12, settled, vec![deletion(1, 5, 10, 2)], &[])), (vec![], vec![]));
}

#[test]
fn what_is_merged_anyway_is_written_once() {
    let blocks = vec![block(1, 0, 0), block(2, 0, 0), block(3, 4, 0)];
    let owed = owed(12, blocks, vec![deletion(1, 5, 10, 2)], &[]);
    assert_eq!(jobs(&owed), (vec![vec![1, 2]], vec![vec![3]]));
    assert_eq!(owed.omissions(Signal::Metrics, &owed.manifest.blocks[..2]).unwrap().len(), 2);
}

#[test]
fn blocks_that_a_waiting_deletion_concerns_are_not_mixed_with_others() {
    let pending = deletion(0, 2, 10, 24);
    let imported = |number| BlockMeta { cleared: vec![pending.id], ..block(number, 0, 0) };
    let blocks = vec![block(1, 0, 0), imported(2), block(3, 0, 0), imported(4)];
    let before = owed(12, blocks.clone(), vec![pending.clone()], &[]);
    assert_eq!(jobs(&before).0, [[2, 4], [1, 3]]);
    // The new blocks are what the old ones were.
    let of = |owed: &Owed, numbers: [usize; 2]| {
        owed.settled(&numbers.map(|number| owed.manifest.blocks[number].clone())).cleared
    };
    assert_eq!((of(&before, [1, 3]), of(&before, [0, 2])), (vec![pending.id], vec![]));
    // Due, it is carried out for those alone that it concerns.
    let due = owed(34, blocks, vec![pending.clone()], &[]);
    assert_eq!(jobs(&due).0, [[1, 2, 3, 4]]);
    let omissions = due.omissions(Signal::Metrics, &due.manifest.blocks).unwrap();
    assert_eq!(omissions.keys().copied().collect::<Vec<_>>(), [id(1), id(3)]);
    assert_eq!(of(&due, [0, 1]), [pending.id]);
}

#[test]
fn a_rule_is_applied_once_to_each_block_that_is_old_enough() {
    let rules: &[(&str, &str)] = &[("{env=\"dev\"}", "1d"), ("{env=\"test\"}", "2d")];
    let at = |hours, blocks| owed(hours, blocks, vec![], rules);
    assert_eq!(jobs(&at(25, vec![block(1, 0, 1)])).1, [[0u64; 0]; 0]);
    let first = at(26, vec![block(1, 0, 1)]);
    assert_eq!(jobs(&first).1, [[1]]);
    let noted = BlockMeta { rules: first.settled(&first.manifest.blocks[..1]).rules, ..block(1, 0, 1) };
    assert_eq!(jobs(&at(27, vec![noted.clone()])).1, [[0u64; 0]; 0]);
    assert_eq!(jobs(&at(50, vec![noted])).1, [[1]], "another rule's time is up");
    // Other rules are other notes.
    let blocks = vec![BlockMeta { rules: 77, ..block(1, 0, 1) }];
    assert_eq!(jobs(&at(26, blocks)).1, [[1]]);
    // Without rules all of a block goes at once, and not like this.
    assert_eq!(jobs(&owed(10_000, vec![block(1, 0, 1)], vec![], &[])).1, [[0u64; 0]; 0]);
}

#[test]
fn a_block_that_was_flushed_long_after_a_request_is_none_of_its_business() {
    let deletion = deletion(0, 24, 24, 0);
    let flushed = |at: i64, level| BlockMeta { id: id(at as u64), ..block(0, 0, level) };
    let soon = owed(60, vec![flushed(48 * HOUR, 0), flushed(48 * HOUR + 1, 0)], vec![deletion.clone()], &[]);
    assert_eq!(jobs(&soon).0.len() + jobs(&soon).1.len(), 1);
    assert!(soon.owes(&soon.manifest.blocks[0]) && !soon.owes(&soon.manifest.blocks[1]));
    // Merged it says so itself.
    let merged =
        BlockMeta { cleared: soon.settled(&soon.manifest.blocks[1..]).cleared, ..flushed(3 * DAY, 1) };
    assert!(!owed(80, vec![merged.clone()], vec![deletion.clone()], &[]).owes(&merged));
    let silent = flushed(3 * DAY, 1);
    assert!(owed(80, vec![silent.clone()], vec![deletion], &[]).owes(&silent));
}
