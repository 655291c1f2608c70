//! Tests of the open chunk: every bit back, and few bytes for what series look like.

use super::*;
use model::stale_nan;
use proptest::prelude::*;

fn chunk_of(samples: impl IntoIterator<Item = (i64, f64)>) -> OpenChunk {
    let mut chunk = OpenChunk::new();
    for (t, v) in samples {
        assert!(chunk.append(t, v), "{t}");
    }
    chunk
}

fn decoded(chunk: &OpenChunk, range: TimeRange) -> Vec<(i64, u64)> {
    let (mut timestamps, mut values) = (Vec::new(), Vec::new());
    chunk.decode(range, &mut timestamps, &mut values);
    assert_eq!(timestamps.len(), values.len());
    timestamps.into_iter().zip(values.into_iter().map(f64::to_bits)).collect()
}

#[test]
fn stays_within_a_cache_line() {
    assert!(size_of::<OpenChunk>() <= 64, "{}", size_of::<OpenChunk>());
}

#[test]
fn constants_and_counters_are_small() {
    let bytes = |value: &dyn Fn(i64) -> f64| {
        let chunk = chunk_of((0..120).map(|i| (1_700_000_000_000 + i * 15_000, value(i))));
        chunk.data.len()
    };
    assert!(bytes(&|_| 42.0) <= 20);
    assert!(bytes(&|i| (i * 1_000) as f64) <= 24);
    assert!(bytes(&|i| (i * 1_000 + i * i % 37) as f64) <= 200);
    assert!(bytes(&|i| (i * 100 + i * i % 37) as f64 / 100.0) <= 250);
}

#[test]
fn a_sample_that_is_not_newer_is_not_taken() {
    let mut chunk = chunk_of([(10, 1.0)]);
    assert!(!chunk.append(10, 1.0));
    assert!(!chunk.append(9, 2.0));
    assert_eq!(decoded(&chunk, TimeRange::ALL), [(10, 1f64.to_bits())]);
    assert_eq!((chunk.first_timestamp(), chunk.last_timestamp()), (Some(10), Some(10)));
    assert_eq!(chunk.last_value(), Some(1.0));
}

#[test]
fn a_full_chunk_takes_no_more() {
    let mut chunk = chunk_of((0..65_535).map(|t| (t, 0.0)));
    assert!(!chunk.append(65_535, 0.0));
    assert_eq!(decoded(&chunk, TimeRange::ALL).len(), 65_535);
}

#[test]
fn an_empty_chunk_has_nothing() {
    let chunk = OpenChunk::new();
    assert_eq!((chunk.first_timestamp(), chunk.last_timestamp(), chunk.last_value()), (None, None, None));
    assert!(decoded(&chunk, TimeRange::ALL).is_empty());
    assert!(chunk.seal(&StartRuns::default()).is_none());
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        3 => (-50i64..50).prop_map(|i| i as f64),
        3 => (-5_000i64..5_000).prop_map(|i| i as f64 / 100.0),
        1 => any::<i64>().prop_map(|i| i as f64),
        1 => any::<u64>().prop_map(f64::from_bits),
        1 => prop::sample::select(vec![stale_nan(), -0.0, 0.0, f64::NAN, f64::INFINITY, f64::MIN, f64::MAX, 5e-324, 0.1 + 0.2]),
    ]
}

fn interval() -> impl Strategy<Value = i64> {
    prop_oneof![6 => Just(15_000), 2 => 14_900i64..15_100, 1 => 1i64..i64::MAX / 1_000]
}

proptest! {
    #[test]
    fn every_bit_comes_back(
        start in any::<i32>(),
        steps in prop::collection::vec((interval(), value(), 1usize..5), 1..60),
        from in 0usize..60, to in 0usize..60,
    ) {
        let mut t = i64::from(start);
        let mut samples = Vec::new();
        for (interval, value, times) in steps {
            for _ in 0..times {
                samples.push((t, value));
                t = t.saturating_add(interval);
            }
        }
        samples.dedup_by_key(|s| s.0);
        let chunk = chunk_of(samples.iter().copied());
        let want: Vec<_> = samples.iter().map(|(t, v)| (*t, v.to_bits())).collect();
        prop_assert_eq!(decoded(&chunk, TimeRange::ALL), want.clone());
        let at = |i: usize| want[i.min(want.len() - 1)].0;
        let range = TimeRange::new(at(from), at(to).saturating_sub(1));
        let inside: Vec<_> = want.iter().copied().filter(|(t, _)| range.contains(*t)).collect();
        prop_assert_eq!(decoded(&chunk, range), inside.clone());

        let sealed = chunk.seal(&StartRuns::default()).unwrap();
        let (mut timestamps, mut values, mut starts) = (vec![7], vec![7.0], vec![]);
        sealed.decode(range, &mut timestamps, &mut values, &mut starts).unwrap();
        prop_assert!(starts.is_empty());
        let pairs: Vec<_> = timestamps.into_iter().zip(values.into_iter().map(f64::to_bits)).collect();
        prop_assert_eq!(&pairs[1..], &inside[..]);
    }
}

/// Bytes in memory are not persisted, but they do show when the encoding changes unawares.
#[test]
fn golden_bytes() {
    let chunk = chunk_of([
        (1_000, 5.0),
        (2_000, 6.0),
        (3_000, 7.0),
        (4_000, 7.5),
        (5_000, stale_nan()),
        (6_001, 0.1 + 0.2),
    ]);
    let hex: String = chunk.data.iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(hex, "e8030000000000000a69d00f078063010962020000000000f07f6c02343333333333d33f");
}
