//! Tombstones: what of a block was deleted and is still in its chunks.
//!
//! <https://github.com/prometheus/prometheus/blob/main/tsdb/docs/format/tombstones.md>

use crate::{Corrupt, check_sum};
use chunk::Cursor;
use model::{TimeRange, Timestamp};
use std::collections::HashMap;

const MAGIC: [u8; 4] = [0x01, 0x30, 0xba, 0x30];
const VERSION: u8 = 1;

/// What was deleted of each series, by the reference that its entry in the index has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tombstones(HashMap<u64, Vec<TimeRange>>);

impl Tombstones {
    /// Reads a whole file.
    pub fn parse(file: &[u8]) -> Result<Self, Corrupt> {
        let rest = file.strip_prefix(&MAGIC).ok_or(Corrupt("no tombstones"))?;
        let (version, rest) = rest.split_first().ok_or(Corrupt("tombstones are cut short"))?;
        if *version != VERSION {
            return Err(Corrupt("tombstones of a version that is not known"));
        }
        let (stones, sum) = rest.split_last_chunk().ok_or(Corrupt("tombstones are cut short"))?;
        check_sum(stones, *sum)?;
        let (mut input, mut deleted) = (Cursor::new(stones), HashMap::<u64, Vec<TimeRange>>::new());
        while !input.is_empty() {
            let reference = input.uvarint()?;
            let range = TimeRange::new(input.ivarint()?, input.ivarint()?);
            deleted.entry(reference).or_default().push(range);
        }
        Ok(Self(deleted))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What was deleted of a series; in no order.
    pub fn of(&self, reference: u64) -> &[TimeRange] {
        self.0.get(&reference).map_or(&[], Vec::as_slice)
    }

    /// Whether a sample of a series was deleted.
    pub fn has(ranges: &[TimeRange], timestamp: Timestamp) -> bool {
        ranges.iter().any(|range| range.contains(timestamp))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(stones: &[u8]) -> Vec<u8> {
        [&MAGIC[..], &[VERSION], stones, &crc32c::crc32c(stones).to_be_bytes()].concat()
    }

    #[test]
    fn stones_are_read_and_no_flipped_bit_goes_unseen() {
        // Series 3 from -1 to 2, series 300 from 5 to 5, series 3 from 10 to 20.
        let good = file(&[3, 1, 4, 0xac, 0x02, 10, 10, 3, 20, 40]);
        let stones = Tombstones::parse(&good).unwrap();
        assert_eq!((stones.len(), stones.of(300)), (3, &[TimeRange::new(5, 5)][..]));
        let third = stones.of(3);
        assert_eq!(
            [-2, -1, 2, 3, 10, 20, 21].map(|t| Tombstones::has(third, t)),
            [false, true, true, false, true, true, false]
        );
        assert!(stones.of(4).is_empty());
        for at in 0..good.len() {
            let mut flipped = good.clone();
            flipped[at] ^= 1;
            assert!(Tombstones::parse(&flipped).is_err(), "byte {at}");
            assert!(Tombstones::parse(&good[..at]).is_err(), "cut at {at}");
        }
        assert!(Tombstones::parse(&file(&[])).unwrap().is_empty());
        assert!(Tombstones::parse(&file(&[3, 1])).is_err());
    }
}
