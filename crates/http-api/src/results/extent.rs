//! One kept result: values of steps that lie side by side, and the state of the data that they are of.

use model::Timestamp;
use service_api::{DataVersion, ListedBlock, ListedDeletion, ReadContext, Result};
use std::cmp::Ordering;
use vectors::{Reach, Row, Rows, Steps, absent, has_values, row_bytes};

pub struct Extent {
    steps: Steps,
    /// Sorted by labels, each set once.
    rows: Vec<Row>,
    pub version: DataVersion,
    bytes: usize,
}

/// About what an ingester takes in a version, its name included.
const HEAD_BYTES: usize = 128;

impl Extent {
    pub fn new(steps: Steps, rows: Vec<Row>, version: DataVersion) -> Self {
        let of_rows: usize = rows.iter().map(Row::bytes).sum();
        let of_blocks = version.blocks.len() * size_of::<ListedBlock>();
        let of_deletions = version.deletions.len() * size_of::<ListedDeletion>();
        let of_version = version.heads.len() * HEAD_BYTES + of_blocks + of_deletions;
        Self { steps, rows, version, bytes: size_of::<Self>() + of_rows + of_version }
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many of the first wanted steps are here and lie before `changed`. The steps are those of the
    /// same key, so both ranges have the same ones where they overlap.
    pub fn usable(&self, wanted: Steps, changed: Option<i64>) -> usize {
        let Some(skipped) = self.skipped(wanted) else { return 0 };
        let here = self.steps.count.saturating_sub(skipped).min(wanted.count);
        let Some(changed) = changed else { return here };
        let before = i128::from(changed) - i128::from(wanted.start);
        let interval = i128::from(wanted.interval);
        // Rounded up: a step at `changed` itself is no more right.
        let right = (before + interval - 1).div_euclid(interval).max(0);
        here.min(usize::try_from(right).unwrap_or(usize::MAX))
    }

    /// Its steps before the first wanted one; none if it begins later.
    fn skipped(&self, wanted: Steps) -> Option<usize> {
        let later = wanted.start.checked_sub(self.steps.start)?;
        usize::try_from(later.div_euclid(wanted.interval)).ok()
    }

    /// The first `right` wanted steps from here, the others from `computed`, whose rows are sorted too.
    pub fn splice(&self, wanted: Steps, right: usize, computed: Vec<Row>, ctx: &ReadContext) -> Result<Rows> {
        let from = self.skipped(wanted).unwrap_or(0);
        let (mut held, mut rows) = (ctx.budget.reserve(0)?, Vec::new());
        let (mut kept, mut computed) = (self.rows.iter().peekable(), computed.into_iter().peekable());
        loop {
            let order = match (kept.peek(), computed.peek()) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(a), Some(b)) => a.labels.cmp(&b.labels),
            };
            let before = if order.is_le() { kept.next() } else { None };
            let after = if order.is_ge() { computed.next() } else { None };
            let before_values = before.and_then(|row| row.values.get(from..from + right)).unwrap_or(&[]);
            if after.is_none() && !has_values(before_values) {
                continue;
            }
            let Some(labels) = before.map(|row| &row.labels).or(after.as_ref().map(|row| &row.labels)) else {
                continue;
            };
            ctx.check()?;
            held.grow(row_bytes(labels, wanted.count))?;
            let mut values = Vec::with_capacity(wanted.count);
            values.extend_from_slice(before_values);
            values.resize(right, absent());
            values.extend_from_slice(after.as_ref().map_or(&[][..], |row| &row.values));
            values.resize(wanted.count, absent());
            rows.push(Row::floats(labels.clone(), values));
        }
        Ok(Rows { rows, held: vec![held] })
    }
}

/// The first step that depends on data at or after `changed`, or a time before it.
pub fn earliest_step(changed: Timestamp, reach: Reach, per_milli: i64) -> i64 {
    changed.saturating_mul(per_milli).saturating_sub(reach.ahead)
}

#[cfg(test)]
mod tests;
