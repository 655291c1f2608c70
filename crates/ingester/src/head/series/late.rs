//! Float samples that were not newer than the newest when they came.

use chunk::SealedChunk;
use model::{Sample, TimeRange, Timestamp};

#[derive(Default)]
pub struct Late {
    /// In time order.
    pub(super) buffer: Vec<Sample>,
    /// Of the buffer: none at all, or one for each sample.
    pub(super) starts: Vec<Timestamp>,
    /// In the order in which they were sealed; they may overlap.
    pub(super) sealed: Vec<SealedChunk>,
}

impl Late {
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty() && self.sealed.is_empty()
    }

    /// Whether there is anything at this time or after it.
    pub fn reaches(&self, timestamp: Timestamp) -> bool {
        self.buffer.last().is_some_and(|s| s.timestamp >= timestamp)
            || self.sealed.iter().any(|c| c.max_time() >= timestamp)
    }

    /// Puts a sample of a time that is not there yet into the buffer.
    pub fn insert(&mut self, timestamp: Timestamp, value: f64, start: Timestamp) {
        let at = self.buffer.partition_point(|s| s.timestamp < timestamp);
        if start != 0 || !self.starts.is_empty() {
            self.starts.resize(self.buffer.len(), 0);
            self.starts.insert(at, start);
        }
        self.buffer.insert(at, Sample { timestamp, value });
    }

    /// Where the buffered samples of a window lie.
    pub fn window(&self, window: &TimeRange) -> std::ops::Range<usize> {
        let start = self.buffer.partition_point(|s| s.timestamp < window.start);
        start..self.buffer.partition_point(|s| s.timestamp <= window.end).max(start)
    }

    pub fn seal(&mut self, range: std::ops::Range<usize>) {
        let known = if self.starts.is_empty() { 0..0 } else { range.clone() };
        let starts: Vec<_> = self.starts.drain(known).collect();
        let (timestamps, values): (Vec<_>, Vec<_>) =
            self.buffer.drain(range).map(|s| (s.timestamp, s.value)).unzip();
        self.sealed.extend(SealedChunk::encode(&timestamps, &values, &starts));
    }
}
