//! Which rollups are true of a list of blocks, and what they cover.

use super::*;
use crate::manifest::Deletion;

const HOUR: i64 = 3_600_000;

fn id(number: u64) -> Ulid {
    Ulid::from_parts(number, 0)
}

/// With samples from an hour's first to another's last millisecond.
fn block(number: u64, from: i64, to: i64) -> BlockMeta {
    BlockMeta {
        id: id(number),
        min_time: from * HOUR,
        max_time: to * HOUR - 1,
        series: 1,
        samples: 1,
        text_bytes: 0,
        bytes: 1,
        level: 1,
        source: String::new(),
        created: 0,
        sources: Vec::new(),
        damaged: None,
        cleared: Vec::new(),
        rules: 0,
    }
}

/// Of a day by its number, which has one block: of its own number and a thousand.
fn rollup(day: i64, of: &[u64]) -> Rollup {
    let blocks = vec![block(1_000 + day as u64, 0, 1)];
    let of = of.iter().copied().map(id).collect();
    Rollup { start: day * ROLLED_UP, end: (day + 1) * ROLLED_UP, of, blocks, unsuitable: false }
}

fn list(blocks: Vec<BlockMeta>, rollups: Vec<Rollup>) -> Manifest {
    Manifest { sequence: 1, blocks, rollups, ..Manifest::default() }
}

#[test]
fn a_rollup_is_of_all_blocks_that_have_samples_of_its_day() {
    let day_one = rollup(1, &[1, 2]);
    let of_it = vec![block(2, 30, 48), block(1, 24, 30)];
    assert!(list(of_it.clone(), vec![]).is_valid(&day_one));
    let with = |other: BlockMeta| list([of_it.clone(), vec![other]].concat(), vec![]).is_valid(&day_one);
    assert!(with(block(3, 0, 24)) && with(block(3, 72, 96)));
    assert!(!with(block(3, 25, 26)), "another one has come");
    assert!(!list(of_it[..1].to_vec(), vec![]).is_valid(&day_one), "one has gone");
    // The first moment of a day ends the last bucket of the day before.
    assert!(with(BlockMeta { max_time: 24 * HOUR, ..block(3, 0, 24) }));
    assert!(!with(BlockMeta { max_time: 24 * HOUR + 1, ..block(3, 0, 24) }));
    assert!(!with(block(3, 48, 50)));
    assert!(with(BlockMeta { min_time: 48 * HOUR + 1, ..block(3, 48, 50) }));
}

#[test]
fn what_is_damaged_or_partly_deleted_is_not_rolled_up() {
    let valid = |change: &dyn Fn(&mut Manifest)| {
        let mut manifest = list(vec![block(1, 24, 48), block(2, 48, 72)], vec![]);
        manifest.blocks[1].min_time += 1;
        change(&mut manifest);
        manifest.is_valid(&rollup(1, &[1]))
    };
    let delete = |manifest: &mut Manifest, from: i64, to: i64| {
        let (min_time, max_time) = (from * HOUR, to * HOUR);
        manifest.deletions.push(Deletion {
            id: id(9),
            queries: vec![],
            min_time,
            max_time,
            due: 0,
            heads_until: i64::MAX,
        });
    };
    assert!(valid(&|_| {}));
    assert!(!valid(&|manifest| manifest.blocks[0].damaged = Some("torn".to_owned())));
    assert!(valid(&|manifest| manifest.blocks[1].damaged = Some("torn".to_owned())));
    assert!(!valid(&|manifest| delete(manifest, 25, 26)));
    assert!(valid(&|manifest| delete(manifest, 50, 51)), "of another day");
    assert!(valid(&|manifest| {
        delete(manifest, 25, 26);
        manifest.blocks[0].cleared.push(id(9));
    }));
}

#[test]
fn the_next_version_lists_those_that_are_valid_alone() {
    let rollups = vec![rollup(1, &[1]), rollup(2, &[2]), rollup(3, &[3])];
    let whole = |number: u64| BlockMeta {
        min_time: number as i64 * ROLLED_UP + 1,
        ..block(number, 24 * number as i64, 24 * (number as i64 + 1))
    };
    let manifest = list(vec![whole(1), whole(2), whole(3)], rollups.clone());
    assert_eq!(manifest.clone().with_valid_rollups(), manifest);
    let with = |blocks: Vec<BlockMeta>| manifest.with_blocks(blocks).with_valid_rollups().rollups;
    assert_eq!(with(vec![whole(1), whole(3)]), [rollups[0].clone(), rollups[2].clone()]);
    let late = block(9, 30, 31);
    assert_eq!(with([manifest.blocks.clone(), vec![late]].concat()), rollups[1..]);
    assert_eq!(manifest.with_deletions(Vec::new()).rollups, rollups);
}

#[test]
fn an_answer_is_of_consecutive_days_and_of_all_that_they_hold() {
    let five_minutes = |manifest: &Manifest, from: i64, to: i64| {
        let blocks = manifest.rolled_up(TimeRange::new(from, to), 300_000);
        blocks.map(|blocks| blocks.iter().map(|block| block.id.timestamp_ms() - 1_000).collect::<Vec<_>>())
    };
    // A day without blocks lies between the second and the fourth.
    let of = |number: u64, day: i64| BlockMeta {
        min_time: day * ROLLED_UP + 1,
        ..block(number, 0, 24 * (day + 1))
    };
    let blocks = vec![of(1, 1), of(2, 2), of(4, 4), of(5, 5)];
    let all = list(blocks.clone(), vec![rollup(1, &[1]), rollup(2, &[2]), rollup(4, &[4])]);
    let day = |day: i64| day * ROLLED_UP;
    assert_eq!(five_minutes(&all, day(1) + 1, day(2)), Some(vec![1]));
    assert_eq!(five_minutes(&all, day(1) + 1, day(2) + 299_999), Some(vec![1]));
    assert_eq!(
        five_minutes(&all, day(2), day(2) + 300_000),
        Some(vec![1, 2]),
        "midnight ends the last bucket of a day"
    );
    assert_eq!(five_minutes(&all, day(2) + 1, day(2) + 300_000), Some(vec![2]));
    assert_eq!(five_minutes(&all, day(1), day(5)), Some(vec![1, 2, 4]));
    assert_eq!(five_minutes(&all, 0, day(5)), Some(vec![1, 2, 4]), "there is nothing before");
    let before = list([blocks.clone(), vec![of(9, 0)]].concat(), all.rollups.clone());
    assert_eq!(
        five_minutes(&before, day(1) + 1, day(2)),
        Some(vec![1]),
        "no bucket of the day before is wanted"
    );
    assert_eq!(five_minutes(&before, day(1), day(2)), None);
    assert_eq!(five_minutes(&before, day(1) + 7, day(1) + 9), Some(vec![]), "nor any at all");
    assert_eq!(five_minutes(&all, day(3) + 300_000, day(4)), Some(vec![]), "nor in a day without blocks");
    assert_eq!(five_minutes(&all, day(4) + 300_000, day(5) + 300_000), None);
    assert_eq!(five_minutes(&all, -day(1_000_000), day(1_000_000)), None);
    assert_eq!(five_minutes(&all, day(100), day(1_000_000)), Some(vec![]));
    assert_eq!(five_minutes(&list(vec![], vec![]), 0, day(1_000_000)), Some(vec![]));
    assert_eq!(five_minutes(&all, i64::MIN, i64::MAX), None, "no bucket begins there");

    let mut unsuitable = all.clone();
    unsuitable.rollups[1].unsuitable = true;
    assert_eq!(five_minutes(&unsuitable, day(1) + 300_000, day(2)), Some(vec![1]));
    assert_eq!(five_minutes(&unsuitable, day(1) + 300_000, day(3)), None);
    let mut stale = all;
    stale.blocks.push(block(7, 50, 51));
    assert_eq!(five_minutes(&stale, day(2) + 300_000, day(3)), None);
}
