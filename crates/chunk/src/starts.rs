//! Start timestamps of entries: in runs while entries come, in a page of their own beside a page of entries.
//!
//! A start changes when a counter restarts, and so hardly ever: as integers a page of equal ones takes ten
//! bytes, and each change a few more. One that changes with every entry takes as much as a timestamp.

use crate::{Corrupt, decode_timestamps, encode_timestamps};
use model::{Timestamp, pad_starts};

/// Appends the page of the starts of a page's entries, in the form of `encode_timestamps`; nothing if none is
/// known.
pub fn encode_starts(starts: &[Timestamp], out: &mut Vec<u8>) {
    if starts.iter().any(|start| *start != 0) {
        encode_timestamps(starts, out);
    }
}

/// Reads what `encode_starts` wrote of `count` entries, and puts it behind the starts of the `before` entries
/// that are there already. On an error `out` may have grown.
pub fn decode_starts(
    page: &[u8],
    count: usize,
    before: usize,
    out: &mut Vec<Timestamp>,
) -> Result<(), Corrupt> {
    if page.is_empty() {
        pad_starts(out, before + count);
        return Ok(());
    }
    out.resize(before, 0);
    decode_timestamps(page, count, out)
}

/// The starts of entries that come in time order: of the entry's time from which on each holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StartRuns(Vec<(Timestamp, Timestamp)>);

impl StartRuns {
    /// Notes the start of an entry that is newer than those before it.
    pub fn push(&mut self, timestamp: Timestamp, start: Timestamp) {
        if start == self.0.last().map_or(0, |(_, last)| *last) {
            return;
        }
        if self.0.len() == self.0.capacity() {
            // Most have one run for ever, so there is no room to be kept for others.
            self.0.reserve_exact(self.0.len().max(1));
        }
        self.0.push((timestamp, start));
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends the starts of the entries at these times, which ascend, behind those of `before` entries.
    pub fn fill(&self, timestamps: &[Timestamp], before: usize, out: &mut Vec<Timestamp>) {
        if self.is_empty() {
            return pad_starts(out, before + timestamps.len());
        }
        out.resize(before, 0);
        let (mut runs, mut start) = (self.0.iter().peekable(), 0);
        for timestamp in timestamps {
            while let Some((_, next)) = runs.next_if(|(from, _)| from <= timestamp) {
                start = *next;
            }
            out.push(start);
        }
    }

    pub fn heap_bytes(&self) -> usize {
        self.0.capacity() * size_of::<(Timestamp, Timestamp)>()
    }
}

#[cfg(test)]
mod tests;
