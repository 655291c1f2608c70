//! Custom buckets whose bounds differ, counted by the bounds that both histograms have.

use crate::Buckets;
use crate::compensated::{add_compensated, split};

/// The bounds that are in both of two ascending sequences.
pub(crate) fn common_bounds<'a>(one: &'a [f64], other: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
    let mut other = other.iter().peekable();
    one.iter().copied().filter(move |bound| {
        while other.next_if(|next| *next < bound).is_some() {}
        other.peek().is_some_and(|next| *next == bound)
    })
}

/// Compensated counts of the buckets between `bounds`, which are some of those of the histograms added.
pub(crate) struct Rebinned<'a> {
    bounds: &'a [f64],
    /// Counts and what was lost of them; one more than bounds.
    values: Vec<(f64, f64)>,
}

impl<'a> Rebinned<'a> {
    pub(crate) fn new(bounds: &'a [f64]) -> Self {
        Self { bounds, values: vec![(0.0, 0.0); bounds.len() + 1] }
    }

    /// Adds the counts of buckets that lie between `own` bounds.
    pub(crate) fn add(&mut self, buckets: impl Iterator<Item = (i32, f64)>, own: &[f64]) {
        for (index, count) in buckets {
            let upper = usize::try_from(index).ok().and_then(|index| own.get(index));
            let upper = upper.copied().unwrap_or(f64::INFINITY);
            let target = self.bounds.partition_point(|bound| *bound < upper);
            if let Some((sum, lost)) = self.values.get_mut(target) {
                add_compensated(sum, lost, count);
            }
        }
    }

    /// The buckets that are not empty and what was lost of their counts.
    pub(crate) fn populated(self) -> (Buckets, Vec<f64>) {
        split((0..).zip(self.values).filter(|(_, (count, lost))| *count != 0.0 || *lost != 0.0))
    }
}
