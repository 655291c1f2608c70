//! The push API: bodies of both forms, what is stored of them, and what senders are told.

use super::{json, protobuf};
use crate::write::{
    WriteConfig,
    tests::support::{Message, NOW, Server, msg, mutated, show_logs},
};
use flate2::{
    Compression,
    write::{DeflateEncoder, GzEncoder, ZlibEncoder},
};
use model::Labels;
use proptest::prelude::*;
use service_api::{Code, Error, PushOutcome, RejectReason, Rejection};
use std::io::Write;

const PUSH: &str = "/loki/api/v1/push";
const JSON: (&str, &str) = ("content-type", "application/json");
const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");

fn server() -> Server {
    Server::new(WriteConfig::default())
}

fn snappy(body: &Message) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(&body.0).unwrap()
}

fn entry(seconds: i64, nanos: u64, line: impl AsRef<[u8]>) -> Message {
    msg().message(1, msg().varint(1, seconds as u64).varint(2, nanos)).bytes(2, line)
}

fn pair(name: &str, value: &str) -> Message {
    msg().bytes(1, name).bytes(2, value)
}

fn body_protobuf() -> Message {
    let first = msg()
        .bytes(1, r#"{app="a", env="x\"y"}"#)
        .message(2, entry(1, 500, "one"))
        .message(
            2,
            entry(2, 0, "tab\there").message(3, pair("trace.id", "abc")).message(3, pair("empty", "")),
        )
        .varint(3, 77);
    let second = msg().message(2, entry(-1, 0, "é")).bytes(1, r#"{app="b"}"#);
    msg().message(1, first).message(1, second).bytes(2, "loki")
}

const BODY_JSON: &str = r#"{"streams": [
    {"stream": {"app": "a", "env": "x\"y"}, "values": [
        ["1000000500", "one"],
        ["2000000000", "tab\there", {"trace.id": "abc", "empty": ""}]
    ], "more": {"ignored": [1, null]}},
    {"values": [["-1000000000", "\u00e9"]], "stream": {"app": "b"}}
], "ignored": true}"#;

const STORED: &str = r#"{app="a", env="x\"y"}
  1000000500 one
  2000000000 tab	here trace_id="abc"
{app="b"}
  -1000000000 é
"#;

#[test]
fn both_forms_say_the_same() {
    let one = protobuf::parse(body_protobuf().0).unwrap();
    let two = json::parse(BODY_JSON.into()).unwrap();
    assert_eq!(show_logs(&one), STORED);
    assert_eq!(show_logs(&two), STORED);
    assert_ne!(one.streams[0].key, two.streams[0].key, "a key is of one form");
}

#[test]
fn a_key_names_the_labels_and_nothing_else() {
    let stream = |labels: &str, line: &str| msg().bytes(1, labels).message(2, entry(1, 0, line));
    let body = [stream("{a=\"1\"}", "x"), stream("{a=\"1\"}", "y"), stream("{a=\"2\"}", "x")];
    let body = body.into_iter().fold(msg(), |m, s| m.message(1, s));
    let keys: Vec<_> = protobuf::parse(body.0).unwrap().streams.iter().map(|s| s.key).collect();
    assert_eq!(keys[0], keys[1]);
    assert_ne!(keys[0], keys[2]);
}

#[test]
fn text_that_is_not_utf8_is_made_so() {
    let entry = entry(1, 0, b"bad \xff line").message(3, msg().bytes(1, b"n\xff").bytes(2, b"\xc3"));
    let labels = msg().bytes(1, b"{a=\"\xff\"}").message(2, entry);
    let batch = protobuf::parse(msg().message(1, labels).0).unwrap();
    assert_eq!(
        show_logs(&batch),
        "couldn't parse labels: the labels are not UTF-8\n  1000000000 bad \u{fffd} line n_=\"\u{fffd}\"\n"
    );
    let body = br#"{"streams":[{"stream":{"a":"b"},"values":[["1","bad X line"]]}]}"#;
    let body: Vec<u8> = body.iter().map(|b| if *b == b'X' { 0xff } else { *b }).collect();
    assert_eq!(show_logs(&json::parse(body).unwrap()), "{a=\"b\"}\n  1 bad \u{fffd} line\n");
}

#[tokio::test]
async fn a_body_comes_in_every_encoding() {
    let server = server();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
    let mut deflate = DeflateEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(BODY_JSON.as_bytes()).unwrap();
    zlib.write_all(BODY_JSON.as_bytes()).unwrap();
    deflate.write_all(BODY_JSON.as_bytes()).unwrap();
    let plain = BODY_JSON.as_bytes().to_vec();
    for (content_type, encoding, body) in [
        ("application/json", "", plain.clone()),
        ("application/json; charset=utf-8", "identity", plain.clone()),
        ("Application/JSON", "", plain.clone()),
        ("application/json", "snappy", plain),
        ("application/json", "gzip", gzip.finish().unwrap()),
        ("application/json", "deflate", zlib.finish().unwrap()),
        ("application/json", "deflate", deflate.finish().unwrap()),
        ("application/x-protobuf", "", snappy(&body_protobuf())),
        ("application/x-protobuf", "snappy", snappy(&body_protobuf())),
        ("application/octet-stream", "", snappy(&body_protobuf())),
    ] {
        let mut headers = vec![("content-type", content_type)];
        if !encoding.is_empty() {
            headers.push(("content-encoding", encoding));
        }
        let (status, _, answer) = server.post(PUSH, &headers, body).await;
        assert_eq!((status.as_u16(), answer.len()), (204, 0), "{content_type} {encoding}");
        assert_eq!(server.written(), STORED, "{content_type} {encoding}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_with_the_reason() {
    let stream = |values: &str| format!(r#"{{"streams":[{{"stream":{{"a":"b"}},"values":[{values}]}}]}}"#);
    let no_encoding = ("x", "y");
    for (header, body, status, part) in [
        (no_encoding, "".into(), 400, "EOF while parsing"),
        (no_encoding, "[]".into(), 400, "an object with streams"),
        (no_encoding, r#"{"streams":[]}"#.into(), 422, "at least one valid stream is required"),
        (no_encoding, "{}".into(), 422, "at least one valid stream is required"),
        (no_encoding, r#"{"streams":null}"#.into(), 422, "at least one valid stream is required"),
        (no_encoding, "{} x".into(), 400, "trailing characters"),
        (no_encoding, stream(r#"["1"]"#), 400, "less than a timestamp and a line"),
        (no_encoding, stream(r#"[1,"x"]"#), 400, "invalid type: integer `1`, expected a string"),
        (no_encoding, stream(r#"["1x","x"]"#), 400, "timestamp \"1x\" is not a number of nanoseconds"),
        (no_encoding, stream(r#"["9223372036854775808","x"]"#), 400, "is not a number of nanoseconds"),
        (no_encoding, stream(r#"["1",2]"#), 400, "expected a string"),
        (no_encoding, stream(r#"["1","x",{"a":1}]"#), 400, "expected a string"),
        (no_encoding, stream(r#"["1","x",{"a":{"b":"c"}}]"#), 400, "expected a string"),
        (
            no_encoding,
            stream(r#"["1","x",{},0]"#),
            400,
            "more than a timestamp, a line and structured metadata",
        ),
        (no_encoding, stream(r#"["1","x"#), 400, "EOF while parsing a string"),
        (no_encoding, stream(&"[".repeat(500)), 400, "cannot decode"),
        (("content-encoding", "zstd"), "{}".into(), 400, "Content-Encoding \"zstd\" not supported"),
        (("content-encoding", "gzip"), "{}".into(), 400, "cannot decompress the gzip body"),
        (("content-encoding", "deflate"), "{}".into(), 400, "cannot decompress the deflate body"),
    ] {
        let (got, headers, answer) = server().post(PUSH, &[JSON, header], body.clone()).await;
        let answer = String::from_utf8(answer).unwrap();
        assert_eq!(got.as_u16(), status, "{body}: {answer}");
        assert!(answer.contains(part), "{body}: {answer}");
        assert!(headers["content-type"].to_str().unwrap().starts_with("text/plain"), "{body}");
    }
    for (headers, part) in [
        (vec![], "no media type"),
        (vec![PROTOBUF], "snappy"),
        (vec![PROTOBUF, ("content-encoding", "gzip")], "not supported"),
        (vec![("content-type", "text/plain")], "JSON needs the header Content-Type: application/json"),
    ] {
        let (status, _, answer) = server().post(PUSH, &headers, "{}").await;
        let answer = String::from_utf8(answer).unwrap();
        assert_eq!(status.as_u16(), 400, "{answer}");
        assert!(answer.contains(part), "{answer}");
    }
}

#[tokio::test]
async fn a_bomb_is_refused_within_its_bound() {
    let zeros = vec![b' '; 64 << 20];
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&zeros).unwrap();
    let gzip = gzip.finish().unwrap();
    // All that is held at once: the body as sent, and what has been decompressed.
    let config = WriteConfig {
        max_body_bytes: 1 << 20,
        max_decompressed_bytes: 1 << 20,
        max_in_flight_bytes: 4 << 20,
    };
    let server = Server::new(config);
    for _ in 0..3 {
        let (status, ..) = server.post(PUSH, &[JSON, ("content-encoding", "gzip")], gzip.clone()).await;
        assert_eq!(status.as_u16(), 413);
    }
    let (status, ..) =
        server.post(PUSH, &[PROTOBUF], snap::raw::Encoder::new().compress_vec(&zeros).unwrap()).await;
    assert_eq!(status.as_u16(), 413);
    let (status, ..) = server.post(PUSH, &[JSON], vec![b' '; (1 << 20) + 1]).await;
    assert_eq!(status.as_u16(), 413);
}

#[test]
fn many_tiny_entries_are_too_large() {
    let streams = [0x0a, 0x00].repeat(500_001);
    assert_eq!(protobuf::parse(streams).err().unwrap().code, Code::TooLarge);
    let entries = msg().message(1, Message([0x12, 0x00].repeat(500_001)));
    assert_eq!(protobuf::parse(entries.0).err().unwrap().code, Code::TooLarge);
    let pairs = Message([&[0x1a, 6][..], &pair("a", "b").0].concat().repeat(1_000_001));
    let entry = msg().message(1, msg().message(2, pairs));
    assert_eq!(protobuf::parse(entry.0).err().unwrap().code, Code::TooLarge);
    let json = format!("{{\"streams\":[{}{{}}]}}", "{},".repeat(500_001));
    assert_eq!(json::parse(json.into()).err().unwrap().code, Code::TooLarge);
}

#[tokio::test]
async fn refusals_are_named_in_lokis_words() {
    let labels = Labels::from_pairs([("app", "a")]);
    let refused = |reason, timestamp| Rejection { reason, labels: labels.clone(), timestamp };
    let now = NOW * 1_000_000 + 1;
    for (rejections, status, text) in [
        (
            vec![refused(RejectReason::TooFarInPast, Some(-1))],
            400,
            r#"entry for stream '{app="a"}' has timestamp too old: 1969-12-31T23:59:59Z, oldest acceptable timestamp is: 2023-10-31T22:13:20Z (limits.max_sample_age)"#,
        ),
        (
            vec![refused(RejectReason::TooFarInFuture, Some(now)); 2],
            400,
            r#"2 errors like: entry for stream '{app="a"}' has timestamp too new: 2023-11-14T22:13:20Z (limits.max_sample_future)"#,
        ),
        (
            vec![
                refused(RejectReason::LineTooLong { bytes: 9, limit: 8 }, Some(now)),
                refused(
                    RejectReason::Metadata("too many structured metadata labels: '3', limit: '2'".into()),
                    None,
                ),
            ],
            400,
            r#"1 errors like: max entry size '8' bytes exceeded for stream '{app="a"}' while adding an entry with length '9' bytes (limits.max_line_size); 1 errors like: stream '{app="a"}' has too many structured metadata labels: '3', limit: '2'"#,
        ),
        (
            vec![refused(RejectReason::TooOld, Some(now)), refused(RejectReason::SeriesLimit(5), None)],
            429,
            r#"1 errors like: entry with timestamp 2023-11-14T22:13:20Z ignored, reason: 'entry too far behind' for stream: {app="a"} (limits.out_of_order_window); 1 errors like: maximum active stream limit exceeded when trying to create stream {app="a"} (limit: 5, limits.max_streams), user: 'anonymous'"#,
        ),
        (
            vec![refused(RejectReason::StreamRate(300), Some(now))],
            429,
            r#"Per stream rate limit exceeded (limit: 300B/sec, limits.stream_rate) while attempting to ingest for stream '{app="a"}'"#,
        ),
    ] {
        let server = server();
        *server.store.answer.lock().unwrap() =
            Ok(PushOutcome { rejected: rejections.len() as u64, rejections, ..PushOutcome::default() });
        let (got, _, answer) = server.post(PUSH, &[JSON], BODY_JSON).await;
        assert_eq!((got.as_u16(), String::from_utf8(answer).unwrap()), (status, format!("{text}\n")));
    }
    let server = server();
    let labels = Labels::from_pairs([("app", "é".repeat(100_000))]);
    let rejection = Rejection { reason: RejectReason::TooOld, labels, timestamp: Some(now) };
    *server.store.answer.lock().unwrap() =
        Ok(PushOutcome { rejected: 1, rejections: vec![rejection], ..PushOutcome::default() });
    let (_, _, answer) = server.post(PUSH, &[JSON], BODY_JSON).await;
    assert!(answer.len() < 5000);
    for (code, status) in [(Code::RateLimited, 429), (Code::Unavailable, 503), (Code::Internal, 500)] {
        *server.store.answer.lock().unwrap() = Err(Error::new(code, "why"));
        let (got, _, answer) = server.post(PUSH, &[JSON], BODY_JSON).await;
        assert_eq!((got.as_u16(), &*answer), (status, &b"why\n"[..]));
    }
}

#[tokio::test]
async fn the_path_of_both_signals_tells_them_apart() {
    let server = server();
    let label = |name: &str, value: &str| msg().bytes(1, name).bytes(2, value);
    let series = msg().message(1, label("__name__", "up")).message(2, msg().double(1, 1.0).varint(2, 5));
    let metrics = msg().message(1, series);
    // A series whose first label has an empty name begins as a stream does not.
    let odd = msg().message(1, msg().message(1, label("", "{")).message(1, label("__name__", "x")));
    for (headers, body, stored) in [
        (vec![PROTOBUF], snappy(&body_protobuf()), STORED),
        (vec![], snappy(&body_protobuf()), STORED),
        (vec![JSON], BODY_JSON.into(), STORED),
        (vec![PROTOBUF], snappy(&metrics), "{__name__=\"up\"} 1@5\n"),
        (vec![PROTOBUF], snappy(&odd), "{\"\"=\"{\", __name__=\"x\"}\n"),
    ] {
        let (status, ..) = server.post("/api/prom/push", &headers, body).await;
        assert_eq!((status.as_u16(), &*server.written()), (204, stored));
    }
    let (status, ..) = server.post("/api/prom/push", &[("content-type", "text/plain")], "x").await;
    assert_eq!(status.as_u16(), 415);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn mutated_bodies_parse_or_fail(one in mutated(body_protobuf().0), two in mutated(BODY_JSON.into())) {
        for parsed in [protobuf::parse(one), json::parse(two)] {
            match parsed {
                Ok(batch) => drop(show_logs(&batch)),
                Err(error) => prop_assert!(matches!(error.code, Code::BadRequest | Code::TooLarge)),
            }
        }
    }
}
