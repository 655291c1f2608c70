//! One part of a block as it lies in a segment of the cache.
//!
//! Magic (4 bytes), the length of the object's name (4), where in the object the part begins (8), its length (4),
//! crc32c of its bytes (4), crc32c of all this and of the name (4); then the name, and the part's bytes. Numbers
//! are little-endian.

use std::ops::Range;
use xxhash_rust::xxh3::xxh3_64_with_seed;

const MAGIC: &[u8; 4] = b"YGPT";
const CHECKED: usize = 4 + 4 + 8 + 4 + 4;
pub(super) const HEADER_LEN: usize = CHECKED + 4;
/// Longer than the name of any object.
pub(super) const MAX_NAME: usize = 1024;

/// What a record is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part<'a> {
    pub(super) object: &'a str,
    pub(super) offset: u64,
    pub(super) len: u32,
}

impl<'a> Part<'a> {
    /// Where the index has it. Two parts with one key displace each other, but are never taken for one.
    pub(super) fn key(&self) -> u64 {
        let place = [self.offset.to_le_bytes(), u64::from(self.len).to_le_bytes()].concat();
        xxh3_64_with_seed(self.object.as_bytes(), xxh3_64_with_seed(&place, 0))
    }

    pub(super) fn record_len(&self) -> usize {
        HEADER_LEN + self.object.len() + self.len as usize
    }

    /// Where in the record the part's bytes are.
    pub(super) fn data_range(&self) -> Range<usize> {
        HEADER_LEN + self.object.len()..self.record_len()
    }

    pub(super) fn encode(&self, data: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&(self.object.len() as u32).to_le_bytes());
        out.extend_from_slice(&self.offset.to_le_bytes());
        out.extend_from_slice(&self.len.to_le_bytes());
        out.extend_from_slice(&crc32c::crc32c(data).to_le_bytes());
        let checksum = crc32c::crc32c_append(crc32c::crc32c(&out[start..]), self.object.as_bytes());
        out.extend_from_slice(&checksum.to_le_bytes());
        out.extend_from_slice(self.object.as_bytes());
        out.extend_from_slice(data);
    }

    /// Whether that is this part's record, and whole.
    pub(super) fn is_in(&self, record: &[u8]) -> bool {
        let Some((part, checksum)) = Part::decode(record) else { return false };
        part == *self && record.get(self.data_range()).is_some_and(|data| crc32c::crc32c(data) == checksum)
    }

    /// Reads the head of a record: what it is of, and the checksum of its data.
    pub(super) fn decode(bytes: &'a [u8]) -> Option<(Self, u32)> {
        let number = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
        let name_len = number(4)? as usize;
        if !bytes.starts_with(MAGIC) || name_len > MAX_NAME {
            return None;
        }
        let name = bytes.get(HEADER_LEN..HEADER_LEN + name_len)?;
        if crc32c::crc32c_append(crc32c::crc32c(&bytes[..CHECKED]), name) != number(CHECKED)? {
            return None;
        }
        let offset = u64::from_le_bytes(bytes.get(8..16)?.try_into().ok()?);
        Some((Self { object: std::str::from_utf8(name).ok()?, offset, len: number(16)? }, number(20)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_and_no_flipped_bit_or_other_part_is_taken_for_it() {
        let part = Part { object: "team/metrics/blocks/1", offset: 7, len: 5 };
        let mut record = Vec::new();
        part.encode(b"hello", &mut record);
        assert_eq!(record.len(), part.record_len());
        assert!(part.is_in(&record));
        assert_eq!(&record[part.data_range()], b"hello");
        for at in 0..record.len() {
            let mut flipped = record.clone();
            flipped[at] ^= 1;
            assert!(!part.is_in(&flipped), "byte {at}");
            assert!(!part.is_in(&record[..at]), "cut at {at}");
        }
        let others = [
            Part { object: "Team/metrics/blocks/1", ..part },
            Part { offset: 8, ..part },
            Part { len: 4, ..part },
            Part { object: "", ..part },
        ];
        for other in others {
            assert!(!other.is_in(&record) && other.key() != part.key(), "{other:?}");
        }
    }
}
