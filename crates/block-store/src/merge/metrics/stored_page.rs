//! A page of an input as it was stored, and what it holds.

use chunk::{Corrupt, decode_histograms, decode_starts, decode_timestamps, decode_values};
use model::{HistogramSample, TimeRange, Timestamp};
use service_api::SampleBuffer;
use std::ops::Range;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Float,
    Histogram,
}

/// Its bytes are among those of all pages of its series.
#[derive(Clone, Debug)]
pub struct StoredPage {
    /// The number of the input: the lower it is, the more its entries count.
    pub input: usize,
    pub kind: Kind,
    pub count: u32,
    pub range: TimeRange,
    pub values: Range<usize>,
    /// The vector of timestamps; nothing for histograms, which have their own.
    pub times: Range<usize>,
    /// The vector of starts, nothing if none is known, with its first number and its last.
    pub starts: Range<usize>,
    pub starts_range: TimeRange,
    /// Whether some of its entries may have to be left out.
    pub is_cut: bool,
}

impl StoredPage {
    /// Appends what the page holds. `bytes`: of all pages.
    pub fn decode(&self, bytes: &[u8], out: &mut SampleBuffer) -> Result<(), Corrupt> {
        match self.kind {
            Kind::Float => {
                let before = out.timestamps.len();
                self.decode_times(bytes, &mut out.timestamps)?;
                self.decode_values(bytes, &mut out.values)?;
                self.decode_starts(bytes, before, &mut out.starts.floats)
            }
            Kind::Histogram => {
                let before = out.histograms.len();
                self.decode_histograms(bytes, &mut out.histograms)?;
                self.decode_starts(bytes, before, &mut out.starts.histograms)
            }
        }
    }

    /// Appends the vector of timestamps.
    pub fn decode_times(&self, bytes: &[u8], out: &mut Vec<Timestamp>) -> Result<(), Corrupt> {
        let before = out.len();
        decode_timestamps(&bytes[self.times.clone()], self.count as usize, out)?;
        self.check_times(out[before..].iter().copied())
    }

    pub fn decode_values(&self, bytes: &[u8], out: &mut Vec<f64>) -> Result<(), Corrupt> {
        decode_values(&bytes[self.values.clone()], self.count as usize, out)
    }

    pub fn decode_histograms(&self, bytes: &[u8], out: &mut Vec<HistogramSample>) -> Result<(), Corrupt> {
        let before = out.len();
        decode_histograms(&bytes[self.values.clone()], self.count as usize, out)?;
        self.check_times(out[before..].iter().map(|sample| sample.timestamp))
    }

    /// Appends the vector of starts behind those of `before` entries.
    pub fn decode_starts(
        &self,
        bytes: &[u8],
        before: usize,
        out: &mut Vec<Timestamp>,
    ) -> Result<(), Corrupt> {
        decode_starts(&bytes[self.starts.clone()], self.count as usize, before, out)?;
        let found = (out.get(before).copied(), out.last().copied());
        let said = (Some(self.starts_range.start), Some(self.starts_range.end));
        if self.starts.is_empty() || found == said { Ok(()) } else { Err(Corrupt("other starts than said")) }
    }

    fn check_times(&self, times: impl Iterator<Item = Timestamp> + Clone) -> Result<(), Corrupt> {
        let ascending = times.clone().zip(times.clone().skip(1)).all(|(one, next)| one < next);
        let ends = (times.clone().next(), times.last());
        if ascending && ends == (Some(self.range.start), Some(self.range.end)) {
            Ok(())
        } else {
            Err(Corrupt("other timestamps than said, or out of order"))
        }
    }
}
