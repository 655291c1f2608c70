//! Writes blocks as Prometheus lays them out, as far as an import reads them: what tests import.

use crate::{EncodedChunk, index::INDEX_MAGIC, segment::SEGMENT_MAGIC};
use chunk::{put_ivarint, put_uvarint};
use model::Labels;
use std::collections::BTreeSet;

/// A block's files: their names and what is in them.
pub type Files = Vec<(String, Vec<u8>)>;

/// The files of a block of these series, which are in label order. `more` goes into its description, as
/// members of a JSON object, each with a comma behind it.
pub fn block(ulid: &str, series: &[(Labels, Vec<EncodedChunk>)], more: &str) -> Files {
    let (segment, places) = segment(series);
    let chunks = || series.iter().flat_map(|(_, chunks)| chunks);
    let (min, max) = (chunks().map(|c| c.min_time).min(), chunks().map(|c| c.max_time).max());
    let samples: u64 = chunks().map(|c| u64::from(c.data[0]) << 8 | u64::from(c.data[1])).sum();
    let meta = format!(
        r#"{{"ulid":"{ulid}",{more}"minTime":{},"maxTime":{},"stats":{{"numSamples":{samples},"numSeries":{},"numChunks":{}}},"version":1}}"#,
        min.unwrap_or(0),
        max.unwrap_or(0) + 1,
        series.len(),
        chunks().count(),
    );
    vec![
        ("meta.json".to_owned(), meta.into_bytes()),
        ("index".to_owned(), index(series, &places)),
        ("chunks/000001".to_owned(), segment),
    ]
}

/// A file of tombstones: of each the reference of its series, and from when to when.
pub fn tombstones(stones: &[(u64, i64, i64)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (reference, from, to) in stones {
        put_uvarint(&mut body, *reference);
        put_ivarint(&mut body, *from);
        put_ivarint(&mut body, *to);
    }
    [&[0x01, 0x30, 0xba, 0x30, 1], &body[..], &sum(&body)].concat()
}

fn sum(bytes: &[u8]) -> [u8; 4] {
    crc32c::crc32c(bytes).to_be_bytes()
}

/// All chunks in one segment, and of each series where they are.
fn segment(series: &[(Labels, Vec<EncodedChunk>)]) -> (Vec<u8>, Vec<Vec<u64>>) {
    let mut out = [&SEGMENT_MAGIC[..], &[1, 0, 0, 0]].concat();
    let mut places = Vec::new();
    for (_, chunks) in series {
        let mut of_series = Vec::new();
        for chunk in chunks {
            of_series.push(out.len() as u64);
            put_uvarint(&mut out, chunk.data.len() as u64);
            let body = [&[chunk.encoding as u8], &chunk.data[..]].concat();
            out.extend_from_slice(&body);
            out.extend_from_slice(&sum(&body));
        }
        places.push(of_series);
    }
    (out, places)
}

fn section(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32).to_be_bytes()[..], body, &sum(body)].concat()
}

fn index(series: &[(Labels, Vec<EncodedChunk>)], places: &[Vec<u64>]) -> Vec<u8> {
    let texts = series.iter().flat_map(|(labels, _)| labels.iter()).flat_map(|(name, value)| [name, value]);
    let symbols: Vec<&str> = BTreeSet::from_iter(texts).into_iter().collect();
    let mut body = (symbols.len() as u32).to_be_bytes().to_vec();
    for symbol in &symbols {
        put_uvarint(&mut body, symbol.len() as u64);
        body.extend_from_slice(symbol.as_bytes());
    }
    let mut out = [&INDEX_MAGIC[..], &[2]].concat();
    let mut references = vec![out.len()];
    out.extend_from_slice(&section(&body));
    out.resize(out.len().next_multiple_of(16), 0);
    references.push(out.len());
    for ((labels, chunks), places) in series.iter().zip(places) {
        out.resize(out.len().next_multiple_of(16), 0);
        let entry = entry(labels, chunks, places, &symbols);
        put_uvarint(&mut out, entry.len() as u64);
        out.extend_from_slice(&entry);
        out.extend_from_slice(&sum(&entry));
    }
    // What an import does not read: a label index and its table, postings and theirs.
    for _ in 0..4 {
        references.push(out.len());
        out.extend_from_slice(&section(&0u32.to_be_bytes()));
    }
    let toc: Vec<u8> = references.into_iter().flat_map(|at| (at as u64).to_be_bytes()).collect();
    out.extend_from_slice(&toc);
    out.extend_from_slice(&sum(&toc));
    out
}

fn entry(labels: &Labels, chunks: &[EncodedChunk], places: &[u64], symbols: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    let number = |text: &str| symbols.iter().position(|symbol| *symbol == text).unwrap_or(0) as u64;
    put_uvarint(&mut out, labels.len() as u64);
    for (name, value) in labels.iter() {
        put_uvarint(&mut out, number(name));
        put_uvarint(&mut out, number(value));
    }
    put_uvarint(&mut out, chunks.len() as u64);
    let (mut time, mut place) = (0, 0);
    for (at, (chunk, offset)) in chunks.iter().zip(places).enumerate() {
        if at == 0 {
            put_ivarint(&mut out, chunk.min_time);
        } else {
            put_uvarint(&mut out, (chunk.min_time - time) as u64);
        }
        put_uvarint(&mut out, (chunk.max_time - chunk.min_time) as u64);
        if at == 0 {
            put_uvarint(&mut out, *offset);
        } else {
            put_ivarint(&mut out, (*offset - place) as i64);
        }
        (time, place) = (chunk.max_time, *offset);
    }
    out
}
