//! What an append and a select cost, through the public interface, with a log on a real disk;
//! and what a series holds in memory.

#![allow(clippy::expect_used, reason = "a bench that cannot go on may stop")]

#[path = "support/ingester.rs"]
mod support;

use divan::{Bencher, counter::ItemsCount};
use futures::{StreamExt, stream};
use ingester::Ingester;
use model::{Labels, Matcher, Sample, TenantId, TimeRange};
use prometheus_client::registry::Registry;
use service_api::{
    BatchSeries, Ingest, MetricsReader, ReadContext, SampleBuffer, SelectRequest, SeriesKey, Wanted,
    WriteBatch,
};
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};
use support::{NoLabels, logged, start};

const SERIES: usize = 100_000;
const BATCH: usize = 1_000;
const SCRAPES: usize = 60;
const START: i64 = 1_700_000_000_000;

struct World {
    ingester: Arc<Ingester>,
    registry: Registry,
    runtime: tokio::runtime::Runtime,
    now: AtomicI64,
    dir: tempfile::TempDir,
}

fn labels(series: usize) -> Labels {
    let (target, metric) = (series / 500, series % 500);
    Labels::from_pairs([
        ("__name__", format!("node_metric_number_{metric}_seconds_total")),
        ("instance", format!("host-{target:04}.example.internal:9100")),
        ("job", "node".to_owned()),
        ("cluster", "production-eu-1".to_owned()),
        ("namespace", format!("team-{}", target % 20)),
        ("pod", format!("node-exporter-{target:04}-x7f9q")),
        ("cpu", (metric % 16).to_string()),
        ("mode", ["idle", "user", "system", "iowait"][metric % 4].to_owned()),
    ])
}

/// Three of four series do not change, as with real targets; the others count or waver.
fn value(series: usize, scrape: i64) -> f64 {
    match series % 8 {
        0 => (series as i64 * 1000 + scrape * 17 + scrape % 3) as f64,
        1 => 0.25 * (series as f64) + (scrape * 7919 % 1000) as f64 / 1000.0,
        _ => (series % 97) as f64,
    }
}

fn batch(first: usize, scrape: i64) -> Arc<WriteBatch> {
    let timestamp = START + scrape * 15_000;
    let key = |series: usize| SeriesKey(xxhash(series));
    Arc::new(WriteBatch {
        series: (0..BATCH)
            .map(|at| BatchSeries {
                key: key(first + at),
                samples: at as u32..at as u32 + 1,
                histograms: 0..0,
                exemplars: 0..0,
            })
            .collect(),
        samples: (first..first + BATCH).map(|s| Sample { timestamp, value: value(s, scrape) }).collect(),
        histograms: vec![],
        starts: Default::default(),
        exemplars: vec![],
        metadata: vec![],
        labels: Box::new(NoLabels),
    })
}

/// Spreads numbers as a hash would.
fn xxhash(series: usize) -> u128 {
    let low = (series as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (u128::from(low.rotate_left(32).wrapping_mul(0xd6e8_feb8_6659_fd93)) << 64) | u128::from(low ^ low >> 29)
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder for the log");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let mut registry = Registry::default();
        let ingester = start(dir.path(), &mut registry);
        Self { ingester, registry, runtime, now: AtomicI64::new(0), dir }
    }

    /// With every series known and some scrapes appended.
    fn filled() -> Self {
        let world = Self::new();
        let before = resident();
        for first in (0..SERIES).step_by(BATCH) {
            let named = (0..BATCH).map(|at| (at as u32, labels(first + at))).collect();
            let (tenant, batch) = (tenant(), batch(first, 0));
            world
                .runtime
                .block_on(world.ingester.append(&tenant, batch, Wanted::Named(named)))
                .expect("it is taken");
        }
        let (named, declared) = (resident(), logged(&world.registry));
        (1..SCRAPES).for_each(|_| world.scrape());
        let logged = (logged(&world.registry) - declared) / ((SCRAPES - 1) * SERIES) as f64;
        println!("log: {:.0} B to declare a series, {logged:.2} B a sample", declared / SERIES as f64);
        let bytes = |after: usize| after.saturating_sub(before) / SERIES;
        println!(
            "memory: {} B a series with 1 sample, {} B with {SCRAPES} (resident, log and tables included)",
            bytes(named),
            bytes(resident())
        );
        world
    }

    /// Appends one sample of every series, eight requests at a time.
    fn scrape(&self) {
        let scrape = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        let batches: Vec<_> = (0..SERIES).step_by(BATCH).map(|first| batch(first, scrape)).collect();
        self.append(batches);
    }

    fn append(&self, batches: Vec<Arc<WriteBatch>>) {
        let (ingester, tenant) = (&self.ingester, tenant());
        self.runtime.block_on(async {
            let appends = stream::iter(batches).map(|batch| ingester.append(&tenant, batch, Wanted::All));
            let outcomes: Vec<_> = appends.buffer_unordered(8).collect().await;
            assert!(outcomes.into_iter().all(|o| o.is_ok_and(|o| o.pushed.samples == BATCH as u64)));
        });
    }

    fn select(&self, matchers: &[Matcher]) -> service_api::SeriesSet {
        let ctx = ReadContext::new(tenant(), 1 << 40);
        let request = SelectRequest { matchers: matchers.to_vec(), range: TimeRange::ALL };
        self.runtime.block_on(self.ingester.select(&ctx, &request)).expect("it is read")
    }
}

fn tenant() -> TenantId {
    TenantId::anonymous()
}

/// Bytes of memory the process holds, by Linux's count; 0 elsewhere.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}

#[divan::bench(sample_count = 40, sample_size = 1)]
fn append_100k_known_series(bencher: Bencher<'_, '_>) {
    let world = World::filled();
    let next = || {
        let scrape = world.now.fetch_add(1, Ordering::Relaxed) + 1;
        (0..SERIES).step_by(BATCH).map(|first| batch(first, scrape)).collect::<Vec<_>>()
    };
    bencher.counter(ItemsCount::new(SERIES)).with_inputs(next).bench_values(|batches| world.append(batches));
}

#[divan::bench(args = ["one series", "one metric", "one host", "everything"], sample_count = 20, sample_size = 1)]
fn select(bencher: Bencher<'_, '_>, what: &str) {
    let world = World::filled();
    let matcher = |name: &str, value: &str| Matcher::equal(name, value);
    let metric = || matcher("__name__", "node_metric_number_7_seconds_total");
    let host = || matcher("instance", "host-0042.example.internal:9100");
    let matchers = match what {
        "one series" => vec![metric(), host()],
        "one metric" => vec![metric()],
        "one host" => vec![host()],
        _ => vec![],
    };
    let series = world.select(&matchers).series.len();
    bencher.counter(ItemsCount::new(series)).bench_local(|| world.select(&matchers));
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn decode_everything(bencher: Bencher<'_, '_>) {
    let world = World::filled();
    let set = world.select(&[]);
    let mut buffer = SampleBuffer::default();
    bencher.counter(ItemsCount::new(SERIES * SCRAPES)).bench_local(|| {
        for series in &set.series {
            buffer.clear();
            series.data.read(TimeRange::ALL, &mut buffer).expect("it is read");
        }
    });
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn replay(bencher: Bencher<'_, '_>) {
    let world = World::filled();
    bencher
        .counter(ItemsCount::new(SERIES * SCRAPES))
        .bench_local(|| start(world.dir.path(), &mut Registry::default()));
}

fn main() {
    divan::main();
}
