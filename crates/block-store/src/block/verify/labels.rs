//! Whether the labels are in order, and whether postings and rows say the same.

use super::Problems;
use crate::block::{index::LabelIndex, rows::Row};
use chunk::Corrupt;
use model::Labels;

pub fn check(index: &LabelIndex) -> Vec<String> {
    let mut problems = Problems::default();
    let checked = rows(index, &mut problems).and_then(|pairs| postings(index, pairs, &mut problems));
    if let Err(why) = checked {
        problems.add(format!("labels: {why}"));
    }
    problems.into_verified().problems
}

/// Gives how many pairs of labels all rows have.
fn rows(index: &LabelIndex, problems: &mut Problems) -> Result<u64, Corrupt> {
    let (mut row, mut pairs, mut before) = (Row::default(), 0, None::<Labels>);
    for number in 0..index.rows.len() as u32 {
        index.rows.read(number, &mut row)?;
        let labels = index.of(&row);
        pairs += row.values.len() as u64;
        if before.as_ref().is_some_and(|before| *before >= labels) {
            problems.add(format!("series {labels} is not in label order"));
        }
        if labels.iter().any(|(name, value)| name.is_empty() || value.is_empty()) {
            problems.add(format!("series {labels} has an empty label"));
        }
        before = Some(labels);
    }
    Ok(pairs)
}

/// Every series of every list has the list's label, and all lists together are as long as the rows are: so each
/// row is in all the lists where it belongs.
fn postings(index: &LabelIndex, pairs: u64, problems: &mut Problems) -> Result<(), Corrupt> {
    let (mut row, mut listed, mut list) = (Row::default(), 0, Vec::new());
    for name in index.postings.names() {
        for value in index.postings.values(name) {
            list.clear();
            index.postings.list(value, &mut list)?;
            listed += list.len() as u64;
            let label = || format!("{}={:?}", index.symbols.get(name), index.symbols.get(value.symbol));
            if !list.is_sorted_by(|a, b| a < b) {
                problems.add(format!("the postings of {} are not in order", label()));
            }
            for series in &list {
                index.rows.read(*series, &mut row)?;
                let at = index.rows.names(&row).binary_search(&name).ok();
                if at.and_then(|at| row.values.get(at)) != Some(&value.symbol) {
                    problems
                        .add(format!("the postings of {} name series {series}, which has another", label()));
                }
            }
        }
    }
    if listed != pairs {
        problems.add(format!("the postings have {listed} entries, and the series {pairs} labels"));
    }
    Ok(())
}
