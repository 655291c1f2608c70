//! Decodes chunks that may overlap into samples in time order.

use chunk::{Corrupt, decode_histograms, decode_starts, decode_timestamps, decode_values};
use model::{TimeRange, split_starts};
use service_api::{EncodedChunk, SampleBuffer};

/// Appends to a buffer the entries of chunks that lie in a range. Of entries with one timestamp
/// the one of the earlier chunk stays.
pub struct Decoder<'a> {
    range: TimeRange,
    out: &'a mut SampleBuffer,
    /// Where our entries begin in the buffer.
    floats: usize,
    histograms: usize,
    floats_in_order: bool,
    histograms_in_order: bool,
}

impl<'a> Decoder<'a> {
    pub fn new(range: TimeRange, out: &'a mut SampleBuffer) -> Self {
        let (floats, histograms) = (out.timestamps.len(), out.histograms.len());
        Self { range, out, floats, histograms, floats_in_order: true, histograms_in_order: true }
    }

    pub fn add(&mut self, chunk: EncodedChunk<'_>) -> Result<(), Corrupt> {
        if self.range.is_empty() || !chunk.range().overlaps(&self.range) {
            return Ok(());
        }
        match chunk {
            EncodedChunk::Floats { count, timestamps, values, starts, .. } => {
                self.floats(count as usize, timestamps, values, starts)
            }
            EncodedChunk::Histograms { count, data, starts, .. } => {
                self.histograms(count as usize, data, starts)
            }
        }
    }

    fn floats(&mut self, count: usize, times: &[u8], values: &[u8], starts: &[u8]) -> Result<(), Corrupt> {
        let (timestamps, start) = (&mut self.out.timestamps, self.out.values.len());
        decode_timestamps(times, count, timestamps)?;
        decode_values(values, count, &mut self.out.values)?;
        if timestamps.len() != self.out.values.len() {
            return Err(Corrupt("not as many timestamps as values"));
        }
        let known = &mut self.out.starts.floats;
        decode_starts(starts, count, start, known)?;
        let (from, to) = within(&timestamps[start..], |t| *t, self.range)?;
        for_range(timestamps, start, from, to);
        for_range(&mut self.out.values, start, from, to);
        if !known.is_empty() {
            for_range(known, start, from, to);
        }
        self.floats_in_order &= start == self.floats || follows(timestamps, start, |t| *t);
        Ok(())
    }

    fn histograms(&mut self, count: usize, data: &[u8], starts: &[u8]) -> Result<(), Corrupt> {
        let (histograms, known) = (&mut self.out.histograms, &mut self.out.starts.histograms);
        let start = histograms.len();
        decode_histograms(data, count, histograms)?;
        decode_starts(starts, count, start, known)?;
        let (from, to) = within(&histograms[start..], |h| h.timestamp, self.range)?;
        for_range(histograms, start, from, to);
        if !known.is_empty() {
            for_range(known, start, from, to);
        }
        self.histograms_in_order &= start == self.histograms || follows(histograms, start, |h| h.timestamp);
        Ok(())
    }

    /// Puts in order what came out of it.
    pub fn finish(self) {
        let SampleBuffer { timestamps, values, histograms, starts } = self.out;
        if !self.floats_in_order {
            let starts_of = split_starts(&mut starts.floats, self.floats);
            let (times, values_of) = (timestamps.drain(self.floats..), values.drain(self.floats..));
            let samples = times.zip(values_of).enumerate();
            let mut samples: Vec<_> = samples.map(|(at, (t, v))| (t, v, starts_of.get(at))).collect();
            // Stable, so that of one time the earlier chunk's comes first.
            samples.sort_by_key(|(t, ..)| *t);
            samples.dedup_by_key(|(t, ..)| *t);
            timestamps.extend(samples.iter().map(|(t, ..)| *t));
            values.extend(samples.iter().map(|(_, v, _)| *v));
            starts.floats.extend(samples.iter().filter_map(|(.., start)| *start));
        }
        if !self.histograms_in_order {
            let starts_of = split_starts(&mut starts.histograms, self.histograms);
            let samples = histograms.split_off(self.histograms).into_iter().enumerate();
            let mut samples: Vec<_> = samples.map(|(at, sample)| (sample, starts_of.get(at))).collect();
            samples.sort_by_key(|(sample, _)| sample.timestamp);
            samples.dedup_by_key(|(sample, _)| sample.timestamp);
            for (sample, start) in samples {
                histograms.push(sample);
                starts.histograms.extend(start);
            }
        }
    }
}

/// Where in `entries`, which must ascend, the range begins and ends.
fn within<T>(entries: &[T], time: impl Fn(&T) -> i64, range: TimeRange) -> Result<(usize, usize), Corrupt> {
    if !entries.is_sorted_by(|a, b| time(a) < time(b)) {
        return Err(Corrupt("times out of order"));
    }
    let from = entries.partition_point(|entry| time(entry) < range.start);
    Ok((from, entries.partition_point(|entry| time(entry) <= range.end)))
}

/// Of what lies behind `start`, keeps what lies between `from` and `to`.
fn for_range<T>(entries: &mut Vec<T>, start: usize, from: usize, to: usize) {
    entries.truncate(start + to);
    entries.drain(start..start + from);
}

/// Whether what begins at `start` is newer than what is before it.
fn follows<T>(entries: &[T], start: usize, time: impl Fn(&T) -> i64) -> bool {
    entries.get(start).is_none_or(|first| time(&entries[start - 1]) < time(first))
}
