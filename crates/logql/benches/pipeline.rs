//! Lines through pipelines: what each kind of stage costs for a megabyte of lines.

// Benches are tests of a kind.
#![allow(clippy::unwrap_used, reason = "a bench fails by panicking")]

use divan::{Bencher, counter::BytesCount};
use logql::{
    ast::{Expr, MetricExpr},
    parse,
    pipeline::{Pipeline, PipelineRun, SampleExtractor, SampleRun, SampleValue, SeriesGrouping},
};
use model::{Labels, Lines};
use std::sync::Arc;

const LINES: usize = 5000;

fn main() {
    divan::main();
}

fn lines(line: impl Fn(usize) -> String) -> Lines {
    let mut lines = Lines::default();
    (0..LINES).for_each(|at| lines.push(at as i64, line(at).as_bytes(), []));
    lines
}

fn json() -> Lines {
    lines(|at| {
        format!(
            r#"{{"ts":"2024-05-01T10:00:00.{at:06}Z","level":"{}","msg":"request \"done\"","request":{{"method":"GET","path":"/api/v1/items/{at}","size":{}}},"status":{},"took":"{at}ms"}}"#,
            if at % 50 == 0 { "error" } else { "info" },
            at * 7,
            200 + at % 5 * 100,
        )
    })
}

fn logfmt() -> Lines {
    lines(|at| {
        format!(
            r#"ts=2024-05-01T10:00:00.{at:06}Z level={} caller=server.go:83 msg="request \"done\"" method=GET path=/api/v1/items/{at} status={} took={at}ms"#,
            if at % 50 == 0 { "error" } else { "info" },
            200 + at % 5 * 100,
        )
    })
}

/// Counts the lines of a page that a log query keeps, looking only at candidates.
fn filter(bencher: Bencher, lines: &Lines, stages: &str) {
    let Expr::Logs(query) = parse(&format!("{{app=\"a\"}} {stages}")).unwrap() else { unreachable!() };
    let mut run = PipelineRun::new(Arc::new(Pipeline::new(&query.stages).unwrap()), 1);
    run.for_stream(&Labels::from_pairs([("app", "a")]));
    bencher.counter(BytesCount::new(lines.text.len())).bench_local(|| {
        let (mut kept, mut from) = (0, 0);
        while let Some(offset) = run.pipeline().next_candidate(&lines.text, from) {
            let at = lines.line_at(offset);
            kept += usize::from(run.process(0, lines.line(at), []).is_some());
            from = lines.ends[at] as usize + 1;
        }
        kept
    });
}

/// Makes samples of all lines.
fn samples(bencher: Bencher, lines: &Lines, query: &str) {
    let Expr::Metric(MetricExpr::Aggregate(sum)) = parse(query).unwrap() else { unreachable!() };
    let MetricExpr::Range(range) = &*sum.expr else { unreachable!() };
    let grouping = SeriesGrouping::from(&sum.grouping);
    let extractor = SampleExtractor::new(&range.logs.query.stages, SampleValue::One, grouping).unwrap();
    let mut run = SampleRun::new(Arc::new(extractor), 100_000);
    run.for_stream(&Labels::from_pairs([("app", "a")]));
    bencher.counter(BytesCount::new(lines.text.len())).bench_local(|| {
        (0..lines.len()).filter_map(|at| run.process(0, lines.line(at), []).unwrap()).count()
    });
}

#[divan::bench]
fn contains_absent(bencher: Bencher) {
    filter(bencher, &json(), "|= \"not there\"");
}

#[divan::bench]
fn contains_in_every_50th(bencher: Bencher) {
    filter(bencher, &json(), "|= \"error\"");
}

#[divan::bench]
fn regex_with_literal(bencher: Bencher) {
    filter(bencher, &json(), "|~ \"items/[0-9]*77\\\"\"");
}

#[divan::bench]
fn regex_any_case(bencher: Bencher) {
    filter(bencher, &json(), "|~ \"(?i)ERROR|fatal\"");
}

#[divan::bench]
fn json_one_label(bencher: Bencher) {
    samples(bencher, &json(), "sum by (level) (count_over_time({app=\"a\"} | json [1m]))");
}

#[divan::bench]
fn json_last_label(bencher: Bencher) {
    samples(bencher, &json(), "sum by (status) (count_over_time({app=\"a\"} | json [1m]))");
}

#[divan::bench]
fn json_all_labels(bencher: Bencher) {
    filter(bencher, &json(), "| json");
}

#[divan::bench]
fn logfmt_one_label(bencher: Bencher) {
    samples(bencher, &logfmt(), "sum by (status) (count_over_time({app=\"a\"} | logfmt [1m]))");
}

#[divan::bench]
fn logfmt_all_labels(bencher: Bencher) {
    filter(bencher, &logfmt(), "| logfmt");
}

#[divan::bench]
fn pattern_one_label(bencher: Bencher) {
    let query = "sum by (status) (count_over_time({app=\"a\"} | pattern `<_> status=<status> took<_>` [1m]))";
    samples(bencher, &logfmt(), query);
}
