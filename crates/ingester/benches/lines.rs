//! What an append of lines costs from the batch to sealed pages, with a log on a real disk; beside
//! it what zstd takes for the same bytes; and what a replay costs.

#![allow(clippy::expect_used, reason = "a bench that cannot go on may stop")]

#[path = "support/ingester.rs"]
mod support;

use divan::{Bencher, counter::BytesCount};
use futures::{StreamExt, stream};
use ingester::Ingester;
use model::{Labels, TenantId};
use prometheus_client::registry::Registry;
use service_api::{BatchStream, IngestLogs, LogBatch, LogEntry, SeriesKey, TextSpan, Wanted};
use std::sync::Arc;
use support::{NoLabels, logged, start};

const STREAMS: usize = 100;
const BATCH_BYTES: usize = 500_000;
const BATCHES: usize = 100;
const START: i64 = 1_700_000_000_000_000_000;

fn labels(stream: usize) -> Labels {
    Labels::from_pairs([("app", format!("app-{}", stream / 10)), ("pod", format!("pod-{stream}"))])
}

/// A line as a web server's; what differs is drawn from `random`.
fn line(random: &mut u64) -> String {
    let mut draw = |below: u64| {
        *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*random >> 33) % below
    };
    let path = ["/api/v1/orders", "/api/v1/users", "/healthz", "/login", "/static/app.js"][draw(5) as usize];
    let status = [200, 200, 200, 200, 304, 404, 500][draw(7) as usize];
    let level = ["info", "info", "info", "warn", "error"][draw(5) as usize];
    format!(
        "ts=2026-11-24T12:{:02}:{:02}.{:06}Z level={level} caller=server.go:{} method=GET path={path}/{} status={status} duration={}ms trace_id={:08x}{:08x} msg=\"request handled\"",
        draw(60),
        draw(60),
        draw(1_000_000),
        draw(900),
        draw(100_000),
        draw(3000),
        draw(1 << 31),
        draw(1 << 31)
    )
}

/// Each stream's lines of `batch`, one stream behind the other, in time order.
fn batch(number: usize, random: &mut u64) -> LogBatch {
    let mut batch = LogBatch {
        streams: vec![],
        entries: vec![],
        metadata: vec![],
        text: Vec::with_capacity(BATCH_BYTES + 1000),
        labels: Box::new(NoLabels),
    };
    for stream in 0..STREAMS {
        let from = batch.entries.len() as u32;
        while batch.text.len() < BATCH_BYTES * (stream + 1) / STREAMS {
            let line = line(random);
            let span = TextSpan { start: batch.text.len() as u32, len: line.len() as u32 };
            batch.text.extend_from_slice(line.as_bytes());
            let at = batch.entries.len() as i64;
            let timestamp = START + number as i64 * 1_000_000_000 + at * 100_003;
            batch.entries.push(LogEntry { timestamp, line: span, metadata: 0..0 });
        }
        let key = SeriesKey(labels(stream).stable_hash_128());
        batch.streams.push(BatchStream { key, entries: from..batch.entries.len() as u32 });
    }
    batch
}

fn batches() -> Vec<Arc<LogBatch>> {
    let mut random = 7;
    (0..BATCHES).map(|number| Arc::new(batch(number, &mut random))).collect()
}

fn text_bytes(batches: &[Arc<LogBatch>]) -> usize {
    batches.iter().map(|batch| batch.text.len()).sum()
}

fn append(runtime: &tokio::runtime::Runtime, ingester: &Ingester, batches: &[Arc<LogBatch>]) {
    let tenant = TenantId::anonymous();
    runtime.block_on(async {
        let named = (0..STREAMS).map(|stream| (stream as u32, labels(stream))).collect();
        let first = ingester.append_logs(&tenant, Arc::clone(&batches[0]), Wanted::Named(named)).await;
        assert!(first.is_ok());
        let appends = stream::iter(&batches[1..])
            .map(|batch| ingester.append_logs(&tenant, Arc::clone(batch), Wanted::All));
        let outcomes: Vec<_> = appends.buffer_unordered(8).collect().await;
        assert!(
            outcomes.into_iter().all(|o| o.is_ok_and(|o| o.unknown.is_empty() && o.pushed.rejected == 0))
        );
    });
}

/// Seconds of CPU that the process has taken, by Linux's count in hundredths.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn append_500_kb_batches(bencher: Bencher<'_, '_>) {
    let batches = batches();
    let bytes = text_bytes(&batches);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    bencher
        .counter(BytesCount::new(bytes))
        .with_inputs(|| {
            let dir = tempfile::tempdir().expect("a folder for the log");
            let mut registry = Registry::default();
            (start(dir.path(), &mut registry), registry, dir)
        })
        .bench_values(|(ingester, registry, dir)| {
            let before = cpu();
            append(&runtime, &ingester, &batches);
            let speed = bytes as f64 / 1e6 / (cpu() - before);
            let share = 100.0 * logged(&registry) / bytes as f64;
            println!("{speed:.0} MB a second of CPU, {share:.1} % of the bytes in the log");
            (ingester, dir)
        });
}

/// The bound: what the pages alone take.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn zstd_1_of_the_same_bytes(bencher: Bencher<'_, '_>) {
    let batches = batches();
    // By stream, as pages are.
    let mut streams = vec![Vec::new(); STREAMS];
    for batch in &batches {
        for (stream, text) in batch.streams.iter().zip(&mut streams) {
            for entry in &batch.entries[stream.entries.start as usize..stream.entries.end as usize] {
                text.extend_from_slice(batch.line(entry));
                text.push(b'\n');
            }
        }
    }
    bencher.counter(BytesCount::new(text_bytes(&batches))).bench_local(|| {
        let pages = streams.iter().flat_map(|stream| stream.chunks(256 << 10));
        pages.map(|page| zstd::bulk::compress(page, 1).expect("zstd works").len()).sum::<usize>()
    });
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn replay(bencher: Bencher<'_, '_>) {
    let batches = batches();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let dir = tempfile::tempdir().expect("a folder for the log");
    let ingester = start(dir.path(), &mut Registry::default());
    append(&runtime, &ingester, &batches);
    runtime.block_on(async { drop(ingester) });
    bencher
        .counter(BytesCount::new(text_bytes(&batches)))
        .bench_local(|| start(dir.path(), &mut Registry::default()));
}

fn main() {
    divan::main();
}
