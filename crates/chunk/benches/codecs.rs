//! What a sample costs to append, encode and decode.

use chunk::{OpenChunk, SealedChunk, StartRuns, decode_values, encode_values};
use divan::{Bencher, counter::ItemsCount};
use model::TimeRange;

fn main() {
    divan::main();
}

const SHAPES: [&str; 4] = ["constant", "counter", "decimals", "floats"];
const SAMPLES: usize = 480;

fn values(shape: &str) -> Vec<f64> {
    let mut state = 1u64;
    let mut total = 0.0;
    (0..SAMPLES)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let random = (state >> 33) as f64;
            total += random % 1_000.0;
            match shape {
                "constant" => 42.0,
                "counter" => total,
                "decimals" => (random % 10_000.0) / 100.0,
                _ => random / 7.0,
            }
        })
        .collect()
}

fn open(shape: &str) -> OpenChunk {
    let mut chunk = OpenChunk::new();
    for (i, value) in values(shape).iter().enumerate() {
        assert!(chunk.append(1_700_000_000_000 + i as i64 * 15_000, *value));
    }
    chunk
}

#[divan::bench(args = SHAPES)]
fn append(bencher: Bencher, shape: &str) {
    let values = values(shape);
    bencher.counter(ItemsCount::new(SAMPLES)).bench(|| {
        let mut chunk = OpenChunk::new();
        for (i, value) in values.iter().enumerate() {
            assert!(chunk.append(1_700_000_000_000 + i as i64 * 15_000, *value));
        }
        chunk
    });
}

#[divan::bench(args = SHAPES)]
fn decode_open(bencher: Bencher, shape: &str) {
    let chunk = open(shape);
    let (mut timestamps, mut values) = (Vec::new(), Vec::new());
    bencher.counter(ItemsCount::new(SAMPLES)).bench_local(|| {
        timestamps.clear();
        values.clear();
        chunk.decode(TimeRange::ALL, &mut timestamps, &mut values);
    });
}

#[divan::bench(args = SHAPES)]
fn encode(bencher: Bencher, shape: &str) {
    let values = values(shape);
    let mut page = Vec::new();
    bencher.counter(ItemsCount::new(SAMPLES)).bench_local(|| {
        page.clear();
        encode_values(&values, &mut page);
    });
}

#[divan::bench(args = SHAPES)]
fn decode(bencher: Bencher, shape: &str) {
    let mut page = Vec::new();
    encode_values(&values(shape), &mut page);
    println!("{shape}: {:.3} bytes a sample", page.len() as f64 / SAMPLES as f64);
    let mut out = Vec::new();
    bencher.counter(ItemsCount::new(SAMPLES)).bench_local(|| {
        out.clear();
        decode_values(&page, SAMPLES, &mut out)
    });
}

#[divan::bench(args = SHAPES)]
fn seal(bencher: Bencher, shape: &str) {
    let chunk = open(shape);
    let seal = || chunk.seal(&StartRuns::default()).map(|c: SealedChunk| c.heap_bytes());
    bencher.counter(ItemsCount::new(SAMPLES)).bench(seal);
}
