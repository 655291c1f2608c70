//! Label sets of results: dropped names, grouping, rows that have become the same.

use crate::row::{Row, Rows, is_absent};
use model::{Labels, METRIC_NAME};
use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

/// Whether a label says what the metric is; such labels go where values change their
/// meaning.
fn is_metadata(name: &str) -> bool {
    matches!(name, METRIC_NAME | "__type__" | "__unit__")
}

/// The labels without the metric's name (and type and unit).
pub fn without_metadata(labels: &Labels) -> Labels {
    if labels.iter().any(|(name, _)| is_metadata(name)) {
        labels.without(is_metadata)
    } else {
        labels.clone()
    }
}

/// A choice of labels: these, or all but these.
#[derive(Clone, Copy, Debug)]
pub struct LabelChoice<'a> {
    pub names: &'a [String],
    pub without: bool,
    /// Names that are dropped count nevertheless, until the query ends.
    pub delayed: bool,
}

impl LabelChoice<'_> {
    /// The chosen part of a label set. Without the chosen labels means without the name,
    /// too. `name_dropped` says that the metadata labels are still there but do not count,
    /// unless that is delayed.
    pub fn of(&self, labels: &Labels, name_dropped: bool) -> Labels {
        let named = |name: &str| self.names.iter().any(|n| n == name);
        let hidden = |name: &str| name_dropped && !self.delayed && is_metadata(name);
        if self.without {
            labels.without(|name| name == METRIC_NAME || named(name) || hidden(name))
        } else if self.names.is_empty() {
            Labels::empty()
        } else {
            labels.without(|name| !named(name) || hidden(name))
        }
    }
}

/// Makes one row of those that have the same labels and never both a value at one step.
/// Tells besides whether there were others, which stay apart.
pub fn merge_same_labels(mut input: Rows) -> (Rows, bool) {
    let mut last_of = HashMap::with_capacity(input.rows.len());
    let mut merged: Vec<Row> = Vec::with_capacity(input.rows.len());
    let mut collided = false;
    for row in input.rows {
        match last_of.entry(row.labels.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(merged.len());
                merged.push(row);
            }
            Entry::Occupied(mut entry) => {
                let kept = &mut merged[*entry.get()];
                if fill(kept, &row) {
                    continue;
                }
                collided = true;
                entry.insert(merged.len());
                merged.push(row);
            }
        }
    }
    input.rows = merged;
    (input, collided)
}

/// Puts the values of `from` where `to` has none; does nothing where both have one.
fn fill(to: &mut Row, from: &Row) -> bool {
    let mut meet = false;
    from.present(|step| meet |= to.has(step));
    if meet {
        return false;
    }
    let floats = to.values.iter_mut().zip(&from.values).filter(|(_, from)| !is_absent(**from));
    floats.for_each(|(to, from)| *to = *from);
    for (step, histogram) in from.histograms.iter() {
        to.histograms.set(step, to.values.len(), Arc::clone(histogram));
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::absent;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        Labels::from_pairs(pairs.iter().copied())
    }

    #[test]
    fn all_but_the_chosen_labels_are_without_the_name() {
        let all = labels(&[("__name__", "m"), ("__unit__", "s"), ("a", "1"), ("b", "2")]);
        let names = ["a".to_owned(), "__unit__".to_owned()];
        let of = |without, dropped| LabelChoice { names: &names, without, delayed: false }.of(&all, dropped);
        assert_eq!(of(false, false), labels(&[("__unit__", "s"), ("a", "1")]));
        assert_eq!(of(false, true), labels(&[("a", "1")]));
        assert_eq!(of(true, false), labels(&[("b", "2")]));
        assert_eq!(
            LabelChoice { names: &[], without: false, delayed: false }.of(&all, false),
            Labels::empty()
        );
    }

    #[test]
    fn rows_merge_only_where_they_never_meet() {
        let row = |values: [f64; 2]| Row::floats(labels(&[("a", "1")]), values.to_vec());
        let merge = |rows| {
            let (merged, collided) = merge_same_labels(Rows { rows, held: Vec::new() });
            (merged.rows.into_iter().map(|row| row.values).collect::<Vec<_>>(), collided)
        };
        let apart = vec![row([1.0, absent()]), row([absent(), 2.0])];
        assert_eq!(merge(apart), (vec![vec![1.0, 2.0]], false));
        let (rows, collided) = merge(vec![row([1.0, 1.0]), row([absent(), 2.0]), row([3.0, absent()])]);
        assert_eq!((rows, collided), (vec![vec![1.0, 1.0], vec![3.0, 2.0]], true));
    }
}
