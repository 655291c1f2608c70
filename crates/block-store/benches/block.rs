//! What a block costs to write, open and select from, on series as node_exporter has them.

#![allow(clippy::expect_used, reason = "a bench fails by panicking")]

use block_store::{
    BlockCacheConfig, BlockObject, BlockWriter, BlocksReader, Bucket, BucketConfig, Manifests, S3Config, Ulid,
};
use divan::{Bencher, counter::ItemsCount};
use model::{Labels, MatchOp, Matcher, Signal, TenantId, TimeRange};
use runtime::SystemClock;
use service_api::{MetricsReader, ReadContext, SampleBuffer, SelectRequest, SeriesSet};
use std::{sync::Arc, time::Duration};
use tokio::runtime::Runtime;

fn main() {
    divan::main();
}

const HOSTS: usize = 10;
const NAMES: usize = 1_000;
const SAMPLES: usize = 480;

/// A host's series: of ten, five constant, two counters, one float of two decimals, one
/// gauge of integers, one counter that stands still most of the time.
fn value(kind: usize, seed: u64, at: u64, last: f64) -> f64 {
    let mut random = (seed ^ at.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    random ^= random >> 31;
    match kind {
        0..=4 => (seed % 1_000) as f64,
        5 | 6 => last + (random % 2_000) as f64,
        7 => (random % 10_000) as f64 / 100.0,
        8 => 100_000.0 + (random % 512) as f64,
        _ => last + f64::from(u8::from(random.is_multiple_of(20))),
    }
}

struct Data {
    series: Vec<(Labels, usize, Vec<f64>)>,
    times: Vec<Vec<i64>>,
}

fn data() -> Data {
    let times =
        (0..HOSTS).map(|h| (0..SAMPLES).map(|t| 1_700_000_000_000 + (t * 15_000 + h * 97) as i64).collect());
    let mut series = Vec::new();
    for host in 0..HOSTS {
        for name in 0..NAMES {
            let labels = Labels::from_pairs([
                ("__name__", format!("node_metric_{:03}_total", name / 4)),
                ("device", format!("dev{}", name % 4)),
                ("instance", format!("host-{host:04}:9100")),
                ("job", "node".to_owned()),
                ("region", "eu-west-1".to_owned()),
            ]);
            let mut last = 0.0;
            let seed = (host * NAMES + name) as u64 * 7_919;
            let values = (0..SAMPLES as u64).map(|t| {
                last = value(name % 10, seed, t, last);
                last
            });
            let values = values.collect();
            series.push((labels, host, values));
        }
    }
    series.sort_by(|a, b| a.0.cmp(&b.0));
    Data { series, times: times.collect() }
}

fn write(data: &Data) -> BlockObject {
    let (mut writer, mut samples) = (BlockWriter::new(), SampleBuffer::default());
    for (labels, host, values) in &data.series {
        samples.clear();
        samples.timestamps.extend_from_slice(&data.times[*host]);
        samples.values.extend_from_slice(values);
        writer.add(labels, &samples).expect("sorted");
    }
    writer.finish(Ulid::from_parts(1, 1), "bench", 0).expect("small").expect("not empty")
}

#[divan::bench(sample_count = 10)]
fn write_block(bencher: Bencher) {
    let data = data();
    let block = write(&data);
    let bytes = block.meta.bytes as f64;
    let index: usize = block.parts[3..].iter().map(|part| part.len()).sum();
    println!(
        "{:.4} bytes a sample, of them {:.4} pages; index {:.1} bytes a series",
        bytes / block.meta.samples as f64,
        (bytes - index as f64) / block.meta.samples as f64,
        index as f64 / block.meta.series as f64,
    );
    bencher.counter(ItemsCount::new(HOSTS * NAMES * SAMPLES)).bench_local(|| write(&data));
}

struct Stored {
    runtime: Runtime,
    manifests: Arc<Manifests>,
    _folder: tempfile::TempDir,
}

fn stored() -> Stored {
    let folder = tempfile::TempDir::new().expect("a folder");
    let url = format!("file:{}", folder.path().display());
    let bucket: Bucket = BucketConfig { url }.open(&S3Config::default()).expect("a bucket");
    let manifests =
        Arc::new(Manifests::new(bucket.clone(), Arc::new(SystemClock::new()), Duration::from_secs(600)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let block = write(&data());
        let tenant = TenantId::anonymous();
        bucket.put(&block.meta.object(&tenant, Signal::Metrics), block.parts).await.expect("put");
        manifests.add_block(&tenant, Signal::Metrics, &block.meta).await.expect("listed");
    });
    Stored { runtime, manifests, _folder: folder }
}

fn select(runtime: &Runtime, reader: &BlocksReader, matchers: Vec<Matcher>) -> SeriesSet {
    let ctx = ReadContext::new(TenantId::anonymous(), 1 << 30);
    let request = SelectRequest { matchers, range: TimeRange::ALL };
    runtime.block_on(reader.select(&ctx, &request)).expect("selected")
}

#[divan::bench]
fn open_and_select_all(bencher: Bencher) {
    let stored = stored();
    bencher.counter(ItemsCount::new(HOSTS * NAMES)).bench_local(|| {
        let reader = BlocksReader::new(stored.manifests.clone(), &BlockCacheConfig::default());
        let set = select(&stored.runtime, &reader, vec![]);
        assert_eq!(set.series.len(), HOSTS * NAMES);
    });
}

#[divan::bench]
fn select_all_again(bencher: Bencher) {
    let stored = stored();
    let reader = BlocksReader::new(stored.manifests.clone(), &BlockCacheConfig::default());
    bencher.counter(ItemsCount::new(HOSTS * NAMES)).bench_local(|| select(&stored.runtime, &reader, vec![]));
}

#[divan::bench]
fn select_one_name_again(bencher: Bencher) {
    let stored = stored();
    let reader = BlocksReader::new(stored.manifests.clone(), &BlockCacheConfig::default());
    let matcher = Matcher::equal("__name__", "node_metric_100_total");
    bencher.bench_local(|| select(&stored.runtime, &reader, vec![matcher.clone()]));
}

#[divan::bench]
fn select_by_regex_again(bencher: Bencher) {
    let stored = stored();
    let reader = BlocksReader::new(stored.manifests.clone(), &BlockCacheConfig::default());
    let matcher = Matcher::new(MatchOp::Regex, "__name__", "node_metric_1.*_total").expect("valid");
    bencher.bench_local(|| select(&stored.runtime, &reader, vec![matcher.clone()]));
}

#[divan::bench]
fn read_all_samples(bencher: Bencher) {
    let stored = stored();
    let reader = BlocksReader::new(stored.manifests.clone(), &BlockCacheConfig::default());
    let set = select(&stored.runtime, &reader, vec![]);
    let mut out = SampleBuffer::default();
    bencher.counter(ItemsCount::new(HOSTS * NAMES * SAMPLES)).bench_local(|| {
        for series in &set.series {
            out.clear();
            series.data.read(TimeRange::ALL, &mut out).expect("read");
        }
    });
}
