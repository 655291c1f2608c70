//! A file with unit tests of rules, as Prometheus has them, with log streams beside series.
//!
//! <https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/>

use model::Timestamp;
use query_syntax::parse_duration;
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_saphyr::Spanned;
use std::collections::BTreeMap;

/// Tests that are more than this are not written by people.
const MAX_BYTES: usize = 64 << 20;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestFile {
    /// Paths and patterns, relative to the file.
    #[serde(default, deserialize_with = "or_default")]
    pub rule_files: Vec<String>,
    #[serde(default, deserialize_with = "some_millis")]
    pub evaluation_interval: Option<i64>,
    /// Groups that are evaluated first, by name.
    #[serde(default, deserialize_with = "or_default")]
    pub group_eval_order: Vec<String>,
    /// Whether the neighbours of a float are taken for it.
    #[serde(default)]
    pub fuzzy_compare: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub tests: Vec<TestCase>,
}

/// Data, and what is expected of the rules with it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TestCase {
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// From value to value of the series.
    #[serde(deserialize_with = "some_millis")]
    pub interval: Option<i64>,
    #[serde(deserialize_with = "or_default")]
    pub input_series: Vec<InputSeries>,
    #[serde(deserialize_with = "or_default")]
    pub input_streams: Vec<InputStream>,
    #[serde(deserialize_with = "or_default")]
    pub alert_rule_test: Vec<Spanned<AlertTest>>,
    #[serde(deserialize_with = "or_default")]
    pub promql_expr_test: Vec<Spanned<ExprTest>>,
    #[serde(deserialize_with = "or_default")]
    pub logql_expr_test: Vec<Spanned<ExprTest>>,
    #[serde(deserialize_with = "or_default")]
    pub external_labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    pub external_url: String,
    /// The time that all others count from.
    #[serde(deserialize_with = "start")]
    pub start_timestamp: Timestamp,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSeries {
    pub series: String,
    #[serde(default, deserialize_with = "or_default")]
    pub values: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputStream {
    /// Labels in braces.
    pub stream: String,
    #[serde(default, deserialize_with = "or_default")]
    pub lines: Vec<InputLine>,
}

/// A line, or one that comes again and again.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputLine {
    #[serde(default, deserialize_with = "millis")]
    pub at: i64,
    #[serde(default = "one")]
    pub repeat: usize,
    #[serde(default, deserialize_with = "some_millis")]
    pub every: Option<i64>,
    pub line: String,
    /// Structured metadata.
    #[serde(default, deserialize_with = "or_default")]
    pub structured: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlertTest {
    #[serde(deserialize_with = "millis")]
    pub eval_time: i64,
    #[serde(deserialize_with = "or_default")]
    pub alertname: String,
    #[serde(deserialize_with = "or_default")]
    pub exp_alerts: Vec<ExpectedAlert>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExpectedAlert {
    #[serde(deserialize_with = "or_default")]
    pub exp_labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    pub exp_annotations: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExprTest {
    pub expr: String,
    #[serde(deserialize_with = "millis")]
    pub eval_time: i64,
    #[serde(deserialize_with = "or_default")]
    pub exp_samples: Vec<ExpectedSample>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExpectedSample {
    /// A metric with labels, or labels in braces.
    #[serde(deserialize_with = "or_default")]
    pub labels: String,
    #[serde(deserialize_with = "float")]
    pub value: f64,
    /// In the place of `value`.
    #[serde(deserialize_with = "or_default")]
    pub histogram: String,
}

/// # Errors
/// A sentence with the line.
pub fn read(text: &str) -> Result<TestFile, String> {
    if text.len() > MAX_BYTES {
        return Err(format!("a file with tests may have {} MiB: split it", MAX_BYTES >> 20));
    }
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_str_with_options(text, options).map_err(|e| e.to_string())
}

fn one() -> usize {
    1
}

/// Nothing behind a key is as if the key were not there, as in Go.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

fn some_millis<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    let Some(text) = Option::<String>::deserialize(from)? else { return Ok(None) };
    let millis = parse_duration(&text).map_err(D::Error::custom)?;
    // Zero is the same as not to say.
    Ok((millis > 0).then_some(millis))
}

fn millis<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    Ok(some_millis(from)?.unwrap_or(0))
}

fn start<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    let Some(text) = Option::<String>::deserialize(from)? else { return Ok(0) };
    crate::times::absolute_millis(&text).map_err(D::Error::custom)
}

fn float<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let text = String::deserialize(from)?;
    let plain = text.trim_start_matches(['+', '-']);
    let value = if plain.eq_ignore_ascii_case(".inf") {
        if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY }
    } else if plain.eq_ignore_ascii_case(".nan") {
        f64::NAN
    } else {
        promql::notation::number(&text).ok_or_else(|| D::Error::custom(format!("{text:?} is no number")))?
    };
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_leave_out_what_it_does_not_need() {
        let text = "
evaluation_interval: 30s
tests:
  - {}
  - name: a
    start_timestamp: 1600000000
    input_series: [{series: up, values: 1}, {series: down}]
    input_streams:
      - stream: '{app=\"x\"}'
        lines: [{line: a}, {at: 1m, repeat: 3, every: 5s, line: b, structured: {t: 1}}]
    alert_rule_test: [{eval_time: 0, alertname: A, exp_alerts: [{}]}]
    promql_expr_test:
      - expr: up
        exp_samples: [{labels: up, value: 1e3}, {value: NaN}, {value: .inf}, {value: -Inf}]
      - {expr: up, exp_samples: }
";
        let file = read(text).unwrap();
        assert_eq!((file.evaluation_interval, file.tests.len()), (Some(30_000), 2));
        let case = &file.tests[1];
        assert_eq!((case.start_timestamp, case.input_series[0].values.as_str()), (1_600_000_000_000, "1"));
        let line = &case.input_streams[0].lines[1];
        assert_eq!((line.at, line.repeat, line.every), (60_000, 3, Some(5000)));
        assert_eq!(line.structured["t"], "1");
        let values: Vec<_> = case.promql_expr_test[0].value.exp_samples.iter().map(|s| s.value).collect();
        assert!(values[1].is_nan());
        assert_eq!((values[0], values[2], values[3]), (1e3, f64::INFINITY, f64::NEG_INFINITY));
        assert_eq!(case.promql_expr_test[0].referenced.line(), 13);
    }

    #[test]
    fn mistakes_are_told_with_their_lines() {
        for (text, said) in [
            ("tests:\n- nam: x", "nam"),
            ("tests:\n- interval: 5", "line 2"),
            ("tests:\n- promql_expr_test: [{expr: a, exp_samples: [{value: x}]}]", "line 2"),
            ("tests:\n- start_timestamp: yesterday", "yesterday"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
