//! Quantiles, shares and variances as Prometheus has them.

use super::*;
use crate::testing::{any_custom, any_exponential, blocks, close, histogram, number};
use proptest::prelude::*;

#[test]
fn answers_are_those_of_prometheus() {
    for case in blocks(include_str!("cases.txt")) {
        let h = histogram(case[0]);
        for line in &case[1..] {
            let (question, answer) = line.split_once(" = ").unwrap();
            let (got, note) = match question.split(' ').collect::<Vec<_>>()[..] {
                ["quantile", phi] => h.quantile(number(phi)),
                ["fraction", lower, upper] => h.fraction(number(lower), number(upper)),
                ["variance"] => (h.variance(), None),
                _ => panic!("what is {line}?"),
            };
            let (value, noted) = answer.split_once(' ').unwrap_or((answer, ""));
            assert!(close(got, number(value)), "{}: {line}, not {got}", case[0]);
            let expected = match noted {
                "result" => Some(NanNote::NanResult),
                "skew" => Some(NanNote::NanSkew),
                _ => None,
            };
            assert_eq!(note, expected, "{}: {line}", case[0]);
        }
    }
}

proptest! {
    #[test]
    fn quantiles_rise(
        mut h in prop_oneof![any_exponential(), any_custom()],
        a in 0.0..=1.0,
        b in 0.0..=1.0,
    ) {
        // Buckets within the zero bucket would not be in order.
        h.zero_threshold = h.zero_threshold.min(1e-9);
        prop_assume!(h.count > 0.0);
        let (low, high) = if a < b { (a, b) } else { (b, a) };
        // Ranks are counted from different ends, with different rounding.
        let (low, high) = (h.quantile(low).0, h.quantile(high).0);
        prop_assert!(low <= high + 1e-9 * high.abs(), "{low} {high}");
    }

    #[test]
    fn the_share_below_a_quantile_is_as_asked(h in any_exponential(), phi in 0.0..=1.0) {
        let mut h = h;
        h.zero_threshold = 0.0;
        h.zero_count = 0.0;
        h.count = h.buckets().map(|bucket| bucket.count).sum();
        prop_assume!(h.count > 0.0);
        let (share, _) = h.fraction(f64::NEG_INFINITY, h.quantile(phi).0);
        prop_assert!((share - phi).abs() < 1e-9, "{share}");
    }
}
