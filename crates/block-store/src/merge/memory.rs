//! How a merge divides the memory that it may use.
//!
//! Indexes come first, for without them nothing can be merged: those of the inputs, and twice as much for
//! that of the new block, which has at most as many streams and pages as all of them together, but takes
//! more while it is written than once it is read. Half of the rest is for what is read ahead and half for
//! open pages, with the vectors of timestamps that are kept. Not counted are what is there for a moment while an index is decoded (its postings; of four
//! at once), the page that is being made, a stored page that is larger than a run, and the parts of the new
//! block that are on their way into the bucket (32 MiB).

use super::MergeError;

/// Less than this is not read at once if there is more: requests cost more than what they bring.
const MIN_RUN: u64 = 64 << 10;
/// More than this brings nothing.
pub const MAX_RUN: u64 = 4 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Of inputs and output.
    pub index_bytes: u64,
    /// Bytes that one request reads of an input.
    pub run: u64,
    /// Bytes of all inputs that may be here before they are used.
    pub read_ahead: u64,
    pub open: u64,
}

impl Memory {
    /// What of that is for the index of a new block.
    pub fn new_index(&self) -> u64 {
        self.index_bytes / 3 * 2
    }

    /// `indexes`: bytes of the inputs' indexes. `max_run`: more is not read at once.
    pub fn divide(limit: u64, inputs: u64, indexes: u64, max_run: u64) -> Result<Self, MergeError> {
        let index_bytes = indexes.saturating_mul(1 + 2);
        // Of each input one run is in use while the next is on its way.
        let least = index_bytes.saturating_add(2 * 2 * inputs * MIN_RUN);
        if least > limit {
            let what = "indexes and the least that is read ahead";
            return Err(MergeError::TooLarge { what, needed: least, limit });
        }
        let run = ((limit - index_bytes) / 2 / (2 * inputs.max(1))).min(max_run);
        let read_ahead = 2 * inputs * run;
        Ok(Self { index_bytes, run, read_ahead, open: limit - index_bytes - read_ahead })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_divided_and_no_more() {
        for (limit, inputs, indexes) in [(1 << 20, 1, 0), (256 << 20, 300, 20 << 20), (1 << 30, 2, 1 << 20)] {
            let memory = Memory::divide(limit, inputs, indexes, MAX_RUN).unwrap();
            assert_eq!(memory.index_bytes + memory.read_ahead + memory.open, limit);
            assert!((MIN_RUN..=MAX_RUN).contains(&memory.run), "{memory:?}");
            assert!(memory.read_ahead <= memory.open);
        }
        let too_many = Memory::divide(256 << 20, 10_000, 0, MAX_RUN).unwrap_err();
        assert!(matches!(too_many, MergeError::TooLarge { needed, .. } if needed > 256 << 20));
        assert!(Memory::divide(1 << 20, 1, 1 << 20, MAX_RUN).is_err());
    }
}
