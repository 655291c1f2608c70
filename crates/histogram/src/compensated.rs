//! Histograms added up with Kahan's summation, in Neumaier's form, for each of their numbers.

use crate::custom::{Rebinned, common_bounds};
use crate::side::{Layout, merged, reduced};
use crate::{Buckets, Combined, FloatHistogram, Incompatible};
use std::sync::Arc;

/// A running total and what the additions lost of it.
#[derive(Clone, Debug)]
pub(crate) struct Compensated {
    pub(crate) total: FloatHistogram,
    /// None until something is added.
    lost: Option<Compensation>,
}

/// What additions lost of the numbers of a histogram, bucket by bucket.
#[derive(Clone, Debug, Default)]
pub(crate) struct Compensation {
    pub(crate) zero_count: f64,
    count: f64,
    sum: f64,
    pub(crate) positive: Vec<f64>,
    pub(crate) negative: Vec<f64>,
}

impl Compensated {
    pub(crate) fn of(first: FloatHistogram) -> Self {
        Self { total: first, lost: None }
    }

    /// Adds as `FloatHistogram::add` does.
    pub(crate) fn add(&mut self, other: &FloatHistogram) -> Result<Combined, Incompatible> {
        let total = &mut self.total;
        total.check_compatible(other)?;
        let counter_reset_collision = total.combine_hint(other.counter_reset_hint);
        let lost = self.lost.get_or_insert_with(|| Compensation {
            positive: vec![0.0; total.positive.counts.len()],
            negative: vec![0.0; total.negative.counts.len()],
            ..Compensation::default()
        });
        let zero = total.reconcile_zero_buckets(other, lost);
        add_compensated(&mut total.zero_count, &mut lost.zero_count, zero.count);
        add_compensated(&mut total.zero_count, &mut lost.zero_count, zero.lost);
        add_compensated(&mut total.count, &mut lost.count, other.count);
        add_compensated(&mut total.sum, &mut lost.sum, other.sum);
        let bounds_reconciled = total.bounds_differ(other);
        if bounds_reconciled {
            let bounds = common_bounds(&total.custom_values, &other.custom_values).collect::<Arc<[f64]>>();
            let mut buckets = Rebinned::new(&bounds);
            let mine = with_lost(&total.positive, &lost.positive)
                .flat_map(|(index, (count, lost))| [(index, count), (index, lost)]);
            buckets.add(mine, &total.custom_values);
            buckets.add(other.positive.ascending(), &other.custom_values);
            (total.positive, lost.positive) = buckets.populated();
            total.custom_values = bounds;
        } else {
            let coarser = total.schema.min(other.schema);
            let (mine_by, theirs_by) = (total.schema.abs_diff(coarser), other.schema.abs_diff(coarser));
            total.schema = coarser;
            let covered = total.covered_by_zero();
            let positive = (&mut total.positive, &mut lost.positive, &other.positive);
            let negative = (&mut total.negative, &mut lost.negative, &other.negative);
            for (mine, lost, theirs) in [positive, negative] {
                if mine_by > 0 {
                    (*mine, *lost) = split(reduced(with_lost(mine, lost), mine_by, add_both));
                }
                add_side(mine, lost, theirs, theirs_by, covered);
            }
        }
        Ok(Combined { counter_reset_collision, bounds_reconciled })
    }

    pub(crate) fn scale(&mut self, factor: f64) {
        self.total.scale(factor);
        self.lost.iter_mut().for_each(|lost| lost.change(|value| value * factor));
    }

    /// Divides by what is not zero.
    pub(crate) fn divide(&mut self, by: f64) {
        self.total.divide(by);
        self.lost.iter_mut().for_each(|lost| lost.change(|value| value / by));
    }

    /// The total with what was lost put back; not compacted.
    pub(crate) fn finish(self) -> FloatHistogram {
        let Self { mut total, lost: Some(lost) } = self else { return self.total };
        total.zero_count += lost.zero_count;
        total.count += lost.count;
        total.sum += lost.sum;
        let covered = total.covered_by_zero();
        for (side, lost) in [(&mut total.positive, lost.positive), (&mut total.negative, lost.negative)] {
            let skipped = side.ascending().take_while(|(index, _)| covered(*index)).count();
            side.counts.iter_mut().zip(lost).skip(skipped).for_each(|(count, lost)| *count += lost);
        }
        total
    }
}

impl Compensation {
    fn change(&mut self, new: impl Fn(f64) -> f64) {
        let totals = [&mut self.zero_count, &mut self.count, &mut self.sum];
        let counts = self.positive.iter_mut().chain(&mut self.negative);
        counts.chain(totals).for_each(|value| *value = new(*value));
    }
}

fn add_side(
    mine: &mut Buckets,
    lost: &mut Vec<f64>,
    theirs: &Buckets,
    reduce_by: u32,
    covered: impl Fn(i32) -> bool,
) {
    if reduce_by == 0 && mine.has_layout_of(theirs) && !mine.indexes().next().is_some_and(&covered) {
        let mine = mine.counts.iter_mut().zip(lost);
        mine.zip(&theirs.counts).for_each(|((sum, lost), count)| add_compensated(sum, lost, *count));
        return;
    }
    if theirs.counts.is_empty() {
        return;
    }
    let theirs = theirs.ascending().map(|(index, count)| (index, (count, 0.0)));
    let added = reduced(theirs, reduce_by, add_both).skip_while(|(index, _)| covered(*index));
    let sums = merged(with_lost(mine, lost), added).map(|(index, sum, added)| match (sum, added) {
        (Some(mut sum), Some(added)) => {
            add_compensated(&mut sum.0, &mut sum.1, added.0);
            if added.1 != 0.0 {
                add_compensated(&mut sum.0, &mut sum.1, added.1);
            }
            (index, sum)
        }
        (sum, added) => (index, sum.or(added).unwrap_or_default()),
    });
    (*mine, *lost) = split(sums);
}

/// Buckets together with what was lost of them; nothing where `lost` is too short.
pub(crate) fn with_lost<'a>(
    side: &'a Buckets,
    lost: &'a [f64],
) -> impl Iterator<Item = (i32, (f64, f64))> + 'a {
    let lost = lost.iter().copied().chain(std::iter::repeat(0.0));
    side.ascending().zip(lost).map(|((index, count), lost)| (index, (count, lost)))
}

/// Ascending buckets, and apart from them what was lost of them.
pub(crate) fn split(buckets: impl Iterator<Item = (i32, (f64, f64))>) -> (Buckets, Vec<f64>) {
    let mut layout = Layout::default();
    let (counts, lost) = buckets
        .map(|(index, value)| {
            layout.push(index);
            value
        })
        .unzip();
    (Buckets { spans: layout.spans, counts }, lost)
}

fn add_both(sum: &mut (f64, f64), (count, lost): (f64, f64)) {
    add_compensated(&mut sum.0, &mut sum.1, count);
    add_compensated(&mut sum.0, &mut sum.1, lost);
}

/// Adds `value` to `sum`, and what the addition loses to `lost`.
#[inline]
pub(crate) fn add_compensated(sum: &mut f64, lost: &mut f64, value: f64) {
    let total = *sum + value;
    if total.is_infinite() {
        *lost = 0.0;
    } else if sum.abs() >= value.abs() {
        *lost += (*sum - total) + value;
    } else {
        *lost += (value - total) + *sum;
    }
    *sum = total;
}
