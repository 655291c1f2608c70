//! States of rules as Prometheus writes them.

use crate::json;
use model::Timestamp;
use service_api::{AlertPhase, AlertState, GroupState, RuleHealth, RuleKindState, RuleLanguage, RuleState};
use std::time::Duration;

/// Go's time when nothing was set.
const NEVER: &str = "0001-01-01T00:00:00Z";

pub fn group(out: &mut Vec<u8>, group: &GroupState, exclude_alerts: bool) {
    text(out, r#"{"name":"#, &group.name);
    text(out, r#","file":"#, &group.namespace);
    raw(out, r#","rules":"#);
    json::array(out, &group.rules, |out, state| rule(out, state, exclude_alerts));
    seconds(out, r#","interval":"#, group.interval);
    raw(out, r#","limit":"#);
    json::unsigned(out, group.limit as u64);
    evaluated(out, group.evaluation_time, group.last_evaluation);
    out.push(b'}');
}

fn rule(out: &mut Vec<u8>, rule: &RuleState, exclude_alerts: bool) {
    let kind = match &rule.kind {
        RuleKindState::Recording => {
            text(out, r#"{"name":"#, &rule.name);
            text(out, r#","query":"#, &rule.query);
            raw(out, r#","labels":"#);
            json::labels(out, &rule.labels);
            "recording"
        }
        RuleKindState::Alerting { hold, keep_firing_for, annotations, alerts } => {
            text(out, r#"{"state":"#, phase(rule));
            text(out, r#","name":"#, &rule.name);
            text(out, r#","query":"#, &rule.query);
            seconds(out, r#","duration":"#, *hold);
            seconds(out, r#","keepFiringFor":"#, *keep_firing_for);
            raw(out, r#","labels":"#);
            json::labels(out, &rule.labels);
            raw(out, r#","annotations":"#);
            pairs(out, annotations);
            raw(out, r#","alerts":"#);
            if exclude_alerts {
                raw(out, "null");
            } else {
                json::array(out, alerts, alert);
            }
            "alerting"
        }
    };
    text(out, r#","health":"#, health(rule));
    if let RuleHealth::Failed(error) = &rule.health {
        text(out, r#","lastError":"#, error);
    }
    evaluated(out, rule.evaluation_time, rule.last_evaluation);
    text(out, r#","type":"#, kind);
    // Prometheus has no such field, and its clients skip what they do not know.
    if rule.lang != RuleLanguage::Promql {
        text(out, r#","lang":"#, rule.lang.as_str());
    }
    out.push(b'}');
}

/// The worst of the rule's alerts.
pub fn phase(rule: &RuleState) -> &'static str {
    let alerts = match &rule.kind {
        _ if rule.last_evaluation.is_none() => return "unknown",
        RuleKindState::Alerting { alerts, .. } => &alerts[..],
        RuleKindState::Recording => &[],
    };
    alerts.iter().map(|alert| alert.phase).max().unwrap_or(AlertPhase::Inactive).as_str()
}

pub fn health(rule: &RuleState) -> &'static str {
    match rule.health {
        RuleHealth::Unknown => "unknown",
        RuleHealth::Ok => "ok",
        RuleHealth::Failed(_) => "err",
    }
}

pub fn alert(out: &mut Vec<u8>, alert: &AlertState) {
    raw(out, r#"{"labels":"#);
    json::labels(out, &alert.labels);
    raw(out, r#","annotations":"#);
    pairs(out, &alert.annotations);
    text(out, r#","state":"#, alert.phase.as_str());
    text(out, r#","activeAt":"#, &time(Some(alert.active_at)));
    if alert.keep_firing_since.is_some() {
        text(out, r#","keepFiringSince":"#, &time(alert.keep_firing_since));
    }
    raw(out, r#","value":""#);
    if alert.value.is_finite() {
        json::exponent(out, alert.value);
    } else {
        json::special(out, alert.value);
    }
    raw(out, r#""}"#);
}

fn evaluated(out: &mut Vec<u8>, took: Duration, at: Option<Timestamp>) {
    seconds(out, r#","evaluationTime":"#, took);
    text(out, r#","lastEvaluation":"#, &time(at));
}

fn pairs(out: &mut Vec<u8>, pairs: &[(String, String)]) {
    json::object(out, pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
}

/// RFC 3339, with as many digits as are needed.
fn time(at: Option<Timestamp>) -> String {
    let at = at.and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
    at.map_or_else(|| NEVER.to_owned(), |at| at.to_string())
}

fn raw(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

fn text(out: &mut Vec<u8>, key: &str, value: &str) {
    raw(out, key);
    json::string(out, value);
}

fn seconds(out: &mut Vec<u8>, key: &str, duration: Duration) {
    raw(out, key);
    json::float(out, duration.as_secs_f64());
}
