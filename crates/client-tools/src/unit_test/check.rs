//! Whether alerts and samples are as a test expects them.

use super::{
    TestOptions,
    expected::{alert_lines, expected_line, got_line, is_expected, sample},
    file::{AlertTest, ExprTest},
    run::World,
};
use crate::report::Failure;
use model::{Labels, Timestamp};
use query_syntax::format_duration;
use rules::{Expression, Queries};
use serde_saphyr::Spanned;
use service_api::RuleLanguage;

/// Labels and annotations.
type Alert = (Labels, Labels);

/// The failure, if there is one, of alerts that fire or do not.
pub fn alerts(test: &Spanned<AlertTest>, expected: &[Alert], got: &[Alert]) -> Option<Failure> {
    let AlertTest { eval_time, alertname, .. } = &test.value;
    let line = test.referenced.line();
    if alertname.is_empty() {
        return Some(Failure::new(format!("line {line}: an item of alert_rule_test has no alertname")));
    }
    let (mut expected, mut got) = (expected.to_vec(), got.to_vec());
    expected.sort();
    got.sort();
    if expected == got {
        return None;
    }
    let lines = |alerts: &[Alert]| alerts.iter().flat_map(alert_lines).collect();
    let what = format!("line {line}: alert {alertname} at {}", format_duration(*eval_time));
    Some(Failure::differs(what, lines(&expected), lines(&got)))
}

/// The failure, if there is one, of an expression.
pub async fn expression(
    options: &TestOptions,
    world: &World,
    lang: RuleLanguage,
    (test, start): (&Spanned<ExprTest>, Timestamp),
    fuzzy: bool,
) -> Option<Failure> {
    let ExprTest { expr, eval_time, exp_samples } = &test.value;
    let at = format_duration(*eval_time);
    let what =
        format!("line {}: {} {} at {at}", test.referenced.line(), lang.as_str(), model::quote(expr.trim()));
    let failed = |error: String| Some(Failure::new(format!("{what}: {error}")));
    let parsed = match Expression::parse(lang, expr, options.features.parse_options()) {
        Ok(parsed) => parsed,
        Err(error) => return failed(error),
    };
    let answer = match world.engines.instant(&world.tenant, &parsed, start.saturating_add(*eval_time)).await {
        Ok(answer) => answer,
        Err(error) => return failed(error.to_string()),
    };
    let mut expected = Vec::with_capacity(exp_samples.len());
    for one in exp_samples {
        match sample(one) {
            Ok(one) => expected.push(one),
            Err(error) => return failed(error),
        }
    }
    let mut got = answer.samples;
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    got.sort_by(|a, b| a.0.cmp(&b.0));
    let same = expected.len() == got.len()
        && expected.iter().zip(&got).all(|(e, g)| e.0 == g.0 && is_expected(&e.1, &g.1, fuzzy));
    if same {
        return None;
    }
    let expected = expected.iter().map(expected_line).collect();
    Some(Failure::differs(what, expected, got.iter().map(got_line).collect()))
}
