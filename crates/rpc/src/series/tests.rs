//! Series over the wire and replicas of them, against plain merging.

use super::{
    SeriesFrames,
    chunks::{ChunkBytes, Chunks},
    merge_replicas,
    remote::ReceivedSeries,
};
use crate::{FRAME_BYTES, proto::reader::Head};
use chunk::{encode_starts, encode_timestamps, encode_values};
use model::{Buckets, Histogram, HistogramSample, Labels, TenantId, TimeRange};
use proptest::prelude::*;
use service_api::{
    EncodedChunk, ReadContext, Result, SampleBuffer, Series, SeriesData, SeriesSet, merge_series_sets,
};
use std::sync::Arc;

/// Chunks of floats, encoded, and histograms that are not.
#[derive(Clone, Debug, Default)]
struct Data {
    chunks: Vec<Vec<(i64, f64)>>,
    histograms: Vec<i64>,
    /// Of each chunk what its starts are made of; those of histograms are made of the first.
    bases: Vec<i64>,
}

impl Data {
    fn base(&self, chunk: usize) -> i64 {
        self.bases.get(chunk).copied().unwrap_or(0)
    }
}

fn start(base: i64, t: i64) -> i64 {
    if base == 0 || t % 3 == 0 { 0 } else { base + t / 8 }
}

impl SeriesData for Data {
    fn read(&self, range: TimeRange, out: &mut SampleBuffer) -> Result<()> {
        let chunks = self.chunks.iter().enumerate();
        let all =
            chunks.flat_map(|(n, chunk)| chunk.iter().map(move |(t, v)| (*t, *v, start(self.base(n), *t))));
        let mut all: Vec<_> = all.filter(|(t, ..)| range.contains(*t)).collect();
        all.sort_by_key(|(t, ..)| *t);
        all.dedup_by_key(|(t, ..)| *t);
        for (t, v, start) in all {
            model::push_start(&mut out.starts.floats, out.timestamps.len(), start);
            out.timestamps.push(t);
            out.values.push(v);
        }
        for t in self.histograms.iter().filter(|t| range.contains(**t)) {
            let known = start(self.base(0), *t);
            model::push_start(&mut out.starts.histograms, out.histograms.len(), known);
            out.histograms.push(histogram(*t));
        }
        Ok(())
    }

    fn encoded(&self, range: TimeRange, each: &mut dyn FnMut(EncodedChunk<'_>)) -> Result<bool> {
        if !self.histograms.is_empty() {
            return Ok(false);
        }
        for (n, chunk) in self.chunks.iter().enumerate().filter(|(_, chunk)| !chunk.is_empty()) {
            let (times, values): (Vec<_>, Vec<_>) = chunk.iter().copied().unzip();
            let own = TimeRange::new(times[0], times[times.len() - 1]);
            let (mut timestamps, mut encoded, mut starts) = (Vec::new(), Vec::new(), Vec::new());
            encode_starts(&times.iter().map(|t| start(self.base(n), *t)).collect::<Vec<_>>(), &mut starts);
            encode_timestamps(&times, &mut timestamps);
            encode_values(&values, &mut encoded);
            if own.overlaps(&range) {
                let (range, count) = (own, times.len() as u32);
                let (timestamps, values, starts) = (&timestamps, &encoded, &starts);
                each(EncodedChunk::Floats { range, count, timestamps, values, starts });
            }
        }
        Ok(true)
    }
}

fn histogram(timestamp: i64) -> HistogramSample {
    let buckets = Buckets::Integer { count: 1, zero_count: 1, positive: vec![], negative: vec![] };
    let histogram = Histogram {
        counter_reset_hint: Default::default(),
        schema: 0,
        zero_threshold: 0.001,
        sum: 1.0,
        positive_spans: vec![],
        negative_spans: vec![],
        buckets,
        custom_values: vec![],
    };
    HistogramSample { timestamp, histogram }
}

fn series(n: usize, data: Data) -> Series {
    Series { labels: Labels::from_pairs([("n", format!("{n:04}"))]), data: Arc::new(data) }
}

/// Floats and histograms, each with its time and its start.
type Entries = (Vec<(i64, u64, i64)>, Vec<(i64, i64)>);

fn read(data: &dyn SeriesData, range: TimeRange) -> Entries {
    let mut out = SampleBuffer::default();
    data.read(range, &mut out).unwrap();
    let starts = |starts: Vec<i64>, len: usize| {
        assert!(starts.is_empty() || starts.len() == len);
        if starts.is_empty() { vec![0; len] } else { starts }
    };
    let values = out.values.iter().map(|v| v.to_bits());
    let floats =
        out.timestamps.iter().copied().zip(values).zip(starts(out.starts.floats, out.timestamps.len()));
    let histograms = out.histograms.iter().zip(starts(out.starts.histograms, out.histograms.len()));
    let histograms = histograms.map(|(h, start)| (h.timestamp, start)).collect();
    (floats.map(|((t, v), start)| (t, v, start)).collect(), histograms)
}

fn over_the_wire(series: Vec<Series>, range: TimeRange) -> (Vec<Series>, usize) {
    let ctx = ReadContext::new(TenantId::anonymous(), u64::MAX);
    let (mut held, mut received, mut frames) = (ctx.budget.reserve(0).unwrap(), ReceivedSeries::default(), 0);
    let mut last = false;
    for frame in SeriesFrames::new(series, range, Head::default()) {
        let frame = frame.unwrap();
        assert_eq!((frame.head.is_some(), last), (frames == 0, false));
        (frames, last) = (frames + 1, frame.last);
        received.add(frame.series, &mut held).unwrap();
    }
    assert!(last);
    (received.finish(held), frames)
}

#[test]
fn large_answers_come_in_pieces() {
    let noisy = |n: i64| (n, (n as f64).sin());
    let large = Data {
        chunks: (0..40).map(|c| (c * 9000..c * 9000 + 8000).map(noisy).collect()).collect(),
        bases: (0..35).map(|c| c / 3).collect(),
        ..Data::default()
    };
    let small = |n| series(n, Data { chunks: vec![vec![(1, 1.0)]], ..Data::default() });
    let (chunks, histograms) = (vec![vec![(1, 2.0)]], (0..3000).collect());
    let with_histograms = series(4, Data { chunks, histograms, bases: vec![77] });
    let all = vec![small(0), series(1, large), small(2), series(3, Data::default()), with_histograms];
    let (got, frames) = over_the_wire(all.clone(), TimeRange::ALL);
    assert!(frames > 2, "{frames}");
    assert_eq!(got.len(), all.len());
    for (got, sent) in got.iter().zip(&all) {
        assert_eq!(got.labels, sent.labels);
        for range in [TimeRange::ALL, TimeRange::new(500, 9100), TimeRange::new(5, 4)] {
            assert_eq!(read(&*got.data, range), read(&*sent.data, range));
        }
    }
    let (_, many) = over_the_wire(
        (0..20)
            .map(|n| {
                let data = vec![(0..8000).map(noisy).collect()];
                series(n, Data { chunks: data, ..Data::default() })
            })
            .collect(),
        TimeRange::ALL,
    );
    assert!(many >= 20 * 8000 * 7 / FRAME_BYTES, "{many}");
}

#[test]
fn equal_replicas_are_one() {
    let data = Data { chunks: vec![vec![(1, 1.0), (2, 2.0)], vec![(3, 3.0)]], ..Data::default() };
    let replica = |data: &Data| {
        let (series, _) = over_the_wire(vec![series(0, data.clone())], TimeRange::ALL);
        SeriesSet { series, warnings: vec!["w".into()] }
    };
    let count = |set: &SeriesSet| {
        let mut chunks = 0;
        assert!(set.series[0].data.encoded(TimeRange::ALL, &mut |_| chunks += 1).unwrap());
        chunks
    };
    let same = merge_replicas(vec![replica(&data), replica(&data), replica(&data)]);
    assert_eq!((same.series.len(), count(&same), same.warnings.len()), (1, 2, 1));
    let mut longer = data.clone();
    longer.chunks[1].push((4, 4.0));
    let merged = merge_replicas(vec![replica(&data), replica(&longer)]);
    assert_eq!(count(&merged), 3);
    let times = |data: &dyn SeriesData| read(data, TimeRange::ALL).0.iter().map(|s| s.0).collect::<Vec<_>>();
    assert_eq!(times(&*merged.series[0].data), [1, 2, 3, 4]);
    // Of chunks that differ in nothing but their starts the first one counts.
    let started = Data { bases: vec![9], ..data.clone() };
    for (first, second, known) in [(&data, &started, 0), (&started, &data, 9)] {
        let merged = merge_replicas(vec![replica(first), replica(second)]);
        assert_eq!(count(&merged), 3);
        assert_eq!(read(&*merged.series[0].data, TimeRange::ALL).0[0], (1, 1f64.to_bits(), known));
    }
}

fn chunk() -> impl Strategy<Value = Vec<(i64, f64)>> {
    let value = prop::sample::select(vec![0.0, -0.0, 1.5, f64::NAN, model::stale_nan()]);
    prop::collection::btree_map(0i64..60, value, 0..12).prop_map(|map| map.into_iter().collect())
}

proptest! {
    #[test]
    fn merged_replicas_read_as_plainly_merged_ones(
        pool in prop::collection::vec((chunk(), prop::sample::select(vec![0, 0, 5, 6])), 1..4),
        picks in prop::collection::vec(prop::collection::vec((0usize..3, prop::collection::vec(any::<prop::sample::Index>(), 0..4)), 0..4), 1..4),
        histograms in prop::collection::btree_set(0i64..60, 0..2),
        range in (-5i64..60, 0i64..70),
    ) {
        let set = |picks: &Vec<(usize, Vec<prop::sample::Index>)>| {
            let mut all: std::collections::BTreeMap<usize, Data> = Default::default();
            for (n, chunks) in picks {
                let (chunks, bases) = chunks.iter().map(|at| pool[at.index(pool.len())].clone()).unzip();
                let histograms = histograms.iter().copied().filter(|_| *n == 0).collect();
                all.insert(*n, Data { chunks, histograms, bases });
            }
            all.into_iter().map(|(n, data)| series(n, data)).collect::<Vec<_>>()
        };
        let sets: Vec<Vec<Series>> = picks.iter().map(set).collect();
        let local = |series: &Vec<Series>| SeriesSet { series: series.clone(), warnings: vec![] };
        let remote = |series: &Vec<Series>| SeriesSet { series: over_the_wire(series.clone(), TimeRange::ALL).0, warnings: vec![] };
        let plain = merge_series_sets(sets.iter().map(local).collect());
        let merged = merge_replicas(sets.iter().map(remote).collect());
        let range = TimeRange::new(range.0, range.1);
        prop_assert_eq!(plain.series.len(), merged.series.len());
        for (plain, merged) in plain.series.iter().zip(&merged.series) {
            prop_assert_eq!(&plain.labels, &merged.labels);
            for range in [range, TimeRange::ALL] {
                prop_assert_eq!(read(&*plain.data, range), read(&*merged.data, range));
            }
            let (again, _) = over_the_wire(vec![merged.clone()], TimeRange::ALL);
            prop_assert_eq!(read(&*plain.data, range), read(&*again[0].data, range));
        }
    }

    #[test]
    fn damaged_chunks_are_told(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut sent = ChunkBytes::default();
        let chunks = vec![(0..50).map(|n| (n, n as f64)).collect(); 3];
        let data = Data { chunks, bases: vec![0, 4], ..Data::default() };
        data.encoded(TimeRange::ALL, &mut |chunk| sent.put(chunk)).unwrap();
        let (bytes, starts) = sent.take();
        let (mut bytes, mut starts) = (bytes.to_vec(), starts.to_vec());
        for (at, value) in flips {
            let at = at.index(bytes.len() + starts.len());
            match at.checked_sub(bytes.len()) {
                None => bytes[at] = value,
                Some(at) => starts[at] = value,
            }
        }
        let mut out = SampleBuffer::default();
        let mut decoder = super::decode::Decoder::new(TimeRange::ALL, &mut out);
        let all: std::result::Result<Vec<_>, _> = Chunks::new(&bytes, &starts).map(|c| c.and_then(|c| decoder.add(c))).collect();
        decoder.finish();
        prop_assert!(all.is_err() || out.timestamps.is_sorted());
        prop_assert!(all.is_err() || out.starts.floats.is_empty() || out.starts.floats.len() == out.timestamps.len());
    }
}

/// A version beside this one sends and takes these bytes.
#[test]
fn starts_lie_beside_the_chunks_as_they_always_did() {
    let chunks = |bases: Vec<i64>| {
        let mut sent = ChunkBytes::default();
        let data = Data { chunks: vec![vec![(1, 1.0), (4, 1.0)]; 3], bases, ..Data::default() };
        data.encoded(TimeRange::ALL, &mut |chunk| sent.put(chunk)).unwrap();
        sent.take()
    };
    let (plain, none) = chunks(vec![]);
    assert!(none.is_empty());
    let (same, starts) = chunks(vec![0, 9]);
    assert_eq!(plain, same);
    assert_eq!(starts[..], [0, 4, 1, 0, 18, 0, 0]);
    // Whoever does not know of starts reads the chunks alone; one who does reads those of others.
    for starts in [&starts[..], &[]] {
        assert_eq!(Chunks::new(&plain, starts).filter(|chunk| chunk.is_ok()).count(), 3);
    }
}
