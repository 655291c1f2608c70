//! The samples of one series in the head.

mod floats;
mod histograms;
mod late;
mod read;
#[cfg(test)]
mod tests;

use super::{BesideSeries, Slot, State};
use chunk::SealedChunk;
use model::{HistogramSample, Signal, TimeRange, Timestamp};

pub use floats::Floats;
pub use histograms::{Histograms, SealedHistograms};
use late::Late;
pub use read::HeadSeries;

/// Samples after which a chunk is sealed.
pub const CHUNK_SAMPLES: usize = 120;

/// What became of one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    Stored,
    /// It was there already, bit for bit: a sender's retry, and a success.
    Present,
    /// Another value is there at its time.
    Conflict,
    /// The series cannot be found any more; it must come back first.
    Condemned,
}

/// A slot. The rare kinds of data lie outside, so that the common case stays small.
#[derive(Default)]
pub struct Series {
    pub floats: Floats,
    histograms: Option<Box<Histograms>>,
    state: State,
}

/// The data of one series in one window of time: what becomes a block, and is then dropped.
#[derive(Debug, Default, PartialEq)]
pub struct WindowData {
    /// In time order, not overlapping.
    pub chunks: Vec<SealedChunk>,
    /// May overlap each other and the others.
    pub late: Vec<SealedChunk>,
    pub histograms: Vec<SealedHistograms>,
}

impl WindowData {
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty() && self.late.is_empty() && self.histograms.is_empty()
    }
}

impl Slot for Series {
    const SIGNAL: Signal = Signal::Metrics;
    type Beside = BesideSeries;

    fn state(&mut self) -> &mut State {
        &mut self.state
    }

    fn is_empty(&self) -> bool {
        self.floats.is_empty() && self.histograms.is_none()
    }

    fn time_range(&self) -> Option<TimeRange> {
        let histograms = self.histograms.as_ref().and_then(|h| h.time_range());
        match (self.floats.time_range(), histograms) {
            (Some(a), Some(b)) => Some(TimeRange::new(a.start.min(b.start), a.end.max(b.end))),
            (a, b) => a.or(b),
        }
    }
}

impl Series {
    /// Appends a float of the window that starts at `window`. Of one that is there already the start stays what
    /// it was, as its value does.
    #[inline]
    pub fn append(
        &mut self,
        timestamp: Timestamp,
        value: f64,
        start: Timestamp,
        window: &TimeRange,
    ) -> Applied {
        if self.state != State::Live && !self.wake() {
            return Applied::Condemned;
        }
        if self.histograms.as_ref().is_some_and(|h| h.at(timestamp).is_some()) {
            return Applied::Conflict;
        }
        self.floats.append(timestamp, value, start, window)
    }

    pub fn append_histogram(&mut self, sample: &HistogramSample, start: Timestamp, block_ms: i64) -> Applied {
        if self.state != State::Live && !self.wake() {
            return Applied::Condemned;
        }
        if self.floats.at(sample.timestamp).is_some() {
            return Applied::Conflict;
        }
        self.histograms.get_or_insert_default().append(sample, start, block_ms)
    }

    /// Seals what is held of a window and returns it; it stays until it is dropped.
    pub fn seal_window(&mut self, window: &TimeRange) -> WindowData {
        let (chunks, late) = self.floats.seal_window(window);
        let histograms = self.histograms.as_mut().map_or_else(Vec::new, |h| h.seal_window(window));
        WindowData { chunks, late, histograms }
    }

    /// Drops chunks that are in a block now.
    pub fn drop_data(&mut self, data: &WindowData) {
        self.floats.drop_chunks(&data.chunks, &data.late);
        if let Some(histograms) = &mut self.histograms {
            histograms.drop_chunks(&data.histograms);
            if histograms.is_empty() {
                self.histograms = None;
            }
        }
    }

    /// What a read of `range` needs, none if nothing lies in it.
    pub fn snapshot(&self, range: &TimeRange) -> Option<HeadSeries> {
        if !self.time_range()?.overlaps(range) {
            return None;
        }
        Some(HeadSeries::of(&self.floats, self.histograms.as_deref(), range))
    }
}
