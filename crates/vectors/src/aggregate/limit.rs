//! `limitk` and `limit_ratio`: some of the series, chosen by no value.

use crate::{
    labels::{LabelChoice, without_metadata},
    row::{Row, RowRef, Rows, absent, is_absent, row_bytes},
};
use model::Labels;
use service_api::{Reservation, Result};
use std::{collections::HashMap, sync::Arc};

/// Which series of a group are kept at a step.
#[derive(Clone, Copy, Debug)]
pub enum Limit<'a> {
    /// So many, the first in the order of the rows.
    First(&'a [usize]),
    /// From 0 to 1 that share of them, below 0 the others; whether a series is in it follows from its
    /// labels alone.
    Ratio(&'a [f64]),
}

/// Rows of which some are kept.
pub struct Limited<'a> {
    choice: LabelChoice<'a>,
    limit: Limit<'a>,
    steps: usize,
    /// By group, how many values each step has already; for `Limit::First` alone.
    counts: HashMap<Labels, Vec<usize>>,
    rows: Vec<Row>,
    held: Reservation,
}

impl<'a> Limited<'a> {
    /// `held` grows with what is kept.
    pub fn new(choice: LabelChoice<'a>, limit: Limit<'a>, steps: usize, held: Reservation) -> Self {
        Self { choice, limit, steps, counts: HashMap::new(), rows: Vec::new(), held }
    }

    /// Takes the next row. Rows must come in order.
    pub fn add(&mut self, row: RowRef<'_>) -> Result<()> {
        if !row.has_values() {
            return Ok(());
        }
        let drops = row.name_dropped && !self.choice.delayed;
        let labels = if drops { without_metadata(row.labels) } else { row.labels.clone() };
        let mut kept = Row::floats(labels, row.values.to_vec());
        kept.name_dropped = row.name_dropped && !drops;
        kept.histograms = row.histograms.clone();
        match self.limit {
            Limit::First(limits) => {
                let group = self.choice.of(row.labels, row.name_dropped);
                let counts = match self.counts.get_mut(&group) {
                    Some(counts) => counts,
                    None => {
                        self.held.grow(group.heap_bytes() + self.steps * size_of::<usize>())?;
                        self.counts.entry(group).or_insert_with(|| vec![0; self.steps])
                    }
                };
                let mut take = |step: usize| {
                    counts[step] += 1;
                    counts[step] <= limits[step]
                };
                kept.retain(&mut take);
            }
            Limit::Ratio(ratios) => {
                let place = place_of(&kept.labels);
                kept.retain(&mut |step| is_within(ratios[step], place));
            }
        }
        if kept.has_values() {
            self.held.grow(row_bytes(&kept.labels, self.steps) + kept.histograms.heap_bytes())?;
            self.rows.push(kept);
        }
        Ok(())
    }

    pub fn finish(self) -> Rows {
        Rows { rows: self.rows, held: vec![self.held] }
    }
}

impl Row {
    /// Keeps the values of the steps that `keep` names.
    fn retain(&mut self, keep: &mut impl FnMut(usize) -> bool) {
        for step in 0..self.values.len() {
            if !is_absent(self.values[step]) && !keep(step) {
                self.values[step] = absent();
            }
        }
        self.histograms.retain(|step, _: &mut Arc<_>| keep(step));
    }
}

/// Where a series stands between 0 and 1: always at the same place, and at that where Prometheus has it.
fn place_of(labels: &Labels) -> f64 {
    labels.prometheus_hash() as f64 / u64::MAX as f64
}

/// As in Prometheus a ratio and its complement (0.3 and -0.7) split a vector in two.
fn is_within(ratio: f64, place: f64) -> bool {
    if ratio >= 0.0 { place < ratio } else { place >= 1.0 + ratio }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_and_its_complement_split_all_series() {
        for n in 0..1000 {
            let place = place_of(&Labels::from_pairs([("n", n.to_string().as_str())]));
            assert!((0.0..=1.0).contains(&place));
            for ratio in [0.1, 0.5, 0.9] {
                assert_ne!(is_within(ratio, place), is_within(ratio - 1.0, place));
            }
        }
        let inside = |n: i32| is_within(0.3, place_of(&Labels::from_pairs([("n", n.to_string().as_str())])));
        let share = (0..1000).filter(|n| inside(*n)).count();
        assert!((200..400).contains(&share), "{share}");
    }
}
