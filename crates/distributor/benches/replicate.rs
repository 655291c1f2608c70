//! What placing a batch and counting its replicas costs, without the network: 2,000 series of one sample each.

#![allow(clippy::expect_used, reason = "a bench that cannot go on may stop")]

use async_trait::async_trait;
use distributor::{Dependencies, Distributor, DistributorConfig};
use divan::{Bencher, counter::ItemsCount};
use hash_ring::{Member, MemoryKv, Ring, RingView};
use model::{Sample, TenantId};
use prometheus_client::registry::Registry;
use runtime::{Clock, SystemClock};
use service_api::{
    AppendOutcome, BatchSeries, Ingest, IngestAll, IngestLogs, LabelSource, Limits, LogBatch, Push, Result,
    SeriesKey, Wanted, WriteBatch,
};
use std::sync::Arc;

const SERIES: usize = 2000;

/// Knows everything and keeps nothing.
struct Nowhere;

#[async_trait]
impl Ingest for Nowhere {
    async fn append(&self, _: &TenantId, _: Arc<WriteBatch>, which: Wanted) -> Result<AppendOutcome> {
        divan::black_box(which);
        Ok(AppendOutcome::default())
    }
}

#[async_trait]
impl IngestLogs for Nowhere {
    async fn append_logs(&self, _: &TenantId, _: Arc<LogBatch>, which: Wanted) -> Result<AppendOutcome> {
        divan::black_box(which);
        Ok(AppendOutcome::default())
    }
}

struct Scrape;

impl LabelSource for Scrape {
    fn pairs(&self, index: usize, each: &mut dyn FnMut(&str, &str)) -> Result<()> {
        each("__name__", &format!("series_{index}"));
        each("cluster", "c");
        each("__replica__", "a");
        Ok(())
    }
}

fn distributor(members: usize, limits: Limits) -> Distributor {
    let member = |number: usize| Member::new(&format!("ingester-{number}"), "");
    let view = RingView::new((0..members).map(member).collect(), members.min(3));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let nowhere: Arc<dyn IngestAll> = Arc::new(Nowhere);
    let dependencies = Dependencies {
        ring: Ring::fixed(view),
        connect: Arc::new(move |_| Arc::clone(&nowhere)),
        distributors: Arc::new(|| 1),
        kv: Arc::new(MemoryKv::new(Arc::clone(&clock))),
        kv_prefix: String::new(),
        limits: Arc::new(Arc::new(limits)),
        clock,
        instance: "bench".into(),
    };
    Distributor::new(DistributorConfig::default(), dependencies, &mut Registry::default())
}

fn batch(timestamp: i64) -> WriteBatch {
    let series = |at: usize| BatchSeries {
        key: SeriesKey(u128::from((at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))),
        samples: at as u32..at as u32 + 1,
        histograms: 0..0,
        exemplars: 0..0,
    };
    WriteBatch {
        series: (0..SERIES).map(series).collect(),
        samples: vec![Sample { timestamp, value: 1.0 }; SERIES],
        histograms: vec![],
        starts: Default::default(),
        exemplars: vec![],
        metadata: vec![],
        labels: Box::new(Scrape),
    }
}

fn push(bencher: Bencher<'_, '_>, members: usize, limits: Limits) {
    let distributor = distributor(members, limits);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (tenant, now) = (TenantId::anonymous(), SystemClock::new().now_ms());
    bencher.counter(ItemsCount::new(SERIES)).with_inputs(|| batch(now)).bench_local_values(|batch| {
        runtime.block_on(distributor.push(&tenant, batch)).expect("it is taken");
    });
}

#[divan::bench(args = [1, 3, 30, 300])]
fn of_ingesters(bencher: Bencher<'_, '_>, members: usize) {
    push(bencher, members, Limits::default());
}

#[divan::bench]
fn of_a_pair_of_senders(bencher: Bencher<'_, '_>) {
    push(bencher, 30, Limits { ha_dedup: true, ..Limits::default() });
}

fn main() {
    divan::main();
}
