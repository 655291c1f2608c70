//! An index is read back, and broken in every bit.

use super::*;
use crate::{EncodedChunk, encode_floats, fixture};
use model::{Labels, TimeRange};

fn series() -> Vec<(Labels, Vec<EncodedChunk>)> {
    let chunk = |from: i64| encode_floats(&[from, from + 10], &[1.0, from as f64]);
    let labels = |n: usize| Labels::from_pairs([("__name__", "m".to_owned()), ("n", "é".repeat(n))]);
    (0..5).map(|n| (labels(n + 1), (0..n as i64 + 1).map(|c| chunk(c * 100 - 50)).collect())).collect()
}

fn index_of(files: &fixture::Files) -> &[u8] {
    &files.iter().find(|(name, _)| name == "index").unwrap().1
}

/// All of an index, from a stretch that grows as needed.
fn read(index: &[u8]) -> Result<Vec<SeriesEntry>, Corrupt> {
    check_header(index.get(..HEADER_LEN).ok_or(Corrupt("short"))?)?;
    let tail = index.get(index.len().saturating_sub(TOC_LEN)..).ok_or(Corrupt("short"))?;
    let toc = Toc::parse(tail, index.len() as u64)?;
    let at = toc.symbols as usize;
    let first = index.get(at..at + 4).and_then(|b| b.first_chunk()).ok_or(Corrupt("short"))?;
    let symbols = index.get(at..at + section_len(*first)? as usize).ok_or(Corrupt("short"))?;
    let symbols = Symbols::parse(symbols)?;
    let (mut at, end) = (toc.series.start as usize, toc.series.end as usize);
    let (mut found, mut stretch) = (Vec::new(), 1);
    while at < end {
        let until = (at + stretch).min(end);
        match split_entry(&index[at..until], at as u64, until == end)? {
            Split::Entry { reference, body, len } => {
                assert_eq!(reference, at as u64 / 16);
                found.push(read_entry(body, &symbols)?);
                at += len;
                stretch = 1;
            }
            Split::Padding(len) => at += len,
            Split::Needs(len) => stretch = len,
        }
    }
    Ok(found)
}

#[test]
fn series_are_read_with_their_chunks() {
    let given = series();
    let found = read(index_of(&fixture::block("x", &given, ""))).unwrap();
    assert_eq!(found.len(), given.len());
    let mut offset = 8;
    for (found, (labels, chunks)) in found.iter().zip(&given) {
        assert_eq!(&found.labels, labels);
        for (place, chunk) in found.chunks.iter().zip(chunks) {
            let range = TimeRange::new(chunk.min_time, chunk.max_time);
            assert_eq!(*place, ChunkPlace { range, segment: 0, offset });
            offset += 1 + 1 + chunk.data.len() as u32 + 4;
        }
    }
}

#[test]
fn a_flipped_bit_in_what_is_read_is_found() {
    let files = fixture::block("x", &series(), "");
    let good = index_of(&files);
    let expected = read(good).unwrap();
    let toc = Toc::parse(&good[good.len() - TOC_LEN..], good.len() as u64).unwrap();
    let (mut found, mut unseen) = (0, Vec::new());
    for bit in 0..good.len() * 8 {
        let mut flipped = good.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        match read(&flipped) {
            Err(_) => found += 1,
            // What lies behind the series, and the zeros between entries, say nothing.
            Ok(read) => {
                assert_eq!(read, expected, "bit {bit}");
                unseen.push(bit / 8);
            }
        }
    }
    assert!(found > 1500, "{found}");
    assert!(unseen.iter().all(|at| *at >= toc.series.end as usize || good[*at] == 0), "{unseen:?}");
    for end in 0..good.len() {
        assert!(read(&good[..end]).is_err(), "cut at {end}");
    }
}

#[test]
fn another_version_is_named() {
    let refused = |header: &[u8]| check_header(header).unwrap_err().to_string();
    assert!(refused(&[0xba, 0xaa, 0xd7, 0, 1]).contains("version 1"));
    assert!(refused(&[0xba, 0xaa, 0xd7, 0, 9]).contains("not known"));
    assert!(refused(b"hello").contains("no index"));
}
