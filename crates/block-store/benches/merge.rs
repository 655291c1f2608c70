//! What merges of three replicas cost, and how large what comes out is beside one replica: processor time,
//! memory of the whole process, and bytes, for both signals.
//!
//! `YAGURA_BENCH_LOGS` names a folder of text files (`*.log`) of whose lines streams are made; without it the
//! lines are made up.

#![allow(clippy::expect_used, reason = "a bench fails by panicking")]

#[path = "merge/logs.rs"]
mod logs;
#[path = "merge/metrics.rs"]
mod metrics;
#[path = "merge/rollups.rs"]
mod rollups;

use block_store::{
    BlockMeta, BlockObject, Bucket, BucketConfig, Merge, MergeConfig, Merged, Omissions, S3Config, Ulid,
    merge_blocks,
};
use model::{Signal, TenantId};
use runtime::{Clock, SystemClock};
use std::cell::Cell;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

const REPLICAS: u64 = 3;

fn main() {
    // Or those alone that are named.
    let named: Vec<String> = std::env::args().skip(1).filter(|name| !name.starts_with('-')).collect();
    let all: [(&str, fn()); 3] = [("metrics", metrics::all), ("logs", logs::all), ("rollups", rollups::all)];
    println!(
        "{:<44} {:>6} {:>6} {:>7} {:>8} {:>9} {:>8}",
        "", "in MB", "out MB", "CPU s", "seconds", "peak MiB", "of one"
    );
    for (_, run) in all.iter().filter(|(name, _)| named.is_empty() || named.iter().any(|n| n == name)) {
        run();
    }
}

/// A bucket on disk, and a folder for merges.
struct Setup {
    runtime: tokio::runtime::Runtime,
    bucket: Bucket,
    signal: Signal,
    folder: TempDir,
    blocks: Cell<u64>,
}

impl Setup {
    fn new(signal: Signal) -> Self {
        let folder = TempDir::new().expect("a folder");
        let url = format!("file:{}", folder.path().join("bucket").display());
        std::fs::create_dir(folder.path().join("bucket")).expect("a folder");
        let bucket = BucketConfig { url }.open(&S3Config::default()).expect("a bucket");
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).enable_all().build().expect("a runtime");
        Self { runtime, bucket, signal, folder, blocks: Cell::new(0) }
    }

    fn next_id(&self) -> Ulid {
        self.blocks.set(self.blocks.get() + 1);
        Ulid::from_parts(1_700_000_000_000, self.blocks.get().into())
    }

    fn put(&self, block: BlockObject) -> BlockMeta {
        let name = block.meta.object(&TenantId::anonymous(), self.signal);
        self.runtime.block_on(self.bucket.put(&name, block.parts)).expect("put");
        block.meta
    }

    fn merge(&self, inputs: &[BlockMeta]) -> Merged {
        self.with_merge(inputs, |merge| self.runtime.block_on(merge_blocks(merge))).expect("merged")
    }

    fn with_merge<T>(&self, inputs: &[BlockMeta], work: impl FnOnce(Merge<'_>) -> T) -> T {
        let config =
            MergeConfig { scratch: self.folder.path().to_owned(), memory: 256 << 20, block_bytes: 1 << 30 };
        let number = std::sync::atomic::AtomicU64::new(1 << 32);
        let new_id = || Ulid::from_parts(1, number.fetch_add(1, std::sync::atomic::Ordering::Relaxed).into());
        let merge = Merge {
            bucket: &self.bucket,
            tenant: &TenantId::anonymous(),
            signal: self.signal,
            inputs,
            omissions: &Omissions::new(),
            config: &config,
            new_id: &new_id,
            stop: &CancellationToken::new(),
        };
        work(merge)
    }

    /// Merges the blocks of all replicas; beside it those of the last one alone.
    fn measure(&self, what: &str, replicas: &[Vec<BlockMeta>]) {
        let inputs = replicas.concat();
        // The most that was needed so far is forgotten.
        std::fs::write("/proc/self/clear_refs", "5").expect("forgotten");
        let (clock, (cpu_before, _)) = (SystemClock::new(), used());
        let start = clock.monotonic();
        let merged = self.merge(&inputs);
        let (seconds, (cpu, peak)) = ((clock.monotonic() - start).as_secs_f64(), used());
        let sum = |blocks: &[BlockMeta]| blocks.iter().map(|block| block.bytes).sum::<u64>() as f64;
        let out = sum(&merged.blocks);
        let flushed = out / sum(&replicas[0]);
        let one = out / sum(&self.merge(&replicas[0]).blocks);
        let cpu = cpu - cpu_before;
        println!(
            "{what:<44} {:>6.1} {:>6.1} {cpu:>7.2} {seconds:>8.2} {peak:>9.0} {flushed:>8.3}",
            sum(&inputs) / 1e6,
            out / 1e6,
        );
        let figures = merged.figures;
        let samples: u64 = merged.blocks.iter().map(|block| block.samples).sum();
        println!(
            "    {:.2} ns an input, {:.2} ns an output; {one:.3} of one replica merged alone; {:.4} bytes each; \
             {} pages, {} taken over; {:.0} MiB of indexes, {:.1} MiB open",
            cpu * 1e9 / figures.samples as f64,
            cpu * 1e9 / samples as f64,
            out / samples as f64,
            figures.pages,
            figures.pages_taken_over,
            figures.index_bytes as f64 / (1 << 20) as f64,
            figures.open_peak as f64 / (1 << 20) as f64,
        );
    }
}

/// Seconds of processor time of this process, and the most memory that it has had, in MiB.
fn used() -> (f64, f64) {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("stat");
    let behind_name = stat.rsplit_once(')').expect("a name").1;
    let fields: Vec<_> = behind_name.split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().expect("ticks")).sum();
    let status = std::fs::read_to_string("/proc/self/status").expect("status");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    (ticks as f64 / 100.0, peak.trim().trim_end_matches(" kB").parse::<f64>().expect("KiB") / 1_024.0)
}

/// Numbers that look random and are the same every time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}
