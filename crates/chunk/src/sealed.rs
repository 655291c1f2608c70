//! A chunk that is done: its pages of timestamps, values and starts in one allocation.

use crate::{
    Corrupt, MAX_PAGE_SAMPLES, decode_starts, decode_timestamps, decode_values, encode_starts,
    encode_timestamps, encode_values,
};
use model::{TimeRange, Timestamp};
use std::sync::Arc;

/// Samples of one series that do not change any more. Cloning it counts a reference.
#[derive(Clone, Debug, PartialEq)]
pub struct SealedChunk {
    /// The timestamps' page, then the values'. If starts are known, then their page, and its length in 4 bytes.
    data: Arc<[u8]>,
    min_time: Timestamp,
    max_time: Timestamp,
    len: u32,
    /// With `STARTS` if starts are known: a field more would cost eight bytes in each of the many without.
    values_at: u32,
}

const STARTS: u32 = 1 << 31;

impl SealedChunk {
    /// Encodes samples with ascending timestamps. `None` if there are none, more than
    /// `MAX_PAGE_SAMPLES`, or not as many of the one as of the other; of starts there may be none.
    pub fn encode(timestamps: &[Timestamp], values: &[f64], starts: &[Timestamp]) -> Option<Self> {
        let (min_time, max_time) = (*timestamps.first()?, *timestamps.last()?);
        if timestamps.len() != values.len() || timestamps.len() > MAX_PAGE_SAMPLES {
            return None;
        }
        if !starts.is_empty() && starts.len() != timestamps.len() {
            return None;
        }
        let mut data = Vec::with_capacity(64);
        encode_timestamps(timestamps, &mut data);
        let mut values_at = data.len() as u32;
        encode_values(values, &mut data);
        let starts_at = data.len();
        encode_starts(starts, &mut data);
        if data.len() > starts_at {
            let len = (data.len() - starts_at) as u32;
            data.extend_from_slice(&len.to_le_bytes());
            values_at |= STARTS;
        }
        Some(Self { data: data.into(), min_time, max_time, len: timestamps.len() as u32, values_at })
    }

    #[allow(clippy::len_without_is_empty, reason = "there are no empty ones")]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    pub fn min_time(&self) -> Timestamp {
        self.min_time
    }

    pub fn max_time(&self) -> Timestamp {
        self.max_time
    }

    pub fn time_range(&self) -> TimeRange {
        TimeRange::new(self.min_time, self.max_time)
    }

    /// Bytes this chunk holds on the heap, if nobody shares them.
    pub fn heap_bytes(&self) -> usize {
        self.data.len() + 2 * size_of::<usize>()
    }

    /// The page of timestamps, that of values, and that of starts, which is empty if none is known.
    pub fn pages(&self) -> (&[u8], &[u8], &[u8]) {
        let (times, rest) = self.data.split_at((self.values_at & !STARTS) as usize);
        match rest.split_last_chunk() {
            Some((rest, len)) if self.values_at & STARTS != 0 => {
                let (values, starts) = rest.split_at(rest.len() - u32::from_le_bytes(*len) as usize);
                (times, values, starts)
            }
            _ => (times, rest, &[]),
        }
    }

    /// Appends the samples in `range` to the vectors, that of the starts as `model::pad_starts` does.
    pub fn decode(
        &self,
        range: TimeRange,
        timestamps: &mut Vec<Timestamp>,
        values: &mut Vec<f64>,
        starts: &mut Vec<Timestamp>,
    ) -> Result<(), Corrupt> {
        if range.is_empty() || !range.overlaps(&self.time_range()) {
            return Ok(());
        }
        let (times_page, values_page, starts_page) = self.pages();
        let (first_time, first_value) = (timestamps.len(), values.len());
        decode_timestamps(times_page, self.len(), timestamps)?;
        decode_values(values_page, self.len(), values)?;
        decode_starts(starts_page, self.len(), first_time, starts)?;
        if range.start > self.min_time || range.end < self.max_time {
            let from = timestamps[first_time..].partition_point(|t| *t < range.start);
            let to = timestamps[first_time..].partition_point(|t| *t <= range.end);
            keep(timestamps, first_time, from, to);
            keep(values, first_value, from, to);
            if !starts.is_empty() {
                keep(starts, first_time, from, to);
            }
        }
        Ok(())
    }
}

/// Of what lies behind `start`, keeps what lies between `from` and `to`.
fn keep<T>(vec: &mut Vec<T>, start: usize, from: usize, to: usize) {
    vec.truncate(start + to);
    vec.drain(start..start + from);
}
