//! Orders of `sort` and `sort_desc`.

use std::cmp::Ordering;

/// Ascending, NaN last.
pub fn ascending(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

/// Descending, NaN last.
pub fn descending(a: f64, b: f64) -> Ordering {
    b.partial_cmp(&a).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_is_last_both_ways() {
        let mut values = [f64::NAN, 1.0, f64::INFINITY, -1.0];
        values.sort_by(|a, b| ascending(*a, *b));
        assert_eq!(values[..3], [-1.0, 1.0, f64::INFINITY]);
        values.sort_by(|a, b| descending(*a, *b));
        assert_eq!(values[..3], [f64::INFINITY, 1.0, -1.0]);
    }
}
