//! Alerts as Alertmanager's API v2 takes them.

use bytes::Bytes;
use jiff::Timestamp as Time;
use model::Timestamp;
use serde::{Serialize, Serializer};
use service_api::Alert;
use std::sync::Arc;

#[derive(Serialize)]
struct PostedAlert<'a> {
    #[serde(serialize_with = "labels")]
    labels: &'a Alert,
    #[serde(serialize_with = "annotations")]
    annotations: &'a Alert,
    #[serde(rename = "startsAt", skip_serializing_if = "Option::is_none")]
    starts_at: Option<String>,
    #[serde(rename = "endsAt", skip_serializing_if = "Option::is_none")]
    ends_at: Option<String>,
    #[serde(rename = "generatorURL", skip_serializing_if = "str::is_empty")]
    generator_url: &'a str,
}

/// # Errors
/// None that is known of: all of it is text.
pub(crate) fn body(alerts: &[Arc<Alert>]) -> Result<Bytes, serde_json::Error> {
    let posted = alerts.iter().map(|alert| PostedAlert {
        labels: alert,
        annotations: alert,
        starts_at: time(alert.starts_at),
        ends_at: time(alert.ends_at),
        generator_url: &alert.generator_url,
    });
    serde_json::to_vec(&posted.collect::<Vec<_>>()).map(Bytes::from)
}

fn labels<S: Serializer>(alert: &Alert, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(alert.labels.iter())
}

fn annotations<S: Serializer>(alert: &Alert, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(alert.annotations.iter().map(|(name, value)| (name, value)))
}

/// With milliseconds; left out if no date has it, and Alertmanager puts its own.
fn time(ms: Timestamp) -> Option<String> {
    Some(Time::from_millisecond(ms).ok()?.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test's way to fail")]

    use super::*;
    use model::Labels;

    #[test]
    fn alerts_are_written_as_alertmanager_reads_them() {
        let alert = |url: &str| {
            Arc::new(Alert {
                labels: Labels::from_pairs([("alertname", "A\"b"), ("zone", ""), ("ü.x", "1")]),
                annotations: vec![("summary".into(), "a\nb".into()), ("empty".into(), String::new())],
                starts_at: 1_700_000_000_007,
                ends_at: 1_700_000_060_000,
                generator_url: url.into(),
            })
        };
        let body = body(&[alert("http://y/graph?x=1"), alert("")]).unwrap();
        let one = r#"{"labels":{"alertname":"A\"b","ü.x":"1"},"annotations":{"summary":"a\nb","empty":""},"startsAt":"2023-11-14T22:13:20.007Z","endsAt":"2023-11-14T22:14:20.000Z""#;
        let expected = format!(r#"[{one},"generatorURL":"http://y/graph?x=1"}},{one}}}]"#);
        assert_eq!(std::str::from_utf8(&body).unwrap(), expected);
    }
}
