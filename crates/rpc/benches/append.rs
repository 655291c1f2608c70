//! What an append costs on the wire's two sides: 2,000 samples, 1 MB of lines.

use bytes::Bytes;
use divan::{Bencher, black_box};
use model::Sample;
use prost::Message;
use rpc::{AppendLogsRequest, AppendRequest};
use service_api::{
    BatchSeries, BatchStream, LabelSource, LogBatch, LogEntry, Result, SeriesKey, TextSpan, Wanted,
    WriteBatch,
};

fn main() {
    divan::main();
}

struct Unnamed;

impl LabelSource for Unnamed {
    fn pairs(&self, _: usize, _: &mut dyn FnMut(&str, &str)) -> Result<()> {
        Ok(())
    }
}

fn key(n: u32) -> SeriesKey {
    SeriesKey(u128::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_0c3d_5a1b_2e4f))
}

fn samples() -> WriteBatch {
    let series =
        (0..2000).map(|n| BatchSeries { key: key(n), samples: n..n + 1, histograms: 0..0, exemplars: 0..0 });
    let samples = (0..2000).map(|n| Sample { timestamp: 1_700_000_000_000, value: f64::from(n) * 1.5 });
    WriteBatch {
        series: series.collect(),
        samples: samples.collect(),
        histograms: Vec::new(),
        starts: Default::default(),
        exemplars: Vec::new(),
        metadata: Vec::new(),
        labels: Box::new(Unnamed),
    }
}

/// 8,192 lines of 128 bytes in 64 streams.
fn lines() -> LogBatch {
    let entry = |n: u32| LogEntry {
        timestamp: 1_700_000_000_000_000_000 + i64::from(n),
        line: TextSpan { start: 128 * n, len: 128 },
        metadata: 0..0,
    };
    LogBatch {
        streams: (0..64).map(|n| BatchStream { key: key(n), entries: 128 * n..128 * (n + 1) }).collect(),
        entries: (0..8192).map(entry).collect(),
        metadata: Vec::new(),
        text: b"level=info msg=\"request done\" status=200 took=1.25ms path=/api/"
            .repeat(8192 * 128 / 63 + 1),
        labels: Box::new(Unnamed),
    }
}

#[divan::bench]
fn encode_samples(bencher: Bencher<'_, '_>) {
    let batch = samples();
    bencher.bench(|| rpc::encode_append(black_box(&batch), &Wanted::All));
}

#[divan::bench]
fn decode_samples(bencher: Bencher<'_, '_>) {
    let bytes = rpc::encode_append(&samples(), &Wanted::All).unwrap_or_else(|e| panic!("{e}"));
    bencher.bench(|| AppendRequest::decode(black_box(bytes.clone())).map(rpc::decode_append));
}

#[divan::bench]
fn encode_lines(bencher: Bencher<'_, '_>) {
    let batch = lines();
    bencher.bench(|| rpc::encode_append_logs(black_box(&batch), &Wanted::All));
}

#[divan::bench]
fn decode_lines(bencher: Bencher<'_, '_>) {
    let bytes: Bytes = rpc::encode_append_logs(&lines(), &Wanted::All).unwrap_or_else(|e| panic!("{e}"));
    bencher.bench(|| AppendLogsRequest::decode(black_box(bytes.clone())).map(rpc::decode_append_logs));
}
