//! The pieces of a block that are read one after the other: pages of lines, or groups of pages.

use bytes::Bytes;
use chunk::Corrupt;
use std::ops::Range;

/// Their lengths and checksums. They follow each other in the object, from `start` on.
#[derive(Debug)]
pub struct Pieces {
    start: u64,
    pieces: Vec<(u32, u32)>,
}

/// Pieces that are read in one go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub pieces: Range<usize>,
    /// In the object.
    pub bytes: Range<u64>,
}

impl Run {
    pub fn len(&self) -> u64 {
        self.bytes.end - self.bytes.start
    }
}

impl Pieces {
    pub fn new(start: u64, pieces: impl Iterator<Item = (u32, u32)>) -> Self {
        Self { start, pieces: pieces.collect() }
    }

    /// What comes behind a run, or first: at most `most` bytes, but always a piece if there is one.
    pub fn after(&self, run: Option<&Run>, most: u64) -> Option<Run> {
        let (from, start) = run.map_or((0, self.start), |run| (run.pieces.end, run.bytes.end));
        let (mut to, mut end) = (from, start);
        while let Some((len, _)) = self.pieces.get(to)
            && (to == from || end + u64::from(*len) - start <= most)
        {
            (to, end) = (to + 1, end + u64::from(*len));
        }
        (to > from).then_some(Run { pieces: from..to, bytes: start..end })
    }

    /// Takes a run apart, if all of its checksums are right.
    pub fn split(&self, run: &Run, bytes: &Bytes) -> Result<Vec<Bytes>, Corrupt> {
        let mut at = 0;
        let piece = |(len, checksum): &(u32, u32)| {
            let end = at + *len as usize;
            if end > bytes.len() {
                return Err(Corrupt("cut short"));
            }
            let piece = bytes.slice(at..end);
            at = end;
            if crc32c::crc32c(&piece) == *checksum {
                Ok(piece)
            } else {
                Err(Corrupt("checksum of a page does not match"))
            }
        };
        self.pieces.get(run.pieces.clone()).unwrap_or(&[]).iter().map(piece).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_as_long_as_they_may_be_and_a_large_piece_is_alone() {
        let object = Bytes::from((0..100).collect::<Vec<u8>>());
        let mut at = 8;
        let piece = |len: u32| {
            let bytes = &object[at..at + len as usize];
            at += len as usize;
            (len, crc32c::crc32c(bytes))
        };
        let pieces = Pieces::new(8, [4, 6, 20, 1, 9, 1].map(piece).into_iter());
        let (mut runs, mut last) = (Vec::new(), None);
        while let Some(run) = pieces.after(last.as_ref(), 10) {
            let bytes = object.slice(run.bytes.start as usize..run.bytes.end as usize);
            assert_eq!(pieces.split(&run, &bytes).unwrap().concat(), bytes);
            assert!(pieces.split(&run, &bytes.slice(1..)).is_err());
            runs.push((run.pieces.clone(), run.len()));
            last = Some(run);
        }
        assert_eq!(runs, [(0..2, 10), (2..3, 20), (3..5, 10), (5..6, 1)]);
    }
}
