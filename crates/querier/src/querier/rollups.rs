//! Figures of buckets of time, if no recent samples are among those that they would be of.

use super::Both;
use crate::merge;
use model::TimeRange;
use service_api::{
    MetricsReader, ReadContext, Result, RollupRequest, SampleBuffer, SelectRequest, Series, SeriesSet,
};

impl Both {
    pub(super) async fn rollups(
        &self,
        ctx: &ReadContext,
        request: &RollupRequest,
    ) -> Result<Option<Vec<SeriesSet>>> {
        // Whether there are any, which costs a look at a list: most tenants have none.
        let nothing = RollupRequest { aggregates: Vec::new(), ..request.clone() };
        if self.blocks.rollups(ctx, &nothing).await?.is_none() {
            return Ok(None);
        }
        let range = extent(request);
        let matchers = request.matchers.clone();
        let recent = MetricsReader::select(&*self.recent, ctx, &SelectRequest { matchers, range }).await?;
        let SeriesSet { series, warnings } = recent;
        if !series.is_empty() && merge::off_thread(move || have_any(&series, range)).await?? {
            return Ok(None);
        }
        // Heads may have told of a newer list.
        let mut found = self.blocks.rollups(ctx, request).await?;
        for set in found.iter_mut().flatten() {
            merge::add_warnings(&mut set.warnings, warnings.clone());
        }
        Ok(found)
    }
}

/// The times of the samples of which figures are wanted.
fn extent(request: &RollupRequest) -> TimeRange {
    let start = request.ends.start.saturating_sub(request.resolution).saturating_add(1);
    TimeRange::new(start, request.ends.end)
}

fn have_any(series: &[Series], range: TimeRange) -> Result<bool> {
    let mut samples = SampleBuffer::default();
    for one in series {
        samples.clear();
        one.data.read(range, &mut samples)?;
        if !samples.timestamps.is_empty() || !samples.histograms.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests;
