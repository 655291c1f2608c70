//! Sums and differences as Prometheus has them.

use super::*;
use crate::Span;
use crate::testing::{any_pair, assert_close, blocks, histogram, in_buckets};
use proptest::prelude::*;

#[test]
fn sums_and_differences_are_those_of_prometheus() {
    for case in blocks(include_str!("cases.txt")) {
        let [first, second, expected] = case[..] else { panic!("{case:?}") };
        let mut got = histogram(first);
        let other = histogram(&second[1..]);
        let combined = if second.starts_with('+') { got.add(&other) } else { got.sub(&other) };
        if expected == "= incompatible" {
            assert_eq!(combined, Err(Incompatible), "{second}");
            continue;
        }
        let (flags, words): (Vec<&str>, Vec<&str>) =
            expected[2..].split(' ').partition(|word| ["collision", "reconciled"].contains(word));
        let mut expected = histogram(&words.join(" "));
        got.compact();
        expected.compact();
        assert_close(&got, &expected, second);
        let combined = combined.unwrap();
        assert_eq!(combined.counter_reset_collision, flags.contains(&"collision"), "{second}");
        assert_eq!(combined.bounds_reconciled, flags.contains(&"reconciled"), "{second}");
    }
}

#[test]
fn empty_buckets_stay_until_compacted() {
    let mut h = histogram("pos=0[1,0]");
    h.add(&histogram("pos=3[0]0[2]")).unwrap();
    assert_eq!(h, histogram("pos=0[1,0]1[0,2]"));
    h.compact();
    assert_eq!(h, histogram("pos=0[1]3[2]"));
}

#[test]
fn mixed_schemas_are_refused_with_the_text_of_prometheus() {
    let text =
        "cannot apply this operation on histograms with a mix of exponential and custom bucket schemas";
    assert_eq!(Incompatible.to_string(), text);
}

#[test]
fn broken_histograms_do_no_harm() {
    let mut broken = histogram("schema=200 zero=1@nan pos=7[1,2]-9[3]");
    broken.positive.spans.push(Span { offset: i32::MAX, length: u32::MAX });
    let mut whole = histogram("zero=1@1 pos=0[1] neg=0[2]");
    whole.add(&broken).unwrap();
    broken.sub(&whole).unwrap();
    let _ = (broken.to_string(), broken.is_reset_after(&whole), broken.quantile(0.3), broken.variance());
    let custom = histogram("schema=custom pos=-3[1]9[1] bounds=1,2");
    let mut other = histogram("schema=custom pos=0[1,1,1,1,1,1] neg=2[1] bounds=2,1");
    other.add(&custom).unwrap();
    let _ = (custom.to_string(), custom.is_reset_after(&other), other.fraction(0.0, 1.0));
}

proptest! {
    #[test]
    fn the_order_does_not_matter_unless_zero_buckets_overlap_others((a, b) in any_pair()) {
        let (mut ab, mut ba) = (a.clone(), b.clone());
        ab.add(&b).unwrap();
        ba.add(&a).unwrap();
        ab.compact();
        ba.compact();
        prop_assert_eq!((ab.schema, ab.zero_threshold, ab.count), (ba.schema, ba.zero_threshold, ba.count));
        prop_assert_eq!(&ab.custom_values, &ba.custom_values);
        let beyond = |h: &FloatHistogram| h.positive.indexes().chain(h.negative.indexes()).next().is_none();
        if a.zero_threshold == 0.0 && b.zero_threshold == 0.0 || beyond(&ab) && beyond(&ba) {
            prop_assert!(ab.equals(&ba), "{ab:?} {ba:?}");
        }
    }

    #[test]
    fn what_is_added_can_be_subtracted((a, b) in any_pair()) {
        let mut h = a.clone();
        h.add(&b).unwrap();
        h.sub(&b).unwrap();
        h.compact();
        let mut coarser = a.clone();
        let zero = FloatHistogram {
            counter_reset_hint: a.counter_reset_hint,
            schema: h.schema,
            zero_threshold: h.zero_threshold,
            custom_values: h.custom_values.clone(),
            ..FloatHistogram::default()
        };
        coarser.add(&zero).unwrap();
        coarser.compact();
        prop_assert!(h.equals(&coarser), "{h:?} {coarser:?}");
    }

    #[test]
    fn nothing_is_lost_if_no_bucket_is_within_a_zero_bucket(pair in any_pair()) {
        let (mut a, mut b) = pair;
        (a.zero_threshold, b.zero_threshold) = (0.0, 0.0);
        let expected = in_buckets(&a) + in_buckets(&b);
        a.add(&b).unwrap();
        prop_assert_eq!(in_buckets(&a), expected);
    }
}
