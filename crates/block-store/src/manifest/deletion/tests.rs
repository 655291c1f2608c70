//! When requests to delete are carried out, and when they are forgotten.

use super::*;

const HOUR: i64 = 3_600_000;

fn id(millis: i64) -> Ulid {
    Ulid::from_parts(millis as u64, 7)
}

fn deletion(asked: i64) -> Deletion {
    let queries = vec!["up".to_owned()];
    Deletion {
        id: id(asked),
        queries,
        min_time: 10,
        max_time: 20,
        due: asked + HOUR,
        heads_until: asked + 24 * HOUR,
    }
}

fn block(level: u8, made: i64, min_time: i64) -> BlockMeta {
    BlockMeta {
        id: id(made),
        min_time,
        max_time: min_time + 5,
        series: 1,
        samples: 1,
        text_bytes: 0,
        bytes: 1,
        level,
        source: String::new(),
        created: made,
        sources: Vec::new(),
        damaged: None,
        cleared: Vec::new(),
        rules: 0,
    }
}

#[test]
fn a_request_is_processed_when_no_head_and_no_block_has_what_it_names() {
    let asked = 100 * HOUR;
    let deletions = vec![deletion(asked)];
    let with = |blocks| Manifest { sequence: 1, blocks, deletions: deletions.clone(), ..Manifest::default() };
    let state = |blocks: Vec<BlockMeta>, hours: i64| {
        with(blocks.clone()).state(&deletion(asked), asked + hours * HOUR)
    };
    let concerned = || vec![block(1, asked, 10)];
    assert_eq!(state(concerned(), 0), DeletionState::Received);
    assert_eq!(state(concerned(), 1), DeletionState::Processing);
    assert_eq!(state(concerned(), 1_000), DeletionState::Processing);
    assert_eq!(state(vec![block(1, asked, 21)], 24), DeletionState::Processing, "heads may have something");
    assert_eq!(state(vec![block(1, asked, 21)], 25), DeletionState::Processed);
    let cleared = BlockMeta { cleared: vec![id(asked)], ..block(1, asked, 10) };
    assert_eq!(state(vec![cleared], 25), DeletionState::Processed);
}

#[test]
fn what_was_carried_out_is_told_for_a_month_and_forgotten_by_blocks_too() {
    let asked = 100 * HOUR;
    let cleared = BlockMeta { cleared: vec![id(asked), id(5)], ..block(1, asked, 10) };
    let kept = Deletion { due: i64::MAX, ..deletion(5) };
    let (blocks, deletions) = (vec![cleared], vec![deletion(asked), kept.clone()]);
    let manifest = Manifest { sequence: 3, blocks, deletions, ..Manifest::default() };
    let month = 30 * 24 * HOUR;
    assert_eq!(manifest.without_old_deletions(asked + 24 * HOUR + month), None);
    let without = manifest.without_old_deletions(asked + 24 * HOUR + month + 1).unwrap();
    assert_eq!((without.deletions, without.blocks[0].cleared.clone()), (vec![kept], vec![id(5)]));
    let still_there = Manifest { blocks: vec![block(1, asked, 10)], ..manifest };
    assert_eq!(still_there.without_old_deletions(asked + 10 * month), None);
}
