//! Rows that must not have the same labels.

use service_api::{Error, Result};
use std::collections::HashSet;
use vectors::{Row, Rows};

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
pub(crate) fn merge_same_labels(input: Rows) -> Result<Rows> {
    let (merged, collided) = vectors::merge_same_labels(input);
    if collided { Err(same_labelset()) } else { Ok(merged) }
}
