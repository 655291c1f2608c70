//! Text scripts for pipelines: lines that go in, and what becomes of each.
//!
//! A script is made of blocks with an empty line between:
//!
//! ```text
//! pipeline | json | status >= 500     the stages; or `query` with a metric query
//! stream {app="a"}                    the stream's labels from here on in the block
//! meta {trace="1"}                    the structured metadata from here on
//! line {"status":500}                 a line; `quoted "…"` for one with escapes
//! keep {status="500"}                 it stays, with these parsed labels
//! out text                            how the line reads afterwards, where it changed
//! stream= {…}  meta= {…}              the other labels, where they changed
//! drop                                in place of `keep`: it does not stay
//! sample 2.5 {status="500"}           in place of `keep` for a metric query
//! ```
//!
//! `error` and stages, then the message, is a pipeline that is refused.

// Tests, helpers included, may panic.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use logql::{
    ast::{Expr, MetricExpr, RangeAggregation, RangeOp, Stage},
    parse,
    pipeline::{LabelSet, Pipeline, PipelineRun, SampleExtractor, SampleRun, SampleValue, SeriesGrouping},
};
use model::Labels;
use std::{fs, path::Path, sync::Arc};

type Pairs = Vec<(String, String)>;

#[test]
fn scripts_hold() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pipeline");
    let mut paths: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let (mut cases, mut failures) = (0, Vec::new());
    for path in paths {
        let script = fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let mut block = None;
        for (number, line) in script.lines().enumerate() {
            let at = format!("{name}:{}", number + 1);
            if line.trim().is_empty() {
                finish(&mut block, &mut cases, &mut failures);
            } else if !line.starts_with('#') {
                step(&mut block, line, &at, &mut cases, &mut failures);
            }
        }
        finish(&mut block, &mut cases, &mut failures);
    }
    assert!(failures.is_empty(), "{} of {cases} failed:\n{}", failures.len(), failures.join("\n"));
    assert!(cases >= 150, "only {cases} cases");
}

/// What runs the lines of a block.
enum Runner {
    Lines(PipelineRun),
    Samples(SampleRun),
    Refused(String),
}

struct Block {
    runner: Runner,
    text: String,
    stream: Pairs,
    meta: Pairs,
    case: Option<Case>,
}

struct Case {
    at: String,
    line: String,
    expected: Expected,
}

#[derive(Clone, Debug, PartialEq)]
enum Expected {
    Nothing,
    Drop,
    Keep { line: String, stream: Pairs, meta: Pairs, parsed: Pairs },
    Sample(f64, Pairs),
    Error(String),
}

fn step(block: &mut Option<Block>, line: &str, at: &str, cases: &mut usize, failures: &mut Vec<String>) {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    if matches!(word, "pipeline" | "query" | "error") {
        finish(block, cases, failures);
        let runner = match word {
            "query" => Runner::Samples(sample_run(rest)),
            "pipeline" => match pipeline(rest) {
                Ok(pipeline) => Runner::Lines(PipelineRun::new(Arc::new(pipeline), 1000)),
                Err(error) => panic!("{at}: {error}"),
            },
            _ => match pipeline(rest) {
                Ok(_) => panic!("{at}: is not refused"),
                Err(error) => Runner::Refused(error),
            },
        };
        let stream = vec![("app".to_owned(), "a".to_owned())];
        *block = Some(Block { runner, text: rest.to_owned(), stream, meta: Vec::new(), case: None });
        return;
    }
    let block = block.as_mut().unwrap_or_else(|| panic!("{at}: outside of a block"));
    match word {
        "stream" | "meta" | "line" | "quoted" | "message" => {
            check(block, cases, failures);
            let mut case = Case { at: at.to_owned(), line: rest.to_owned(), expected: Expected::Nothing };
            match word {
                "stream" => return block.stream = pairs(rest),
                "meta" => return block.meta = pairs(rest),
                "quoted" => case.line = unquoted(rest),
                "message" => case.expected = Expected::Error(rest.to_owned()),
                _ => {}
            }
            block.case = Some(case);
        }
        _ => {
            let case = block.case.as_mut().unwrap_or_else(|| panic!("{at}: no line before"));
            match (word, &mut case.expected) {
                ("drop", expected) => *expected = Expected::Drop,
                ("keep", expected) => {
                    *expected = Expected::Keep {
                        line: case.line.clone(),
                        stream: block.stream.clone(),
                        meta: block.meta.clone(),
                        parsed: pairs(rest),
                    }
                }
                ("sample", expected) => {
                    let (value, series) = rest.split_once(' ').unwrap();
                    *expected = Expected::Sample(value.parse().unwrap(), pairs(series));
                }
                ("out", Expected::Keep { line, .. }) => *line = rest.to_owned(),
                ("stream=", Expected::Keep { stream, .. }) => *stream = pairs(rest),
                ("meta=", Expected::Keep { meta, .. }) => *meta = pairs(rest),
                _ => panic!("{at}: what is {line:?}"),
            }
        }
    }
}

fn finish(block: &mut Option<Block>, cases: &mut usize, failures: &mut Vec<String>) {
    if let Some(mut block) = block.take() {
        check(&mut block, cases, failures);
    }
}

fn check(block: &mut Block, cases: &mut usize, failures: &mut Vec<String>) {
    let Some(case) = block.case.take() else { return };
    *cases += 1;
    let meta = block.meta.iter().map(|(n, v)| (n.as_str(), v.as_str()));
    let labels = Labels::from_pairs(block.stream.iter().map(|(n, v)| (n, v)));
    let line = case.line.as_bytes();
    let found = match &mut block.runner {
        Runner::Refused(error) => Expected::Error(error.clone()),
        Runner::Lines(run) => {
            run.for_stream(&labels);
            let text = format!("{}\n", case.line);
            let candidate = run.pipeline().next_candidate(text.as_bytes(), 0);
            let needed = run.pipeline().needles();
            match run.process(1_700_000_000_123_456_789, line, meta) {
                None => Expected::Drop,
                Some(mut kept) => {
                    if candidate.is_none() || !needed.may_be_in(line) {
                        failures.push(format!("{}: {} passes over a line that is kept", case.at, block.text));
                    }
                    let (id, line) = (kept.label_set().unwrap(), kept.line.to_owned());
                    kept_as(line, run.label_sets().get(id))
                }
            }
        }
        Runner::Samples(run) => {
            run.for_stream(&labels);
            match run.process(1_700_000_000_123_456_789, line, meta).unwrap() {
                None => Expected::Drop,
                Some(sample) => Expected::Sample(sample.value, of(run.series(sample.series))),
            }
        }
    };
    if found != case.expected {
        let Case { at, line, expected } = case;
        failures
            .push(format!("{at}: {}\n  {line:?}\n  expected {expected:?}\n  found    {found:?}", block.text));
    }
}

fn kept_as(line: String, set: &LabelSet) -> Expected {
    Expected::Keep { line, stream: of(&set.stream), meta: of(&set.metadata), parsed: of(&set.parsed) }
}

fn of(labels: &Labels) -> Pairs {
    labels.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
}

/// `{a="b", c="d"}`, sorted.
fn pairs(text: &str) -> Pairs {
    let mut rest = text.trim().strip_prefix('{').unwrap().strip_suffix('}').unwrap().trim();
    let mut pairs = Vec::new();
    while let Some((name, after)) = rest.split_once("=\"") {
        let mut escaped = false;
        let end = after
            .find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            })
            .unwrap();
        let value = unquoted(&format!("\"{}\"", &after[..end]));
        pairs.push((name.to_owned(), value));
        rest = after[end + 1..].trim_start_matches(',').trim();
    }
    assert!(rest.is_empty(), "{text}");
    pairs.sort();
    pairs
}

fn pipeline(stages: &str) -> Result<Pipeline, String> {
    match parse(&format!("{{app=\"a\"}} {stages}")).map_err(|error| error.to_string())? {
        Expr::Logs(query) => Pipeline::new(&query.stages).map_err(|error| error.to_string()),
        Expr::Metric(_) => panic!("{stages}"),
    }
}

/// What an engine makes of a range aggregation, or of a `sum` over one.
fn sample_run(text: &str) -> SampleRun {
    let Ok(Expr::Metric(expr)) = parse(text) else { panic!("{text}: {:?}", parse(text).err()) };
    let (range, outer) = match &expr {
        MetricExpr::Range(range) => (range, None),
        MetricExpr::Aggregate(sum) => match &*sum.expr {
            MetricExpr::Range(range) => (range, Some(&sum.grouping)),
            _ => panic!("{text}"),
        },
        _ => panic!("{text}"),
    };
    let RangeAggregation { op, logs, grouping, .. } = range;
    let value = match (&logs.unwrap, op) {
        (Some(unwrap), _) => SampleValue::Unwrap(unwrap.clone()),
        (None, RangeOp::Bytes | RangeOp::BytesRate) => SampleValue::Bytes,
        (None, _) => SampleValue::One,
    };
    let grouping = grouping.as_ref().or(outer).map_or(SeriesGrouping::All, SeriesGrouping::from);
    let stages: &[Stage] = &logs.query.stages;
    SampleRun::new(Arc::new(SampleExtractor::new(stages, value, grouping).unwrap()), 1000)
}

/// The text of a literal with its quotes.
fn unquoted(literal: &str) -> String {
    query_syntax::unquote(literal, query_syntax::Span::new(0, literal.len())).unwrap()
}
