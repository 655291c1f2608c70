//! Tests of the histogram pages.

use super::*;
use model::{CUSTOM_BUCKETS_SCHEMA, Span, stale_nan};
use proptest::prelude::*;

fn integer(timestamp: i64, count: u64) -> HistogramSample {
    let histogram = Histogram {
        counter_reset_hint: CounterResetHint::Unknown,
        schema: 3,
        zero_threshold: 1e-128,
        sum: count as f64 * 1.5,
        positive_spans: vec![Span { offset: -2, length: 2 }, Span { offset: 5, length: 1 }],
        negative_spans: vec![],
        buckets: Buckets::Integer {
            count,
            zero_count: 1,
            positive: vec![count as i64, 1, -2],
            negative: vec![],
        },
        custom_values: vec![],
    };
    HistogramSample { timestamp, histogram }
}

/// As text, because a NaN is not equal to itself.
#[track_caller]
fn round_trip(samples: &[HistogramSample]) {
    let (mut page, mut back) = (Vec::new(), Vec::new());
    encode_histograms(samples, &mut page);
    decode_histograms(&page, samples.len(), &mut back).unwrap();
    assert_eq!(bits(&back), bits(samples));
}

fn bits(samples: &[HistogramSample]) -> String {
    let sums: Vec<u64> = samples.iter().map(|s| s.histogram.sum.to_bits()).collect();
    format!("{samples:?} {sums:?}")
}

#[test]
fn golden_bytes() {
    let mut page = Vec::new();
    encode_histograms(&[integer(1_000, 10), integer(2_000, 12), integer(3_000, 12)], &mut page);
    let hex: String = page.iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(hex, GOLDEN);
}

const GOLDEN: &str = "01070180d00fd00f000400069d978ccf08ba5b250203020a010003000006402e140214020300161c040004000000800000000000";

#[test]
fn layouts_kinds_hints_and_stale_markers_come_back() {
    let mut float = integer(3, 0);
    float.histogram.buckets =
        Buckets::Float { count: 2.5, zero_count: -0.0, positive: vec![0.5, 1.5, 0.25], negative: vec![] };
    float.histogram.counter_reset_hint = CounterResetHint::Gauge;
    let mut custom = integer(4, 6);
    custom.histogram.schema = CUSTOM_BUCKETS_SCHEMA;
    custom.histogram.custom_values = vec![0.1, 5.0];
    custom.histogram.counter_reset_hint = CounterResetHint::Reset;
    let mut stale = integer(5, 0);
    stale.histogram.sum = stale_nan();
    stale.histogram.positive_spans.clear();
    stale.histogram.buckets =
        Buckets::Integer { count: 0, zero_count: 0, positive: vec![], negative: vec![] };
    let mut last = integer(6, u64::MAX);
    last.histogram.counter_reset_hint = CounterResetHint::NotReset;
    round_trip(&[integer(1, 5), integer(2, 9), float, custom, stale, last, integer(7, 3)]);
    round_trip(&[]);
}

#[test]
fn a_steady_histogram_costs_about_a_byte_a_bucket() {
    let samples: Vec<_> = (0..120).map(|i| integer(i * 15_000, 10 + i as u64)).collect();
    let mut page = Vec::new();
    encode_histograms(&samples, &mut page);
    assert!(page.len() < 120 * 12, "{}", page.len());
}

fn histogram() -> impl Strategy<Value = HistogramSample> {
    let spans = || {
        prop::collection::vec((any::<i32>(), any::<u32>()), 0..4)
            .prop_map(|s| s.into_iter().map(|(offset, length)| Span { offset, length }).collect::<Vec<_>>())
    };
    let buckets = prop_oneof![
        (
            any::<u64>(),
            any::<u64>(),
            prop::collection::vec(any::<i64>(), 0..9),
            prop::collection::vec(-3i64..3, 0..9)
        )
            .prop_map(|(count, zero_count, positive, negative)| Buckets::Integer {
                count,
                zero_count,
                positive,
                negative
            }),
        (
            any::<f64>(),
            any::<f64>(),
            prop::collection::vec(any::<f64>(), 0..9),
            prop::collection::vec(any::<f64>(), 0..9)
        )
            .prop_map(|(count, zero_count, positive, negative)| Buckets::Float {
                count,
                zero_count,
                positive,
                negative
            }),
    ];
    (
        any::<i64>(),
        -4i32..9,
        any::<f64>(),
        any::<u64>(),
        spans(),
        spans(),
        buckets,
        prop::collection::vec(any::<f64>(), 0..3),
    )
        .prop_map(
            |(
                timestamp,
                schema,
                zero_threshold,
                sum,
                positive_spans,
                negative_spans,
                buckets,
                custom_values,
            )| {
                HistogramSample {
                    timestamp,
                    histogram: Histogram {
                        counter_reset_hint: CounterResetHint::Unknown,
                        schema,
                        zero_threshold,
                        sum: f64::from_bits(sum),
                        positive_spans,
                        negative_spans,
                        buckets,
                        custom_values,
                    },
                }
            },
        )
}

proptest! {
    #[test]
    fn every_histogram_comes_back(samples in prop::collection::vec((histogram(), 1usize..4), 0..10)) {
        let samples: Vec<_> = samples.into_iter().flat_map(|(s, n)| std::iter::repeat_n(s, n)).collect();
        round_trip(&samples);
    }

    #[test]
    fn flipped_bytes_are_survived(
        samples in prop::collection::vec(histogram(), 1..8),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        count in 0usize..5_000,
    ) {
        let mut page = Vec::new();
        encode_histograms(&samples, &mut page);
        for (at, with) in flips {
            let at = at.index(page.len());
            page[at] ^= with;
        }
        let _ = decode_histograms(&page, samples.len(), &mut Vec::new());
        let _ = decode_histograms(&page, count, &mut Vec::new());
    }
}
