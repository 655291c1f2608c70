//! Tests of the value and timestamp pages.

use super::*;
use crate::{decode_timestamps, encode_timestamps};
use model::stale_nan;
use proptest::prelude::*;

fn page(values: &[f64]) -> Vec<u8> {
    let mut page = Vec::new();
    encode_values(values, &mut page);
    page
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[track_caller]
fn round_trip(values: &[f64]) {
    let mut back = vec![1.0];
    decode_values(&page(values), values.len(), &mut back).unwrap();
    let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&back[1..]), bits(values));
}

#[test]
fn golden_bytes() {
    let of = |values: &[f64]| hex(&page(values));
    let mut times = Vec::new();
    encode_timestamps(&[1_000, 2_000, 3_000, 4_001, 5_000], &mut times);
    let pages = [
        of(&[5.0; 100]),
        of(&[0.5; 100]),
        of(&[1.0, 2.0, 4.0, 7.0]),
        of(&[1.25, 2.5, 1e3, stale_nan()]),
        of(&[4096.0, 8192.0, 40960.0]),
        of(&[1.0 / 3.0, 2.0 / 3.0, f64::NAN, f64::NEG_INFINITY]),
        hex(&times),
    ];
    assert_eq!(pages, GOLDEN);
}

const GOLDEN: [&str; 7] = [
    "010a",
    "02000000000000e03f",
    "0300030200a201",
    "03627dfa010103020000000000f07f02000102018f03",
    "0320802080400500000202",
    "04c0aad5aad5aad5aad57f8080808080808010005655555555550580575555555555f57f",
    "0182d00fd00f0038",
];

#[test]
fn regular_timestamps_and_constants_cost_a_few_bytes() {
    let mut times = Vec::new();
    let timestamps: Vec<i64> = (0..10_000).map(|i| 1_700_000_000_000 + i * 15_000).collect();
    encode_timestamps(&timestamps, &mut times);
    assert!(times.len() <= 12, "{}", times.len());
    assert!(page(&[1e-9; 65_536]).len() <= 9);
}

#[test]
fn a_stale_marker_does_not_make_a_counter_large() {
    let mut values: Vec<f64> = (0..480).map(f64::from).collect();
    values[479] = stale_nan();
    assert!(page(&values).len() < 60, "{}", page(&values).len());
    round_trip(&values);
}

#[test]
fn shapes_at_the_edges_come_back() {
    round_trip(&[]);
    for value in [0.0, -0.0, 1.0, f64::NAN, stale_nan(), 1e300, 9e15, -9_007_199_254_740_993.0] {
        round_trip(&[value]);
        round_trip(&[value, 1.0]);
        round_trip(&[0.5, value, 1.0, value]);
    }
    round_trip(&(0..65_536).map(|i| f64::from(i) * 0.01).collect::<Vec<_>>());
    round_trip(&[1e15, 0.000_01, 123.456]);
    round_trip(&[f64::MAX, f64::MIN, f64::MAX]);
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => (-500i64..500).prop_map(|i| i as f64),
        3 => (-500_000i64..500_000).prop_map(|i| i as f64 / 1_000.0),
        1 => any::<i64>().prop_map(|i| (i >> 8) as f64),
        1 => any::<u64>().prop_map(f64::from_bits),
        1 => prop::sample::select(vec![stale_nan(), -0.0, f64::NAN, f64::INFINITY, 1e22, 5e-324]),
    ]
}

proptest! {
    #[test]
    fn every_bit_comes_back(
        kinds in prop::collection::vec((value(), value(), 1usize..200), 0..6),
    ) {
        let values: Vec<f64> = kinds.iter()
            .flat_map(|(start, step, times)| (0..*times).map(move |i| start + step * i as f64)).collect();
        round_trip(&values);
    }

    #[test]
    fn arbitrary_values_come_back(values in prop::collection::vec(value(), 0..300)) {
        round_trip(&values);
    }

    #[test]
    fn arbitrary_timestamps_come_back(times in prop::collection::vec(any::<i64>(), 0..300)) {
        let mut page = Vec::new();
        encode_timestamps(&times, &mut page);
        let mut back = Vec::new();
        decode_timestamps(&page, times.len(), &mut back).unwrap();
        prop_assert_eq!(back, times);
    }

    #[test]
    fn flipped_bytes_are_survived(
        values in prop::collection::vec(value(), 1..300),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        count in 0usize..70_000,
    ) {
        let mut page = page(&values);
        for (at, with) in flips {
            let at = at.index(page.len());
            page[at] ^= with;
        }
        let (mut back, mut times) = (Vec::new(), Vec::new());
        let _ = decode_values(&page, values.len(), &mut back);
        let _ = decode_values(&page, count, &mut back);
        let _ = decode_timestamps(&page, count, &mut times);
        prop_assert!(back.capacity() <= 4 * MAX_PAGE_SAMPLES);
    }

    #[test]
    fn garbage_is_survived(mut page in prop::collection::vec(any::<u8>(), 0..300), codec in 0u8..6, count in 0usize..2_000) {
        if let Some(first) = page.first_mut() {
            *first = codec;
        }
        let _ = decode_values(&page, count, &mut Vec::new());
        let _ = decode_timestamps(&page, count, &mut Vec::new());
    }
}
