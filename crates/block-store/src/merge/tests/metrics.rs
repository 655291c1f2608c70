//! Merges of blocks of metrics.

mod damage;
mod endings;
mod omissions;
mod pages;
mod properties;
mod rollups;

use super::*;
use crate::{BlockWriter, block::PageLimits, merge::metrics::PageShape};
use ::model::{Buckets, CounterResetHint, Histogram, HistogramSample, Span, TimeRange};
use service_api::{MetricsReader, SampleBuffer, SelectRequest};
use std::collections::BTreeMap;

/// A series, and what it has.
type Given = (Labels, SampleBuffer);
/// The floats of a series by time: the bits of the value, and the start.
type Floats = BTreeMap<i64, (u64, i64)>;
/// Its histograms by time, as text, which has all of them to the bit; and the start.
type Histograms = BTreeMap<i64, (String, i64)>;
type Model = BTreeMap<Labels, (Floats, Histograms)>;

async fn put(bucket: &Bucket, number: u64, level: u8, series: &[Given]) -> BlockMeta {
    let mut writer = BlockWriter::new();
    for (labels, samples) in series {
        writer.add(labels, samples).unwrap();
    }
    let mut block = writer.finish(id(number), "ingester-0/1:2", 5).unwrap().unwrap();
    block.meta.level = level;
    bucket.put(&block.meta.object(&tenant(), Signal::Metrics), block.parts).await.unwrap();
    block.meta
}

/// What a block has, as queries find it.
async fn read(setup: &Setup, meta: &BlockMeta, matchers: &[Matcher]) -> Vec<Given> {
    read_all(setup, std::slice::from_ref(meta), matchers).await
}

/// What several blocks have together.
async fn read_all(setup: &Setup, metas: &[BlockMeta], matchers: &[Matcher]) -> Vec<Given> {
    let (reader, ctx) = setup.reader(metas);
    let request = SelectRequest { matchers: matchers.to_vec(), range: TimeRange::ALL };
    let found = MetricsReader::select(&*reader, &ctx, &request).await.unwrap();
    let read = |series: service_api::Series| {
        let mut samples = SampleBuffer::default();
        series.data.read(TimeRange::ALL, &mut samples).unwrap();
        samples.pad_starts();
        (series.labels, samples)
    };
    found.series.into_iter().map(read).collect()
}

/// What several series have together, if what comes first stays.
fn model<'g>(given: impl IntoIterator<Item = &'g Given>) -> Model {
    let mut all = Model::new();
    for (labels, samples) in given {
        let SampleBuffer { timestamps, values, histograms, starts } = samples;
        let start = |starts: &[i64], at: usize| starts.get(at).copied().unwrap_or(0);
        let (floats, others) = all.entry(labels.clone()).or_default();
        for (at, (time, value)) in timestamps.iter().zip(values).enumerate() {
            floats.entry(*time).or_insert((value.to_bits(), start(&starts.floats, at)));
        }
        for (at, HistogramSample { timestamp, histogram }) in histograms.iter().enumerate() {
            let text = format!("{histogram:?}");
            others.entry(*timestamp).or_insert((text, start(&starts.histograms, at)));
        }
    }
    all
}

fn entries(model: &Model) -> u64 {
    model.values().map(|(floats, histograms)| (floats.len() + histograms.len()) as u64).sum()
}

fn host(number: usize) -> Labels {
    Labels::from_pairs([("__name__", "m".to_owned()), ("host", format!("host-{number:04}"))])
}

fn floats(all: impl IntoIterator<Item = (i64, f64)>) -> SampleBuffer {
    let (timestamps, values) = all.into_iter().unzip();
    SampleBuffer { timestamps, values, ..SampleBuffer::default() }
}

fn histogram(count: u64, is_float: bool) -> Histogram {
    let (positive, zero_count) = (vec![count as i64, -1, 2], count % 3);
    let buckets = match is_float {
        false => Buckets::Integer { count, zero_count, positive, negative: vec![] },
        true => Buckets::Float {
            count: count as f64,
            zero_count: zero_count as f64 / 8.0,
            positive: vec![count as f64 / 7.0, -0.0, f64::NAN],
            negative: vec![],
        },
    };
    Histogram {
        counter_reset_hint: CounterResetHint::Gauge,
        schema: 1,
        zero_threshold: 0.5,
        sum: count as f64 / 3.0,
        positive_spans: vec![Span { offset: count as i32 % 2, length: 3 }],
        negative_spans: vec![],
        buckets,
        custom_values: vec![],
    }
}

pub async fn put_some(bucket: &Bucket, number: u64, count: usize) -> BlockMeta {
    let one = |n: usize| (host(n), floats([(n as i64, 1.5), (n as i64 + 1, 2.0)]));
    put(bucket, number, 0, &(0..count).map(one).collect::<Vec<_>>()).await
}

/// Each begins somewhat later, and one does not agree with the others.
pub async fn replicas(bucket: &Bucket) -> Vec<BlockMeta> {
    let mut inputs = Vec::new();
    for number in 0..3i64 {
        let mut given = Vec::new();
        for series in 0..8i64 {
            let time = |at: i64| 21_000_000 + at * 15_000 + series % 3;
            let value =
                |at: i64| (at * series) as f64 / 8.0 + if number == 2 && at == 90 { 0.5 } else { 0.0 };
            let mut samples = floats((number * 20..200).map(|at| (time(at), value(at))));
            if series % 4 == 1 {
                samples.starts.floats = samples.timestamps.iter().map(|time| time / 1_000_000).collect();
            }
            if series % 4 == 2 {
                let at = |at: i64| HistogramSample {
                    timestamp: time(at),
                    histogram: histogram(at as u64 / 3, at % 9 == 0),
                };
                samples.histograms = (0..30).map(at).collect();
            }
            given.push((host(series as usize), samples));
        }
        inputs.push(put(bucket, number as u64, 0, &given).await);
    }
    inputs
}
