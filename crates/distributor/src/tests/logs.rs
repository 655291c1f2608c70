//! Streams of lines: what is taken, cut, named and refused.

use super::*;
use service_api::{BatchStream, LogEntry, TextSpan};

/// `NOW` in nanoseconds.
const NOW_NS: i64 = NOW * 1_000_000;

/// A stream's labels, and its lines: time, text, structured metadata.
type TestStream<'a> = (&'a [(&'a str, &'a str)], &'a [(i64, &'a str, &'a [(&'a str, &'a str)])]);

pub fn log_batch(streams: &[TestStream<'_>]) -> LogBatch {
    let labels = streams
        .iter()
        .map(|(pairs, _)| pairs.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect())
        .collect();
    let mut batch = LogBatch {
        streams: vec![],
        entries: vec![],
        metadata: vec![],
        text: vec![],
        labels: Box::new(Pairs(labels)),
    };
    fn add(text: &mut Vec<u8>, s: &str) -> TextSpan {
        text.extend_from_slice(s.as_bytes());
        TextSpan { start: (text.len() - s.len()) as u32, len: s.len() as u32 }
    }
    for (i, (_, lines)) in streams.iter().enumerate() {
        let start = batch.entries.len() as u32;
        for (timestamp, line, metadata) in *lines {
            let first = batch.metadata.len() as u32;
            let line = add(&mut batch.text, line);
            for (name, value) in *metadata {
                let pair = (add(&mut batch.text, name), add(&mut batch.text, value));
                batch.metadata.push(pair);
            }
            let metadata = first..batch.metadata.len() as u32;
            batch.entries.push(LogEntry { timestamp: *timestamp, line, metadata });
        }
        let entries = start..batch.entries.len() as u32;
        batch.streams.push(BatchStream { key: SeriesKey(i as u128), entries });
    }
    batch
}

async fn push(distributor: &Distributor, streams: &[TestStream<'_>]) -> Result<PushOutcome> {
    distributor.push_logs(&TenantId::anonymous(), log_batch(streams)).await
}

fn stored(ingester: &FakeIngester) -> Vec<String> {
    ingester.lines.lock().iter().map(|(labels, t, line)| format!("{labels} {} {line}", t - NOW_NS)).collect()
}

fn reasons(outcome: &PushOutcome) -> Vec<String> {
    outcome.rejections.iter().map(|r| format!("{} {:?}", r.labels, r.reason)).collect()
}

#[tokio::test]
async fn a_stream_gets_the_name_of_its_service() {
    let (ingester, _, distributor) = setup(Limits::default());
    let line: &[_] = &[(NOW_NS, "x", &[][..])];
    push(
        &distributor,
        &[
            (&[("job", "j"), ("app", "a")], line),
            (&[("service_name", "given"), ("app", "a")], line),
            (&[("host", "h")], line),
            (&[("app", ""), ("container", "c")], line),
            (&[], line),
            (&[("host", "without lines")], &[]),
        ],
    )
    .await
    .unwrap();
    assert_eq!(
        stored(&ingester),
        [
            r#"{app="a", job="j", service_name="a"} 0 x"#,
            r#"{app="a", service_name="given"} 0 x"#,
            r#"{host="h", service_name="unknown_service"} 0 x"#,
            r#"{container="c", service_name="c"} 0 x"#,
            r#"{service_name="unknown_service"} 0 x"#,
        ]
    );
}

#[tokio::test]
async fn bad_labels_refuse_their_stream_alone() {
    let limits = Limits { max_label_names_per_series: 2, discover_service_name: false, ..Limits::default() };
    let (ingester, _, distributor) = setup(limits);
    let line: &[_] = &[(NOW_NS, "x", &[][..])];
    let outcome = push(
        &distributor,
        &[
            (&[], line),
            (&[("a", "1"), ("b", "2"), ("service_name", "s")], line),
            (&[("a", "1"), ("b", "2"), ("c", "3")], line),
            (&[("a.b", "1")], line),
            (&[("1a", "1")], line),
            (&[("a", "1"), ("a", "2")], line),
        ],
    )
    .await
    .unwrap();
    assert_eq!(stored(&ingester), [r#"{a="1", b="2", service_name="s"} 0 x"#]);
    assert_eq!(outcome.rejected, 5);
    let reasons = reasons(&outcome);
    for (reason, part) in reasons.iter().zip(["at least one", "3 labels", "\"a.b", "\"1a", "not unique"]) {
        assert!(reason.contains(part), "{reason} lacks {part}");
    }
}

#[tokio::test]
async fn far_too_many_labels_are_counted_and_not_put_together() {
    let (_, _, distributor) = setup(Limits::default());
    let names: Vec<String> = (0..50_000).map(|n| format!("l{n}")).collect();
    let labels: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "v")).collect();
    let lines: &[_] = &[(NOW_NS, "x", &[][..]), (0, "too old", &[][..])];
    let outcome = push(&distributor, &[(&labels, lines)]).await.unwrap();
    assert_eq!(outcome.rejected, 2);
    assert!(outcome.rejections.iter().all(|rejection| rejection.labels.len() < 200));
    assert!(
        reasons(&outcome)[1].contains("50000 labels; the limit is 64 (limits.max_label_names_per_series)")
    );
}

#[tokio::test]
async fn lines_out_of_bounds_are_refused_one_by_one() {
    let limits = Limits {
        max_sample_age: 60,
        max_line_size: 3,
        max_structured_metadata_size: 4,
        max_structured_metadata_entries: 2,
        ..Limits::default()
    };
    let mut registry = Registry::default();
    let (ingester, _, distributor) = setup_counted(limits, &mut registry);
    let second = 1_000_000_000;
    let outcome = push(
        &distributor,
        &[
            (
                &[("app", "a")],
                &[
                    (NOW_NS - 61 * second, "old", &[]),
                    (NOW_NS, "1", &[]),
                    (NOW_NS + 601 * second, "new", &[]),
                    (i64::MIN, "min", &[]),
                    (NOW_NS, "long", &[]),
                ],
            ),
            (
                &[("app", "b")],
                &[
                    (NOW_NS, "2", &[("a", "b"), ("c", "d")]),
                    (NOW_NS, "3", &[("a", "bcde")]),
                    (NOW_NS, "4", &[("a", ""), ("b", ""), ("c", "")]),
                    (NOW_NS, "5", &[]),
                ],
            ),
        ],
    )
    .await
    .unwrap();
    assert_eq!(
        stored(&ingester),
        [
            r#"{app="a", service_name="a"} 0 1"#,
            r#"{app="b", service_name="b"} 0 2"#,
            r#"{app="b", service_name="b"} 0 5"#,
        ]
    );
    assert_eq!((outcome.lines, outcome.rejected), (3, 6));
    assert_eq!(
        reasons(&outcome),
        [
            r#"{app="a", service_name="a"} TooFarInPast"#,
            r#"{app="a", service_name="a"} TooFarInFuture"#,
            r#"{app="a", service_name="a"} TooFarInPast"#,
            r#"{app="a", service_name="a"} LineTooLong { bytes: 4, limit: 3 }"#,
            r#"{app="b", service_name="b"} Metadata("structured metadata too large: '5' bytes, limit: '4' bytes (limits.max_structured_metadata_size)")"#,
            r#"{app="b", service_name="b"} Metadata("too many structured metadata labels: '3', limit: '2' (limits.max_structured_metadata_entries)")"#,
        ]
    );
    let mut counted = String::new();
    prometheus_client::encoding::text::encode(&mut counted, &registry).unwrap();
    for (reason, count) in
        [("too_old", 2), ("too_far_in_future", 1), ("line_too_long", 1), ("structured_metadata", 2)]
    {
        let line = format!("yagura_distributor_discarded_entries_total{{reason=\"{reason}\"}} {count}\n");
        assert!(counted.contains(&line), "{counted}");
    }
}

#[tokio::test]
async fn a_long_line_is_cut_between_characters() {
    let limits = Limits { max_line_size: 4, truncate_long_lines: true, ..Limits::default() };
    let (ingester, _, distributor) = setup(limits);
    let lines: &[_] = &["abcd", "abcde", "abcé", "ab€", "😀", "é😀"].map(|line| (NOW_NS, line, &[][..]));
    let outcome = push(&distributor, &[(&[("app", "a")], lines)]).await.unwrap();
    assert_eq!(outcome.rejected, 0);
    let kept: Vec<_> = ingester.lines.lock().iter().map(|(_, _, line)| line.clone()).collect();
    assert_eq!(kept, ["abcd", "abcd", "abc", "ab", "😀", "é"]);
}

#[tokio::test]
async fn a_tenant_over_its_rate_is_refused_whole() {
    let limits = Limits { log_rate: 10, log_burst: 10, max_line_size: 100, ..Limits::default() };
    let (ingester, clock, distributor) = setup(limits);
    let long = "x".repeat(101);
    let outcome = push(&distributor, &[(&[("app", "a")], &[(NOW_NS, &long, &[])])]).await.unwrap();
    assert_eq!(outcome.rejected, 1, "refused for its length, at no cost to the rate");
    let ten: TestStream<'_> = (&[("app", "a")], &[(NOW_NS, "12345", &[]), (NOW_NS, "67890", &[])]);
    assert!(push(&distributor, &[ten]).await.is_ok());
    let refused = push(&distributor, &[ten]).await.unwrap_err();
    assert_eq!(refused.code, Code::RateLimited);
    assert_eq!(
        refused.message,
        "ingestion rate limit exceeded for user anonymous (limit: 10 bytes/sec) while attempting to ingest \
         '2' lines totaling '10' bytes (limits.log_rate)"
    );
    clock.advance(Duration::from_secs(1));
    assert!(push(&distributor, &[ten]).await.is_ok());
    assert_eq!(ingester.lines.lock().len(), 4);
}

#[tokio::test]
async fn a_stream_over_its_rate_does_not_hold_up_others() {
    let limits = Limits { stream_rate: 1, stream_burst: 4, ..Limits::default() };
    let (ingester, clock, distributor) = setup(limits);
    let streams: [TestStream<'_>; 2] = [
        (&[("app", "a")], &[(NOW_NS, "123", &[]), (NOW_NS, "45", &[]), (NOW_NS, "6", &[])]),
        (&[("app", "b")], &[(NOW_NS, "1234", &[])]),
    ];
    let outcome = push(&distributor, &streams).await.unwrap();
    assert_eq!((outcome.lines, outcome.rejected), (3, 1));
    assert_eq!(reasons(&outcome), [r#"{app="a", service_name="a"} StreamRate(1)"#]);
    assert_eq!(
        stored(&ingester),
        [
            r#"{app="a", service_name="a"} 0 123"#,
            r#"{app="a", service_name="a"} 0 6"#,
            r#"{app="b", service_name="b"} 0 1234"#
        ]
    );
    clock.advance(Duration::from_secs(4));
    assert_eq!(push(&distributor, &streams[1..]).await.unwrap().rejected, 0);
}
