//! The data of a test.

use super::file::{InputLine, InputStream, TestCase};
use crate::memory::{Line, MemoryLogs, MemoryMetrics};
use model::{Labels, METRIC_NAME, NANOS_A_MILLI, Timestamp};
use promql::notation::{Description, parse};
use std::sync::Arc;

/// Values of all series, or lines of all streams, of one test. More would not fit into memory.
const MAX_ENTRIES: usize = 10_000_000;

pub fn metrics(case: &TestCase) -> Result<MemoryMetrics, String> {
    let mut inputs: Vec<Description> = Vec::with_capacity(case.input_series.len());
    let mut total = 0;
    for input in &case.input_series {
        let description = parse(&format!("{} {}", input.series, input.values))?;
        total += description.values.len();
        if total > MAX_ENTRIES {
            return Err(format!("a test may have {MAX_ENTRIES} values in all of its series"));
        }
        inputs.push(description);
    }
    Ok(MemoryMetrics::new(inputs))
}

pub fn logs(case: &TestCase) -> Result<MemoryLogs, String> {
    let mut all = Vec::new();
    for InputStream { stream, lines } in &case.input_streams {
        let labels = stream_labels(stream)?;
        for InputLine { at, repeat, every, line, structured } in lines {
            let every = match (repeat, every) {
                (0, _) => return Err(format!("{stream} has a line with `repeat: 0`: leave the line out")),
                (1, every) => every.unwrap_or(0),
                (_, Some(every)) => *every,
                (_, None) => {
                    return Err(format!(
                        "{stream} has a line with `repeat` but without `every`: add `every: 5s`"
                    ));
                }
            };
            if repeat.saturating_add(all.len()) > MAX_ENTRIES {
                return Err(format!("a test may have {MAX_ENTRIES} lines in all of its streams"));
            }
            let text: Arc<str> = line.as_str().into();
            let metadata: Arc<[(String, String)]> =
                structured.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
            for n in 0..*repeat {
                let time = nanos(case.start_timestamp, every.saturating_mul(n as i64).saturating_add(*at))?;
                let (text, metadata) = (Arc::clone(&text), Arc::clone(&metadata));
                all.push((labels.clone(), Line { time, text, metadata }));
            }
        }
    }
    Ok(MemoryLogs::new(all))
}

fn nanos(start: Timestamp, offset: i64) -> Result<i64, String> {
    let nanos = start.checked_add(offset).and_then(|ms| ms.checked_mul(NANOS_A_MILLI));
    nanos.ok_or_else(|| "a line is at a time that nanoseconds cannot count".to_owned())
}

fn stream_labels(stream: &str) -> Result<Labels, String> {
    let description = parse(stream)?;
    let labels = description.labels;
    if labels.is_empty() || labels.get(METRIC_NAME).is_some() || !description.values.is_empty() {
        return Err(format!("{stream} is no stream: labels in braces are wanted, such as {{app=\"x\"}}"));
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit_test::file::read;

    fn case(text: &str) -> TestCase {
        read(&format!("tests:\n- {text}")).unwrap().tests.swap_remove(0)
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (text, said) in [
            ("input_streams: [{stream: 'up{a=\"b\"}', lines: [{line: a}]}]", "labels in braces"),
            ("input_streams: [{stream: '{a=\"b\"} 1', lines: [{line: a}]}]", "labels in braces"),
            ("input_streams: [{stream: '{a=\"b\"}', lines: [{line: a, repeat: 2}]}]", "every: 5s"),
            ("input_streams: [{stream: '{a=\"b\"}', lines: [{line: a, repeat: 0}]}]", "leave the line out"),
            (
                "input_streams: [{stream: '{a=\"b\"}', lines: [{line: a, repeat: 20000000, every: 1s}]}]",
                "10000000 lines",
            ),
            (
                "input_streams: [{stream: '{a=\"b\"}', lines: [{line: a, repeat: 3, every: 290y}]}]",
                "nanoseconds",
            ),
        ] {
            let error = logs(&case(text)).err().unwrap_or_default();
            assert!(error.contains(said), "{text}: {error}");
        }
        let error = metrics(&case("input_series: [{series: 'up{', values: 1}]")).err().unwrap_or_default();
        assert!(error.contains("malformed series"), "{error}");
    }
}
