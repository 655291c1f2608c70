//! Decoding of push requests of some 500 KB.

#![allow(clippy::unwrap_used, reason = "a bench fails by panicking")]

use divan::{Bencher, counter::BytesCount};
use http_api::{parse_push_json, parse_push_protobuf};
use std::fmt::Write;

fn main() {
    divan::main();
}

const STREAMS: usize = 10;
const LINES: usize = 350;

fn line(n: usize) -> String {
    format!(
        "level=info ts=2026-01-01T00:00:{:02}.{n:09}Z caller=http.go:194 msg=request traceID={n:032x} path=/api/orders/{n} status=200",
        n % 60
    )
}

fn message(out: &mut Vec<u8>, tag: u8, body: &[u8]) {
    out.push(tag);
    let mut len = body.len();
    while len >= 0x80 {
        out.push(len as u8 | 0x80);
        len >>= 7;
    }
    out.push(len as u8);
    out.extend_from_slice(body);
}

fn protobuf() -> Vec<u8> {
    let mut out = Vec::new();
    for s in 0..STREAMS {
        let mut stream = Vec::new();
        message(&mut stream, 0x0a, format!("{{app=\"shop\", pod=\"shop-{s}\"}}").as_bytes());
        for n in 0..LINES {
            let mut entry = Vec::new();
            message(&mut entry, 0x0a, &[0x08, 0x80, 0xe2, 0xcf, 0xaa, 0x06, 0x10, n as u8 | 0x80, 0x01]);
            message(&mut entry, 0x12, line(n).as_bytes());
            message(&mut stream, 0x12, &entry);
        }
        message(&mut out, 0x0a, &stream);
    }
    out
}

/// `quotes` is whether lines have a quote in them, which JSON escapes.
fn json(quotes: bool) -> Vec<u8> {
    let mut out = String::from("{\"streams\":[");
    for s in 0..STREAMS {
        let comma = if s == 0 { "" } else { "," };
        write!(out, "{comma}{{\"stream\":{{\"app\":\"shop\",\"pod\":\"shop-{s}\"}},\"values\":[").unwrap();
        for n in 0..LINES {
            let comma = if n == 0 { "" } else { "," };
            let more = if quotes { "\\\"quoted\\\"" } else { "" };
            write!(out, "{comma}[\"1700000000{n:09}\",\"{}{more}\"]", line(n)).unwrap();
        }
        out.push_str("]}");
    }
    out.push_str("]}");
    out.into_bytes()
}

fn run(
    bencher: Bencher<'_, '_>,
    body: &[u8],
    parse: fn(Vec<u8>) -> service_api::Result<service_api::LogBatch>,
) {
    bencher
        .counter(BytesCount::new(body.len()))
        .with_inputs(|| body.to_vec())
        .bench_values(|body| parse(body).unwrap().entries.len());
}

#[divan::bench]
fn push_protobuf(bencher: Bencher<'_, '_>) {
    run(bencher, &protobuf(), parse_push_protobuf);
}

#[divan::bench(args = [false, true])]
fn push_json(bencher: Bencher<'_, '_>, quotes: bool) {
    run(bencher, &json(quotes), parse_push_json);
}
