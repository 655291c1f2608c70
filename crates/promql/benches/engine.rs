//! Queries over series in memory: what the engine itself costs, decoding left out.

// Benches are tests of a kind.
#![allow(clippy::unwrap_used)]

#[path = "../src/engine/tests/memory.rs"]
mod memory;

use divan::{Bencher, counter::ItemsCount};
use memory::Memory;
use model::{Labels, TenantId, Timestamp};
use promql::{
    ParseOptions,
    engine::{Engine, EngineConfig, Query},
};
use service_api::ReadContext;
use std::sync::Arc;

const HOSTS: usize = 10;
const PATHS: usize = 30;
const BUCKETS: usize = 20;
const SAMPLES: usize = 1460;
const INTERVAL: i64 = 15_000;

fn main() {
    divan::main();
}

/// 6,000 bucket counters of 10 hosts, each scraped at its own moment, for 6 hours.
fn data() -> Memory {
    let mut memory = Memory::default();
    for host in 0..HOSTS {
        let times: Vec<Timestamp> =
            (0..SAMPLES).map(|i| i as i64 * INTERVAL + host as i64 * 997 + (i as i64 * 7919) % 20).collect();
        let times = Arc::new(times);
        for le in 0..BUCKETS {
            for path in 0..PATHS {
                let (instance, path, le) =
                    (format!("10.0.0.{host}:9100"), format!("/{path:02}"), format!("{le:02}"));
                let labels =
                    [("__name__", "x_bucket"), ("instance", &instance), ("le", &le), ("path", &path)];
                let mut total = 0u64;
                let values = (0..SAMPLES).map(|i| {
                    total += ((i as u64 * 2_654_435_761) >> 7) % 50;
                    total as f64
                });
                memory.add(Labels::from_pairs(labels), Arc::clone(&times), values.collect());
            }
        }
    }
    memory
}

#[divan::bench(args = [
    "x_bucket",
    "sum(x_bucket)",
    "sum(rate(x_bucket[5m]))",
    "sum by (le, path) (rate(x_bucket[5m]))",
    "histogram_quantile(0.99, sum by (le, path) (rate(x_bucket[5m])))",
    "max by (instance) (max_over_time(x_bucket[10m]))",
    "sum(sum_over_time(x_bucket[10m]))",
    "topk(5, x_bucket)",
    "quantile(0.9, x_bucket)",
    "sum by (instance) (rate(x_bucket{path!=\"/01\"}[5m])) / on (instance) sum by (instance) (rate(x_bucket[5m]))",
], sample_count = 10)]
fn range_6h(bencher: Bencher<'_, '_>, text: &str) {
    let memory = data();
    let expr = promql::parse(text, ParseOptions::default()).unwrap();
    let engine = Engine::new(EngineConfig { threads: 1, ..EngineConfig::default() });
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let ctx = ReadContext::new(TenantId::anonymous(), 1 << 30);
    let end = (SAMPLES as i64 - 1) * INTERVAL;
    bencher.counter(ItemsCount::new(HOSTS * PATHS * BUCKETS * SAMPLES)).bench_local(|| {
        let query = Query::new(text, &expr);
        runtime.block_on(engine.range(&ctx, &memory, query, end - 21_600_000, end, 60_000)).unwrap()
    });
}
