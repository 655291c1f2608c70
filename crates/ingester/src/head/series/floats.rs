//! Float samples of one series: the open chunk, sealed ones, and what came late.

use super::{Applied, CHUNK_SAMPLES};
use chunk::{OpenChunk, SealedChunk};
use model::{Sample, TimeRange, Timestamp};

/// No chunk lies in two windows, so that a block can take chunks as they are.
#[derive(Default)]
pub struct Floats {
    pub(super) open: OpenChunk,
    /// In time order, before the open chunk.
    pub(super) sealed: Vec<SealedChunk>,
    pub(super) late: Option<Box<Late>>,
}

/// Samples that were not newer than the newest when they came.
#[derive(Default)]
pub struct Late {
    /// In time order.
    pub(super) buffer: Vec<Sample>,
    /// In the order in which they were sealed; they may overlap.
    pub(super) sealed: Vec<SealedChunk>,
}

impl Floats {
    /// Appends a sample that lies in `window`.
    #[inline]
    pub fn append(&mut self, timestamp: Timestamp, value: f64, window: &TimeRange) -> Applied {
        // Late samples are the newest ones where the others have gone into a block.
        if self.late.as_ref().is_some_and(|late| late.reaches(timestamp)) {
            return self.append_late(timestamp, value, window);
        }
        match self.open.last_timestamp() {
            Some(last) if timestamp > last => {
                if self.open.len() >= CHUNK_SAMPLES || last < window.start {
                    self.seal();
                }
            }
            None if self.sealed.last().is_none_or(|c| timestamp > c.max_time()) => {}
            _ => return self.append_late(timestamp, value, window),
        }
        // The open chunk is empty, or its last sample is older and it is far from full.
        let _ = self.open.append(timestamp, value);
        Applied::Stored
    }

    pub fn is_empty(&self) -> bool {
        self.open.is_empty() && self.sealed.is_empty() && self.late.is_none()
    }

    pub fn time_range(&self) -> Option<TimeRange> {
        let sealed = self.sealed.iter().map(SealedChunk::time_range);
        let open = self.open.first_timestamp().zip(self.open.last_timestamp());
        let open = open.map(|(start, end)| TimeRange::new(start, end));
        let late = self.late.iter().flat_map(|late| {
            let ends = late.buffer.first().zip(late.buffer.last());
            let buffer = ends.map(|(a, b)| TimeRange::new(a.timestamp, b.timestamp));
            late.sealed.iter().map(SealedChunk::time_range).chain(buffer)
        });
        sealed.chain(open).chain(late).reduce(|a, b| TimeRange::new(a.start.min(b.start), a.end.max(b.end)))
    }

    /// The value at exactly this time.
    pub fn at(&self, timestamp: Timestamp) -> Option<f64> {
        if self.open.last_timestamp() == Some(timestamp) {
            return self.open.last_value();
        }
        let only = TimeRange::new(timestamp, timestamp);
        let (mut timestamps, mut values) = (Vec::new(), Vec::new());
        if self.open.first_timestamp().is_some_and(|first| first <= timestamp) {
            self.open.decode(only, &mut timestamps, &mut values);
        }
        let late = self.late.as_deref();
        let sealed = self.sealed.iter().rev().chain(late.into_iter().flat_map(|late| &late.sealed));
        for chunk in sealed.filter(|c| c.time_range().contains(timestamp)) {
            if !values.is_empty() {
                break;
            }
            // We sealed it ourselves; a corrupt one holds nothing.
            let _ = chunk.decode(only, &mut timestamps, &mut values);
        }
        let buffer = late.map_or(&[][..], |late| &late.buffer);
        let buffered = buffer.binary_search_by_key(&timestamp, |s| s.timestamp);
        values.first().copied().or_else(|| buffered.ok().map(|at| buffer[at].value))
    }

    #[cold]
    fn append_late(&mut self, timestamp: Timestamp, value: f64, window: &TimeRange) -> Applied {
        if let Some(present) = self.at(timestamp) {
            let same = present.to_bits() == value.to_bits();
            return if same { Applied::Present } else { Applied::Conflict };
        }
        let late = self.late.get_or_insert_default();
        let at = late.buffer.partition_point(|s| s.timestamp < timestamp);
        late.buffer.insert(at, Sample { timestamp, value });
        let inside = late.window(window);
        if inside.len() >= CHUNK_SAMPLES {
            late.seal(inside);
        }
        Applied::Stored
    }

    fn seal(&mut self) {
        self.sealed.extend(self.open.seal());
        self.open = OpenChunk::new();
    }

    pub fn seal_window(&mut self, window: &TimeRange) -> (Vec<SealedChunk>, Vec<SealedChunk>) {
        if self.open.last_timestamp().is_some_and(|last| window.contains(last)) {
            self.seal();
        }
        let of_window = |chunks: &[SealedChunk]| -> Vec<SealedChunk> {
            chunks.iter().filter(|c| window.contains(c.min_time())).cloned().collect()
        };
        let mut of_late = Vec::new();
        if let Some(late) = &mut self.late {
            let inside = late.window(window);
            late.seal(inside);
            of_late = of_window(&late.sealed);
        }
        (of_window(&self.sealed), of_late)
    }

    /// Drops these chunks. Equal bytes are equal samples, so equality is identity enough.
    pub fn drop_chunks(&mut self, chunks: &[SealedChunk], late_chunks: &[SealedChunk]) {
        self.sealed.retain(|c| !chunks.contains(c));
        self.sealed.shrink_to_fit();
        if let Some(late) = &mut self.late {
            late.sealed.retain(|c| !late_chunks.contains(c));
            if late.sealed.is_empty() && late.buffer.is_empty() {
                self.late = None;
            }
        }
    }
}

impl Late {
    /// Whether there is anything at this time or after it.
    fn reaches(&self, timestamp: Timestamp) -> bool {
        self.buffer.last().is_some_and(|s| s.timestamp >= timestamp)
            || self.sealed.iter().any(|c| c.max_time() >= timestamp)
    }

    /// Where the buffered samples of a window lie.
    fn window(&self, window: &TimeRange) -> std::ops::Range<usize> {
        let start = self.buffer.partition_point(|s| s.timestamp < window.start);
        start..self.buffer.partition_point(|s| s.timestamp <= window.end)
    }

    fn seal(&mut self, range: std::ops::Range<usize>) {
        let (timestamps, values): (Vec<_>, Vec<_>) =
            self.buffer.drain(range).map(|s| (s.timestamp, s.value)).unzip();
        self.sealed.extend(SealedChunk::encode(&timestamps, &values));
    }
}
