//! Both protocols over bodies built field by field, and what mutations of them do.

pub mod support;

use super::{
    decode::{Protocol, decompress, decompressed_len, negotiate, parse},
    entries, v1, v2,
    wire::WireError,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use model::{Buckets, CounterResetHint, MetricType};
use proptest::prelude::*;
use service_api::{Code, StartTimestamps, WriteBatch};
use support::{Message, msg, mutated};

fn label(name: &str, value: &str) -> Message {
    msg().bytes(1, name).bytes(2, value)
}

fn sample(value: f64, t: i64) -> Message {
    msg().double(1, value).varint(2, t as u64)
}

fn histogram() -> Message {
    msg()
        .varint(1, 6)
        .double(3, 18.4)
        .sint(4, 1)
        .double(5, 0.001)
        .varint(6, 1)
        .message(8, msg().sint(1, -2).varint(2, 1))
        .packed(9, &[2])
        .message(11, msg().sint(1, 0).varint(2, 2))
        .packed(12, &[4, 0])
        .varint(14, 3)
        .varint(15, 1_000)
}

fn body_v1() -> Message {
    let series = msg()
        .message(1, label("__name__", "up"))
        .message(1, label("job", "node"))
        .message(2, sample(1.5, 1_000))
        .message(2, sample(f64::from_bits(model::STALE_NAN), 2_000))
        .message(3, msg().message(1, label("trace_id", "abc")).double(2, 0.5).varint(3, 900))
        .message(4, histogram());
    msg()
        .message(1, series)
        .message(3, msg().varint(1, 1).bytes(2, "up").bytes(4, "Whether it is up.").bytes(5, "ratio"))
}

fn body_v2() -> Message {
    let symbols = ["", "__name__", "up", "job", "node", "Whether it is up.", "ratio", "trace_id", "abc"];
    let request = symbols.iter().fold(msg(), |m, s| m.bytes(4, s));
    let series = msg()
        .packed(1, &[1, 2, 3, 4])
        .message(2, sample(1.5, 1_000).varint(3, 500))
        .message(2, sample(f64::from_bits(model::STALE_NAN), 2_000))
        .message(3, histogram())
        .message(4, msg().packed(1, &[7, 8]).double(2, 0.5).varint(3, 900))
        .message(5, msg().varint(1, 1).varint(3, 5).varint(4, 6))
        .varint(6, 400);
    request.message(5, series)
}

fn pairs(batch: &WriteBatch, index: usize) -> Vec<(String, String)> {
    let mut out = Vec::new();
    batch.labels.pairs(index, &mut |n, v| out.push((n.to_owned(), v.to_owned()))).unwrap();
    out
}

#[test]
fn both_protocols_say_the_same() {
    let one = v1::parse(body_v1().0.into()).unwrap();
    let two = v2::parse(body_v2().0.into()).unwrap();
    for batch in [&one, &two] {
        assert_eq!(pairs(batch, 0), [("__name__", "up"), ("job", "node")].map(|(n, v)| (n.into(), v.into())));
        assert_eq!(batch.samples.len(), 2);
        assert_eq!((batch.samples[0].timestamp, batch.samples[0].value), (1_000, 1.5));
        assert!(model::is_stale(batch.samples[1].value), "the stale marker keeps its bits");
        let h = &batch.histograms[0];
        assert_eq!((h.timestamp, h.histogram.schema, h.histogram.sum), (1_000, 1, 18.4));
        assert_eq!(h.histogram.counter_reset_hint, CounterResetHint::Gauge);
        assert_eq!(h.histogram.negative_spans[0].offset, -2);
        assert_eq!(
            h.histogram.buckets,
            Buckets::Integer { count: 6, zero_count: 1, positive: vec![2, 0], negative: vec![1] }
        );
        assert_eq!(batch.exemplars[0].labels.to_string(), r#"{trace_id="abc"}"#);
        assert_eq!(batch.series[0].exemplars, 0..1);
        let m = &batch.metadata[0];
        assert_eq!((m.metric.as_str(), m.metadata.metric_type), ("up", MetricType::Counter));
        assert_eq!((m.metadata.help.as_str(), m.metadata.unit.as_str()), ("Whether it is up.", "ratio"));
    }
}

#[test]
fn starts_come_with_each_sample_or_once_for_all() {
    assert_eq!(v1::parse(body_v1().0.into()).unwrap().starts, StartTimestamps::default());
    let symbols = ["", "n", "a", "b", "c"].iter().fold(msg(), |m, s| m.bytes(4, s));
    let plain = || msg().packed(1, &[1, 2]).message(2, sample(1.0, 10)).message(3, histogram());
    let own = || {
        let some =
            msg().packed(1, &[1, 3]).message(2, sample(1.0, 10)).message(2, sample(1.0, 20).varint(3, 15));
        some.message(3, histogram()).message(3, histogram().varint(17, 990))
    };
    let starts = |series: [Message; 3]| {
        let body = series.into_iter().fold(symbols.clone(), |m, series| m.message(5, series));
        let batch = v2::parse(body.0.into()).unwrap();
        (batch.starts.floats, batch.starts.histograms)
    };
    assert_eq!(starts([plain(), plain(), plain()]), (vec![], vec![]));
    assert_eq!(starts([plain(), own(), plain()]), (vec![0, 0, 15, 0], vec![0, 0, 990, 0]));
    // The field may stand before the samples, and counts for those of its series that have none of their own.
    let first = msg().varint(6, 5).packed(1, &[1, 4]).message(2, sample(1.0, 10));
    assert_eq!(starts([plain(), own().varint(6, 7), plain()]), (vec![0, 7, 15, 0], vec![0, 7, 990, 0]));
    assert_eq!(starts([plain(), first, plain()]), (vec![0, 5, 0], vec![]));
    let negative = own().varint(6, -1_i64 as u64);
    assert_eq!(starts([negative, plain(), plain()]), (vec![-1, 15, 0, 0], vec![-1, 990, 0, 0]));
}

#[test]
fn a_key_names_the_labels_however_the_message_is_cut() {
    let (a, b) = (label("__name__", "up"), label("job", "node"));
    let whole = msg().message(1, a.clone()).message(1, b.clone()).message(2, sample(1.0, 1));
    let apart = msg().message(1, a.clone()).message(2, sample(1.0, 1)).message(1, b.clone());
    let other = msg().message(1, a).message(2, sample(1.0, 1));
    let batch = v1::parse(msg().message(1, whole).message(1, apart).message(1, other).0.into()).unwrap();
    assert_eq!(batch.series[0].key, batch.series[1].key);
    assert_ne!(batch.series[0].key, batch.series[2].key);
    assert_eq!(pairs(&batch, 0), pairs(&batch, 1));
    let second = v2::parse(body_v2().0.into()).unwrap();
    assert_ne!(second.series[0].key, batch.series[0].key);
}

#[test]
fn what_is_wrong_is_named() {
    let symbols = msg().bytes(4, "").bytes(4, "a");
    let with = |series: Message| v2::parse(symbols.clone().message(5, series).0.into()).err();
    assert_eq!(with(msg().packed(1, &[1, 2])), Some(WireError::Symbol));
    assert_eq!(with(msg().packed(1, &[1])), Some(WireError::Symbol));
    assert_eq!(with(msg().packed(1, &[1, u64::MAX])), Some(WireError::Symbol));
    assert_eq!(v2::parse(msg().bytes(4, "no empty symbol first").0.into()).err(), Some(WireError::Symbol));
    let spans = msg().message(11, msg().varint(2, 3)).packed(12, &[2]);
    let parsed = v1::parse(msg().message(1, msg().message(4, spans)).0.into());
    assert!(matches!(parsed.err(), Some(WireError::Histogram(_))));
    let wide = msg().message(11, msg().varint(2, u64::from(u32::MAX)));
    assert!(v1::parse(msg().message(1, msg().message(4, wide)).0.into()).is_err());
    let many = [0x0a, 0x00].repeat(entries::MAX_ENTRIES + 1);
    assert!(matches!(v1::parse(many.into()).err(), Some(WireError::TooMany(_))));
}

#[test]
fn a_false_length_costs_no_memory() {
    let claim_4gib = [0xff, 0xff, 0xff, 0xff, 0x0f, 0x00];
    let refused = decompressed_len(&claim_4gib, 32 << 20).unwrap_err();
    assert_eq!(refused.code, Code::TooLarge);
    let claim_16mib = [0x80, 0x80, 0x80, 0x08, 0x00];
    let refused = decompressed_len(&claim_16mib, 32 << 20).unwrap_err();
    assert_eq!(refused.code, Code::BadRequest);
}

#[test]
fn bytes_in_flight_are_given_back() {
    let in_flight = super::InFlight::new(100);
    let held = in_flight.hold(60).unwrap();
    assert_eq!(in_flight.hold(41).unwrap_err().code, Code::Unavailable);
    drop(held);
    assert!(in_flight.hold(100).is_ok());
    assert!(in_flight.hold(101).is_err());
}

#[test]
fn content_types_choose_the_protocol() {
    let ask = |content_type: &str, encoding: &str| {
        let mut headers = HeaderMap::new();
        for (name, value) in [(header::CONTENT_TYPE, content_type), (header::CONTENT_ENCODING, encoding)] {
            if !value.is_empty() {
                headers.insert(name, HeaderValue::from_str(value).unwrap());
            }
        }
        negotiate(&headers).ok()
    };
    assert_eq!(ask("", ""), Some(Protocol::V1));
    assert_eq!(ask("application/x-protobuf", "snappy"), Some(Protocol::V1));
    assert_eq!(ask("application/x-protobuf;proto=prometheus.WriteRequest", "snappy"), Some(Protocol::V1));
    assert_eq!(
        ask("application/x-protobuf; proto=io.prometheus.write.v2.Request", "snappy"),
        Some(Protocol::V2)
    );
    assert_eq!(ask("application/x-protobuf;proto=other", "snappy"), None);
    assert_eq!(ask("application/json", "snappy"), None);
    assert_eq!(ask("application/x-protobuf", "zstd"), None);
}

fn survives(parsed: Result<WriteBatch, WireError>) {
    if let Ok(batch) = parsed {
        for index in 0..batch.series.len() {
            let series = &batch.series[index];
            assert!(series.samples.end as usize <= batch.samples.len());
            let columns = [
                (&batch.starts.floats, batch.samples.len()),
                (&batch.starts.histograms, batch.histograms.len()),
            ];
            assert!(columns.iter().all(|(starts, len)| starts.is_empty() || starts.len() == *len));
            let _ = batch.labels.pairs(index, &mut |_, _| {});
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn mutated_bodies_parse_or_fail(one in mutated(body_v1().0), two in mutated(body_v2().0)) {
        survives(v1::parse(Bytes::from(one)));
        survives(v2::parse(Bytes::from(two)));
    }

    #[test]
    fn any_compressed_bytes_decode_or_fail(bytes: Vec<u8>) {
        let raw = decompressed_len(&bytes, 1 << 20).and_then(|len| decompress(&bytes, len));
        if let Ok(raw) = raw {
            let _ = parse(Protocol::V1, raw.clone());
            let _ = parse(Protocol::V2, raw);
        }
    }
}

#[test]
fn a_sender_that_is_not_listened_to_is_told_that_nothing_is_left_to_do() {
    let outcome = service_api::PushOutcome { samples: 3, ha_duplicate: true, ..Default::default() };
    let response = super::answer(Protocol::V2, &outcome);
    assert_eq!(response.status(), http::StatusCode::ACCEPTED);
    assert_eq!(response.headers()["x-prometheus-remote-write-samples-written"], "3");
}
