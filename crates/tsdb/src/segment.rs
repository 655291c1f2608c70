//! Segments: the files that hold the chunks of a block.

use crate::{Corrupt, Encoding, check_sum};
use chunk::Cursor;

pub(crate) const SEGMENT_MAGIC: [u8; 4] = [0x85, 0xbd, 0x40, 0xdd];
const VERSION: u8 = 1;

/// The magic, the version and three zeros.
pub const SEGMENT_HEADER_LEN: usize = 8;

/// A chunk of more bytes is not believed. Prometheus aims at 1 KiB.
const MAX_CHUNK: usize = 8 << 20;
const SUM_LEN: usize = 4;

/// Looks at the first bytes of a segment.
pub fn check_segment_header(header: &[u8]) -> Result<(), Corrupt> {
    match header.strip_prefix(&SEGMENT_MAGIC) {
        Some([VERSION, ..]) => Ok(()),
        Some(_) => Err(Corrupt("a segment of a version that is not known")),
        None => Err(Corrupt("no segment of chunks")),
    }
}

/// How many bytes the chunk takes in all that `front` begins with. Five bytes are enough to tell.
pub fn stored_chunk_len(front: &[u8]) -> Result<usize, Corrupt> {
    let mut input = Cursor::new(front);
    let len = input.count(MAX_CHUNK)?;
    Ok(front.len() - input.rest().len() + 1 + len + SUM_LEN)
}

/// A chunk as it lies in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredChunk<'a> {
    pub encoding: Encoding,
    pub data: &'a [u8],
}

impl<'a> StoredChunk<'a> {
    /// Takes apart the bytes that a chunk takes in all, if their checksum is right.
    pub fn parse(stored: &'a [u8]) -> Result<Self, Corrupt> {
        let mut input = Cursor::new(stored);
        let len = input.count(MAX_CHUNK)?;
        let body = input.take(1 + len)?;
        check_sum(body, input.array()?)?;
        let (encoding, data) = body.split_first().ok_or(Corrupt("a chunk is cut short"))?;
        Ok(Self { encoding: Encoding::of(*encoding)?, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{encode_floats, fixture};
    use model::Labels;

    #[test]
    fn a_chunk_is_taken_out_and_no_flipped_bit_goes_unseen() {
        let chunk = encode_floats(&[1, 2], &[3.0, 4.0]);
        let labels = Labels::from_pairs([("__name__", "m")]);
        let files = fixture::block("x", &[(labels, vec![chunk.clone()])], "");
        let segment = &files[2].1;
        check_segment_header(&segment[..SEGMENT_HEADER_LEN]).unwrap();
        let stored = &segment[SEGMENT_HEADER_LEN..];
        assert_eq!(stored_chunk_len(&stored[..5]).unwrap(), stored.len());
        let expected = StoredChunk { encoding: chunk.encoding, data: &chunk.data };
        assert_eq!(StoredChunk::parse(stored).unwrap(), expected);
        for bit in 0..stored.len() * 8 {
            let mut flipped = stored.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(StoredChunk::parse(&flipped).is_err(), "bit {bit}");
        }
        assert!(check_segment_header(&[0x85, 0xbd, 0x40, 0xdd, 2, 0, 0, 0]).is_err());
        assert!(check_segment_header(b"12345678").is_err());
        assert!(stored_chunk_len(&[0xff; 5]).is_err());
    }
}
