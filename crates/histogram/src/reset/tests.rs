//! Resets as Prometheus finds them.

use crate::testing::{any_pair, blocks, histogram};
use proptest::prelude::*;

#[test]
fn resets_are_found_as_in_prometheus() {
    for case in blocks(include_str!("cases.txt")) {
        let [previous, current, expected] = case[..] else { panic!("{case:?}") };
        let reset = histogram(&current[1..]).is_reset_after(&histogram(previous));
        assert_eq!(reset, expected == "= reset", "{previous}\n{current}");
    }
}

proptest! {
    #[test]
    fn a_counter_that_grows_is_not_reset((mut a, mut b) in any_pair()) {
        // Buckets that the zero bucket covers are not added, so that a sum may lack them.
        (a.zero_threshold, b.zero_threshold) = (0.0, 0.0);
        let mut sum = a.clone();
        sum.add(&b).unwrap();
        prop_assert!(!sum.is_reset_after(&a));
        prop_assert!(!a.is_reset_after(&a));
    }

    #[test]
    fn a_count_that_falls_is_a_reset((mut a, _) in any_pair(), at in any::<prop::sample::Index>()) {
        a.zero_threshold = 0.0;
        prop_assume!(a.positive.counts.iter().any(|count| *count > 0.0));
        let mut lower = a.clone();
        let populated: Vec<_> = (0..a.positive.counts.len()).filter(|at| a.positive.counts[*at] > 0.0).collect();
        lower.positive.counts[*at.get(&populated)] -= 1.0;
        prop_assert!(lower.is_reset_after(&a));
        lower.compact();
        prop_assert!(lower.is_reset_after(&a));
    }
}
