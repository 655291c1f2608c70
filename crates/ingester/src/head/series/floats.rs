//! Float samples of one series: the open chunk, sealed ones, and what came late.

use super::{Applied, CHUNK_SAMPLES, Late};
use chunk::{OpenChunk, SealedChunk, StartRuns};
use model::{TimeRange, Timestamp};

/// No chunk lies in two windows, so that a block can take chunks as they are.
#[derive(Default)]
pub struct Floats {
    pub(super) open: OpenChunk,
    /// In time order, before the open chunk.
    pub(super) sealed: Vec<SealedChunk>,
    rest: Option<Box<Rest>>,
}

/// What most series have none of.
#[derive(Default)]
struct Rest {
    /// Of the open chunk.
    starts: StartRuns,
    late: Option<Box<Late>>,
}

impl Floats {
    /// Appends a sample that lies in `window`; `start` is 0 if nobody knows when its counting began.
    #[inline]
    pub fn append(
        &mut self,
        timestamp: Timestamp,
        value: f64,
        start: Timestamp,
        window: &TimeRange,
    ) -> Applied {
        // Late samples are the newest ones where the others have gone into a block.
        if self.late().is_some_and(|late| late.reaches(timestamp)) {
            return self.append_late(timestamp, value, start, window);
        }
        match self.open.last_timestamp() {
            Some(last) if timestamp > last => {
                if self.open.len() >= CHUNK_SAMPLES || last < window.start {
                    self.seal();
                }
            }
            None if self.sealed.last().is_none_or(|c| timestamp > c.max_time()) => {}
            _ => return self.append_late(timestamp, value, start, window),
        }
        // The open chunk is empty, or its last sample is older and it is far from full.
        let _ = self.open.append(timestamp, value);
        if start != 0 || self.rest.is_some() {
            self.rest.get_or_insert_default().starts.push(timestamp, start);
        }
        Applied::Stored
    }

    #[inline]
    pub(super) fn late(&self) -> Option<&Late> {
        self.rest.as_ref()?.late.as_deref()
    }

    /// Those of the open chunk, if any is known.
    pub(super) fn open_starts(&self) -> Option<&StartRuns> {
        self.rest.as_ref().map(|rest| &rest.starts).filter(|starts| !starts.is_empty())
    }

    pub fn is_empty(&self) -> bool {
        self.open.is_empty() && self.sealed.is_empty() && self.late().is_none()
    }

    pub fn time_range(&self) -> Option<TimeRange> {
        let sealed = self.sealed.iter().map(SealedChunk::time_range);
        let open = self.open.first_timestamp().zip(self.open.last_timestamp());
        let open = open.map(|(start, end)| TimeRange::new(start, end));
        let late = self.late().into_iter().flat_map(|late| {
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
        let late = self.late();
        let sealed = self.sealed.iter().rev().chain(late.into_iter().flat_map(|late| &late.sealed));
        for chunk in sealed.filter(|c| c.time_range().contains(timestamp)) {
            if !values.is_empty() {
                break;
            }
            // We sealed it ourselves; a corrupt one holds nothing.
            let _ = chunk.decode(only, &mut timestamps, &mut values, &mut Vec::new());
        }
        let buffer = late.map_or(&[][..], |late| &late.buffer);
        let buffered = buffer.binary_search_by_key(&timestamp, |s| s.timestamp);
        values.first().copied().or_else(|| buffered.ok().map(|at| buffer[at].value))
    }

    #[cold]
    fn append_late(
        &mut self,
        timestamp: Timestamp,
        value: f64,
        start: Timestamp,
        window: &TimeRange,
    ) -> Applied {
        if let Some(present) = self.at(timestamp) {
            let same = present.to_bits() == value.to_bits();
            return if same { Applied::Present } else { Applied::Conflict };
        }
        let late = self.rest.get_or_insert_default().late.get_or_insert_default();
        late.insert(timestamp, value, start);
        let inside = late.window(window);
        if inside.len() >= CHUNK_SAMPLES {
            late.seal(inside);
        }
        Applied::Stored
    }

    fn seal(&mut self) {
        let starts =
            self.rest.as_mut().map_or_else(StartRuns::default, |rest| std::mem::take(&mut rest.starts));
        self.sealed.extend(self.open.seal(&starts));
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
        if let Some(late) = self.rest.as_mut().and_then(|rest| rest.late.as_mut()) {
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
        if let Some(rest) = &mut self.rest {
            if let Some(late) = &mut rest.late {
                late.sealed.retain(|c| !late_chunks.contains(c));
            }
            rest.late.take_if(|late| late.is_empty());
        }
        self.rest.take_if(|rest| rest.starts.is_empty() && rest.late.is_none());
    }
}
