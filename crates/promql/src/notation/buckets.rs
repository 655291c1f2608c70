//! The buckets of a native histogram by number, however its spans are cut.

use histogram::Buckets;
use std::collections::BTreeMap;

/// The count of each bucket, empty ones included.
pub fn by_number(side: &Buckets) -> BTreeMap<i32, f64> {
    let mut next = 0_i32;
    let numbers = side.spans.iter().flat_map(|span| {
        let first = next.saturating_add(span.offset);
        next = first.saturating_add_unsigned(span.length);
        first..next
    });
    numbers.zip(side.counts.iter().copied()).collect()
}
