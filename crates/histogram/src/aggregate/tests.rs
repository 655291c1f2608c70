//! Sums and means of several histograms.

use super::*;
use crate::testing::{any_custom, any_exponential, assert_close, histogram};
use proptest::prelude::*;

fn sum(texts: &[&str]) -> FloatHistogram {
    let mut sum = SumOfHistograms::of(histogram(texts[0]));
    for text in &texts[1..] {
        sum.add(&histogram(text)).unwrap();
    }
    sum.finish()
}

fn mean(texts: &[&str]) -> FloatHistogram {
    let mut mean = MeanOfHistograms::of(histogram(texts[0]));
    for text in &texts[1..] {
        mean.add(&histogram(text)).unwrap();
    }
    mean.finish()
}

#[test]
fn small_terms_are_not_lost() {
    let large = "zero=1e100@0.5 count=1e100 sum=1e100 pos=2[1e100] neg=2[1e100]";
    let small = "zero=1@0.5 count=1 sum=1 pos=1[3,1] neg=2[1]";
    let negative = "zero=-1e100@0.5 count=-1e100 sum=-1e100 pos=2[-1e100] neg=2[-1e100]";
    let expected = "zero=2@0.5 count=2 sum=2 pos=1[6,2] neg=2[2]";
    assert_eq!(sum(&[large, small, small, negative]), histogram(expected));
    let expected = "zero=0.5@0.5 count=0.5 sum=0.5 pos=1[1.5,0.5] neg=2[0.5]";
    assert_eq!(mean(&[large, small, small, negative]), histogram(expected));
}

#[test]
fn small_terms_are_kept_when_layouts_change() {
    // A coarser schema.
    let [large, small, negative] = ["schema=1 pos=1[1e100]4[7]", "schema=1 pos=1[1,1]", "pos=1[-1e100]1[1]"];
    assert_eq!(sum(&[large, small, negative]), histogram("pos=1[2]1[8]"));
    // A wider zero bucket.
    let [large, small, negative] = ["pos=0[1e100,2] neg=1[4]", "pos=0[1]", "zero=-1e100@1 neg=1[1]"];
    assert_eq!(sum(&[large, small, negative]), histogram("zero=1@1 pos=1[2] neg=1[5]"));
    // Fewer custom bounds.
    let custom = ["pos=0[1e100,5] bounds=1,2,3", "pos=0[1] bounds=1,2,3", "pos=0[-1e100] bounds=2"];
    let custom = custom.map(|text| format!("schema=custom {text}"));
    let custom = custom.each_ref().map(String::as_str);
    assert_eq!(sum(&custom), histogram("schema=custom pos=0[6] bounds=2"));
}

#[test]
fn means_do_not_overflow() {
    let huge = "count=1.5e308 sum=-1.5e308 pos=0[1.5e308,0]";
    assert_close(&mean(&[huge, huge, huge]), &histogram(huge), "three");
    assert!(sum(&[huge, huge]).has_overflow());
    let later = mean(&["count=2 sum=4 pos=0[1]", huge, huge, "count=2 sum=4 pos=0[1,8]"]);
    assert_close(&later, &histogram("count=7.5e307 sum=-7.5e307 pos=0[7.5e307,2]"), "between small ones");
}

#[test]
fn one_histogram_is_its_own_sum_and_mean() {
    let one = "hint=reset zero=1@0.1 count=3 sum=-0.0 pos=0[1,0,1]";
    assert_eq!(sum(&[one]), histogram(one));
    assert_eq!(mean(&[one]), histogram(one));
}

#[test]
fn collisions_are_seen_across_others() {
    let mut sum = SumOfHistograms::of(histogram("hint=reset count=1"));
    assert_eq!(sum.add(&histogram("count=1")), Ok(Combined::default()));
    let collision = Combined { counter_reset_collision: true, bounds_reconciled: false };
    assert_eq!(sum.add(&histogram("hint=not_reset count=1")), Ok(collision));
    assert_eq!(sum.finish(), histogram("count=3"));
    let mut mean = MeanOfHistograms::of(histogram("hint=not_reset count=1"));
    assert_eq!(mean.add(&histogram("hint=gauge count=1")), Ok(Combined::default()));
    assert_eq!(mean.add(&histogram("hint=reset count=1")), Ok(collision));
    assert_eq!(mean.finish(), histogram("hint=gauge count=1"));
}

#[test]
fn reconciled_bounds_and_mixed_schemas_are_reported() {
    let custom = histogram("schema=custom count=1 pos=0[1] bounds=1,2");
    let mut sum = SumOfHistograms::of(custom.clone());
    let reconciled = Combined { counter_reset_collision: false, bounds_reconciled: true };
    assert_eq!(sum.add(&histogram("schema=custom bounds=2")), Ok(reconciled));
    assert_eq!(sum.add(&histogram("count=1 pos=0[1]")), Err(Incompatible));
    let mut mean = MeanOfHistograms::of(custom);
    assert_eq!(mean.add(&histogram("count=1 pos=0[1]")), Err(Incompatible));
}

proptest! {
    #[test]
    fn whole_counts_add_up_as_without_compensation(
        list in prop_oneof![
            prop::collection::vec(any_exponential(), 1..6),
            prop::collection::vec(any_custom(), 1..6),
        ],
    ) {
        let mut plain = list[0].clone();
        let mut sum = SumOfHistograms::of(list[0].clone());
        let mut mean = MeanOfHistograms::of(list[0].clone());
        for h in &list[1..] {
            let combined = plain.add(h).unwrap();
            prop_assert_eq!(sum.add(h).unwrap(), combined);
            prop_assert_eq!(mean.add(h).unwrap(), combined);
        }
        let (mut sum, mut mean) = (sum.finish(), mean.finish());
        sum.compact();
        plain.compact();
        prop_assert!(sum.equals(&plain), "{sum:?} {plain:?}");
        mean.compact();
        plain.divide(list.len() as f64);
        prop_assert!(mean.equals(&plain), "{mean:?} {plain:?}");
    }
}
