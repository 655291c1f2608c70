//! Runs the text scripts in `scripts/`: lines are loaded, queries evaluated, answers compared.
//!
//! Times are durations since a base that the runner chooses, a full hour: `0s`, `1m30s`, `-5s`,
//! `1.5s`, `10ns`. Strings are Go's: `"…"` with escapes or `` `…` ``. `#` starts a comment line.
//!
//! ```text
//! clear                                    # forgets what was loaded
//! load                                     # a stream, below it its lines; as many as one likes
//!   {app="a", env="x"}
//!     0s    `level=info msg="hello"`
//!     10s   "a\tb"  {trace="1", user="x"}  # with structured metadata
//!
//! eval instant at 1m sum by (app) (count_over_time({app="a"}[1m]))
//!   {app="a"} 2                            # in the order of labels, or of values where sorted
//!
//! eval range from 0s to 2m step 1m rate({app="a"}[1m])
//!   {app="a", env="x"} 0.016666666666666666 0.016666666666666666 _
//!                                          # a value for each step, `_` for none
//!
//! eval logs from 0s to 1m limit 10 backward {app="a"} |= "x"
//!   {app="a", env="x"}                     # streams in the order of labels, lines as answered
//!     10s "a\tb"
//!
//! eval logs from 0s to 1m forward interval 5s {app="a"} | logfmt
//!   {app="a", env="x"} {} {level="info", msg="hello"}
//!     0s `level=info msg="hello"`          # labels of the stream, of metadata, of parsers
//!
//! eval instant at 1m 1 + 1
//!   scalar 2
//!
//! eval instant at 1m rate({app="a"})
//!   error "the whole text, or with ... at its end what it begins with"
//! ```
//!
//! `limit` (1000), the direction (`backward`) and `interval` (none) may be left out; the end of a
//! log query is exclusive. Nothing below an `eval` expects an empty answer.
//!
//! Each script runs over several layouts of the same lines: how lines are laid out in pages, and
//! whether they are there twice, must not be seen in an answer.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's way to fail")]

#[path = "common/memory.rs"]
mod memory;
#[path = "common/properties.rs"]
mod properties;
#[path = "common/script.rs"]
mod script;

use logql::engine::{Answer, Data, Direction, Engine, EngineConfig, Query, ResultStream};
use memory::{Entry, Memory};
use model::{Labels, NANOS_A_MILLI, Nanos, TenantId};
use script::{BASE, Command, Eval, Expected, ExpectedStream, When};
use service_api::ReadContext;
use std::{
    collections::{BTreeSet, HashSet},
    fmt::Write,
    sync::Arc,
};

/// How the lines of a stream come to lie in pages.
#[derive(Clone, Copy, Debug)]
enum Layout {
    OnePage,
    /// Pages of two lines, as they were loaded.
    Small,
    /// All lines once, and those of every second time again.
    Twice,
}

#[tokio::test]
async fn scripts() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let mut failures = String::new();
    let mut count = 0;
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    for file in files.iter().filter(|file| file.extension().is_some_and(|ending| ending == "txt")) {
        let commands = script::parse(&std::fs::read_to_string(file).unwrap());
        let mut failed = HashSet::new();
        for layout in [Layout::OnePage, Layout::Small, Layout::Twice] {
            for (eval, failure) in run(&commands, layout).await {
                count += 1;
                // Mostly a case fails in all layouts, or in none.
                if let Some(failure) = failure.filter(|_| failed.insert(eval.line)) {
                    let name = file.file_name().unwrap().to_string_lossy();
                    writeln!(failures, "{name}:{} ({layout:?}): {}\n{failure}", eval.line, eval.expr)
                        .unwrap();
                }
            }
        }
    }
    // Past the test runner, which keeps what passes to itself.
    let cases = count / 3;
    let _ = std::io::Write::write_fmt(
        &mut std::io::stderr(),
        format_args!("LogQL scripts: {cases} cases, each in three layouts\n"),
    );
    assert!(cases >= 300, "only {cases} cases were found");
    assert!(failures.is_empty(), "{failures}");
}

async fn run(commands: &[Command], layout: Layout) -> Vec<(&Eval, Option<String>)> {
    let mut loaded: Vec<(&Labels, &[Entry])> = Vec::new();
    let mut outcomes = Vec::new();
    for command in commands {
        match command {
            Command::Clear => loaded.clear(),
            Command::Load { labels, entries } => loaded.push((labels, entries)),
            Command::Eval(eval) => outcomes.push((eval, judge(eval, lay_out(&loaded, layout)).await)),
        }
    }
    outcomes
}

fn lay_out(loaded: &[(&Labels, &[Entry])], layout: Layout) -> Memory {
    let mut memory = Memory::default();
    for (labels, entries) in loaded {
        match layout {
            Layout::OnePage => memory.add(labels, entries, false),
            Layout::Small => entries.chunks(2).for_each(|page| memory.add(labels, page, true)),
            Layout::Twice => {
                // All lines of a time, or none: which comes first would depend on the layout otherwise.
                let times: BTreeSet<Nanos> = entries.iter().map(|entry| entry.time).collect();
                let again: HashSet<Nanos> = times.into_iter().skip(1).step_by(2).collect();
                let again: Vec<_> =
                    entries.iter().filter(|entry| again.contains(&entry.time)).cloned().collect();
                memory.add(labels, entries, true);
                memory.add(labels, &again, false);
            }
        }
    }
    memory
}

/// What is wrong with the answer, if anything.
async fn judge(eval: &Eval, memory: Memory) -> Option<String> {
    let answer = evaluate(eval, memory).await;
    let (data, expected) = match (answer, &eval.expected) {
        (Err(error), Expected::Error(expected)) => {
            let fits = match expected.strip_suffix("...") {
                Some(start) => error.starts_with(start),
                None => &error == expected,
            };
            return (!fits).then(|| format!("  error {error:?}"));
        }
        (Err(error), _) => return Some(format!("  error {error:?}")),
        (Ok(answer), expected) => (answer.data, expected),
    };
    let fits = match (&data, expected) {
        (Data::Scalar { value, .. }, Expected::Scalar(expected)) => alike(*value, *expected),
        (Data::Vector(_) | Data::Matrix(_), Expected::Series(expected)) => {
            let series = series(&data, eval.when);
            series.len() == expected.len()
                && series.iter().zip(expected).all(|(actual, expected)| {
                    actual.0 == expected.0
                        && actual.1.len() == expected.1.len()
                        && actual.1.iter().zip(&expected.1).all(|pair| match pair {
                            (Some(a), Some(b)) => alike(*a, *b),
                            (a, b) => a.is_none() && b.is_none(),
                        })
                })
        }
        (Data::Streams(streams), Expected::Streams(expected)) => {
            let categorized = expected.first().is_some_and(|stream| stream.labels.len() > 1);
            let streams = fold(streams, categorized);
            streams.len() == expected.len()
                && streams.iter().zip(expected).all(|(a, b)| a.labels == b.labels && a.entries == b.entries)
        }
        _ => false,
    };
    (!fits).then(|| render(&data, eval))
}

async fn evaluate(eval: &Eval, memory: Memory) -> Result<Answer, String> {
    let expr = logql::parse(&eval.expr).map_err(|error| error.to_string())?;
    let (start, end, step, limit, direction, interval) = match eval.when {
        When::Instant(time) => (time, time, 0, 0, Direction::Backward, 0),
        When::Range { start, end, step } => (start, end, step, 0, Direction::Backward, 0),
        When::Logs { start, end, limit, direction, interval } => (start, end, 0, limit, direction, interval),
    };
    let query = Query { expr, start, end, step, direction, limit, interval };
    let ctx = ReadContext::new(TenantId::new("test").unwrap(), 1 << 28);
    let engine = Engine::new(EngineConfig { shards: 2, ..EngineConfig::default() });
    let answer = engine.query(&ctx, Arc::new(memory), query).await.map_err(|error| error.to_string());
    assert_eq!(ctx.budget.used(), 0, "memory is given back");
    answer
}

fn alike(a: f64, b: f64) -> bool {
    a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= 1e-12 * a.abs().max(b.abs())
}

/// The values of each series, by step.
fn series(data: &Data, when: When) -> Vec<(Labels, Vec<Option<f64>>)> {
    match (data, when) {
        (Data::Vector(samples), When::Instant(time)) => {
            assert!(samples.iter().all(|sample| sample.timestamp == time / NANOS_A_MILLI));
            samples.iter().map(|sample| (sample.labels.clone(), vec![Some(sample.value)])).collect()
        }
        (Data::Matrix(series), When::Range { start, end, step }) => {
            let of = |points: &[(i64, f64)]| {
                let at =
                    |time: Nanos| points.iter().find(|(t, _)| *t == time / NANOS_A_MILLI).map(|(_, v)| *v);
                let values: Vec<_> = (start..=end).step_by(step as usize).map(at).collect();
                assert_eq!(values.iter().flatten().count(), points.len(), "points between steps");
                values
            };
            series.iter().map(|series| (series.labels.clone(), of(&series.points))).collect()
        }
        _ => panic!("a vector for a range, or a matrix for an instant"),
    }
}

/// Streams as a reader sees them: with all labels in one set, unless they are wanted apart.
fn fold(streams: &[ResultStream], categorized: bool) -> Vec<ExpectedStream> {
    let mut folded: Vec<ExpectedStream> = Vec::new();
    for stream in streams {
        let sets = [&stream.stream, &stream.structured, &stream.parsed];
        let labels = if categorized {
            sets.into_iter().cloned().collect()
        } else {
            let mut pairs: Vec<_> = sets.into_iter().flat_map(|set| set.iter()).collect();
            pairs.sort_unstable();
            vec![Labels::from_sorted(pairs)]
        };
        folded.push(ExpectedStream { labels, entries: stream.entries.clone() });
    }
    folded.sort_by(|a, b| a.labels.cmp(&b.labels));
    folded
}

/// The answer in the language of scripts.
fn render(data: &Data, eval: &Eval) -> String {
    let mut out = String::new();
    let value = |value: &Option<f64>| value.map_or("_".to_owned(), |value| value.to_string());
    match data {
        Data::Scalar { value, .. } => writeln!(out, "  scalar {value}").unwrap(),
        Data::Streams(streams) => {
            let categorized = match &eval.expected {
                Expected::Streams(expected) => expected.first().is_some_and(|stream| stream.labels.len() > 1),
                _ => false,
            };
            for stream in fold(streams, categorized) {
                let labels: Vec<_> = stream.labels.iter().map(Labels::to_string).collect();
                writeln!(out, "  {}", labels.join(" ")).unwrap();
                for (time, line) in stream.entries {
                    let time = query_syntax::format_go_duration(time - BASE);
                    let quoted =
                        if line.contains(['`', '\n']) { format!("{line:?}") } else { format!("`{line}`") };
                    writeln!(out, "    {time} {quoted}").unwrap();
                }
            }
        }
        data => {
            for (labels, values) in series(data, eval.when) {
                let values: Vec<_> = values.iter().map(value).collect();
                writeln!(out, "  {labels} {}", values.join(" ")).unwrap();
            }
        }
    }
    if out.is_empty() { "  # an empty answer\n".to_owned() } else { out }
}
