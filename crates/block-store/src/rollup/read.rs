//! Figures that were read, at the ends of their buckets.

use super::era::ERA;
use model::TimeRange;
use service_api::{Result, SampleBuffer, Series, SeriesData, SeriesSet};
use std::sync::Arc;

/// Series whose samples lie by so much too late.
pub(super) fn unshifted(set: SeriesSet, shift: i64) -> SeriesSet {
    let one = |Series { labels, data }: Series| Series { labels, data: Arc::new(Unshifted { data, shift }) };
    SeriesSet { series: set.series.into_iter().map(one).collect(), warnings: set.warnings }
}

struct Unshifted {
    data: Arc<dyn SeriesData>,
    shift: i64,
}

impl SeriesData for Unshifted {
    fn read(&self, range: TimeRange, out: &mut SampleBuffer) -> Result<()> {
        let before = out.timestamps.len();
        // Of its own era alone, however wide the range is.
        let (start, end) = (range.start.max(0), range.end.min(ERA - 1));
        if start > end {
            return Ok(());
        }
        self.data.read(TimeRange::new(start + self.shift, end + self.shift), out)?;
        out.timestamps[before..].iter_mut().for_each(|time| *time -= self.shift);
        Ok(())
    }
}
