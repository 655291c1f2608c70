//! Whether an answer is the expected one.

mod text;
mod values;

pub use text::describe;
pub use values::{almost_equal, same_sample};

use crate::{
    engine::{Answer, Failure, Outcome, Series},
    script::{Eval, Expect},
};
use model::{Labels, Timestamp};
use promql::notation::{Description, Value};
use text::{came, list};
use values::is_expected;
use vectors::Sample;

/// Checks an outcome of the evaluation as the script asks for it.
pub fn check(eval: &Eval, outcome: &Result<Outcome, Failure>) -> Result<(), String> {
    let outcome = match (outcome, &eval.expect.fail) {
        (Err(failure), None) => return Err(format!("failed: {}", failure.message)),
        (Err(failure), Some(pattern)) if pattern.matches(&failure.message) => return Ok(()),
        (Err(failure), Some(pattern)) => {
            return Err(format!("should fail with {pattern}, said {:?}", failure.message));
        }
        (Ok(outcome), Some(pattern)) => {
            return Err(format!("should fail with {pattern}, answered {}", came(&outcome.answer)));
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
            Err(format!("expected the scalar {:?}, came {}", expect.scalar, came(answer)))
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
        Some(missing) => Err(format!(
            "missing {} {}; came {}",
            missing.labels,
            list(&missing.values),
            found.next().map_or("nothing".to_owned(), Labels::to_string)
        )),
        None => Ok(()),
    }
}

fn vector(expect: &Expect, samples: &[(Labels, Sample)]) -> Result<(), String> {
    for (place, (labels, sample)) in samples.iter().enumerate() {
        let sample_text = text::sample(sample);
        let Some((at, expected)) = expected_of(expect, labels) else {
            return Err(format!("unexpected {labels} {sample_text}"));
        };
        if expect.ordered && at != place {
            return Err(format!("{labels} should be number {at}, is number {place}"));
        }
        if !expected.values.first().is_some_and(|value| is_expected(value, sample)) {
            return Err(format!("{labels}: expected {}, came {sample_text}", list(&expected.values)));
        }
    }
    missing(expect, samples.iter().map(|(labels, _)| labels))
}

fn matrix(eval: &Eval, answered: &[Series]) -> Result<(), String> {
    sorted(answered)?;
    for series in answered {
        let Some((_, description)) = expected_of(&eval.expect, &series.labels) else {
            return Err(format!("unexpected {} {}", series.labels, text::points(&series.points)));
        };
        let expected = expected_points(description, eval.steps())?;
        let same = expected.len() == series.points.len()
            && expected
                .iter()
                .zip(&series.points)
                .all(|((due, value), (time, sample))| due == time && is_expected(value, sample));
        if !same {
            let expected = text::expected_points(&expected);
            let came = text::points(&series.points);
            return Err(format!("{}: expected {expected}, came {came}", series.labels));
        }
    }
    missing(&eval.expect, answered.iter().map(|series| &series.labels))
}

/// The values that are not left out, with the times of their steps.
fn expected_points(
    description: &Description,
    (start, end, step): (Timestamp, Timestamp, i64),
) -> Result<Vec<(Timestamp, &Value)>, String> {
    let time = |i: usize| start + i as i64 * step;
    let count = description.values.len();
    if count > 0 && time(count - 1) > end {
        return Err(format!(
            "{}: {count} values are expected, more than there are steps",
            description.labels
        ));
    }
    let values = description.values.iter().enumerate().map(|(i, value)| (time(i), value));
    Ok(values.filter(|(_, value)| **value != Value::Omitted).collect())
}

/// Matrices are always sorted by labels.
pub fn sorted(series: &[Series]) -> Result<(), String> {
    match series.windows(2).find(|w| w[0].labels > w[1].labels) {
        Some(w) => Err(format!("the answer is not sorted: {} comes before {}", w[0].labels, w[1].labels)),
        None => Ok(()),
    }
}
