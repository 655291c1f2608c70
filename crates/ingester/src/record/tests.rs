//! Round trips of payloads, golden bytes, and bytes that nobody wrote.

use super::*;
use chunk::MAX_HISTOGRAM_ITEMS;
use model::Lines;
use model::{Buckets, CounterResetHint, Histogram, Span};
use proptest::prelude::*;

const TEXT: [(&str, &str); 4] =
    [("__name__", "up"), ("__name__", "down"), ("job", "node"), ("job", "a longer value")];

fn payload(declared: &[Declared<'_>], samples: &Samples) -> Vec<u8> {
    let mut out = Vec::new();
    put_head(&mut out, Signal::Metrics, "tenant-1", declared, |pair| TEXT[pair as usize]);
    put_samples(&mut out, samples);
    put_histograms(&mut out, &[]);
    put_exemplars(&mut out, &[]);
    put_metadata(&mut out, [].iter());
    out
}

#[test]
fn the_format_in_the_log_stays() {
    let declared = [
        Declared { series: 7, pairs: &[0, 2], base: 1f64.to_bits() },
        Declared { series: 8, pairs: &[1, 2], base: 0.5f64.to_bits() },
    ];
    let samples = Samples {
        series: vec![7, 8],
        timestamps: vec![1000, 1000],
        values: vec![1f64.to_bits(), 0.75f64.to_bits()],
        bases: vec![1f64.to_bits(), 0.5f64.to_bits()],
    };
    let golden: Vec<u8> = [
        &b"\x01\x08tenant-1\x02"[..],
        b"\x02\x08__name__\x03job",
        b"\x03\x00\x02up\x01\x04node\x00\x04down",
        b"\x0e\x02\x00\x01\x02\x02\x02\x01",
        b"\x81\x02\xc6\xe0\x3f",
        b"\x02\x38\x08",
        b"\xc0\x3e\x00",
        b"\x00\xce\x08",
        b"\x00\x00\x00",
    ]
    .concat();
    assert_eq!(payload(&declared, &samples), golden);
}

#[test]
fn starts_lie_behind_everything_else_if_any_is_known() {
    let samples =
        Samples { series: vec![7, 8, 9], timestamps: vec![1000; 3], values: vec![0; 3], bases: vec![0; 3] };
    let plain = payload(&[], &samples);
    let with = |floats: &[Timestamp], histograms: &[Timestamp]| {
        let mut out = plain.clone();
        put_starts(&mut out, &StartTimestamps { floats: floats.to_vec(), histograms: histograms.to_vec() });
        out
    };
    assert_eq!(with(&[], &[]), plain);
    assert_eq!(with(&[0, 0, 0], &[0]), plain);
    assert_eq!(with(&[500, 500, 0], &[]), [&plain[..], b"\x01\xa0\x1f\x00\x9c\x1f"].concat());
    assert_eq!(with(&[0; 3], &[8; 4]), [&plain[..], b"\x02\x40\x01\x01"].concat());
    let read = |bytes: &[u8]| {
        let mut payload = Payload::read(bytes).unwrap();
        payload.samples(|_| None, &mut Samples::default()).unwrap();
        assert!(payload.histograms().unwrap().is_empty() && payload.exemplars().unwrap().is_empty());
        assert!(payload.metadata().unwrap().is_empty());
        payload.starts(3, 2)
    };
    assert_eq!(read(&plain).unwrap(), StartTimestamps::default());
    let both = StartTimestamps { floats: vec![500, 0, i64::MAX], histograms: vec![0, 7] };
    assert_eq!(read(&with(&both.floats, &both.histograms)).unwrap(), both);
    let bytes = with(&both.floats, &both.histograms);
    assert!((plain.len() + 1..bytes.len()).all(|cut| read(&bytes[..cut]).is_err()));
}

#[test]
fn labels_histograms_exemplars_and_metadata_come_back() {
    let histogram = |buckets| Histogram {
        counter_reset_hint: CounterResetHint::Gauge,
        schema: -53,
        zero_threshold: 1e-9,
        sum: f64::from_bits(model::STALE_NAN),
        positive_spans: vec![Span { offset: -3, length: 2 }],
        negative_spans: vec![],
        buckets,
        custom_values: vec![0.5, 1.0],
    };
    let integer = Buckets::Integer { count: 9, zero_count: 1, positive: vec![4, -1], negative: vec![] };
    let float = Buckets::Float { count: 9.5, zero_count: 1.0, positive: vec![4.0, 0.5], negative: vec![2.0] };
    let histograms =
        [integer, float].map(|b| HistogramSample { timestamp: i64::MIN, histogram: histogram(b) });
    let labels = Labels::from_pairs([("trace_id", "é")]);
    let exemplar = Exemplar { labels, timestamp: i64::MAX, value: -0.0 };
    let metadata = MetadataEntry {
        metric: "up".into(),
        metadata: Metadata { metric_type: MetricType::StateSet, help: "h".into(), unit: String::new() },
    };
    let mut out = Vec::new();
    put_head(&mut out, Signal::Metrics, "t", &[Declared { series: 3, pairs: &[0, 3], base: 9 }], |pair| {
        TEXT[pair as usize]
    });
    put_samples(&mut out, &Samples::default());
    put_histograms(&mut out, &[(3, &histograms[0]), (1, &histograms[1])]);
    put_exemplars(&mut out, &[(u32::MAX, &exemplar)]);
    put_metadata(&mut out, [&metadata].into_iter());

    let mut payload = Payload::read(&out).unwrap();
    assert_eq!(payload.declarations, [Declaration { series: 3, labels: vec![TEXT[0], TEXT[3]], base: 9 }]);
    payload.samples(|_| None, &mut Samples::default()).unwrap();
    let read = payload.histograms().unwrap();
    // A stale sum is no number, so compare what is printed: bits of NaN are in `sum` alone.
    assert_eq!(format!("{:?}", read[0].1), format!("{:?}", histograms[0]));
    assert_eq!(read[1].1.histogram.buckets, histograms[1].histogram.buckets);
    assert!(model::is_stale(read[1].1.histogram.sum));
    assert_eq!(read.iter().map(|(series, _)| *series).collect::<Vec<_>>(), [3, 1]);
    assert_eq!(payload.exemplars().unwrap(), [(u32::MAX, exemplar)]);
    assert_eq!(payload.metadata().unwrap(), [metadata]);
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(0.0),
        Just(-0.0),
        Just(1.0),
        Just(f64::from_bits(model::STALE_NAN)),
        (-1i64 << 54..1 << 54).prop_map(|i| i as f64),
        (-1000i64..1000).prop_map(|i| i as f64 / 4.0),
        any::<u64>().prop_map(f64::from_bits),
    ]
}

fn time() -> impl Strategy<Value = i64> {
    prop_oneof![4 => Just(1_700_000_000_000), 2 => 1_700_000_000_000i64..1_700_000_100_000, 1 => any::<i64>()]
}

proptest! {
    #[test]
    fn samples_come_back(rows in prop::collection::vec((0u32..50, time(), number(), number()), 0..300)) {
        let mut samples = Samples::default();
        // The base belongs to the series.
        let base = |series: u32| rows.iter().find(|r| r.0 == series).map(|r| r.3.to_bits());
        for (series, t, v, _) in &rows {
            samples.series.push(*series);
            samples.timestamps.push(*t);
            samples.values.push(v.to_bits());
            samples.bases.push(base(*series).unwrap());
        }
        let bytes = payload(&[], &samples);
        let mut read = Samples::default();
        let mut payload = Payload::read(&bytes).unwrap();
        payload.samples(base, &mut read).unwrap();
        prop_assert_eq!(&read, &samples);
        prop_assert!(payload.histograms().unwrap().is_empty());
    }

    #[test]
    fn other_bytes_are_refused_without_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200), valid in any::<bool>()) {
        if valid {
            bytes.splice(0..0, *b"\x01\x01t");
        }
        if let Ok(mut payload) = Payload::read(&bytes) {
            let _ = payload.samples(|_| None, &mut Samples::default());
            let _ = payload.histograms();
            let _ = payload.exemplars();
            let _ = payload.metadata();
            let _ = payload.starts(3, 3);
        }
    }
}

#[test]
fn a_histogram_that_no_block_can_hold_is_neither_taken_nor_replayed() {
    let list = || vec![0.0; MAX_HISTOGRAM_ITEMS / 4];
    let mut h = Histogram {
        counter_reset_hint: CounterResetHint::Unknown,
        schema: 0,
        zero_threshold: 0.0,
        sum: 0.0,
        positive_spans: vec![Span { offset: 0, length: 1 }; MAX_HISTOGRAM_ITEMS / 4],
        negative_spans: vec![],
        buckets: Buckets::Float { count: 0.0, zero_count: 0.0, positive: list(), negative: list() },
        custom_values: list(),
    };
    let read = |h: &Histogram| {
        let mut bytes = Vec::new();
        histogram::put(&mut bytes, h);
        histogram::read(&mut Cursor::new(&bytes)).is_ok()
    };
    assert!(histogram::fits(&h) && read(&h));
    h.negative_spans.push(Span { offset: 0, length: 1 });
    assert!(!histogram::fits(&h) && !read(&h));
}

fn lines_payload(streams: &[u32], lines: &Lines) -> Vec<u8> {
    let mut out = Vec::new();
    put_head(&mut out, Signal::Logs, "tenant-1", &[Declared { series: 7, pairs: &[2], base: 0 }], |pair| {
        TEXT[pair as usize]
    });
    out.extend(pack_lines(streams, lines).unwrap());
    out
}

#[test]
fn the_format_of_lines_in_the_log_stays() {
    let mut lines = Lines::default();
    lines.push(1000, b"one", []);
    lines.push(2000, b"", [("k", "vv"), ("l", "")]);
    let golden: Vec<u8> = [
        &b"\x02\x08tenant-1\x01"[..],
        b"\x01\x03job",
        b"\x01\x00\x04node",
        b"\x0e\x01\x00",
        b"\x00",
        // Both packed parts are shorter as they are.
        b"\x02",
        b"\x05\x05one\n\n",
        b"\x12\x12\x38\x00\xc1\x3e\x00",
        b"\x03\x00",
        b"\x02\x00\x02\x01\x02\x01\x00kvvl",
    ]
    .concat();
    let payload = lines_payload(&[7, 7], &lines);
    assert_eq!(payload, golden);
    assert_eq!(read_lines(&golden).unwrap(), (vec![7, 7], lines));
}

fn read_lines(bytes: &[u8]) -> Result<(Vec<u32>, Lines), Corrupt> {
    let mut payload = Payload::read(bytes)?;
    let mut read = ReadLines::default();
    payload.lines(&mut read)?;
    Ok((read.streams, read.lines))
}

#[test]
fn a_record_of_lines_that_promises_more_than_it_has_takes_no_memory() {
    let head = lines_payload(&[], &Lines::default());
    let head = &head[..head.len() - 1];
    let zeros = zstd::bulk::compress(&vec![0; 200 << 20], 1).unwrap();
    let mut bomb = [head, b"\x01"].concat();
    put_uvarint(&mut bomb, 40 << 20);
    put_uvarint(&mut bomb, zeros.len() as u64);
    bomb.extend(&zeros);
    read_lines(&bomb).unwrap_err();
    let mut count = head.to_vec();
    put_uvarint(&mut count, MAX_LINES as u64 + 1);
    read_lines(&count).unwrap_err();
}

proptest! {
    #[test]
    fn lines_come_back(
        rows in prop::collection::vec((0u32..5, time(), prop::collection::vec(any::<u8>(), 0..60), prop::collection::vec(("[a-zé]{0,4}", ".{0,9}"), 0..3)), 0..100),
        flip in any::<prop::sample::Index>(), bit in 0u8..8,
    ) {
        let (mut streams, mut lines) = (Vec::new(), Lines::default());
        for (stream, t, text, pairs) in &rows {
            streams.push(*stream);
            lines.push(*t, text, pairs.iter().map(|(n, v)| (&n[..], &v[..])));
        }
        let mut bytes = lines_payload(&streams, &lines);
        prop_assert_eq!(read_lines(&bytes).unwrap(), (streams, lines));
        let at = flip.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok((streams, lines)) = read_lines(&bytes) {
            // Whatever it is, it can be read.
            prop_assert_eq!(streams.len(), lines.len());
            (0..lines.len()).for_each(|at| { lines.line(at); lines.metadata(at).for_each(drop); });
        }
        let cut = flip.index(bytes.len());
        prop_assert!(read_lines(&bytes[..cut]).is_err() || cut == bytes.len());
    }
}
