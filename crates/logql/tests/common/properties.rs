//! Random pages: answers are those of a plain evaluation over all lines, and little is read.

use crate::{
    memory::{Entry, Memory},
    script::BASE,
};
use logql::engine::{Answer, Data, Direction, Engine, EngineConfig, Query};
use model::{Labels, Lines, NanoRange, Nanos, TenantId};
use proptest::prelude::*;
use service_api::{Code, LineSource, Needles, ReadContext, Result};
use std::sync::Arc;

const MINUTE: Nanos = 60_000_000_000;

type Page = (Vec<Entry>, bool);

/// Pages of a few streams, over some hours.
fn streams() -> impl Strategy<Value = Vec<Vec<Page>>> {
    let text = prop::sample::select(vec!["n=1", "n=2 needle", "n=30", "needle n=4"]);
    let entry = (0i64..400, text).prop_map(|(minute, text)| Entry::new(BASE + minute * MINUTE, text));
    // Pages of a short time, and of any.
    let short = (0i64..400, prop::collection::vec(0i64..6, 1..8)).prop_map(|(start, minutes)| {
        minutes.iter().map(|m| Entry::new(BASE + (start + m) * MINUTE, format!("n={m}"))).collect()
    });
    let page = prop_oneof![prop::collection::vec(entry, 1..8), short];
    prop::collection::vec(prop::collection::vec((page, any::<bool>()), 1..6), 1..4)
}

fn labels(stream: usize) -> Labels {
    Labels::from_pairs([("app", "x"), ("stream", &stream.to_string())])
}

fn memory(streams: &[Vec<Page>]) -> Memory {
    let mut memory = Memory::default();
    for (at, pages) in streams.iter().enumerate() {
        pages.iter().for_each(|(entries, stored)| memory.add(&labels(at), entries, *stored));
    }
    memory
}

/// All lines of a stream, in order, each once.
fn lines(pages: &[Page]) -> Vec<(Nanos, String)> {
    let mut sorted: Vec<Vec<&Entry>> = pages.iter().map(|(page, _)| page.iter().collect()).collect();
    sorted.iter_mut().for_each(|page| page.sort_by_key(|entry| entry.time));
    sorted.sort_by_key(|page| (page[0].time, page[page.len() - 1].time));
    let mut lines = Lines::default();
    sorted.iter().flatten().for_each(|entry| lines.push(entry.time, entry.text.as_bytes(), []));
    lines.normalize();
    (0..lines.len())
        .map(|at| (lines.timestamps[at], String::from_utf8(lines.line(at).to_vec()).unwrap()))
        .collect()
}

fn evaluate(memory: Memory, config: EngineConfig, query: Query) -> Result<Answer> {
    let ctx = ReadContext::new(TenantId::new("test").unwrap(), 64 << 20);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let answer = runtime.block_on(Engine::new(config).query(&ctx, Arc::new(memory), query));
    assert_eq!(ctx.budget.used(), 0);
    answer
}

fn log_query(expr: &str, start: Nanos, end: Nanos, direction: Direction, limit: u64) -> Query {
    Query { expr: logql::parse(expr).unwrap(), start, end, step: 0, direction, limit, interval: 0 }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn lines_are_those_of_a_plain_evaluation(
        streams in streams(), start in -10i64..300, length in 0i64..500, limit in 0usize..30,
        backward in any::<bool>(), filtered in any::<bool>(), shards in 1usize..3, batch_bytes in 1u64..200,
    ) {
        let (start, end) = (BASE + start * MINUTE, BASE + (start + length) * MINUTE);
        let wanted = |(time, text): &(Nanos, String)| {
            start <= *time && *time < end && (!filtered || text.contains("needle"))
        };
        let mut all: Vec<(Nanos, usize, String)> = Vec::new();
        for (stream, pages) in streams.iter().enumerate() {
            let mut lines: Vec<_> = lines(pages).into_iter().filter(wanted).collect();
            if backward {
                lines.reverse();
            }
            all.extend(lines.into_iter().map(|(time, text)| (time, stream, text)));
        }
        all.sort_by_key(|(time, stream, _)| (if backward { -time } else { *time }, *stream));
        all.truncate(limit);

        let direction = if backward { Direction::Backward } else { Direction::Forward };
        let expr = if filtered { r#"{app="x"} |= "needle""# } else { r#"{app="x"}"# };
        let query = log_query(expr, start, end, direction, limit as u64);
        let config = EngineConfig { shards, batch_bytes };
        let Data::Streams(answer) = evaluate(memory(&streams), config, query).unwrap().data else {
            panic!("streams")
        };
        for (stream, _) in streams.iter().enumerate() {
            let expected: Vec<_> =
                all.iter().filter(|(_, of, _)| *of == stream).map(|(time, _, text)| (*time, text.clone())).collect();
            let found = answer.iter().find(|found| found.stream == labels(stream));
            prop_assert_eq!(found.map_or(&[][..], |found| &found.entries), expected);
        }
    }

    #[test]
    fn numbers_are_those_of_a_plain_evaluation(
        streams in streams(), start in -10i64..300, step in 1i64..90, steps in 1usize..8, range in 1i64..120,
        offset in -60i64..60, shards in 1usize..3, batch_bytes in 1u64..200,
    ) {
        let value = |text: &str| -> f64 { text.split("n=").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap() };
        type Of<'a> = &'a dyn Fn(&[String]) -> f64;
        let cases: [(&str, bool, Of<'_>); 5] = [
            (r#"count_over_time({app="x"}[R])"#, false, &|window| window.len() as f64),
            (r#"sum(count_over_time({app="x"}[R]))"#, true, &|window| window.len() as f64),
            (r#"sum by (app) (bytes_over_time({app="x"} |= "n=" [R]))"#, true, &|window| {
                window.iter().map(String::len).sum::<usize>() as f64
            }),
            (r#"sum_over_time({app="x"} | logfmt | unwrap n | drop n [R])"#, false, &|window| {
                window.iter().map(|text| value(text)).sum()
            }),
            (r#"max_over_time({app="x"} | logfmt n | unwrap n [R]) by (app)"#, true, &|window| {
                window.iter().map(|text| value(text)).fold(f64::MIN, f64::max)
            }),
        ];
        for (expr, joined, of) in cases {
            let expr = expr.replace("| unwrap n | drop n", "| unwrap n");
            let expr = expr.replace("[R]", &format!("[{range}m] offset {offset}m"));
            let from = BASE + start * MINUTE;
            let end = from + (steps as i64 - 1) * step * MINUTE;
            let mut query = log_query(&expr, from, end, Direction::Forward, 0);
            query.step = step * MINUTE;
            let config = EngineConfig { shards, batch_bytes };
            let Data::Matrix(answer) = evaluate(memory(&streams), config, query).unwrap().data else {
                panic!("a matrix")
            };
            let groups: Vec<Vec<(Nanos, String)>> = if joined {
                vec![streams.iter().flat_map(|pages| lines(pages)).collect()]
            } else {
                streams.iter().map(|pages| lines(pages)).collect()
            };
            let mut expected = Vec::new();
            for group in groups {
                let mut points = Vec::new();
                for at in 0..steps as i64 {
                    let time = from + at * step * MINUTE;
                    let behind = time - offset * MINUTE;
                    let is_in = |(t, _): &&(Nanos, String)| behind - range * MINUTE < *t && *t <= behind;
                    let window: Vec<String> = group.iter().filter(is_in).map(|(_, text)| text.clone()).collect();
                    if !window.is_empty() {
                        points.push((time / 1_000_000, of(&window)));
                    }
                }
                if !points.is_empty() {
                    expected.push(points);
                }
            }
            let actual: Vec<_> = answer.into_iter().map(|series| series.points).collect();
            prop_assert_eq!(actual, expected, "{}", expr);
        }
    }
}

/// A stream of hundred pages, one behind the other, of hundred lines each.
fn long_stream() -> Memory {
    let mut memory = Memory::default();
    for page in 0..100 {
        let line =
            |at: i64| Entry::new(BASE + (page * 100 + at) * 1_000_000_000, format!("page {page} line {at}"));
        memory.add(&labels(0), &(0..100).map(line).collect::<Vec<_>>(), true);
    }
    memory
}

async fn fetched(memory: Memory, expr: &str, direction: Direction, limit: u64) -> (usize, usize) {
    let memory = Arc::new(memory);
    let ctx = ReadContext::new(TenantId::new("test").unwrap(), 64 << 20);
    let query = log_query(expr, BASE - 10_000 * MINUTE, BASE + 10_000 * MINUTE, direction, limit);
    let engine = Engine::new(EngineConfig { shards: 2, batch_bytes: 2000 });
    let answer = engine.query(&ctx, Arc::clone(&memory) as _, query).await.unwrap();
    (memory.fetched(), answer.data.entries())
}

#[tokio::test]
async fn a_query_stops_early() {
    for direction in [Direction::Forward, Direction::Backward] {
        assert_eq!(fetched(long_stream(), r#"{app="x"}"#, direction, 10).await, (1, 10));
        let (pages, lines) = fetched(long_stream(), r#"{app="x"}"#, direction, 1000).await;
        assert!(lines == 1000 && (10..=13).contains(&pages), "{pages} pages");
    }
    assert_eq!(fetched(long_stream(), r#"{app="x"} |= "absent""#, Direction::Backward, 10).await, (100, 0));
}

#[tokio::test]
async fn a_page_without_wanted_lines_is_read_once_for_all_slices() {
    let mut memory = Memory::default();
    for start in [0, 1, 2] {
        let entries: Vec<_> =
            (0..20).map(|hour| Entry::new(BASE + (start + 60 * hour) * MINUTE, "a line")).collect();
        memory.add(&labels(0), &entries, true);
    }
    assert_eq!(fetched(memory, r#"{app="x"} |= "absent""#, Direction::Backward, 10).await, (3, 0));
}

#[tokio::test]
async fn counts_of_whole_pages_read_none() {
    let memory = Arc::new(long_stream());
    let ctx = ReadContext::new(TenantId::new("test").unwrap(), 64 << 20);
    let mut query = log_query(
        r#"sum(count_over_time({app="x"}[1000s]))"#,
        BASE + 999_000_000_000,
        BASE + 10_000_000_000_000,
        Direction::Forward,
        0,
    );
    query.step = 1_000_000_000_000;
    let answer = Engine::default().query(&ctx, Arc::clone(&memory) as _, query).await.unwrap();
    let Data::Matrix(series) = answer.data else { panic!("a matrix") };
    assert_eq!(series[0].points.iter().map(|(_, value)| *value).collect::<Vec<_>>(), [1000.0; 10]);
    assert_eq!(memory.fetched(), 0);
}

#[tokio::test]
async fn a_query_ends_when_it_is_cancelled_or_too_large() {
    for (expr, limit) in [(r#"{app="x"}"#, 10_000), (r#"count_over_time({app="x"} |= "page" [24h])"#, 0)] {
        let query = || log_query(expr, BASE, BASE + 1000 * MINUTE, Direction::Forward, limit);
        let small = ReadContext::new(TenantId::new("test").unwrap(), 2000);
        let error = Engine::default().query(&small, Arc::new(long_stream()), query()).await.unwrap_err();
        assert_eq!(error.code, Code::Unprocessable);
        assert_eq!(small.budget.used(), 0);

        let cancelled = ReadContext::new(TenantId::new("test").unwrap(), 64 << 20);
        cancelled.cancel.cancel();
        let error = Engine::default().query(&cancelled, Arc::new(long_stream()), query()).await.unwrap_err();
        assert_eq!(error.code, Code::Canceled);
    }
}

/// A page of many lines, in the middle of whose reading the client goes away.
struct LastPage(ReadContext);

impl LineSource for LastPage {
    fn read(&self, _: &Needles, out: &mut Lines) -> Result<bool> {
        self.0.cancel.cancel();
        *out = Lines::default();
        (0..1000).for_each(|n| out.push(BASE + n, b"n=1", []));
        Ok(true)
    }
}

#[tokio::test]
async fn a_query_ends_in_the_middle_of_a_page() {
    for expr in [r#"{app="x"} | logfmt"#, r#"sum(count_over_time({app="x"} | n="1" [1h]))"#] {
        let ctx = ReadContext::new(TenantId::new("test").unwrap(), 64 << 20);
        let mut memory = Memory::default();
        memory.add_page(&labels(0), NanoRange::new(BASE, BASE + 999), Arc::new(LastPage(ctx.clone())));
        let query = log_query(expr, BASE, BASE + MINUTE, Direction::Forward, 10_000);
        let error = Engine::default().query(&ctx, Arc::new(memory), query).await.unwrap_err();
        assert_eq!(error.code, Code::Canceled, "{expr}");
    }
}
