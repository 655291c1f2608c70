//! What is told of how a query went.

use super::*;
use crate::engine::{Observe, Observed, PlanNode};
use runtime::SystemClock;

fn observed(memory: &Memory, text: &str) -> Observed {
    let expr = parse(text, ParseOptions::default()).unwrap();
    let observe = Observe { clock: Arc::new(SystemClock::default()), steps: true, plan: true };
    let query = Query { observe: Some(&observe), ..Query::new(text, &expr) };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let ctx = ASKED.context();
    let engine = Engine::default();
    let answer = engine.range(&ctx, memory, query, HOUR, HOUR + 120_000, 60_000);
    runtime.block_on(answer).unwrap().observed.unwrap()
}

/// The tree as text: node, detail and rows, children in brackets.
fn shown(node: &PlanNode) -> String {
    let rows = node.measured.map_or(String::new(), |m| format!(" -> {}", m.rows));
    let children: Vec<String> = node.children.iter().map(shown).collect();
    let detail = if node.detail.is_empty() { String::new() } else { format!(" {}", node.detail) };
    let below = if children.is_empty() { String::new() } else { format!(" [{}]", children.join("; ")) };
    format!("{}{detail}{rows}{below}", node.name)
}

#[test]
fn steps_count_the_samples_of_their_windows() {
    let memory = data(10);
    for (text, expected) in [
        // One a series, but for the last that has none yet; samples are 15 s apart.
        ("requests_total", [10, 10, 10]),
        ("sum(rate(requests_total[1m]))", [40, 40, 40]),
        ("max_over_time(sum(requests_total)[5m:1m])", [5, 5, 5]),
        ("requests_total + requests", [20, 20, 20]),
        // Read once, looked at in every step.
        ("rate(requests_total[1m] @ 3600)", [40, 40, 40]),
        ("time()", [0, 0, 0]),
    ] {
        assert_eq!(observed(&memory, text).samples_by_step, expected, "{text}");
    }
}

#[test]
fn a_plan_tells_what_each_node_gave() {
    let memory = data(10);
    for (text, expected) in [
        (
            "sum by (path) (rate(requests_total[1m])) > 0.1 + 0.05",
            "map greater with a scalar -> 8 [aggregate sum by (path) -> 10 \
             [scan rate over 60000 ms of {__name__=\"requests_total\"} from 3540001 to 3720000 ms -> 10]]",
        ),
        (
            "sum(requests) / (1 + sum(requests))",
            "binary / ignoring (), one-to-one -> 1 [shared number 0 -> 1; \
             map add with a scalar -> 1 [shared number 0 -> 1]; \
             shared_definition number 0, used 2 times [aggregate sum -> 1 \
             [scan newest sample of {__name__=\"requests\"} from 3300001 to 3720000 ms -> 10]]]",
        ),
    ] {
        assert_eq!(shown(&observed(&memory, text).plan.unwrap()), expected, "{text}");
    }
}

#[test]
fn what_is_computed_once_is_the_same_for_all_its_uses() {
    let memory = data(20);
    for (twice, once) in [
        ("sum(requests) + sum(requests)", "sum(requests) * 2"),
        ("sum by (path) (requests) * on (path) sum by (path) (requests)", "sum by (path) (requests) ^ 2"),
        (
            "max_over_time(sum(requests)[5m:1m]) - min_over_time(sum(requests)[5m:1m])",
            "max_over_time(sum(requests)[5m:1m]) - on () min_over_time(avg(requests * 20)[5m:1m])",
        ),
    ] {
        let (a, b) = (ASKED.ask(&memory, twice).unwrap(), ASKED.ask(&memory, once).unwrap());
        assert_eq!(a.len(), b.len(), "{twice}");
        for ((a_labels, a_points), (b_labels, b_points)) in a.iter().zip(&b) {
            assert_eq!(a_labels, b_labels, "{twice}");
            let near = |(a, b): (&(Timestamp, f64), &(Timestamp, f64))| {
                a.0 == b.0 && (a.1 - b.1).abs() <= 1e-9 * a.1.abs()
            };
            assert!(a_points.len() == b_points.len() && a_points.iter().zip(b_points).all(near), "{twice}");
        }
    }
}
