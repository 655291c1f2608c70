//! Kept results against computed ones, over a real ingester and its blocks.

mod world;

use http::header;
use proptest::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};
use world::{ALL, Language, MINUTE, START, World};

/// Asked of the metrics `m` (gauges) and `c_total` (counters), which have labels `a` and `b`.
const PROMQL: &[&str] = &[
    "m",
    "sum by (a) (m)",
    "avg(m)",
    "rate(c_total[2m])",
    "increase(c_total{a=\"1\"}[5m] offset 1m)",
    "avg_over_time(m[6m])",
    "sum_over_time(m[10m]) / on (a, b) count_over_time(m[10m])",
    "m offset -2m",
    "topk(1, sum by (a) (m))",
    "bottomk by (a) (2, m * 2)",
    "max_over_time(sum(m)[4m:1m])",
    "count(m > 2) or vector(time())",
    "absent(m{a=\"1\"})",
    "quantile(0.3, m)",
    "count_values by (a) (\"value\", m)",
    "m{a=\"0\"} unless on (b) m{a=\"1\"} offset 3m",
    "label_replace(m, \"x\", \"$1\", \"b\", \"(.*)\")",
    // These are never kept.
    "stddev(m)",
    "m @ end()",
    "delta(c_total[1m]) and rate(m[2m])",
];

const LOGQL: &[&str] = &[
    "count_over_time({s=~\".+\"}[2m])",
    "sum(rate({s=~\".+\"}[1m]))",
    "sum by (s) (bytes_over_time({s=~\".+\"}[3m] offset 1m))",
    "topk(1, sum by (s) (count_over_time({s=~\".+\"}[5m])))",
    "avg by (s) (avg_over_time({s=~\".+\"} | logfmt | unwrap v [4m]))",
    "max_over_time({s=\"1\"} | logfmt | unwrap v [2m] offset -1m)",
    "absent_over_time({s=\"0\"}[1m])",
    "sum(count_over_time({s=\"0\"}[2m])) / sum(count_over_time({s=~\".+\"}[2m]))",
    "count_over_time({s=\"0\"} | line_format \"{{ now }}\" [1m])",
];

/// Seconds.
const STEPS: [i64; 3] = [60, 15, 37];

#[derive(Clone, Debug)]
enum Op {
    /// Samples of some series around a minute.
    Append {
        series: u8,
        minute: i64,
        value: i32,
    },
    Lines {
        stream: u8,
        minute: i64,
        value: i32,
    },
    /// Of the ingesters whose bits are set.
    Flush(u8),
    Restart(u8),
    Query {
        language: Language,
        expr: usize,
        start: i64,
        minutes: i64,
        step: usize,
    },
}

/// Most data is recent, and most queries are of a few expressions over a window that moves on.
fn op() -> impl Strategy<Value = Op> {
    let minute = prop_oneof![3 => 40i64..50, 1 => 0i64..50];
    let query = |language, exprs: usize| {
        (
            0..exprs,
            prop_oneof![3 => 10i64..14, 1 => 0i64..40],
            1i64..45,
            prop_oneof![4 => Just(0), 1 => 0..STEPS.len()],
        )
            .prop_map(move |(expr, start, minutes, step)| Op::Query {
                language,
                expr,
                start,
                minutes,
                step,
            })
    };
    prop_oneof![
        4 => (0u8..6, minute.clone(), -30i32..30).prop_map(|(series, minute, value)| Op::Append { series, minute, value }),
        3 => (0u8..3, minute, 0i32..30).prop_map(|(stream, minute, value)| Op::Lines { stream, minute, value }),
        1 => (0u8..8).prop_map(Op::Flush),
        1 => (0u8..8).prop_map(Op::Restart),
        8 => query(Language::PromQl, PROMQL.len()),
        6 => query(Language::LogQl, LOGQL.len()),
    ]
}

/// Two expressions of each language, so that many queries meet a kept result.
type Few = (usize, usize);

/// The text and the range of a query.
fn query(op: &Op, few: Few) -> Option<(Language, &'static str, (i64, i64, i64))> {
    let Op::Query { language, expr, start, minutes, step } = *op else { return None };
    let (all, first) = match language {
        Language::PromQl => (PROMQL, few.0),
        Language::LogQl => (LOGQL, few.1),
    };
    let from = START + start * MINUTE;
    Some((language, all[(first + expr % 2) % all.len()], (from, from + minutes * MINUTE, STEPS[step])))
}

async fn run(ops: Vec<Op>, few: Few) {
    let world = World::alone().await;
    for op in ops {
        match op {
            Op::Append { series, minute, value } => world.append(ALL, series, minute, value).await,
            Op::Lines { stream, minute, value } => world.append_lines(ALL, stream, minute, value).await,
            Op::Flush(which) => world.flush(which).await,
            Op::Restart(which) => world.restart(which),
            Op::Query { .. } => {
                let (language, text, range) = query(&op, few).unwrap();
                world.check(language, text, range).await;
            }
        }
    }
}

/// With three replicas, of which one may not answer a question, and writes that come to one ingester long
/// before they come to the others. While a write is on its way an answer may have it or not; once it is
/// acknowledged none may be without it.
async fn run_replicated(ops: Vec<(Op, u8)>, few: Few, seed: u64) {
    let random = AtomicU64::new(seed | 1);
    let away = move || {
        let number = random.load(Ordering::Relaxed).wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        random.store(number, Ordering::Relaxed);
        Some((number >> 33) as usize % 5).filter(|at| *at < 3)
    };
    let world = World::new(3, Box::new(away)).await;
    let mut on_their_way = Vec::new();
    for (op, which) in ops {
        match op {
            // What is at one time must be the same wherever it comes from.
            Op::Append { series, minute, .. } => {
                world.append(which, series, minute, minute as i32).await;
                on_their_way.push((op, !which));
            }
            Op::Lines { stream, minute, .. } => {
                world.append_lines(which, stream, minute, minute as i32).await;
                on_their_way.push((op, !which));
            }
            Op::Flush(which) => world.flush(which).await,
            Op::Restart(which) => world.restart(which),
            Op::Query { .. } => {
                let (language, text, range) = query(&op, few).unwrap();
                if which < 4 {
                    world.ask(language, text, range, &[], &[]).await;
                    continue;
                }
                for (op, rest) in on_their_way.drain(..) {
                    let rest = acknowledging(rest, which);
                    match op {
                        Op::Append { series, minute, .. } => {
                            world.append(rest, series, minute, minute as i32).await
                        }
                        Op::Lines { stream, minute, .. } => {
                            world.append_lines(rest, stream, minute, minute as i32).await
                        }
                        _ => {}
                    }
                }
                world.check(language, text, range).await;
            }
        }
    }
}

/// Of three ingesters, those of `rest` to whom a write still has to come to be at two of them. The third
/// may never get it.
fn acknowledging(rest: u8, choice: u8) -> u8 {
    let rest = rest & 0b111;
    match rest.count_ones() {
        3 => rest & !(1 << (choice % 3)),
        2 if choice.is_multiple_of(2) => rest & rest.wrapping_neg(),
        2 => rest & (rest - 1),
        _ => 0,
    }
}

/// Of one expression and one range, while a few entries come to one ingester after the other.
fn replicated_op() -> impl Strategy<Value = (Op, u8)> {
    let query = Op::Query { language: Language::PromQl, expr: 0, start: 10, minutes: 35, step: 0 };
    let append = (0u8..2, 20i64..44).prop_map(|(series, minute)| Op::Append { series, minute, value: 0 });
    let op = prop_oneof![4 => append, 6 => Just(query), 1 => (0u8..8).prop_map(Op::Restart)];
    (op, 0u8..8)
}

fn block_on(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
}

fn few() -> impl Strategy<Value = Few> {
    (0..PROMQL.len(), 0..LOGQL.len())
}

proptest! {
    #[test]
    fn a_kept_result_is_the_computed_one(ops in prop::collection::vec(op(), 10..70), few in few()) {
        block_on(run(ops, few));
    }

    #[test]
    fn a_kept_result_has_all_that_was_acknowledged(
        ops in prop::collection::vec((op(), 0u8..8), 10..70),
        few in few(),
        seed in any::<u64>(),
    ) {
        block_on(run_replicated(ops, few, seed));
    }

    #[test]
    fn a_kept_result_waits_for_nobody_and_misses_nothing(
        ops in prop::collection::vec(replicated_op(), 10..60),
        seed in any::<u64>(),
    ) {
        block_on(run_replicated(ops, (0, 0), seed));
    }
}

/// A window of half an hour that moves on while samples and lines come in.
#[tokio::test]
async fn each_expression_is_mostly_answered_from_what_is_kept() {
    for (language, all) in [(Language::PromQl, PROMQL), (Language::LogQl, LOGQL)] {
        for text in all {
            let world = World::alone().await;
            for minute in 0..50 {
                for n in 0..4 {
                    world.append(ALL, n, minute, minute as i32 * 7 % 5).await;
                }
                world.append_lines(ALL, minute as u8 % 2, minute, minute as i32).await;
                let end = START + minute * MINUTE;
                world.check(language, text, (end - 30 * MINUTE, end, 60)).await;
            }
            let unkept = ["stddev", "@", "now", "rate(m"].iter().any(|part| text.contains(part));
            let counts = world.counts().await;
            if unkept {
                assert_eq!((counts.hits, counts.partial_hits), (0, 0), "{text}");
            } else {
                assert!(counts.partial_hits + counts.hits >= 45, "{text}: {counts:?}");
            }
        }
    }
}

#[tokio::test]
async fn hits_are_counted_and_whoever_wants_none_gets_none() {
    let world = World::alone().await;
    world.append(ALL, 1, 10, 5).await;
    let ask = |minutes: i64| (START, START + minutes * MINUTE, 60);
    let counts = async |world: &World| {
        let counts = world.counts().await;
        (counts.hits, counts.partial_hits, counts.misses)
    };
    for (language, text) in [(Language::PromQl, "m"), (Language::LogQl, "sum(rate({s=\"1\"}[1m]))")] {
        let (hits, partial, misses) = counts(&world).await;
        world.append_lines(ALL, 1, 10, 5).await;
        world.check(language, text, ask(20)).await;
        assert_eq!(counts(&world).await, (hits, partial, misses + 1));
        world.check(language, text, ask(20)).await;
        world.check(language, text, ask(15)).await;
        assert_eq!(counts(&world).await, (hits + 2, partial, misses + 1));
        world.check(language, text, ask(30)).await;
        assert_eq!(counts(&world).await, (hits + 2, partial + 1, misses + 1));
        world.append(ALL, 2, 15, 1).await;
        world.append_lines(ALL, 2, 15, 1).await;
        world.check(language, text, ask(30)).await;
        assert_eq!(counts(&world).await, (hits + 2, partial + 2, misses + 1));
        let before = counts(&world).await;
        for (name, value) in [("nocache", "1"), ("", "no-store"), ("", "max-age=0, No-Store")] {
            let headers =
                if name.is_empty() { vec![(header::CACHE_CONTROL.as_str(), value)] } else { vec![] };
            let params = if name.is_empty() { vec![] } else { vec![(name, value)] };
            world.ask(language, text, ask(30), &params, &headers).await;
        }
        assert_eq!(counts(&world).await, before);
    }
    assert!(world.counts().await.bytes > 100);
    // An instant query is not asked of what is kept, nor is a range of one step.
    let before = counts(&world).await;
    world.check(Language::PromQl, "m", ask(0)).await;
    assert_eq!(counts(&world).await, before);
    // A block that has come is a change from its start on, and a restart changes nothing in blocks.
    world.flush(ALL).await;
    world.check(Language::PromQl, "m", ask(30)).await;
    assert_eq!(counts(&world).await, (before.0, before.1 + 1, before.2));
    world.restart(ALL);
    world.check(Language::PromQl, "m", ask(30)).await;
    assert_eq!(counts(&world).await, (before.0 + 1, before.1 + 1, before.2));
    world.append(ALL, 2, 20, 1).await;
    world.restart(ALL);
    world.check(Language::PromQl, "m", ask(30)).await;
    assert_eq!(counts(&world).await, (before.0 + 1, before.1 + 2, before.2));
}
