//! Compares answers.

use super::ask::points;
use promql::engine::QueryResult;

/// To the bit, but that one NaN is like the other; or up to a relative difference.
fn same(a: f64, b: f64, tolerance: f64) -> bool {
    let near = || (a - b).abs() <= tolerance * a.abs().max(b.abs());
    a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan() || tolerance > 0.0 && near()
}

#[track_caller]
pub fn assert_same(what: &str, expected: &QueryResult, found: &QueryResult, tolerance: f64) {
    let (expected, found) = (points(expected), points(found));
    let names = |all: &[(String, Vec<(i64, f64)>)]| all.iter().map(|one| one.0.clone()).collect::<Vec<_>>();
    assert_eq!(names(&expected), names(&found), "{what}");
    for ((labels, expected), (_, found)) in expected.iter().zip(&found) {
        let times = |all: &[(i64, f64)]| all.iter().map(|point| point.0).collect::<Vec<_>>();
        let (some, others) = (times(expected), times(found));
        let only = |a: &[i64], b: &[i64]| a.iter().copied().filter(|t| !b.contains(t)).collect::<Vec<_>>();
        let differ = (only(&some, &others), only(&others, &some));
        assert_eq!(differ, (Vec::new(), Vec::new()), "{what}: {labels}");
        for ((time, a), (other, b)) in expected.iter().zip(found) {
            assert!(time == other && same(*a, *b, tolerance), "{what}: {labels} {a:?}@{time} {b:?}@{other}");
        }
    }
}
