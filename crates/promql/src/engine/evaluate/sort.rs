//! `sort`, `sort_by_label` and their like.

use super::Evaluator;
use crate::{
    engine::plan::{SortOrder, Vector},
    functions::sort::natural,
};
use model::Labels;
use service_api::Result;
use std::{cmp::Ordering, collections::HashSet};
use vectors::{Histograms, Row, Rows, Steps, ascending, descending};

impl Evaluator<'_> {
    pub(super) fn sort(
        &mut self,
        input: &Vector,
        order: &SortOrder,
        down: bool,
        steps: &Steps,
    ) -> Result<Rows> {
        let mut input = self.rows(input, steps)?;
        if let SortOrder::Value = order {
            // A histogram has no place among values.
            input.rows.iter_mut().for_each(|row| row.histograms = Histograms::default());
            input.rows.retain(Row::has_values);
        }
        if steps.count != 1 {
            return Ok(input);
        }
        match order {
            SortOrder::Value => {
                let order = if down { descending } else { ascending };
                input.rows.sort_by(|a, b| order(a.values[0], b.values[0]));
            }
            SortOrder::Labels(names) => self.sort_by_labels(&mut input.rows, names, down)?,
        }
        Ok(input)
    }

    fn sort_by_labels(&self, rows: &mut Vec<Row>, names: &[String], down: bool) -> Result<()> {
        // Labels that no series has, of which a query may name thousands, decide nothing.
        let mut undecided: HashSet<&str> =
            rows.iter().flat_map(|row| row.labels.iter().map(|(name, _)| name)).collect();
        let names: Vec<&str> = names.iter().filter_map(|name| undecided.take(name.as_str())).collect();
        let bytes = names.len() * size_of::<&str>() + size_of::<Key<'_>>() + size_of::<Row>();
        let _held = self.reserve(rows.len() * bytes)?;
        let mut keys: Vec<Key<'_>> = rows.iter().enumerate().map(|(at, row)| key(at, row, &names)).collect();
        keys.sort_by(|a, b| if down { b.compare(a) } else { a.compare(b) });
        let order: Vec<usize> = keys.into_iter().map(|key| key.at).collect();
        let mut unsorted: Vec<_> = std::mem::take(rows).into_iter().map(Some).collect();
        *rows = order.into_iter().filter_map(|at| unsorted[at].take()).collect();
        Ok(())
    }
}

/// What a row is sorted by.
struct Key<'r> {
    values: Vec<&'r str>,
    labels: &'r Labels,
    at: usize,
}

fn key<'r>(at: usize, row: &'r Row, names: &[&str]) -> Key<'r> {
    let values = names.iter().map(|name| row.labels.get(name).unwrap_or("")).collect();
    Key { values, labels: &row.labels, at }
}

impl Key<'_> {
    fn compare(&self, other: &Self) -> Ordering {
        let mut orders = self.values.iter().zip(&other.values).map(|(a, b)| natural(a, b));
        orders.find(|order| order.is_ne()).unwrap_or_else(|| self.labels.cmp(other.labels))
    }
}
