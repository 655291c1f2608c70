//! OTLP requests in both formats: what is stored of them, and how they are answered.

use super::{attributes, json, logs, metrics, schema::Message as Schema};
use crate::write::{
    WriteConfig,
    tests::support::{Message, NOW, Server, msg, mutated, show_logs, show_metrics},
};
use flate2::{Compression, write::GzEncoder};
use model::Labels;
use proptest::prelude::*;
use service_api::{Code, Error, PushOutcome, RejectReason, Rejection};
use std::io::Write;

const LOGS: &str = "/otlp/v1/logs";
const JSON: (&str, &str) = ("content-type", "application/json");
const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");

const LOGS_JSON: &str = include_str!("tests/logs.json");
const LOGS_STORED: &str = include_str!("tests/logs.txt");
const METRICS_JSON: &str = include_str!("tests/metrics.json");
const METRICS_STORED: &str = include_str!("tests/metrics.txt");

fn logs_protobuf() -> Vec<u8> {
    json::to_protobuf(LOGS_JSON.as_bytes(), Schema::LogsRequest).unwrap()
}

fn metrics_protobuf() -> Vec<u8> {
    json::to_protobuf(METRICS_JSON.as_bytes(), Schema::MetricsRequest).unwrap()
}

fn fixed64(field: u64, v: u64) -> Message {
    msg().double(field, f64::from_bits(v))
}

fn join(parts: impl IntoIterator<Item = Message>) -> Message {
    Message(parts.into_iter().flat_map(|m| m.0).collect())
}

fn attribute(key: &str, value: &str) -> Message {
    msg().bytes(1, key).message(2, msg().bytes(1, value))
}

#[test]
fn logs_are_mapped_as_loki_does() {
    assert_eq!(show_logs(&logs::parse(logs_protobuf(), NOW * 1_000_000).unwrap()), LOGS_STORED);
}

#[test]
fn metrics_are_mapped_as_prometheus_does() {
    let metrics = metrics::parse(metrics_protobuf()).unwrap();
    assert_eq!(show_metrics(&metrics.batch), METRICS_STORED);
    assert_eq!(metrics.left_out, 4);
    assert_eq!(
        metrics.reasons,
        [
            "invalid temporality and type combination for metric \"delta.sum\"",
            "invalid temporality and type combination for metric \"unspecified\"",
            "metric \"...\" cannot be given a valid name",
            "cannot convert exponential to native histogram: scale must be >= -4, was -5",
        ]
    );
}

#[test]
fn json_becomes_the_protobuf_that_senders_write() {
    let json = r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"s"}}]},
        "scopeLogs":[{"scope":{"name":"n"},"logRecords":[{"timeUnixNano":"1700000000000000001","severityNumber":9,
        "body":{"stringValue":"line"},"flags":1,"traceId":"0102030405060708090A0b0c0d0e0f10",
        "attributes":[{"key":"i","value":{"intValue":"-3"}},{"key":"d","value":{"doubleValue":0.5}},
        {"key":"b","value":{"bytesValue":"aGk="}},{"key":"t","value":{"boolValue":true}}]}]}]}]}"#;
    let value = |key: &str, value: Message| msg().bytes(1, key).message(2, value);
    let trace: Vec<u8> = (1..=16).collect();
    let record = join([
        fixed64(1, 1_700_000_000_000_000_001),
        msg().varint(2, 9).message(5, msg().bytes(1, "line")),
        Message(vec![0x45, 1, 0, 0, 0]),
        msg().bytes(9, trace),
        msg().message(6, value("i", msg().varint(3, -3_i64 as u64))),
        msg().message(6, value("d", msg().double(4, 0.5))),
        msg().message(6, value("b", msg().bytes(7, "hi"))),
        msg().message(6, value("t", msg().varint(2, 1))),
    ]);
    let scope = msg().message(1, msg().bytes(1, "n")).message(2, record);
    let resource = msg().message(1, msg().message(1, attribute("service.name", "s"))).message(2, scope);
    let from_json = json::to_protobuf(json.as_bytes(), Schema::LogsRequest).unwrap();
    let show = |body| show_logs(&logs::parse(body, 0).unwrap());
    assert_eq!(
        show(from_json),
        "{service_name=\"s\"}\n  1700000000000000001 line i=\"-3\" d=\"0.5\" b=\"aGk=\" t=\"true\" \
         severity_number=\"9\" flags=\"1\" trace_id=\"0102030405060708090a0b0c0d0e0f10\" scope_name=\"n\"\n"
    );
    assert_eq!(
        show(msg().message(1, resource).0),
        show(json::to_protobuf(json.as_bytes(), Schema::LogsRequest).unwrap())
    );
}

#[test]
fn a_key_names_one_series() {
    let keys = |body: Vec<u8>| -> Vec<_> {
        metrics::parse(body).unwrap().batch.series.iter().map(|s| s.key).collect()
    };
    let mut all = keys(metrics_protobuf());
    assert_eq!(all, keys(metrics_protobuf()));
    let count = all.len();
    all.sort();
    all.dedup();
    // Two points of `jobs` are of one series.
    assert_eq!(all.len(), count - 1);
}

#[test]
fn what_cannot_be_read_is_named() {
    for (body, part) in [
        ("", "EOF"),
        ("[1]", "expected an object, LogsRequest"),
        (r#"{"resourceLogs":1}"#, "expected an object, ResourceLogs"),
        (
            r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"x"}]}]}]}"#,
            "expected an integer",
        ),
        (
            r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":1.5}]}]}]}"#,
            "expected an integer",
        ),
        (r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"traceId":"xy"}]}]}]}"#, "hexadecimal"),
        (r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"bytesValue":"*"}}]}]}]}"#, "base64"),
        (r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"severityText":3}]}]}]}"#, "expected a string"),
    ] {
        let error = json::to_protobuf(body.as_bytes(), Schema::LogsRequest).unwrap_err();
        assert_eq!(error.code, Code::BadRequest);
        assert!(error.message.contains(part), "{body}: {}", error.message);
    }
    let deep = format!(r#"{{"resourceLogs":{}"#, "[".repeat(1000));
    assert!(json::to_protobuf(deep.as_bytes(), Schema::LogsRequest).is_err());
}

/// A log record whose body nests `depth` arrays, and an attribute as many maps.
fn nested(depth: usize) -> Vec<u8> {
    let array = (0..depth).fold(msg().bytes(1, "x"), |inner, _| msg().message(5, msg().message(1, inner)));
    let map = (0..depth).fold(msg().bytes(1, "x"), |inner, _| {
        msg().message(6, msg().message(1, msg().bytes(1, "k").message(2, inner)))
    });
    let record = msg().message(5, array).message(6, msg().bytes(1, "a").message(2, map));
    msg().message(1, msg().message(2, msg().message(2, record))).0
}

#[test]
fn nesting_and_numbers_are_bounded() {
    assert!(logs::parse(nested(60), 0).is_ok());
    for depth in [66, 1000] {
        assert_eq!(logs::parse(nested(depth), 0).err().unwrap().code, Code::BadRequest);
    }
    let records = Message([0x12, 0x00].repeat(500_001));
    let body = msg().message(1, msg().message(2, records)).0;
    assert_eq!(logs::parse(body, 0).err().unwrap().code, Code::TooLarge);
    // Each of the records would repeat all attributes of the resource.
    let resource = join((0..2_000).map(|i| msg().message(1, attribute(&format!("a{i}"), "x"))));
    let records = Message([0x12, 0x00].repeat(2_000));
    let body = msg().message(1, msg().message(1, resource).message(2, records)).0;
    assert_eq!(logs::parse(body, 0).err().unwrap().code, Code::TooLarge);
    let points = Message([0x0a, 0x00].repeat(250_001));
    let metric = msg().bytes(1, "m").message(5, points);
    let body = msg().message(1, msg().message(2, msg().message(2, metric))).0;
    assert_eq!(metrics::parse(body).err().unwrap().code, Code::TooLarge);
    let buckets = msg().message(8, msg().packed(2, &[1; 10_001]));
    let metric = msg().bytes(1, "m").message(10, msg().message(1, buckets).varint(2, 2));
    let body = msg().message(1, msg().message(2, msg().message(2, metric))).0;
    assert_eq!(metrics::parse(body).err().unwrap().code, Code::BadRequest);
}

#[test]
fn records_without_any_time_stay_apart_and_in_order() {
    let record = || msg().message(2, msg().message(5, msg().bytes(1, "same")));
    let body = msg().message(1, msg().message(2, join([record(), record(), record()]))).0;
    let batch = logs::parse(body, 5).unwrap();
    let times: Vec<_> = batch.entries.iter().map(|entry| entry.timestamp).collect();
    assert_eq!(times, [5, 6, 7]);
}

#[test]
fn a_map_is_one_text_whatever_its_order() {
    let pair = |key: &str, value: &str| msg().message(1, attribute(key, value));
    let text = |pairs: [Message; 3]| {
        let value = msg().message(6, join(pairs)).0;
        attributes::AnyValue::read(&value).unwrap().text().unwrap().into_owned()
    };
    let expected = r#"{"a":"1","b":"3"}"#;
    assert_eq!(text([pair("a", "1"), pair("b", "2"), pair("b", "3")]), expected);
    assert_eq!(text([pair("b", "2"), pair("a", "1"), pair("b", "3")]), expected);
}

#[test]
fn target_info_over_all_of_time_is_bounded() {
    let point = |time| msg().message(1, join([fixed64(3, time)]));
    let metric = msg().bytes(1, "m").message(5, join([point(0), point(u64::MAX)]));
    let resource = join(["service.name", "x"].map(|key| msg().message(1, attribute(key, "v"))));
    let body = msg().message(1, msg().message(1, resource).message(2, msg().message(2, metric))).0;
    assert!(metrics::parse(body).unwrap().batch.samples.len() < 100);
}

#[tokio::test]
async fn answers_come_in_the_format_of_the_request() {
    let server = Server::new(WriteConfig::default());
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&logs_protobuf()).unwrap();
    let gzip = gzip.finish().unwrap();
    for (headers, body, answer) in [
        (vec![PROTOBUF], logs_protobuf(), ""),
        (vec![PROTOBUF, ("content-encoding", "gzip")], gzip, ""),
        (vec![JSON], LOGS_JSON.into(), "{}"),
    ] {
        let (status, headers_back, got) = server.post(LOGS, &headers, body).await;
        assert_eq!((status.as_u16(), &*got), (200, answer.as_bytes()));
        assert_eq!(headers_back["content-type"], headers[0].1);
        assert_eq!(server.written(), LOGS_STORED);
    }
    for path in ["/otlp/v1/metrics", "/api/v1/otlp/v1/metrics"] {
        let (status, _, got) = server.post(path, &[JSON], METRICS_JSON).await;
        assert_eq!(status.as_u16(), 200);
        let got = String::from_utf8(got).unwrap();
        assert!(
            got.starts_with(r#"{"partialSuccess":{"rejectedDataPoints":"4","errorMessage":"invalid"#),
            "{got}"
        );
        assert_eq!(server.written(), METRICS_STORED);
    }
    let (status, _, got) = server.post(LOGS, &[JSON], r#"{"resourceLogs":[]}"#).await;
    assert_eq!((status.as_u16(), &*got), (200, &b"{}"[..]));
    assert_eq!(server.written(), "");
}

#[tokio::test]
async fn refused_lines_are_a_partial_success_and_limits_are_not() {
    let server = Server::new(WriteConfig::default());
    let refuse = |reason| {
        let rejection = Rejection { reason, labels: Labels::from_pairs([("a", "b")]), timestamp: Some(0) };
        *server.store.answer.lock().unwrap() =
            Ok(PushOutcome { rejected: 1, rejections: vec![rejection], ..PushOutcome::default() });
    };
    refuse(RejectReason::TooFarInFuture);
    let why = r#"entry for stream '{a="b"}' has timestamp too new: 1970-01-01T00:00:00Z (limits.max_sample_future)"#;
    let (status, _, got) = server.post(LOGS, &[PROTOBUF], logs_protobuf()).await;
    let expected = msg().message(1, msg().varint(1, 1).bytes(2, why)).0;
    assert_eq!((status.as_u16(), got), (200, expected));
    refuse(RejectReason::StreamRate(3));
    let (status, headers, _) = server.post(LOGS, &[PROTOBUF], logs_protobuf()).await;
    assert_eq!((status.as_u16(), &headers["retry-after"]), (429, &http::HeaderValue::from_static("1")));
}

#[tokio::test]
async fn errors_are_a_status() {
    let server = Server::new(WriteConfig::default());
    let status_of = |code: u64, message: &str| msg().varint(1, code).bytes(2, message).0;
    for (code, status, number, retry) in [
        (Code::RateLimited, 429, 8, true),
        (Code::Unavailable, 503, 14, true),
        (Code::Internal, 503, 14, true),
        (Code::BadRequest, 400, 3, false),
    ] {
        *server.store.answer.lock().unwrap() = Err(Error::new(code, "why"));
        let (got, headers, body) = server.post(LOGS, &[PROTOBUF], logs_protobuf()).await;
        assert_eq!((got.as_u16(), body), (status, status_of(number, "why")));
        assert_eq!(headers.contains_key("retry-after"), retry);
        let (got, _, body) = server.post("/otlp/v1/metrics", &[JSON], METRICS_JSON).await;
        let expected = format!(r#"{{"code":{number},"message":"why"}}"#);
        assert_eq!((got.as_u16(), String::from_utf8(body).unwrap()), (status, expected));
    }
    let (status, headers, body) = server.post(LOGS, &[("content-type", "text/plain")], "x").await;
    assert_eq!(status.as_u16(), 415);
    assert_eq!(headers["content-type"], "application/x-protobuf");
    assert_eq!(body, status_of(3, "content type: text/plain is not supported"));
    let (status, ..) = server.post(LOGS, &[JSON, ("content-encoding", "zstd")], "{}").await;
    assert_eq!(status.as_u16(), 415);
    let (status, _, body) = server.post(LOGS, &[PROTOBUF], "\u{1}").await;
    assert_eq!(status.as_u16(), 400);
    assert!(String::from_utf8_lossy(&body).contains("cannot decode"));
    let small = Server::new(WriteConfig { max_decompressed_bytes: 10, ..WriteConfig::default() });
    let (status, ..) = small.post(LOGS, &[PROTOBUF], logs_protobuf()).await;
    assert_eq!(status.as_u16(), 413);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn mutated_bodies_parse_or_fail(
        logs in mutated(logs_protobuf()),
        metrics in mutated(metrics_protobuf()),
        json in mutated(METRICS_JSON.into()),
    ) {
        if let Ok(batch) = logs::parse(logs, 0) {
            show_logs(&batch);
        }
        for body in [Ok(metrics), json::to_protobuf(&json, Schema::MetricsRequest)].into_iter().flatten() {
            if let Ok(metrics) = metrics::parse(body) {
                show_metrics(&metrics.batch);
            }
        }
    }
}
