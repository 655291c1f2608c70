//! The buckets of a native histogram by number, however its spans are cut.

use histogram::Buckets;
use std::collections::BTreeMap;

/// The count of each bucket, empty ones included.
pub fn by_number(side: &Buckets) -> BTreeMap<i32, f64> {
    let mut next = 0;
    let numbers = side.spans.iter().flat_map(|span| {
        let first = next + span.offset;
        next = first + span.length as i32;
        first..next
    });
    numbers.zip(side.counts.iter().copied()).collect()
}
