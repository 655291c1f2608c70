//! Label sets of results: dropped names, grouping, matching.

use crate::row::{Row, Rows, is_absent};
use model::{Labels, METRIC_NAME};
use service_api::{Error, Result};
use std::collections::{HashMap, HashSet, hash_map::Entry};

/// Whether a label says what the metric is; such labels go where values change their
/// meaning.
fn is_metadata(name: &str) -> bool {
    matches!(name, METRIC_NAME | "__type__" | "__unit__")
}

/// The labels without the metric's name (and type and unit).
pub(crate) fn without_metadata(labels: &Labels) -> Labels {
    if labels.iter().any(|(name, _)| is_metadata(name)) {
        labels.without(is_metadata)
    } else {
        labels.clone()
    }
}

/// A choice of labels: these, or all but these.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LabelChoice<'a> {
    pub names: &'a [String],
    pub without: bool,
}

impl LabelChoice<'_> {
    /// The chosen part of a label set. Without the chosen labels means without the name,
    /// too. `name_dropped` says that the metadata labels are still there but do not count.
    pub fn of(&self, labels: &Labels, name_dropped: bool) -> Labels {
        let named = |name: &str| self.names.iter().any(|n| n == name);
        let hidden = |name: &str| name_dropped && is_metadata(name);
        if self.without {
            labels.without(|name| name == METRIC_NAME || named(name) || hidden(name))
        } else if self.names.is_empty() {
            Labels::empty()
        } else {
            labels.without(|name| !named(name) || hidden(name))
        }
    }
}

fn same_labelset() -> Error {
    Error::unprocessable("vector cannot contain metrics with the same labelset")
}

/// An error if two rows have the same labels. Range functions are checked so: their input
/// has distinct names that the output has not.
pub(crate) fn check_distinct(rows: &[Row]) -> Result<()> {
    let mut seen = HashSet::with_capacity(rows.len());
    if rows.iter().all(|row| seen.insert(&row.labels)) { Ok(()) } else { Err(same_labelset()) }
}

/// Makes one row of those that have the same labels; an error if two of them have a value
/// at one step.
pub(crate) fn merge_same_labels(mut input: Rows) -> Result<Rows> {
    let mut first_of = HashMap::with_capacity(input.rows.len());
    let mut merged: Vec<Row> = Vec::with_capacity(input.rows.len());
    for row in input.rows {
        match first_of.entry(row.labels.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(merged.len());
                merged.push(row);
            }
            Entry::Occupied(entry) => {
                let known = &mut merged[*entry.get()];
                for (to, from) in known.values.iter_mut().zip(row.values) {
                    if is_absent(from) {
                        continue;
                    }
                    if !is_absent(*to) {
                        return Err(same_labelset());
                    }
                    *to = from;
                }
            }
        }
    }
    input.rows = merged;
    Ok(input)
}
