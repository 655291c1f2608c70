//! Histograms added to and subtracted from each other.

use crate::compensated::Compensation;
use crate::custom::{Rebinned, common_bounds};
use crate::side::{merged, reduced};
use crate::{Buckets, CounterResetHint, FloatHistogram, bounds};
use std::sync::Arc;

/// What had to be put right when two histograms were combined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Combined {
    /// One said that its counter was reset, the other that it was not.
    pub counter_reset_collision: bool,
    /// Custom bounds differed; the result has only those that both have.
    pub bounds_reconciled: bool,
}

/// One of two histograms has exponential buckets, the other custom ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot apply this operation on histograms with a mix of exponential and custom bucket schemas")]
pub struct Incompatible;

impl FloatHistogram {
    /// Adds counts and sum of `other`. The result has the lower resolution of both, the larger zero bucket
    /// and the custom bounds that both have. Empty buckets stay; see `compact`.
    pub fn add(&mut self, other: &Self) -> Result<Combined, Incompatible> {
        self.combine(other, |a, b| a + b)
    }

    /// Subtracts counts and sum of `other`, as `add` adds them. That the difference is a gauge is for the
    /// caller to say: the hint is combined as in `add`.
    pub fn sub(&mut self, other: &Self) -> Result<Combined, Incompatible> {
        self.combine(other, |a, b| a - b)
    }

    fn combine(
        &mut self,
        other: &Self,
        with: impl Fn(f64, f64) -> f64 + Copy,
    ) -> Result<Combined, Incompatible> {
        self.check_compatible(other)?;
        let counter_reset_collision = self.combine_hint(other.counter_reset_hint);
        let zero_count = self.reconcile_zero_buckets(other, &mut Compensation::default()).count;
        self.zero_count = with(self.zero_count, zero_count);
        self.count = with(self.count, other.count);
        self.sum = with(self.sum, other.sum);
        let bounds_reconciled = self.bounds_differ(other);
        if bounds_reconciled {
            let bounds = common_bounds(&self.custom_values, &other.custom_values).collect::<Arc<[f64]>>();
            let mut buckets = Rebinned::new(&bounds);
            let theirs = other.positive.ascending().map(|(index, count)| (index, with(0.0, count)));
            buckets.add(self.positive.ascending(), &self.custom_values);
            buckets.add(theirs, &other.custom_values);
            (self.positive, _) = buckets.populated();
            self.custom_values = bounds;
        } else {
            let coarser = other.schema.min(self.schema);
            self.reduce_resolution(coarser);
            let by = other.schema.abs_diff(coarser);
            let covered = self.covered_by_zero();
            combine_side(&mut self.positive, &other.positive, by, covered, with);
            combine_side(&mut self.negative, &other.negative, by, covered, with);
        }
        Ok(Combined { counter_reset_collision, bounds_reconciled })
    }

    pub(crate) fn check_compatible(&self, other: &Self) -> Result<(), Incompatible> {
        if self.uses_custom_buckets() == other.uses_custom_buckets() { Ok(()) } else { Err(Incompatible) }
    }

    pub(crate) fn bounds_differ(&self, other: &Self) -> bool {
        self.uses_custom_buckets()
            && !Arc::ptr_eq(&self.custom_values, &other.custom_values)
            && self.custom_values != other.custom_values
    }

    /// Tells of buckets that lie within the zero bucket. What `other` has there is not added: if its zero
    /// bucket had to grow, that is in its zero count now.
    pub(crate) fn covered_by_zero(&self) -> impl Fn(i32) -> bool + Copy + use<> {
        let (schema, threshold) = (self.schema, self.zero_threshold);
        let exponential = !self.uses_custom_buckets();
        move |index| exponential && bounds::exponential(index, schema) <= threshold
    }

    /// A gauge with anything is a gauge; otherwise hints that differ make one that is unknown. True if one
    /// says reset and the other says not.
    pub(crate) fn combine_hint(&mut self, other: CounterResetHint) -> bool {
        use CounterResetHint::{Gauge, Unknown};
        let mine = self.counter_reset_hint;
        if mine == other {
            return false;
        }
        let gauge = mine == Gauge || other == Gauge;
        self.counter_reset_hint = if gauge { Gauge } else { Unknown };
        !gauge && mine != Unknown && other != Unknown
    }
}

fn combine_side(
    mine: &mut Buckets,
    theirs: &Buckets,
    reduce_by: u32,
    covered: impl Fn(i32) -> bool,
    with: impl Fn(f64, f64) -> f64,
) {
    if reduce_by == 0 && mine.has_layout_of(theirs) && !mine.indexes().next().is_some_and(&covered) {
        mine.counts.iter_mut().zip(&theirs.counts).for_each(|(a, b)| *a = with(*a, *b));
        return;
    }
    if theirs.counts.is_empty() {
        return;
    }
    let added = reduced(theirs.ascending(), reduce_by, |sum, count| *sum += count)
        .skip_while(|(index, _)| covered(*index));
    let sums = merged(mine.ascending(), added).map(|(index, a, b)| {
        let a = a.unwrap_or(0.0);
        (index, b.map_or(a, |b| with(a, b)))
    });
    *mine = sums.collect();
}

impl Buckets {
    pub(crate) fn has_layout_of(&self, other: &Self) -> bool {
        self.spans == other.spans && self.counts.len() == other.counts.len()
    }
}

#[cfg(test)]
mod tests;
