//! Classic histograms made native.

use super::*;
use crate::testing::histogram;

const INF: f64 = f64::INFINITY;

fn check(buckets: &[(f64, f64)], count: Option<f64>, expected: &str) {
    let mut buckets = buckets.to_vec();
    match from_classic(&mut buckets, 1000.25, count) {
        Ok(h) => {
            assert_eq!(h, histogram(&format!("schema=custom sum=1000.25 {expected}")), "{buckets:?}");
        }
        Err(error) => assert_eq!(error.to_string(), expected, "{buckets:?}"),
    }
}

#[test]
fn buckets_and_counts_are_those_of_prometheus() {
    check(&[], None, "");
    check(&[], Some(7.0), "count=7 pos=0[7]");
    check(&[(0.5, 1000.0)], None, "count=1000 pos=0[1000] bounds=0.5");
    check(&[(0.5, 1337.42)], None, "count=1337.42 pos=0[1337.42] bounds=0.5");
    let whole = "count=1000 pos=0[50,900,50] bounds=0.5,1";
    check(&[(0.5, 50.0), (1.0, 950.0), (INF, 1000.0)], Some(1000.0), whole);
    check(&[(0.5, 50.0), (INF, 1000.0), (1.0, 950.0)], None, whole);
    check(&[(0.5, 50.0), (1.0, 950.0)], Some(1000.0), whole);
    let fractions = "count=1000 pos=0[50,900.5,49.5] bounds=0.5,1";
    check(&[(0.5, 50.0), (1.0, 950.5), (INF, 1000.0)], Some(1000.0), fractions);
    // Of two with one bound, the first counts.
    check(&[(1.0, 3.0), (1.0, 9.0), (INF, 4.0)], None, "count=4 pos=0[3,1] bounds=1");
}

#[test]
fn whole_numbers_keep_small_gaps() {
    let gap = |of: usize, step: f64| {
        let mut buckets = vec![(0.0, 0.0), (1.0, step)];
        buckets.extend((0..of).map(|at| (at as f64 + 2.0, step)));
        buckets.push((INF, step * 2.0));
        buckets
    };
    check(&gap(2, 1.0), None, "count=2 pos=1[1,0,0,1] bounds=0,1,2,3");
    check(&gap(3, 1.0), None, "count=2 pos=1[1]3[1] bounds=0,1,2,3,4");
    check(&gap(2, 0.5), None, "count=1 pos=1[0.5]2[0.5] bounds=0,1,2,3");
}

#[test]
fn what_is_no_histogram_is_refused() {
    let nan = f64::NAN;
    check(&[(1.0, 5.0), (nan, 10.0)], None, "bucket boundary must not be NaN");
    check(&[(1.0, -5.0)], None, "bucket count must be non-negative: le=1, count=-5");
    check(&[(0.5, 50.0)], Some(-1000.0), "count must be non-negative: count=-1000");
    check(&[(0.5, 50.0), (1.0, 950.0), (INF, 900.0)], Some(1000.0), "count is not cumulative: 900 < 950");
    check(&[(0.5, 50.0)], Some(20.0), "count is not cumulative: 20 < 50");
    check(&[(0.5, 50.0), (INF, 60.0)], Some(61.0), "count mismatch: count=61 != le=+Inf count=60");
    check(&[(0.5, 50.0), (INF, nan)], None, "count mismatch: count=NaN != le=+Inf count=NaN");
}
