//! Flushes, imports, merges, deletions, retention, garbage collection and reads in random order, with compactors
//! that die or stand still at any request to the bucket: what is read is always what was written and not deleted.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "model/data.rs"]
mod data;
#[path = "model/store.rs"]
mod store;
#[path = "model/world.rs"]
mod world;

use data::Entry;
use model::Signal;
use proptest::prelude::*;
use std::collections::BTreeSet;
use store::End;
use world::World;

#[derive(Clone, Debug)]
enum Op {
    /// Blocks of the same entries, but for some that single ones do not have.
    Flush(Flush),
    /// A round of a compactor, which may come to an end in it.
    Compact {
        collects_garbage: bool,
        end: Option<(usize, End)>,
    },
    /// A compactor stands still before one of its requests, another one does its round, and the first goes on.
    Stall {
        at: usize,
    },
    Wait {
        minutes: u64,
    },
    Delete(Delete),
    /// Takes back the last of the deletions that are not due.
    Cancel,
}

/// A request to delete.
#[derive(Clone, Copy, Debug)]
pub struct Delete {
    pub signal: Signal,
    /// Of one series or stream, or of all that have its name in common.
    pub series: u8,
    pub by_name: bool,
    /// Of lines only every other one.
    pub odd: bool,
    /// Hours ago, and how many.
    pub from: i64,
    pub hours: i64,
    /// Hours until it is due.
    pub delay: i64,
}

#[derive(Clone, Debug)]
pub struct Flush {
    pub signal: Signal,
    /// Hours ago, in windows of two.
    pub window: i64,
    /// Series and place in the window.
    pub entries: Vec<(u8, u8)>,
    /// Of each replica, one entry in so many is missing.
    pub replicas: Vec<usize>,
    /// It comes from elsewhere, and not from heads.
    pub imported: bool,
}

fn a_flush() -> impl Strategy<Value = Op> {
    let signal = prop::sample::select(Signal::ALL.to_vec());
    let entries = prop::collection::vec((0u8..5, 0u8..20), 1..12);
    let replicas = prop::collection::vec(2usize..6, 1..4);
    let window = prop_oneof![3 => 1i64..4, 1 => 4i64..30];
    let imported = prop::bool::weighted(0.2);
    (signal, window, entries, replicas, imported).prop_map(|(signal, window, entries, replicas, imported)| {
        Op::Flush(Flush { signal, window, entries, replicas, imported })
    })
}

fn a_deletion() -> impl Strategy<Value = Op> {
    let signal = prop::sample::select(Signal::ALL.to_vec());
    let what = (0u8..5, any::<bool>(), any::<bool>());
    let when = (0i64..12, prop_oneof![1i64..8, Just(100)], prop::sample::select(vec![0, 1, 5, 30]));
    (signal, what, when).prop_map(|(signal, (series, by_name, odd), (from, hours, delay))| {
        Op::Delete(Delete { signal, series, by_name, odd, from, hours, delay })
    })
}

fn an_op() -> impl Strategy<Value = Op> {
    let end = (0usize..40, prop::sample::select(vec![End::Before, End::After]));
    prop_oneof![
        6 => a_flush(),
        4 => (prop::bool::weighted(0.3), prop::option::weighted(0.7, end))
            .prop_map(|(collects_garbage, end)| Op::Compact { collects_garbage, end }),
        2 => (0usize..40).prop_map(|at| Op::Stall { at }),
        2 => prop_oneof![1u64..30, 30u64..600].prop_map(|minutes| Op::Wait { minutes }),
        2 => a_deletion(),
        1 => Just(Op::Cancel),
    ]
}

async fn run(ops: Vec<Op>) {
    let mut world = World::new();
    for op in ops {
        match &op {
            Op::Flush(flush) => world.flush(flush).await,
            Op::Compact { collects_garbage, end } => world.compact(*collects_garbage, *end).await,
            Op::Stall { at } => world.stall(*at).await,
            Op::Wait { minutes } => world.wait(*minutes),
            Op::Delete(delete) => world.delete(*delete).await,
            Op::Cancel => world.cancel().await,
        }
        world.check(&format!("{op:?}")).await;
    }
    world.settle().await;
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_read_is_what_was_written(ops in prop::collection::vec(an_op(), 4..40)) {
        runtime().block_on(run(ops));
    }
}

/// Of a day that is long over there are figures, until something of it is deleted, and then those of the rest.
#[test]
fn a_day_is_rolled_up_and_anew_when_something_of_it_goes() {
    runtime().block_on(async {
        let mut world = World::new();
        world.wait_for_noon();
        for window in [14, 15] {
            let entries = (0..20).map(|place| (3, place)).collect();
            let (signal, replicas) = (Signal::Metrics, vec![2, 3]);
            world.flush(&Flush { signal, window, entries, replicas, imported: false }).await;
        }
        let mut found = Vec::new();
        for _ in 0..2 {
            for _ in 0..8 {
                world.wait(12 * 60);
                world.compact(false, None).await;
                world.check("a round").await;
            }
            found.push(world.rolled_up());
            let series = Delete {
                signal: Signal::Metrics,
                series: 3,
                by_name: false,
                odd: false,
                // Of the first of the two windows.
                from: 29 + 4 * 24,
                hours: 100,
                delay: 1,
            };
            world.delete(series).await;
            world.check("a request to delete").await;
            assert_eq!(world.rolled_up(), *found.last().unwrap(), "figures of what is hidden");
        }
        assert!(found[0] > 0 && found[1] > found[0], "{found:?}");
    });
}

/// Of what one series has, due at once.
fn delete(signal: Signal) -> Op {
    Op::Delete(Delete { signal, series: 2, by_name: false, odd: true, from: 0, hours: 100, delay: 0 })
}

/// A merge that ends at each of its requests, the request carried out or not.
#[test]
fn a_merge_may_end_at_any_request() {
    for signal in Signal::ALL {
        let flush = |window, skip| {
            let entries = (0..12).map(|n| (n % 5, n * 3 / 2)).collect();
            Op::Flush(Flush { signal, window, entries, replicas: vec![skip, 3, 2], imported: false })
        };
        let last = runtime().block_on(async {
            let mut world = World::new();
            for op in [flush(2, 4), flush(2, 5), flush(14, 2), delete(signal)] {
                match op {
                    Op::Flush(flush) => world.flush(&flush).await,
                    Op::Delete(delete) => world.delete(delete).await,
                    _ => {}
                }
            }
            world.wait(60);
            let before = world.requests();
            world.compact(true, None).await;
            world.requests() - before
        });
        assert!(last > 12, "{last} requests");
        for at in 0..=last {
            for end in [End::Before, End::After] {
                let ops = vec![
                    flush(2, 4),
                    flush(2, 5),
                    flush(14, 2),
                    delete(signal),
                    Op::Wait { minutes: 60 },
                    Op::Compact { collects_garbage: true, end: Some((at, end)) },
                    Op::Compact { collects_garbage: true, end: None },
                ];
                runtime().block_on(run(ops));
            }
        }
    }
}

/// A compactor that stands still before each of its requests while another one does the same work, and for longer
/// than garbage stays.
#[test]
fn a_compactor_that_stood_still_publishes_nothing_stale() {
    for signal in Signal::ALL {
        let flush = |window| {
            let entries = (0..12).map(|n| (n % 5, n * 3 / 2)).collect();
            Op::Flush(Flush { signal, window, entries, replicas: vec![4, 3, 2], imported: false })
        };
        for at in 0..40 {
            let ops = vec![flush(2), flush(3), delete(signal), Op::Wait { minutes: 60 }, Op::Stall { at }];
            runtime().block_on(run(ops));
        }
    }
}

/// Row 20: a block that is another one than it was is set aside, and named; the others are merged.
#[test]
fn a_damaged_block_is_set_aside_and_the_rest_goes_on() {
    let mut outcomes = [0usize; 2];
    for number in 0..1_000usize {
        let signal = Signal::ALL[number % 2];
        let set_aside = runtime().block_on(poison(signal, number / 2));
        outcomes[usize::from(set_aside)] += 1;
    }
    println!(
        "of 1000 damaged blocks {} were set aside, and {} were merged as they had been",
        outcomes[1], outcomes[0]
    );
    assert!(outcomes[1] > 900, "{outcomes:?}");
}

/// Whether the block was set aside; if not, nothing of it is missing.
async fn poison(signal: Signal, number: usize) -> bool {
    let mut world = World::new();
    // Three blocks, of which each has something that the others have not.
    for series in 0..3u8 {
        let entries = (0..12).map(|place| (if place < 4 { series } else { 3 }, place)).collect();
        world.flush(&Flush { signal, window: 2, entries, replicas: vec![2], imported: false }).await;
    }
    let blocks = world.blocks(signal).await;
    let victim = &blocks[number % 3];
    let spoil = |whole: &[u8]| {
        let mut other = whole.to_vec();
        match number % 10 {
            0 => return None,
            1 => other.truncate(number * 7 % whole.len()),
            2 => other.extend([0; 9]),
            _ => other[number * 131 % whole.len()] ^= 1 << (number % 8),
        }
        Some(other)
    };
    world.spoil(signal, victim, spoil).await;
    world.wait(60);
    for _ in 0..3 {
        world.compact(true, None).await;
    }
    let listed = world.blocks(signal).await;
    let (read, warnings) = world.read(signal).await;
    let (read, written): (BTreeSet<Entry>, _) = (read.into_iter().collect(), world.written(signal));
    assert!(read.is_subset(&written), "{number}: read what was not written");
    let Some(damaged) = listed.iter().find(|block| block.damaged.is_some()) else {
        assert_eq!((listed.len(), read), (1, written), "{number}");
        return false;
    };
    assert_eq!((damaged.id, listed.len()), (victim.id, 2), "{number}: {listed:?}");
    assert!(warnings.len() == 1 && warnings[0].contains(&victim.id.to_string()), "{number}: {warnings:?}");
    // Of the twelve entries of each block four are its own.
    assert_eq!(written.len() - read.len(), 4, "{number}");
    true
}
