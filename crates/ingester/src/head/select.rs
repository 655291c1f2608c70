//! Reading a head: selected series, and the names and values of labels.

use super::{Epoch, Head, Slot};
use model::{Labels, Matcher, TimeRange};
use service_api::{LabelQuery, Matching, ReadContext, Reservation, Result};
use std::collections::BTreeSet;

/// Series looked at between two checks of the query's context.
const BATCH: usize = 512;

/// Selected references, which stay valid while this is held.
struct Selected {
    series: Vec<u32>,
    _epoch: Epoch,
}

impl<S: Slot> Head<S> {
    fn select_refs(&self, ctx: &ReadContext, matchers: &[Matcher]) -> Result<Selected> {
        let epoch = self.keys.read().epoch();
        let series = self.index.read().select(&mut Matching::new(ctx), matchers)?;
        Ok(Selected { series, _epoch: epoch })
    }

    /// What `snapshot` takes of the series that match, sorted by labels, and what it holds of the
    /// query's memory: `bytes` says how much one takes.
    pub fn select_with<T>(
        &self,
        ctx: &ReadContext,
        matchers: &[Matcher],
        range: &TimeRange,
        mut snapshot: impl FnMut(&mut S) -> Option<T>,
        bytes: impl Fn(&T) -> usize,
    ) -> Result<(Vec<(Labels, T)>, Reservation)> {
        let mut found: Vec<(Labels, T)> = Vec::new();
        let mut reservation = ctx.budget.reserve(0)?;
        if !self.time_range().overlaps(range) {
            return Ok((found, reservation));
        }
        let selected = self.select_refs(ctx, matchers)?;
        for batch in selected.series.chunks(BATCH) {
            ctx.check()?;
            let index = self.index.read();
            let before = found.len();
            for &series in batch {
                let Some(Some(data)) = self.slab.with(series, &mut snapshot) else { continue };
                let Some(labels) = index.labels(series) else { continue };
                found.push((labels, data));
            }
            drop(index);
            ctx.check_count(S::SIGNAL, found.len())?;
            reservation
                .grow(found[before..].iter().map(|(labels, data)| labels.heap_bytes() + bytes(data)).sum())?;
        }
        drop(selected);
        found.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        Ok((found, reservation))
    }

    /// Visits the labels of each series that the query wants; some may come twice.
    fn each_labels(&self, ctx: &ReadContext, query: &LabelQuery, mut each: impl FnMut(Labels)) -> Result<()> {
        let everything = [Vec::new()];
        let sets = if query.matcher_sets.is_empty() { &everything[..] } else { &query.matcher_sets };
        if !self.time_range().overlaps(&query.range) {
            return Ok(());
        }
        for matchers in sets {
            ctx.check()?;
            let selected = self.select_refs(ctx, matchers)?;
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

    pub fn series(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Vec<Labels>> {
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
        ctx.check_count(S::SIGNAL, found.len())?;
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
}
