//! What a byte of log text costs to encode, to search, and to take apart into lines.

#![allow(clippy::expect_used, reason = "a bench fails by panicking")]

use chunk::{LinePage, encode_lines};
use divan::{Bencher, counter::BytesCount};
use model::Lines;

fn main() {
    divan::main();
}

/// Bytes of text in a page.
const SIZES: [usize; 3] = [4 << 10, 256 << 10, 1 << 20];

fn lines(size: usize) -> Lines {
    let mut lines = Lines::default();
    let mut state = 1u64;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut time = 1_700_000_000_000_000_000;
    while lines.text.len() < size {
        time += random(2_000_000) as i64;
        let (level, verb) =
            (["info", "warn", "error"][random(3) as usize], ["GET", "POST"][random(2) as usize]);
        let line = format!(
            "level={level} ts={time} caller=handler.go:{} msg=\"request served\" method={verb} path=/api/v1/items/{} status={} duration={}.{}ms trace_id={:08x}{:08x}",
            random(400),
            random(10_000),
            200 + random(5) * 100,
            random(900),
            random(1_000),
            random(1 << 31),
            random(1 << 31),
        );
        lines.push(time, line.as_bytes(), []);
    }
    lines
}

fn page(lines: &Lines, level: i32) -> Vec<u8> {
    let mut page = Vec::new();
    encode_lines(lines, level, &mut page).expect("a page");
    page
}

#[divan::bench(args = SIZES, consts = [1, 3])]
fn encode<const LEVEL: i32>(bencher: Bencher, size: usize) {
    let lines = lines(size);
    let bytes = page(&lines, LEVEL).len();
    let text = zstd_len(&lines, LEVEL);
    println!(
        "{size} bytes at level {LEVEL}: ratio {:.2}, {:.2} bytes a line beside the text",
        lines.text.len() as f64 / bytes as f64,
        (bytes - text) as f64 / lines.len() as f64,
    );
    bencher.counter(BytesCount::new(lines.text.len())).bench_local(|| page(&lines, LEVEL));
}

fn zstd_len(lines: &Lines, level: i32) -> usize {
    zstd::bulk::compress(&lines.text, level).expect("compressed").len()
}

#[divan::bench(args = SIZES)]
fn text(bencher: Bencher, size: usize) {
    let page = page(&lines(size), 1);
    let mut out = Vec::new();
    bencher
        .counter(BytesCount::new(size))
        .bench_local(|| LinePage::parse(&page).expect("a page").text(&mut out));
}

#[divan::bench(args = SIZES)]
fn read(bencher: Bencher, size: usize) {
    let page = page(&lines(size), 1);
    let mut out = Lines::default();
    bencher
        .counter(BytesCount::new(size))
        .bench_local(|| LinePage::parse(&page).expect("a page").read(&mut out));
}
