//! Columns of start timestamps: when what entries count began, beside the entries' own columns.
//!
//! A column is empty where nothing is known of any entry. Otherwise it has one for each, and 0 stands for one
//! that is not known, as it does in Prometheus.

use crate::Timestamp;

/// Appends the start of the entry that has `before` others before it.
#[inline]
pub fn push_start(starts: &mut Vec<Timestamp>, before: usize, start: Timestamp) {
    if start != 0 || !starts.is_empty() {
        starts.resize(before, 0);
        starts.push(start);
    }
}

/// Brings a column up to `entries`, of the last of which nothing is known.
#[inline]
pub fn pad_starts(starts: &mut Vec<Timestamp>, entries: usize) {
    if !starts.is_empty() {
        starts.resize(entries, 0);
    }
}

/// Takes off what a column has behind the first `before` entries, if it has anything.
pub fn split_starts(starts: &mut Vec<Timestamp>, before: usize) -> Vec<Timestamp> {
    if starts.is_empty() { Vec::new() } else { starts.split_off(before) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_empty_or_has_one_for_each_entry() {
        let mut starts = Vec::new();
        push_start(&mut starts, 0, 0);
        push_start(&mut starts, 1, 0);
        pad_starts(&mut starts, 2);
        assert!(starts.is_empty());
        push_start(&mut starts, 2, 7);
        push_start(&mut starts, 3, 0);
        pad_starts(&mut starts, 5);
        assert_eq!(starts, [0, 0, 7, 0, 0]);
        assert_eq!((split_starts(&mut starts, 2), &starts[..]), (vec![7, 0, 0], &[0, 0][..]));
        assert!(split_starts(&mut Vec::new(), 2).is_empty());
    }
}
