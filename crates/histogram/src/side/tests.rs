//! Layouts of buckets.

use super::*;
use crate::testing::{any_exponential, histogram};
use proptest::prelude::*;

fn compacted(spans: &str) -> Buckets {
    let mut side = histogram(&format!("pos={spans}")).positive;
    side.compact();
    side
}

#[test]
fn compact_layouts_are_those_of_prometheus() {
    let cases = [
        ("-2[1]2[3.3,4.2,0.1]", "-2[1]2[3.3,4.2,0.1]"),
        ("-2[1]0[3.3,4.2,0.1]0[3.3]", "-2[1,3.3,4.2,0.1,3.3]"),
        ("0[3.1,3]0[9,1000]2[3]0[4]", "0[3.1,3,9,1000]2[3,4]"),
        ("-2[1,3.3]2[]3[4.2,0.1,3.3]", "-2[1,3.3]5[4.2,0.1,3.3]"),
        ("0[3.1,3]0[]2[]1[9,1,3,4]", "0[3.1,3]3[9,1,3,4]"),
        ("-4[0,0,1,3.3]5[4.2,0.1,3.3]", "-2[1,3.3]5[4.2,0.1,3.3]"),
        ("0[1,0,0,3,4,0]1[0,0]2[7,0]", "0[1]2[3,4]6[7]"),
        ("5[0,0]3[0]", ""),
        ("-10[]2[]3[]4[]", ""),
        ("3[nan]0[-0]0[1]", "3[nan]1[1]"),
    ];
    for (before, after) in cases {
        assert_eq!(compacted(before), histogram(&format!("pos={after}")).positive, "{before}");
    }
}

#[test]
fn a_lower_resolution_merges_buckets() {
    let reduced = |text: &str, schema| {
        let mut h = histogram(text);
        h.reduce_resolution(schema);
        h
    };
    let before = "pos=-2[1,3,1,2]0[]3[1,1] neg=0[1,3,1,2]0[]3[1,1]";
    assert_eq!(reduced(before, -1), histogram("schema=-1 pos=-1[1,4,2]1[2] neg=0[1,4,2]1[2]"));
    assert_eq!(reduced(before, 0), histogram(before));
    assert_eq!(reduced(before, 3), histogram(before));
    assert_eq!(reduced(before, crate::CUSTOM_BUCKETS_SCHEMA), histogram(before));
    assert_eq!(reduced("schema=52 pos=1[1,1]", 8), histogram("schema=8 pos=1[2]"));
    let custom = "schema=custom pos=0[1,2] bounds=1,2";
    assert_eq!(reduced(custom, -60), histogram(custom));
}

#[test]
fn both_directions_meet() {
    let side = histogram("pos=-3[1,2]0[3]2[4,5]1[]2[6]").positive;
    let ascending: Vec<_> = side.ascending().collect();
    assert_eq!(ascending, [(-3, 1.0), (-2, 2.0), (-1, 3.0), (2, 4.0), (3, 5.0), (7, 6.0)]);
    let descending: Vec<_> = side.descending().collect();
    assert!(ascending.iter().rev().eq(&descending));
}

proptest! {
    #[test]
    fn compacting_keeps_buckets(h in any_exponential()) {
        let mut compact = h.clone();
        compact.compact();
        let populated = h.buckets().filter(|bucket| bucket.count != 0.0);
        prop_assert!(compact.buckets().eq(populated));
        prop_assert!(compact.buckets_descending().eq(compact.buckets().collect::<Vec<_>>().into_iter().rev()));
    }

    #[test]
    fn a_lower_resolution_can_be_reached_in_steps(h in any_exponential(), by in 1..3_u32) {
        let (mut once, mut twice) = (h.positive.clone(), h.positive.clone());
        once.reduce(by + 1);
        twice.reduce(by);
        twice.reduce(1);
        prop_assert_eq!(once, twice);
    }
}
