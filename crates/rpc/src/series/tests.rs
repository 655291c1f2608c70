//! Series over the wire and replicas of them, against plain merging.

use super::{
    SeriesFrames,
    chunks::{Chunks, put_chunk},
    merge_replicas,
    remote::ReceivedSeries,
};
use crate::{FRAME_BYTES, proto::reader::Head};
use chunk::{encode_timestamps, encode_values};
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
}

impl SeriesData for Data {
    fn read(&self, range: TimeRange, out: &mut SampleBuffer) -> Result<()> {
        let mut all: Vec<_> = self.chunks.iter().flatten().filter(|(t, _)| range.contains(*t)).collect();
        all.sort_by_key(|(t, _)| *t);
        all.dedup_by_key(|(t, _)| *t);
        out.timestamps.extend(all.iter().map(|(t, _)| *t));
        out.values.extend(all.iter().map(|(_, v)| *v));
        out.histograms.extend(self.histograms.iter().filter(|t| range.contains(**t)).map(|t| histogram(*t)));
        Ok(())
    }

    fn encoded(&self, range: TimeRange, each: &mut dyn FnMut(EncodedChunk<'_>)) -> Result<bool> {
        if !self.histograms.is_empty() {
            return Ok(false);
        }
        for chunk in self.chunks.iter().filter(|chunk| !chunk.is_empty()) {
            let (times, values): (Vec<_>, Vec<_>) = chunk.iter().copied().unzip();
            let own = TimeRange::new(times[0], times[times.len() - 1]);
            let (mut timestamps, mut encoded) = (Vec::new(), Vec::new());
            encode_timestamps(&times, &mut timestamps);
            encode_values(&values, &mut encoded);
            if own.overlaps(&range) {
                let count = times.len() as u32;
                each(EncodedChunk::Floats { range: own, count, timestamps: &timestamps, values: &encoded });
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

fn read(data: &dyn SeriesData, range: TimeRange) -> (Vec<i64>, Vec<u64>, Vec<i64>) {
    let mut out = SampleBuffer::default();
    data.read(range, &mut out).unwrap();
    let values = out.values.iter().map(|v| v.to_bits()).collect();
    (out.timestamps, values, out.histograms.iter().map(|h| h.timestamp).collect())
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
        ..Data::default()
    };
    let small = |n| series(n, Data { chunks: vec![vec![(1, 1.0)]], ..Data::default() });
    let with_histograms = series(4, Data { chunks: vec![vec![(1, 2.0)]], histograms: (0..3000).collect() });
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
    assert_eq!(read(&*merged.series[0].data, TimeRange::ALL).0, [1, 2, 3, 4]);
}

fn chunk() -> impl Strategy<Value = Vec<(i64, f64)>> {
    let value = prop::sample::select(vec![0.0, -0.0, 1.5, f64::NAN, model::stale_nan()]);
    prop::collection::btree_map(0i64..60, value, 0..12).prop_map(|map| map.into_iter().collect())
}

proptest! {
    #[test]
    fn merged_replicas_read_as_plainly_merged_ones(
        pool in prop::collection::vec(chunk(), 1..4),
        picks in prop::collection::vec(prop::collection::vec((0usize..3, prop::collection::vec(any::<prop::sample::Index>(), 0..4)), 0..4), 1..4),
        histograms in prop::collection::btree_set(0i64..60, 0..2),
        range in (-5i64..60, 0i64..70),
    ) {
        let set = |picks: &Vec<(usize, Vec<prop::sample::Index>)>| {
            let mut all: std::collections::BTreeMap<usize, Data> = Default::default();
            for (n, chunks) in picks {
                let chunks = chunks.iter().map(|at| pool[at.index(pool.len())].clone()).collect();
                let histograms = histograms.iter().copied().filter(|_| *n == 0).collect();
                all.insert(*n, Data { chunks, histograms });
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
        let mut bytes = Vec::new();
        let data = Data { chunks: vec![(0..50).map(|n| (n, n as f64)).collect(); 2], ..Data::default() };
        data.encoded(TimeRange::ALL, &mut |chunk| put_chunk(chunk, &mut bytes)).unwrap();
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let mut out = SampleBuffer::default();
        let mut decoder = super::decode::Decoder::new(TimeRange::ALL, &mut out);
        let all: std::result::Result<Vec<_>, _> = Chunks::new(&bytes).map(|c| c.and_then(|c| decoder.add(c))).collect();
        decoder.finish();
        prop_assert!(all.is_err() || out.timestamps.is_sorted());
    }
}
