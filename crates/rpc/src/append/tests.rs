//! Appends there and back; messages that are damaged; the bytes that must stay.

use super::*;
use crate::proto::ingester::{AppendLogsRequest, AppendRequest};
use bytes::Bytes;
use model::{Buckets, Exemplar, Histogram, HistogramSample, Labels, Metadata, MetricType, Sample, Span};
use proptest::prelude::*;
use prost::Message;
use service_api::{
    AppendOutcome, BatchSeries, BatchStream, Code, LogBatch, LogEntry, MetadataEntry, PushOutcome, Refused,
    RejectReason, Rejection, SeriesKey, TextSpan, WriteBatch,
};
use std::ops::Range;

fn histogram(timestamp: i64, buckets: usize) -> HistogramSample {
    let histogram = Histogram {
        counter_reset_hint: Default::default(),
        schema: 3,
        zero_threshold: 0.001,
        sum: timestamp as f64,
        positive_spans: vec![Span { offset: -1, length: buckets as u32 }],
        negative_spans: vec![],
        buckets: Buckets::Integer { count: 7, zero_count: 1, positive: vec![1; buckets], negative: vec![] },
        custom_values: vec![],
    };
    HistogramSample { timestamp, histogram }
}

/// For each series its samples, histograms and exemplars.
fn batch(series: &[(usize, usize, usize)]) -> WriteBatch {
    let mut batch = WriteBatch {
        series: vec![],
        samples: vec![],
        histograms: vec![],
        starts: Default::default(),
        exemplars: vec![],
        metadata: vec![MetadataEntry {
            metric: "up".into(),
            metadata: Metadata { metric_type: MetricType::Gauge, help: "it is".into(), unit: "s".into() },
        }],
        labels: Box::new(NoLabels),
    };
    for (n, (samples, histograms, exemplars)) in series.iter().enumerate() {
        let starts = [batch.samples.len(), batch.histograms.len(), batch.exemplars.len()].map(|n| n as u32);
        let time = 1000 * n as i64;
        batch
            .samples
            .extend((0..*samples as i64).map(|i| Sample { timestamp: time - i, value: i as f64 / 3.0 }));
        batch.histograms.extend((0..*histograms).map(|i| histogram(time - i as i64, i % 5)));
        batch.exemplars.extend((0..*exemplars as i64).map(|i| Exemplar {
            labels: Labels::from_pairs([("trace_id", i.to_string())]),
            timestamp: time + i,
            value: 0.5,
        }));
        batch.series.push(BatchSeries {
            key: SeriesKey(u128::MAX / (n as u128 + 1)),
            samples: starts[0]..batch.samples.len() as u32,
            histograms: starts[1]..batch.histograms.len() as u32,
            exemplars: starts[2]..batch.exemplars.len() as u32,
        });
    }
    batch
}

/// A line, and the names and values of its structured metadata.
type Line<'a> = (&'a str, &'a [(&'a str, &'a str)]);

fn log_batch(streams: &[&[Line<'_>]]) -> LogBatch {
    let (mut text, mut metadata, mut entries) = (b"what else the body has".to_vec(), vec![], vec![]);
    let mut put = |s: &str| {
        let span = TextSpan { start: text.len() as u32, len: s.len() as u32 };
        text.extend_from_slice(s.as_bytes());
        span
    };
    let mut all = vec![];
    for (n, lines) in streams.iter().enumerate() {
        let start = entries.len() as u32;
        for (line, pairs) in *lines {
            let first = metadata.len() as u32;
            let line = put(line);
            metadata.extend(pairs.iter().map(|(name, value)| (put(name), put(value))));
            let timestamp = -5 + entries.len() as i64;
            entries.push(LogEntry { timestamp, line, metadata: first..metadata.len() as u32 });
        }
        all.push(BatchStream { key: SeriesKey(n as u128 + 7), entries: start..entries.len() as u32 });
    }
    LogBatch { streams: all, entries, metadata, text, labels: Box::new(NoLabels) }
}

fn send(batch: &WriteBatch, which: &Wanted) -> (WriteBatch, Wanted) {
    decode_append(AppendRequest::decode(encode_append(batch, which).unwrap()).unwrap()).unwrap()
}

fn send_logs(batch: &LogBatch, which: &Wanted) -> (LogBatch, Wanted) {
    decode_append_logs(AppendLogsRequest::decode(encode_append_logs(batch, which).unwrap()).unwrap()).unwrap()
}

fn check(batch: &WriteBatch, which: &Wanted) {
    let (sent, got) = send(batch, which);
    let wanted = pick(&batch.series, which).unwrap();
    assert_eq!(sent.series.len(), wanted.len());
    let part = |range: &Range<u32>| range.start as usize..range.end as usize;
    for (sent_series, series) in sent.series.iter().zip(wanted) {
        assert_eq!(sent_series.key, series.key);
        assert_eq!(sent.samples[part(&sent_series.samples)], batch.samples[part(&series.samples)]);
        assert_eq!(
            sent.histograms[part(&sent_series.histograms)],
            batch.histograms[part(&series.histograms)]
        );
        assert_eq!(sent.exemplars[part(&sent_series.exemplars)], batch.exemplars[part(&series.exemplars)]);
        let same = |sent: &[i64], sent_range: &Range<u32>, all: &[i64], range: &Range<u32>| {
            let (sent, all) = (sent.get(part(sent_range)), all.get(part(range)));
            sent.unwrap_or(&vec![0; range.len()]) == all.unwrap_or(&vec![0; range.len()])
        };
        let (got, had) = (&sent.starts, &batch.starts);
        assert!(same(&got.floats, &sent_series.samples, &had.floats, &series.samples));
        assert!(same(&got.histograms, &sent_series.histograms, &had.histograms, &series.histograms));
    }
    match which {
        Wanted::Named(named) => {
            assert!(sent.metadata.is_empty());
            let numbered = named.iter().enumerate().map(|(at, (_, labels))| (at as u32, labels.clone()));
            assert_eq!(got, Wanted::Named(numbered.collect()));
        }
        _ => {
            assert_eq!(sent.metadata, batch.metadata);
            assert_eq!(got, Wanted::All);
        }
    }
}

#[test]
fn what_is_wanted_of_a_batch_arrives() {
    let batch = batch(&[(1, 0, 0), (0, 3, 1), (3, 0, 0), (2, 1, 2), (0, 0, 0), (1, 1100, 0)]);
    let labels = |n: &str| Labels::from_pairs([("__name__", "up"), ("n", n)]);
    check(&batch, &Wanted::All);
    for keys in [&[][..], &[0], &[0, 2], &[1, 3, 5], &[0, 1, 2, 3, 4, 5]] {
        check(&batch, &Wanted::Keys(keys.into()));
    }
    check(&batch, &Wanted::Named(vec![(1, labels("1")), (4, labels("4"))]));
    check(&batch, &Wanted::Named(vec![]));
    let one_each = self::batch(&[(1, 0, 0), (1, 0, 0)]);
    check(&one_each, &Wanted::All);
    assert!(encode_append(&batch, &Wanted::Keys([6].into())).is_err());
}

#[test]
fn starts_go_with_their_entries_if_there_are_any() {
    let mut batch = batch(&[(1, 0, 0), (0, 3, 1), (3, 0, 0), (2, 1, 2)]);
    let plain = encode_append(&batch, &Wanted::All).unwrap();
    batch.starts.floats = vec![0; 6];
    assert_eq!(encode_append(&batch, &Wanted::All).unwrap(), plain);
    batch.starts.floats[3] = 1_999;
    batch.starts.histograms = vec![0, 998, 997, -5];
    for keys in [&[0][..], &[0, 2], &[1], &[1, 2, 3]] {
        check(&batch, &Wanted::Keys(keys.into()));
    }
    check(&batch, &Wanted::All);
    // Of those that are sent none is known.
    assert!(send(&batch, &Wanted::Keys([0].into())).0.starts.floats.is_empty());
    let bytes = encode_append(&self::batch(&[(1, 0, 0)]), &Wanted::All).unwrap();
    let mut started = self::batch(&[(1, 0, 0)]);
    started.starts.floats = vec![258];
    let hex: String =
        encode_append(&started, &Wanted::All).unwrap()[..].iter().map(|b| format!("{b:02x}")).collect();
    let before: String = bytes[..18 + 10 + 10].iter().map(|b| format!("{b:02x}")).collect();
    assert!(hex.starts_with(&format!("{before}62080201000000000000")), "{hex}");
}

#[test]
fn what_is_wanted_of_lines_arrives() {
    let streams: [&[Line<'_>]; 3] =
        [&[("a", &[]), ("größe", &[("k", "v"), ("ü", "")])], &[("", &[])], &[("b", &[("x", "y")])]];
    let batch = log_batch(&streams);
    for which in [
        Wanted::All,
        Wanted::Keys([1].into()),
        Wanted::Keys([0, 2].into()),
        Wanted::Named(vec![(2, Labels::from_pairs([("job", "x")]))]),
    ] {
        let (sent, _) = send_logs(&batch, &which);
        let wanted: Vec<usize> = pick(&[0, 1, 2], &which).unwrap().into_iter().copied().collect();
        assert_eq!(sent.streams.len(), wanted.len());
        for (stream, at) in sent.streams.iter().zip(wanted) {
            assert_eq!(stream.key, batch.streams[at].key);
            let lines = &sent.entries[stream.entries.start as usize..stream.entries.end as usize];
            let got: Vec<(&str, Vec<_>)> = lines
                .iter()
                .map(|entry| (std::str::from_utf8(sent.line(entry)).unwrap(), sent.metadata(entry).collect()))
                .collect();
            let expected: Vec<_> = streams[at].iter().map(|(line, pairs)| (*line, pairs.to_vec())).collect();
            assert_eq!(got, expected);
        }
    }
}

#[test]
fn an_outcome_names_series_as_the_caller_does() {
    let rejection =
        |reason| Rejection { reason, labels: Labels::from_pairs([("a", "b")]), timestamp: Some(-3) };
    let outcome = AppendOutcome {
        pushed: PushOutcome {
            samples: 1,
            histograms: 2,
            exemplars: 3,
            lines: 4,
            rejected: 10,
            rejections: [
                RejectReason::TooOld,
                RejectReason::Duplicate,
                RejectReason::TooFarInFuture,
                RejectReason::TooFarInPast,
                RejectReason::SeriesLimit(5),
                RejectReason::StreamRate(6),
                RejectReason::LineTooLong { bytes: 7, limit: 8 },
                RejectReason::Metadata("m".into()),
                RejectReason::Labels("l".into()),
                RejectReason::Histogram("h".into()),
            ]
            .map(rejection)
            .into(),
            ..PushOutcome::default()
        },
        unknown: vec![0, 2],
        refused: vec![Refused { index: 1, entries: 9 }],
    };
    let back = |which: &Wanted| from_response(to_response(outcome.clone()), which, 10);
    assert_eq!(back(&Wanted::All).unwrap(), outcome);
    let mapped = back(&Wanted::Keys([3, 5, 9].into())).unwrap();
    assert_eq!((mapped.unknown, mapped.refused), (vec![3, 9], vec![Refused { index: 5, entries: 9 }]));
    assert_eq!(back(&Wanted::Keys([3, 5].into())).unwrap_err().code, Code::Internal);
}

#[test]
fn what_does_not_add_up_is_refused() {
    let good =
        AppendRequest::decode(encode_append(&batch(&[(2, 1, 1), (1, 0, 0)]), &Wanted::All).unwrap()).unwrap();
    let spoil: [fn(&mut AppendRequest); 14] = [
        |r| r.sample_starts = vec![0; 16].into(),
        |r| r.sample_starts = vec![0; 25].into(),
        |r| r.histogram_starts = vec![0; 16].into(),
        |r| r.keys = r.keys.slice(1..),
        |r| r.keys = r.keys.slice(16..),
        |r| r.timestamps = r.timestamps.slice(8..),
        |r| r.values = r.values.slice(1..),
        |r| r.sample_counts = vec![u32::MAX, 4],
        |r| r.sample_counts = vec![],
        |r| r.histogram_counts = vec![],
        |r| r.histograms[0].count = 2,
        |r| r.exemplar_counts = vec![1],
        |r| r.named = true,
        |r| r.exemplars[0].labels = Bytes::from_static(b"\x05a"),
    ];
    assert!(decode_append(good.clone()).is_ok());
    for (n, spoil) in spoil.iter().enumerate() {
        let mut bad = good.clone();
        spoil(&mut bad);
        assert_eq!(decode_append(bad).err().map(|e| e.code), Some(Code::BadRequest), "{n}");
    }
    let lines = log_batch(&[&[("ä", &[("k", "v")])], &[("b", &[])]]);
    let good = AppendLogsRequest::decode(encode_append_logs(&lines, &Wanted::All).unwrap()).unwrap();
    let spoil: [fn(&mut AppendLogsRequest); 8] = [
        |r| r.line_lengths = vec![1, 2],
        |r| r.line_lengths = vec![u32::MAX, u32::MAX],
        |r| r.line_lengths = vec![3],
        |r| r.text = Bytes::from_static(b"\xff\xffbkv"),
        |r| r.metadata_lengths = vec![1],
        |r| r.metadata_counts = vec![2, 0],
        |r| r.entry_counts = vec![2],
        |r| r.timestamps = r.timestamps.slice(4..),
    ];
    assert!(decode_append_logs(good.clone()).is_ok());
    for (n, spoil) in spoil.iter().enumerate() {
        let mut bad = good.clone();
        spoil(&mut bad);
        assert_eq!(decode_append_logs(bad).err().map(|e| e.code), Some(Code::BadRequest), "{n}");
    }
}

/// A version beside this one sends and takes these bytes.
#[test]
fn an_append_has_the_bytes_that_it_always_had() {
    let labels = Labels::from_pairs([("__name__", "up")]);
    let bytes = encode_append(&batch(&[(1, 0, 0), (2, 0, 0)]), &Wanted::Named(vec![(1, labels)])).unwrap();
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(hex, GOLDEN_APPEND);
    let bytes =
        encode_append_logs(&log_batch(&[&[("a", &[]), ("bc", &[("k", "v")])]]), &Wanted::All).unwrap();
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(hex, GOLDEN_APPEND_LOGS);
    // And fields that it does not know pass by.
    let newer = [&bytes[..], &[0xf8, 0x06, 0x01]].concat();
    assert!(decode_append_logs(AppendLogsRequest::decode(&newer[..]).unwrap()).is_ok());
}

const GOLDEN_APPEND: &str = "0a10ffffffffffffffffffffffffffffff7f\
    1a10e803000000000000e703000000000000\
    22100000000000000000555555555555d53f\
    1201025001\
    5a0c085f5f6e616d655f5f027570";

const GOLDEN_APPEND_LOGS: &str = "0a1007000000000000000000000000000000\
    1a10fbfffffffffffffffcffffffffffffff\
    2a056162636b76\
    120102220201023202000\
    13a020101";

proptest! {
    #[test]
    fn damaged_messages_are_refused_or_understood(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
        named in any::<bool>(),
    ) {
        let labels = Labels::from_pairs([("job", "x")]);
        let which = if named { Wanted::Named(vec![(0, labels.clone()), (1, labels)]) } else { Wanted::All };
        let streams: [&[Line<'_>]; 2] = [&[("größe", &[("k", "v")]), ("b", &[])], &[("c", &[])]];
        let mut of_metrics = batch(&[(2, 3, 1), (1, 0, 0)]);
        of_metrics.starts.floats = vec![0, 1, 2];
        of_metrics.starts.histograms = vec![1, 1, 0];
        let metrics = encode_append(&of_metrics, &which).unwrap();
        let logs = encode_append_logs(&log_batch(&streams), &which).unwrap();
        for (bytes, of_logs) in [(metrics, false), (logs, true)] {
            let mut bytes = bytes.to_vec();
            for (at, value) in &flips {
                let at = at.index(bytes.len());
                bytes[at] = *value;
            }
            for bytes in [&bytes[..], &bytes[..cut.index(bytes.len())]] {
                match of_logs {
                    true => understand_logs(bytes),
                    false => understand(bytes),
                }
            }
        }
    }
}

fn is_in<T>(all: &[T], range: &Range<u32>) -> bool {
    all.get(range.start as usize..range.end as usize).is_some()
}

/// What is taken must be sound.
fn understand(bytes: &[u8]) {
    let Ok(request) = AppendRequest::decode(bytes) else { return };
    let Ok((batch, _)) = decode_append(request) else { return };
    for series in &batch.series {
        assert!(is_in(&batch.samples, &series.samples));
        assert!(is_in(&batch.histograms, &series.histograms));
        assert!(batch.starts.floats.is_empty() || is_in(&batch.starts.floats, &series.samples));
        assert!(batch.starts.histograms.is_empty() || is_in(&batch.starts.histograms, &series.histograms));
        assert!(is_in(&batch.exemplars, &series.exemplars));
    }
}

fn understand_logs(bytes: &[u8]) {
    let Ok(request) = AppendLogsRequest::decode(bytes) else { return };
    let Ok((batch, _)) = decode_append_logs(request) else { return };
    assert!(batch.streams.iter().all(|stream| is_in(&batch.entries, &stream.entries)));
    for entry in &batch.entries {
        assert!(is_in(&batch.metadata, &entry.metadata));
        assert!(std::str::from_utf8(batch.line(entry)).is_ok());
        assert_eq!(batch.line(entry).len(), entry.line.len as usize);
    }
    for span in batch.metadata.iter().flat_map(|(name, value)| [name, value]) {
        assert!(std::str::from_utf8(batch.bytes(*span)).is_ok_and(|text| text.len() == span.len as usize));
    }
}
