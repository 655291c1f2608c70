//! Reading a head: selected series, and the names and values of labels.

use super::{Epoch, Head, HeadSeries};
use model::{Labels, Matcher, TimeRange};
use service_api::{Error, ExemplarSeries, LabelQuery, ReadContext, Result, Series};
use std::{collections::BTreeSet, sync::Arc};

/// Series looked at between two checks of the query's context.
const BATCH: usize = 512;

/// Selected references, which stay valid while this is held.
struct Selected {
    series: Vec<u32>,
    _epoch: Epoch,
}

impl Head {
    fn select_refs(&self, matchers: &[Matcher]) -> Selected {
        let epoch = self.keys.read().epoch();
        Selected { series: self.index.read().select(matchers), _epoch: epoch }
    }

    /// Series with data in the range, sorted by labels.
    pub fn select(
        &self,
        ctx: &ReadContext,
        matchers: &[Matcher],
        range: &TimeRange,
        max: u64,
    ) -> Result<Vec<Series>> {
        if !self.time_range().overlaps(range) {
            return Ok(Vec::new());
        }
        let selected = self.select_refs(matchers);
        let mut found: Vec<(Labels, HeadSeries)> = Vec::new();
        let mut reservation = ctx.budget.reserve(0)?;
        for batch in selected.series.chunks(BATCH) {
            ctx.check()?;
            let index = self.index.read();
            let before = found.len();
            for &series in batch {
                let Some(Some(data)) = self.slab.with(series, |s| s.snapshot(range)) else { continue };
                let Some(labels) = index.labels(series) else { continue };
                found.push((labels, data));
            }
            drop(index);
            if max > 0 && found.len() as u64 > max {
                return Err(too_many(max));
            }
            let bytes = found[before..].iter().map(|(labels, data)| labels.heap_bytes() + data.heap_bytes());
            reservation.grow(bytes.sum())?;
        }
        drop(selected);
        found.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let reservation = Arc::new(reservation);
        let series = found.into_iter().map(|(labels, mut data)| {
            data.reservation = Some(Arc::clone(&reservation));
            Series { labels, data: Arc::new(data) }
        });
        Ok(series.collect())
    }

    /// Visits the labels of each series that the query wants; some may come twice.
    fn each_labels(&self, ctx: &ReadContext, query: &LabelQuery, mut each: impl FnMut(Labels)) -> Result<()> {
        let everything = [Vec::new()];
        let sets = if query.matcher_sets.is_empty() { &everything[..] } else { &query.matcher_sets };
        if !self.time_range().overlaps(&query.range) {
            return Ok(());
        }
        for matchers in sets {
            let selected = self.select_refs(matchers);
            for batch in selected.series.chunks(BATCH) {
                ctx.check()?;
                let index = self.index.read();
                for &series in batch {
                    let range = self.slab.with(series, |s| s.time_range()).flatten();
                    if range.is_some_and(|range| range.overlaps(&query.range)) {
                        index.labels(series).into_iter().for_each(&mut each);
                    }
                }
            }
        }
        Ok(())
    }

    pub fn series(&self, ctx: &ReadContext, query: &LabelQuery, max: u64) -> Result<Vec<Labels>> {
        let mut reservation = ctx.budget.reserve(0)?;
        let (mut found, mut over) = (Vec::new(), Ok(()));
        self.each_labels(ctx, query, |labels| {
            if over.is_ok() {
                over = reservation.grow(labels.heap_bytes());
                found.push(labels);
            }
        })?;
        over?;
        found.sort_unstable();
        found.dedup();
        if max > 0 && found.len() as u64 > max {
            return Err(too_many(max));
        }
        Ok(found)
    }

    pub fn label_names(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Vec<String>> {
        let mut names = BTreeSet::new();
        if query.matcher_sets.is_empty() {
            if self.time_range().overlaps(&query.range) {
                names.extend(self.index.read().names().map(str::to_owned));
            }
        } else {
            self.each_labels(ctx, query, |labels| {
                for (name, _) in labels.iter() {
                    if !names.contains(name) {
                        names.insert(name.to_owned());
                    }
                }
            })?;
        }
        Ok(names.into_iter().collect())
    }

    pub fn label_values(&self, ctx: &ReadContext, name: &str, query: &LabelQuery) -> Result<Vec<String>> {
        let mut values = BTreeSet::new();
        if query.matcher_sets.is_empty() {
            if self.time_range().overlaps(&query.range) {
                values.extend(self.index.read().values(name).map(str::to_owned));
            }
        } else {
            self.each_labels(ctx, query, |labels| {
                if let Some(value) = labels.get(name)
                    && !values.contains(value)
                {
                    values.insert(value.to_owned());
                }
            })?;
        }
        Ok(values.into_iter().collect())
    }

    pub fn exemplar_series(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Vec<ExemplarSeries>> {
        let everything = [Vec::new()];
        let sets = if query.matcher_sets.is_empty() { &everything[..] } else { &query.matcher_sets };
        let epoch = self.keys.read().epoch();
        let index = self.index.read();
        let mut series: Vec<u32> = sets.iter().flat_map(|matchers| index.select(matchers)).collect();
        drop(index);
        series.sort_unstable();
        series.dedup();
        ctx.check()?;
        let found = self.exemplars.lock().select(&series, &query.range);
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

fn too_many(max: u64) -> Error {
    Error::unprocessable(format!("the query selects more series than limits.max_query_series allows ({max})"))
}
