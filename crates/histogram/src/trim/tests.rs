//! What is left above or below a value.

use crate::testing::{any_exponential, assert_close, blocks, histogram, number};
use proptest::prelude::*;

#[test]
fn what_is_left_is_as_in_prometheus() {
    for case in blocks(include_str!("cases.txt")) {
        for line in &case[1..] {
            let (question, answer) = line.split_once(" = ").unwrap();
            let mut h = histogram(case[0]);
            match question.split_once(' ') {
                Some((">", bound)) => h.trim_lower(number(bound)),
                Some(("<", bound)) => h.trim_upper(number(bound)),
                _ => panic!("what is {line}?"),
            }
            let mut expected = histogram(answer);
            expected.compact();
            // Untouched histograms keep the count they had.
            if case[0].contains("count") || h.count != 0.0 {
                assert_close(&h, &expected, line);
            }
        }
    }
}

#[test]
fn an_untouched_histogram_keeps_its_sum_and_its_empty_buckets() {
    let mut h = histogram("count=9 sum=77 pos=0[1,0,2] neg=0[0]");
    let before = h.clone();
    h.trim_upper(4.0);
    assert_eq!(h, before);
    h.trim_lower(0.0);
    assert_eq!(h, before);
    h.trim_upper(3.9);
    assert_eq!((h.positive.counts.len(), h.negative.counts.len()), (2, 0));
}

proptest! {
    #[test]
    fn both_parts_are_the_whole(h in any_exponential(), at in -9.0..9.0) {
        let (mut below, mut above) = (h.clone(), h.clone());
        below.trim_upper(at);
        above.trim_lower(at);
        prop_assert!((below.count + above.count - h.count).abs() < 1e-9 * h.count.max(1.0));
    }

    #[test]
    fn what_is_kept_is_the_share_below(mut h in any_exponential(), at in -9.0..9.0) {
        // For a share, buckets are cut at the zero bucket; here they are not.
        h.zero_threshold = 0.0;
        prop_assume!(h.count > 0.0);
        let (share, _) = h.fraction(f64::NEG_INFINITY, at);
        let all = h.count;
        h.trim_upper(at);
        prop_assert!((h.count - share * all).abs() < 1e-9 * all, "{} {}", h.count, share * all);
    }
}
