//! Whether an answer is the expected one.

use crate::{
    engine::{Answer, Failure, Outcome},
    script::{Eval, Expect, Pattern, When},
    series::{Description, Value},
};
use model::{Labels, Timestamp, is_stale};

/// Relative error that a float may have, as in Prometheus's runner.
const EPSILON: f64 = 1e-6;

type Points = Vec<(Timestamp, f64)>;

/// Checks an outcome of the evaluation as the script asks for it.
pub fn check(eval: &Eval, outcome: &Result<Outcome, Failure>) -> Result<(), String> {
    let outcome = match (outcome, &eval.expect.fail) {
        (Err(failure), None) => return Err(format!("failed: {}", failure.message)),
        (Err(failure), Some(pattern)) if pattern.matches(&failure.message) => return Ok(()),
        (Err(failure), Some(pattern)) => {
            return Err(format!("should fail with {pattern}, said {:?}", failure.message));
        }
        (Ok(outcome), Some(pattern)) => {
            return Err(format!("should fail with {pattern}, answered {:?}", outcome.answer));
        }
        (Ok(outcome), None) => outcome,
    };
    annotations(&eval.expect, outcome)?;
    answer(eval, &outcome.answer)
}

fn annotations(expect: &Expect, outcome: &Outcome) -> Result<(), String> {
    for (kind, expected, found) in
        [("warning", &expect.warn, &outcome.warnings), ("info", &expect.info, &outcome.infos)]
    {
        if expected.is_empty() {
            continue;
        }
        if let Some(missing) = expected.iter().find(|p| !found.iter().any(|f| p.matches(f))) {
            return Err(format!("no {kind} is {missing}, found {found:?}"));
        }
        if let Some(unexpected) = found.iter().find(|f| !expected.iter().any(|p| p.matches(f))) {
            return Err(format!("unexpected {kind} {unexpected:?}"));
        }
    }
    if expect.no_warn && !outcome.warnings.is_empty() {
        return Err(format!("unexpected warnings {:?}", outcome.warnings));
    }
    if expect.no_info && !outcome.infos.is_empty() {
        return Err(format!("unexpected infos {:?}", outcome.infos));
    }
    Ok(())
}

/// Compares an answer, of an instant query or of the right step of a range query.
pub fn answer(eval: &Eval, answer: &Answer) -> Result<(), String> {
    let expect = &eval.expect;
    match answer {
        Answer::String(text) if expect.string.as_deref().unwrap_or("") == text => Ok(()),
        Answer::String(text) => Err(format!("expected the string {:?}, came {text:?}", expect.string)),
        Answer::Scalar(value) => match expect.scalar {
            Some(expected) if almost_equal(expected, *value) => Ok(()),
            Some(expected) => Err(format!("expected {expected}, came {value}")),
            None => Err(format!("expected series, came the scalar {value}")),
        },
        _ if expect.scalar.is_some() => {
            Err(format!("expected the scalar {:?}, came {answer:?}", expect.scalar))
        }
        Answer::Vector(samples) => vector(expect, samples),
        Answer::Matrix(_) if expect.ordered => Err("expected an order, came a matrix".to_owned()),
        Answer::Matrix(series) => matrix(eval, series),
    }
}

/// A later line for the same labels replaces an earlier one.
fn expected_of<'a>(expect: &'a Expect, labels: &Labels) -> Option<(usize, &'a Description)> {
    expect.series.iter().enumerate().rfind(|(_, s)| s.labels == *labels)
}

fn missing<'a>(expect: &Expect, mut found: impl Iterator<Item = &'a Labels> + Clone) -> Result<(), String> {
    match expect.series.iter().find(|s| !found.clone().any(|l| *l == s.labels)) {
        Some(missing) => {
            Err(format!("missing {} {:?}; came {:?}", missing.labels, missing.values, found.next()))
        }
        None => Ok(()),
    }
}

fn vector(expect: &Expect, samples: &[(Labels, f64)]) -> Result<(), String> {
    for (place, (labels, value)) in samples.iter().enumerate() {
        let Some((at, expected)) = expected_of(expect, labels) else {
            return Err(format!("unexpected {labels} {value}"));
        };
        if expect.ordered && at != place {
            return Err(format!("{labels} should be number {at}, is number {place}"));
        }
        match expected.values.first() {
            Some(Value::Float(e)) if almost_equal(*e, *value) => {}
            other => return Err(format!("{labels}: expected {other:?}, came {value}")),
        }
    }
    missing(expect, samples.iter().map(|(labels, _)| labels))
}

fn matrix(eval: &Eval, series: &[(Labels, Points)]) -> Result<(), String> {
    sorted(series)?;
    let (start, step) = match (eval.expect.range_vector, eval.when) {
        (Some((start, _, step)), _) => (start, step),
        (None, When::Range { start, step, .. }) => (start, step),
        (None, When::Instant(at)) => (at, 0),
    };
    for (labels, points) in series {
        let Some((_, description)) = expected_of(&eval.expect, labels) else {
            return Err(format!("unexpected {labels} {points:?}"));
        };
        let expected = expected_points(description, start, step)?;
        let same = |(a, b): (&(Timestamp, f64), &(Timestamp, f64))| a.0 == b.0 && almost_equal(a.1, b.1);
        if expected.len() != points.len() || !expected.iter().zip(points).all(same) {
            return Err(format!("{labels}: expected {expected:?}, came {points:?}"));
        }
    }
    missing(&eval.expect, series.iter().map(|(labels, _)| labels))
}

fn expected_points(description: &Description, start: Timestamp, step: i64) -> Result<Points, String> {
    let times = description.values.iter().enumerate().map(|(i, value)| (start + i as i64 * step, value));
    times
        .filter(|(_, value)| **value != Value::Omitted)
        .map(|(time, value)| match value {
            Value::Float(v) => Ok((time, *v)),
            _ => Err("a histogram was expected".to_owned()),
        })
        .collect()
}

/// Matrices are always sorted by labels.
pub fn sorted(series: &[(Labels, Points)]) -> Result<(), String> {
    match series.windows(2).find(|w| w[0].0 > w[1].0) {
        Some(w) => Err(format!("the answer is not sorted: {} comes before {}", w[0].0, w[1].0)),
        None => Ok(()),
    }
}

/// As Prometheus compares test results: relatively, and any NaN equals any NaN but for the
/// stale marker, which equals only itself.
pub fn almost_equal(a: f64, b: f64) -> bool {
    if is_stale(a) || is_stale(b) {
        return is_stale(a) && is_stale(b);
    }
    if (a.is_nan() && b.is_nan()) || a == b {
        return true;
    }
    let sum = a.abs() + b.abs();
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return (a - b).abs() < EPSILON * f64::MIN_POSITIVE;
    }
    (a - b).abs() / sum.min(f64::MAX) < EPSILON
}

/// What was expected, for a failure's report.
pub fn describe(expect: &Expect) -> String {
    let mut lines = Vec::new();
    let mut patterns = |kind: &str, patterns: &[Pattern]| {
        lines.extend(patterns.iter().map(|p| format!("{kind} {p}")));
    };
    patterns("fail", expect.fail.as_slice());
    patterns("warn", &expect.warn);
    patterns("info", &expect.info);
    lines.extend(expect.scalar.map(|s| s.to_string()));
    lines.extend(expect.string.as_ref().map(|s| format!("{s:?}")));
    lines.extend(expect.series.iter().map(|s| format!("{} {:?}", s.labels, s.values)));
    if lines.is_empty() { "nothing".to_owned() } else { lines.join("\n      ") }
}
