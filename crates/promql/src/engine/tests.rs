//! What scripts cannot say: sharding, budgets, cancellation, statistics, errors.

mod memory;
mod observe;

use super::*;
use crate::parse::{ParseOptions, parse};
use memory::Memory;
use model::{Labels, TenantId};
use service_api::Code;
use std::sync::Arc;

const HOUR: i64 = 3_600_000;

/// `requests_total` of many series, 15 s apart for two hours, and `requests` without the
/// counter's ending.
fn data(series: usize) -> Memory {
    let mut memory = Memory::default();
    let times: Arc<Vec<Timestamp>> = Arc::new((0..480).map(|i| i * 15_000).collect());
    for name in ["requests", "requests_total"] {
        for at in 0..series {
            let instance = format!("host-{:04}", at / 10);
            let path = format!("/{}", at % 10);
            let labels = [("__name__", name), ("instance", &instance), ("path", &path)];
            // Tenths cannot be summed without rounding.
            let values = times.iter().map(|t| (*t as f64 / 1000.0) * 0.1 * (at % 7 + 1) as f64).collect();
            memory.add(Labels::from_pairs(labels), Arc::clone(&times), values);
        }
    }
    memory
}

type Points = Vec<(Timestamp, f64)>;

struct Asked {
    threads: usize,
    memory: u64,
}

const ASKED: Asked = Asked { threads: 1, memory: 1 << 30 };

impl Asked {
    fn context(&self) -> ReadContext {
        ReadContext::new(TenantId::anonymous(), self.memory)
    }

    fn range(&self, ctx: &ReadContext, memory: &Memory, text: &str) -> Result<QueryResult> {
        let expr = parse(text, ParseOptions::default()).unwrap();
        let engine = Engine::new(EngineConfig { threads: self.threads, ..EngineConfig::default() });
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(engine.range(ctx, memory, Query::new(text, &expr), HOUR, 2 * HOUR, 60_000))
    }

    fn ask(&self, memory: &Memory, text: &str) -> Result<Vec<(String, Points)>> {
        match self.range(&self.context(), memory, text)?.value {
            Value::Matrix(series) => {
                Ok(series.iter().map(|s| (s.labels.to_string(), s.points().collect())).collect())
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn shards_change_nothing_but_rounding() {
    let memory = data(1000);
    for text in [
        "requests_total",
        "sum(rate(requests_total[5m]))",
        "avg by (path) (requests_total)",
        "stddev by (instance) (requests_total)",
        "count(requests_total > 100)",
        "quantile(0.9, requests_total)",
        "topk(3, requests_total)",
        "bottomk by (path) (2, requests_total)",
        "max without (path) (-requests_total)",
        "absent(requests_total > 1e9)",
        "count_values by (path) (\"v\", requests_total)",
    ] {
        let one = ASKED.ask(&memory, text).unwrap();
        let many = Asked { threads: 5, ..ASKED }.ask(&memory, text).unwrap();
        assert!(!one.is_empty(), "{text}");
        assert_eq!(one.len(), many.len(), "{text}");
        for ((labels, points), (other_labels, other_points)) in one.iter().zip(&many) {
            assert_eq!(labels, other_labels, "{text}");
            assert_eq!(points.len(), other_points.len(), "{text}");
            for (a, b) in points.iter().zip(other_points) {
                assert!(a.0 == b.0 && (a.1 - b.1).abs() <= 1e-12 * a.1.abs(), "{text}: {a:?} {b:?}");
            }
        }
    }
}

#[test]
fn series_of_all_names_are_read_once_for_two_uses() {
    let memory = data(10);
    let ctx = ASKED.context();
    let result = ASKED.range(&ctx, &memory, "rate(requests_total[5m]) / rate(requests_total[10m])").unwrap();
    assert_eq!(result.statistics.series, 20);
    // Two decodings of 10 series, an hour and the range each; the last step has no sample yet.
    assert_eq!(result.statistics.samples, 10 * ((239 + 20) + (239 + 40)));
    assert!(result.statistics.peak_memory > 0);
    assert!(ctx.budget.used() > 10 * 61 * 8, "the result counts while it is there");
    drop(result);
    assert_eq!(ctx.budget.used(), 0, "all memory is given back");
}

#[test]
fn a_query_over_its_budget_fails() {
    let memory = data(1000);
    let small = Asked { memory: 100_000, ..ASKED };
    let error = small.ask(&memory, "requests_total").unwrap_err();
    assert_eq!(error.code, Code::Unprocessable);
    assert!(error.message.contains("limits.query_memory"), "{error}");
    // Folded as they come, the same series need little.
    small.ask(&memory, "sum(requests_total)").unwrap();
}

#[test]
fn what_functions_keep_and_labels_that_grow_count_too() {
    let memory = data(1);
    let nested = |n: usize, open: &str, inner: &str, close: &str| {
        format!("{}{inner}{}", open.repeat(n), close.repeat(n))
    };
    // Of 61 steps, 488 bytes a time.
    let small = Asked { memory: 16 << 10, ..ASKED };
    for (open, inner, close) in [
        ("clamp_min(", "requests", ", time())"),
        ("clamp_min(", "vector(1)", ", time())"),
        ("quantile(time(), ", "requests", ")"),
        ("histogram_quantile(time(), ", "requests", ")"),
    ] {
        small.ask(&memory, &nested(2, open, inner, close)).unwrap();
        let error = small.ask(&memory, &nested(50, open, inner, close)).unwrap_err();
        assert!(error.message.contains("limits.query_memory"), "{open}: {error}");
    }
    let join = (r#"label_join("#, r#", "path", "", "path", "path")"#);
    let error = small.ask(&memory, &nested(14, join.0, "requests", join.1)).unwrap_err();
    assert!(error.message.contains("limits.query_memory"), "{error}");
    let error = ASKED.ask(&memory, &nested(50, join.0, "requests", join.1)).unwrap_err();
    assert!(error.message.contains("label value"), "{error}");
}

#[test]
fn a_cancelled_query_ends() {
    let ctx = ASKED.context();
    ctx.cancel.cancel();
    let error = ASKED.range(&ctx, &data(1), "requests").unwrap_err();
    assert_eq!(error.code, Code::Canceled);
}

#[test]
fn metrics_that_do_not_look_like_counters_are_named() {
    let memory = data(100);
    let text = "sum(rate({__name__=~\"requests.*\", path=\"/1\", instance=\"host-0001\"}[5m])) by (instance)";
    let error = ASKED.range(&ASKED.context(), &memory, text).unwrap_err();
    assert_eq!(error.message, "vector cannot contain metrics with the same labelset");
    let result = ASKED.range(&ASKED.context(), &memory, "sum(rate(requests[5m]))").unwrap();
    assert_eq!(
        result.infos,
        ["PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \
          \"requests\" (1:10)"]
    );
}

#[test]
fn whatever_is_parsed_is_not_too_deep_to_evaluate() {
    let memory = data(1);
    let deepest = |text: &dyn Fn(usize) -> String| {
        let depths = (1..).map(text).take_while(|t| parse(t, ParseOptions::default()).is_ok());
        depths.take(5000).last().unwrap()
    };
    for text in [
        deepest(&|n| format!("{}requests{}", "(".repeat(n), ")".repeat(n))),
        deepest(&|n| format!("{}requests", "-".repeat(n))),
        deepest(&|n| format!("{}requests{}", "sum(".repeat(n), ")".repeat(n))),
        deepest(&|n| format!("{}requests{}", "abs(".repeat(n), ")".repeat(n))),
        deepest(&|n| format!("requests{}", " + requests".repeat(n))),
        deepest(&|n| format!("1{}", " ^ 1".repeat(n))),
        deepest(&|n| format!("{}requests{}", "max_over_time(".repeat(n), "[1m:1m])".repeat(n))),
    ] {
        assert!(text.len() > 250, "{text}");
        ASKED.ask(&memory, &text).unwrap();
    }
}

#[test]
fn the_longest_subquery_is_bounded() {
    let error = ASKED.ask(&data(1), "max_over_time(vector(1)[100y:1ms])").unwrap_err();
    assert_eq!(error.code, Code::Unprocessable);
    assert!(error.message.contains("steps"), "{error}");
}

#[test]
fn a_range_query_wants_a_vector_or_a_scalar() {
    let error = ASKED.ask(&data(1), "requests[5m]").unwrap_err();
    assert_eq!(
        error.message,
        "invalid expression type \"range vector\" for range query, must be Scalar or instant Vector"
    );
}

#[test]
fn names_that_take_turns_become_one_series() {
    let mut memory = Memory::default();
    for (name, from, to) in [("a", 0, 3600), ("b", 4200, 7200)] {
        let times: Vec<Timestamp> = (from..to).step_by(60).map(|t| t * 1000).collect();
        let values = vec![1.0; times.len()];
        memory.add(Labels::from_pairs([("__name__", name), ("job", "x")]), Arc::new(times), values);
    }
    let text = "timestamp({__name__=~\"a|b\"})";
    let found = ASKED.ask(&memory, text).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0, "{job=\"x\"}");
    // The last sample of `a`, at 3540 s, counts for five minutes; `b` begins at 4200 s.
    let times: Vec<_> = found[0].1.iter().map(|(t, _)| *t / 1000).collect();
    assert_eq!(times[..5], [3600, 3660, 3720, 3780, 4200]);
    // A function of ranges is not so patient, in Prometheus neither.
    let error = ASKED.ask(&memory, "rate({__name__=~\"a|b\"}[5m])").unwrap_err();
    assert_eq!(error.message, "vector cannot contain metrics with the same labelset");
}
