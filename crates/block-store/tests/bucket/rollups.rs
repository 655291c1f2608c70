//! Rollups in lists of blocks: true of what is listed beside them, or gone, with what they name.

use super::*;
use block_store::{Deletion, ROLLED_UP, Rollup, Settled, unlisted_objects};

const METRICS: Signal = Signal::Metrics;

/// Of the day by its number, of the blocks with these ids, in a block of its own.
fn rollup(day: i64, of: &[&BlockMeta], number: u64) -> Rollup {
    let of = of.iter().map(|block| block.id).collect();
    let blocks = vec![meta(number, 0, 1)];
    Rollup { start: day * ROLLED_UP, end: (day + 1) * ROLLED_UP, of, blocks, unsuitable: false }
}

fn of_day(number: u64, day: i64) -> BlockMeta {
    meta(number, day * ROLLED_UP + 5, day * ROLLED_UP + 9)
}

#[test]
fn a_rollup_is_listed_once_and_if_it_is_of_what_is_listed() {
    on_both(|bucket| async move {
        let clock = Arc::new(ManualClock::at(0));
        let manifests = manifests(&bucket, &clock);
        let (a, b, c) = (of_day(1, 0), of_day(2, 0), of_day(3, 1));
        for block in [&a, &b, &c] {
            manifests.add_block(&tenant(), METRICS, block).await.unwrap();
        }
        let add = async |rollup: &Rollup| manifests.add_rollup(&tenant(), METRICS, rollup).await;
        assert!(!add(&rollup(0, &[&a], 10)).await.unwrap(), "there is more");
        assert!(!add(&rollup(1, &[&b], 10)).await.unwrap());
        let (first, second) = (rollup(0, &[&a, &b], 11), rollup(1, &[&c], 12));
        assert!(add(&second).await.unwrap() && add(&first).await.unwrap());
        assert!(add(&first).await.unwrap(), "it is there");
        assert!(!add(&rollup(0, &[&a, &b], 13)).await.unwrap(), "somebody was faster");
        let listed = manifests.refresh(&tenant(), METRICS).await.unwrap();
        assert_eq!((listed.sequence, listed.rollups.clone()), (5, vec![first, second]));

        let dropped = manifests.drop_rollups(&tenant(), METRICS, |rollup| rollup.start == 0).await;
        assert_eq!(dropped.unwrap(), 1);
        assert_eq!(manifests.drop_rollups(&tenant(), METRICS, |rollup| rollup.start == 0).await.unwrap(), 0);
        assert_eq!(manifests.refresh(&tenant(), METRICS).await.unwrap().rollups.len(), 1);

        // One that was made too long ago may be taken for garbage.
        clock.advance(Duration::from_secs(31 * 60));
        assert_eq!(add(&rollup(0, &[&a, &b], 14)).await.unwrap_err().code, Code::Unavailable);
    });
}

#[test]
fn whatever_changes_a_day_drops_its_figures_in_the_same_step() {
    on_both(|bucket| async move {
        let clock = Arc::new(ManualClock::at(0));
        let manifests = manifests(&bucket, &clock);
        let (a, b) = (of_day(1, 0), of_day(2, 1));
        for block in [&a, &b] {
            manifests.add_block(&tenant(), METRICS, block).await.unwrap();
        }
        let days = async || {
            let listed = manifests.refresh(&tenant(), METRICS).await.unwrap();
            listed.rollups.iter().map(|rollup| rollup.start / ROLLED_UP).collect::<Vec<_>>()
        };
        // Both days, of what is listed now.
        let number = AtomicU64::new(100);
        let again = async || {
            let listed = manifests.refresh(&tenant(), METRICS).await.unwrap();
            for day in [0, 1] {
                let of = listed.to_roll_up(day * ROLLED_UP, (day + 1) * ROLLED_UP).unwrap();
                let rollup = rollup(day, &of, number.fetch_add(1, Ordering::SeqCst));
                manifests.add_rollup(&tenant(), METRICS, &rollup).await.unwrap();
            }
            assert_eq!(days().await, [0, 1]);
        };
        again().await;
        let settled = Settled { cleared: Vec::new(), rules: 5 };
        manifests.settle(&tenant(), METRICS, &[(a.id, settled)]).await.unwrap();
        manifests.add_block(&tenant(), METRICS, &of_day(7, 5)).await.unwrap();
        assert_eq!(days().await, [0, 1], "nothing of them has changed");

        let late = of_day(3, 0);
        manifests.add_block(&tenant(), METRICS, &late).await.unwrap();
        assert_eq!(days().await, [1]);
        again().await;
        let merged = BlockMeta { level: 1, ..of_day(4, 0) };
        manifests
            .replace(&tenant(), METRICS, &[a, late], std::slice::from_ref(&merged), &[])
            .await
            .unwrap()
            .unwrap();
        assert_eq!(days().await, [1]);
        again().await;
        manifests.set_aside(&tenant(), METRICS, b.id, "torn").await.unwrap();
        assert_eq!(days().await, [0]);
        manifests.restore(&tenant(), METRICS, b.id).await.unwrap();
        again().await;
        let (min_time, max_time) = (ROLLED_UP, ROLLED_UP + 7);
        let (id, queries) = (Ulid::from_parts(5, 5), vec![]);
        let deletion = Deletion { id, queries, min_time, max_time, due: 0, heads_until: i64::MAX };
        let delete = |current: &Manifest| Some(current.with_deletions(vec![deletion.clone()]));
        manifests.update(&tenant(), METRICS, delete).await.unwrap();
        assert_eq!(days().await, [0]);
        manifests.update(&tenant(), METRICS, |current| Some(current.with_deletions(vec![]))).await.unwrap();
        again().await;
        apply_retention(&manifests, &tenant(), METRICS, merged.max_time + 1).await.unwrap();
        assert_eq!(days().await, [1]);
    });
}

#[test]
fn what_a_listed_rollup_names_is_no_garbage() {
    on_both(|bucket| async move {
        let clock = Arc::new(ManualClock::at(0));
        let manifests = manifests(&bucket, &clock);
        let raw = put_block(&bucket, 1, &["up"], &[10, 20]).await;
        manifests.add_block(&tenant(), METRICS, &raw).await.unwrap();
        let figures = put_block(&bucket, 2, &["up"], &[300_000]).await;
        let listed = Rollup { blocks: vec![figures.clone()], ..rollup(0, &[&raw], 2) };
        let unlisted = async || unlisted_objects(&manifests, &tenant(), METRICS).await.unwrap().len();
        assert_eq!(unlisted().await, 1);
        assert!(manifests.add_rollup(&tenant(), METRICS, &listed).await.unwrap());
        assert_eq!(unlisted().await, 0);
        // A day later, by the bucket's own clock: what was the newest list by then counts.
        let later = runtime::SystemClock::new().now_ms() + 86_400_000;
        let collect = async || {
            let collected = collect_garbage(&manifests, &tenant(), METRICS, later, Duration::ZERO).await;
            collected.unwrap().blocks
        };
        assert_eq!(collect().await, 0);
        bucket.get(&figures.object(&tenant(), METRICS)).await.unwrap();
        manifests.add_block(&tenant(), METRICS, &meta(3, 15, 16)).await.unwrap();
        assert_eq!(collect().await, 1);
        assert!(bucket.get(&figures.object(&tenant(), METRICS)).await.is_err());
        bucket.get(&raw.object(&tenant(), METRICS)).await.unwrap();
    });
}
