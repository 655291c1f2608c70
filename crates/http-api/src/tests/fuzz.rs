//! Requests at random: whatever is asked, the answer is never our fault.

use super::fixture::{Api, Fixture};
use axum::body::Body;
use http::{Request, Uri};
use proptest::{prelude::*, test_runner::TestCaseError};

const PATHS: [&str; 26] = [
    "query",
    "query_range",
    "query_exemplars",
    "format_query",
    "parse_query",
    "labels",
    "label/job/values",
    "label/U__a_2e_b/values",
    "series",
    "metadata",
    "targets",
    "alertmanagers",
    "rules",
    "alerts",
    "status/buildinfo",
    "status/config",
    "status/flags",
    "status/runtimeinfo",
    "status/tsdb",
    "status/walreplay",
    "cardinality/label_names",
    "cardinality/label_values",
    "admin/tsdb/delete_series",
    "user_stats",
    "read",
    "nothing",
];

const NAMES: [&str; 20] = [
    "query",
    "time",
    "start",
    "end",
    "step",
    "timeout",
    "limit",
    "match[]",
    "lookback_delta",
    "stats",
    "metric",
    "limit_per_metric",
    "label_names[]",
    "selector",
    "type",
    "state",
    "rule_name[]",
    "group_limit",
    "group_next_token",
    "x",
];

const VALUES: [&str; 34] = [
    "",
    "0",
    "1",
    "-1",
    "1e300",
    "-1e300",
    "NaN",
    "Inf",
    "-Inf",
    "1e-9",
    "9223372036854775807",
    "0x10",
    "1_000",
    "2015-06-03T13:21:58.555Z",
    "-292273086-05-16T16:47:06Z",
    "292277025-08-18T07:12:54.999999999Z",
    "5m",
    "1y2w",
    "999999999y",
    "up",
    "up{job=\"api\"}",
    "{__name__=~\".+\"}",
    "{}",
    "rate(requests_total[5m])",
    "sum by (job) (up) / on (job) group_left count(up)",
    "up[1h:1s]",
    "up @ end() offset -1h",
    "((((((((((1",
    "\"\\xff\"",
    "all",
    "%zz",
    "%ff",
    "\u{0}\u{1f600}",
    "topk(1, up) or vector(time())",
];

/// A value as it is, or with some of its characters changed.
fn value() -> impl Strategy<Value = String> {
    let plain = prop::sample::select(VALUES.as_slice()).prop_map(str::to_owned);
    let changed = (prop::sample::select(VALUES.as_slice()), any::<prop::sample::Index>(), any::<char>())
        .prop_map(|(value, at, c)| {
            let mut chars: Vec<char> = value.chars().collect();
            let at = at.index(chars.len() + 1);
            chars.splice(at..(at + 1).min(chars.len()), [c]);
            chars.into_iter().collect()
        });
    prop_oneof![3 => plain, 2 => changed, 1 => ".{0,40}"]
}

/// Percent-encoded, except for what tries how broken encoding is taken.
fn encode(value: &str) -> String {
    if value.starts_with('%') && value.is_ascii() {
        return value.to_owned();
    }
    value.bytes().map(|b| format!("%{b:02x}")).collect()
}

fn send(request: Request<Body>) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answer = runtime.block_on(Api::new(Fixture::default()).send(request));
    let ours = answer.status.is_server_error() && answer.status != 503;
    prop_assert!(!ours, "{}: {}", answer.status, answer.text());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_parameters_are_answered_without_a_fault(
        path in prop::sample::select(PATHS.as_slice()),
        params in prop::collection::vec((prop::sample::select(NAMES.as_slice()), value()), 0..6),
        post: bool,
    ) {
        let encoded: Vec<_> = params.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let encoded = encoded.join("&");
        let path = format!("/api/v1/{path}");
        let request = if post {
            let request = Request::post(path).header("Content-Type", "application/x-www-form-urlencoded");
            request.body(Body::from(encoded)).unwrap()
        } else {
            let Ok(uri) = format!("{path}?{encoded}").parse::<Uri>() else { return Ok(()) };
            Request::get(uri).body(Body::empty()).unwrap()
        };
        send(request)?;
    }

    #[test]
    fn any_body_of_a_remote_read_is_answered_without_a_fault(body: Vec<u8>, compressed: bool) {
        let body = if compressed { snap::raw::Encoder::new().compress_vec(&body).unwrap() } else { body };
        send(Request::post("/api/v1/read").body(Body::from(body)).unwrap())?;
    }
}
