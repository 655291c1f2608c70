//! The pieces of a block that are read one after the other: pages of lines, or groups of pages.

use bytes::Bytes;
use chunk::Corrupt;
use std::ops::Range;

/// Where they lie in the object, one behind the other, and their checksums.
#[derive(Debug)]
pub struct Pieces {
    /// The start of each, and the end of the last.
    starts: Vec<u64>,
    checksums: Vec<u32>,
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
    /// Of the lengths and checksums of pieces of which the first begins at `start`.
    pub fn new(start: u64, pieces: impl Iterator<Item = (u32, u32)>) -> Self {
        let (mut starts, mut checksums, mut end) = (vec![start], Vec::new(), start);
        for (len, checksum) in pieces {
            end += u64::from(len);
            starts.push(end);
            checksums.push(checksum);
        }
        Self { starts, checksums }
    }

    /// What comes behind a run, or first: at most `most` bytes, but always a piece if there is one.
    pub fn after(&self, run: Option<&Run>, most: u64) -> Option<Run> {
        self.from(run.map_or(0, |run| run.pieces.end), self.checksums.len(), most)
    }

    /// Pieces from this one to before that one, as many as `most` bytes are, but always one if there is any.
    pub fn from(&self, from: usize, before: usize, most: u64) -> Option<Run> {
        let ends =
            self.starts.get(from + 1..=before.min(self.checksums.len())).filter(|ends| !ends.is_empty())?;
        let start = self.starts[from];
        let count = ends.partition_point(|end| end - start <= most).max(1);
        Some(Run { pieces: from..from + count, bytes: start..ends[count - 1] })
    }

    /// The piece that holds all of a part of the object, and where in it that begins.
    pub fn locate(&self, offset: u64, len: u64) -> Result<(usize, usize), Corrupt> {
        let after = self.starts.partition_point(|start| *start <= offset);
        match (after.checked_sub(1), self.starts.get(after)) {
            (Some(piece), Some(end)) if offset + len <= *end => {
                Ok((piece, (offset - self.starts[piece]) as usize))
            }
            _ => Err(Corrupt("page out of bounds")),
        }
    }

    /// Takes a run apart, if all of its checksums are right.
    pub fn split(&self, run: &Run, bytes: &Bytes) -> Result<Vec<Bytes>, Corrupt> {
        let piece = |at: usize| {
            let place = |at: usize| (self.starts[at] - run.bytes.start) as usize;
            let (from, to) = (place(at), place(at + 1));
            if to > bytes.len() {
                return Err(Corrupt("cut short"));
            }
            let piece = bytes.slice(from..to);
            if crc32c::crc32c(&piece) == self.checksums[at] {
                Ok(piece)
            } else {
                Err(Corrupt("checksum of a page does not match"))
            }
        };
        run.pieces.clone().map(piece).collect()
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
        assert_eq!(pieces.from(3, 4, 10), Some(Run { pieces: 3..4, bytes: 38..39 }));
        assert_eq!((pieces.from(6, 6, 10), pieces.from(9, 9, 10)), (None, None));
        assert_eq!((pieces.locate(20, 4), pieces.locate(39, 9)), (Ok((2, 2)), Ok((4, 0))));
        assert!(
            pieces.locate(20, 19).is_err() && pieces.locate(7, 1).is_err() && pieces.locate(49, 1).is_err()
        );
    }
}
