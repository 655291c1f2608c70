//! What is not to be seen of the answers of a source.

use super::lines;
use crate::merge;
use model::{Labels, TimeRange};
use service_api::{
    Cut, ExemplarSeries, MemoryBudget, Omit, ReadContext, Reservation, Result, SampleBuffer, Series,
    SeriesData, SeriesSet, StreamSet,
};
use std::sync::Arc;

#[derive(Clone)]
pub(crate) struct Hidden {
    omit: Arc<dyn Omit>,
    /// All that the source has is of these times: a series of which they are cut out is not there.
    within: TimeRange,
}

impl Hidden {
    pub fn new(omit: Arc<dyn Omit>, within: TimeRange) -> Self {
        Self { omit, within }
    }

    fn clamp(&self, range: TimeRange) -> TimeRange {
        TimeRange::new(range.start.max(self.within.start), range.end.min(self.within.end))
    }

    /// Of label sets that were found in a range.
    pub async fn label_sets(&self, mut sets: Vec<Labels>, range: TimeRange) -> Result<Vec<Labels>> {
        let (omit, range) = (Arc::clone(&self.omit), self.clamp(range));
        merge::near(sets.len(), move || {
            sets.retain(|labels| !omit.of(labels).covers(range));
            sets
        })
        .await
    }

    /// Of series that were selected for a range. Those of which nothing is cut out of it stay encoded.
    pub async fn series(&self, ctx: &ReadContext, set: SeriesSet, range: TimeRange) -> Result<SeriesSet> {
        let (omit, range, budget) = (Arc::clone(&self.omit), self.clamp(range), Arc::clone(&ctx.budget));
        merge::near(set.series.len(), move || {
            let cut = |series| cut_series(&budget, &*omit, series, range).transpose();
            let series = set.series.into_iter().filter_map(cut).collect::<Result<_>>()?;
            Ok(SeriesSet { series, warnings: set.warnings })
        })
        .await?
    }

    pub async fn exemplars(&self, mut all: Vec<ExemplarSeries>) -> Result<Vec<ExemplarSeries>> {
        let omit = Arc::clone(&self.omit);
        merge::near(all.len(), move || {
            for ExemplarSeries { labels, exemplars } in &mut all {
                let cut = omit.of(labels);
                exemplars.retain(|e| !cut.covers(TimeRange::new(e.timestamp, e.timestamp)));
            }
            all.retain(|series| !series.exemplars.is_empty());
            all
        })
        .await
    }

    pub async fn streams(&self, ctx: &ReadContext, mut set: StreamSet) -> Result<StreamSet> {
        let (omit, budget) = (Arc::clone(&self.omit), Arc::clone(&ctx.budget));
        merge::near(set.streams.len(), move || lines::cut_streams(&budget, &*omit, &mut set).map(|()| set))
            .await?
    }
}

/// None if nothing of it is to be seen.
fn cut_series(
    budget: &Arc<MemoryBudget>,
    omit: &dyn Omit,
    Series { labels, data }: Series,
    range: TimeRange,
) -> Result<Option<Series>> {
    let cut = omit.of(&labels);
    if cut.covers(range) {
        return Ok(None);
    }
    if !cut.touches(range) {
        return Ok(Some(Series { labels, data }));
    }
    let _held = budget.reserve(size_of::<CutSeries>() + cut.heap_bytes())?;
    Ok(Some(Series { labels, data: Arc::new(CutSeries { data, cut, _held }) }))
}

/// A series that has to be decoded, as some of its entries are not to be seen.
struct CutSeries {
    data: Arc<dyn SeriesData>,
    cut: Cut,
    _held: Reservation,
}

impl SeriesData for CutSeries {
    fn read(&self, range: TimeRange, out: &mut SampleBuffer) -> Result<()> {
        let before = (out.timestamps.len(), out.histograms.len());
        self.data.read(range, out)?;
        self.cut.take_out(out, before);
        Ok(())
    }
}
