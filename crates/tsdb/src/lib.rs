//! Prometheus's formats, from bytes and without I/O: the index, the chunks, the tombstones and the
//! description of a block, and OpenMetrics text.
//!
//! Whatever the bytes are, nothing here panics or takes more memory than a bound allows.
//! <https://github.com/prometheus/prometheus/tree/main/tsdb/docs/format>

mod bits;
mod chunks;
#[cfg(any(test, feature = "fixture"))]
pub mod fixture;
mod index;
mod meta;
mod open_metrics;
mod segment;
mod tombstones;

pub use chunk::Corrupt;
pub use chunks::{
    CHUNK_SAMPLES, EncodedChunk, Encoding, decode_floats, decode_histograms, encode_floats, encode_histogram,
};
pub use index::{
    ChunkPlace, HEADER_LEN as INDEX_HEADER_LEN, SeriesEntry, Split, Symbols, TOC_LEN, Toc,
    check_header as check_index_header, read_entry, section_len, split_entry,
};
pub use meta::{BlockMeta, InvalidMeta};
pub use open_metrics::{Sample, TextError, TextParser};
pub use segment::{SEGMENT_HEADER_LEN, StoredChunk, check_segment_header, stored_chunk_len};
pub use tombstones::Tombstones;

/// Takes a section of an index apart: the length of what it holds (4 bytes), that, and its crc32c.
fn checked(section: &[u8]) -> Result<&[u8], Corrupt> {
    let (len, rest) = section.split_first_chunk().ok_or(Corrupt("cut short"))?;
    let (body, rest) =
        rest.split_at_checked(u32::from_be_bytes(*len) as usize).ok_or(Corrupt("cut short"))?;
    let sum = rest.first_chunk().ok_or(Corrupt("cut short"))?;
    check_sum(body, *sum)?;
    Ok(body)
}

fn check_sum(bytes: &[u8], expected: [u8; 4]) -> Result<(), Corrupt> {
    if crc32c::crc32c(bytes) == u32::from_be_bytes(expected) {
        Ok(())
    } else {
        Err(Corrupt("checksum does not match"))
    }
}
