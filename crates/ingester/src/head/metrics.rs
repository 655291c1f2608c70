//! What the head of a tenant's metrics has beside its series, and what is read of it.

use super::{Beside, Exemplars, MetadataStore, MetricHead};
use model::{Matcher, TimeRange};
use parking_lot::{Mutex, RwLock};
use service_api::{ExemplarSeries, LabelQuery, Matching, ReadContext, Result, Series};
use std::sync::Arc;

pub struct BesideSeries {
    pub exemplars: Mutex<Exemplars>,
    pub metadata: RwLock<MetadataStore>,
}

impl BesideSeries {
    pub fn new(max_exemplars: usize, max_metadata: usize) -> Self {
        Self {
            exemplars: Mutex::new(Exemplars::new(max_exemplars)),
            metadata: RwLock::new(MetadataStore::new(max_metadata)),
        }
    }
}

impl Beside for BesideSeries {
    fn forget(&self, references: &[u32]) {
        self.exemplars.lock().forget(references);
    }
}

impl MetricHead {
    /// Series with data in the range, sorted by labels.
    pub fn select(&self, ctx: &ReadContext, matchers: &[Matcher], range: &TimeRange) -> Result<Vec<Series>> {
        let snapshot = |series: &mut super::Series| series.snapshot(range);
        let (found, reservation) =
            self.select_with(ctx, matchers, range, snapshot, super::HeadSeries::heap_bytes)?;
        let reservation = Arc::new(reservation);
        let series = found.into_iter().map(|(labels, mut data)| {
            data.reservation = Some(Arc::clone(&reservation));
            Series { labels, data: Arc::new(data) }
        });
        Ok(series.collect())
    }

    pub fn exemplar_series(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Vec<ExemplarSeries>> {
        let everything = [Vec::new()];
        let sets = if query.matcher_sets.is_empty() { &everything[..] } else { &query.matcher_sets };
        let epoch = self.keys.read().epoch();
        let mut series: Vec<u32> = Vec::new();
        let mut reservation = ctx.budget.reserve(0)?;
        for matchers in sets {
            ctx.check()?;
            let found = self.index.read().select(&mut Matching::new(ctx), matchers)?;
            reservation.grow(size_of_val(&found[..]))?;
            series.extend(found);
        }
        series.sort_unstable();
        series.dedup();
        ctx.check()?;
        let found = self.beside.exemplars.lock().select(&series, &query.range);
        let index = self.index.read();
        let labelled = found.into_iter().filter_map(|(reference, exemplars)| {
            Some(ExemplarSeries { labels: index.labels(reference)?, exemplars })
        });
        let mut labelled: Vec<_> = labelled.collect();
        drop((index, epoch));
        labelled.sort_by(|a, b| a.labels.cmp(&b.labels));
        Ok(labelled)
    }
}
