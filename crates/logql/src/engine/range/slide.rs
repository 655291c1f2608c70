//! Windows that have much in common: each computed from the one before, to the same digits.

use super::functions::{Function, seconds};
use model::Nanos;
use std::{collections::VecDeque, ops::Range};

/// Whole numbers up to here add up without rounding, in any order.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Computes windows, of which none is empty, that never move back; `None` for a function or samples
/// where only the samples of each window give its exact value.
pub(super) fn slide(
    function: Function,
    samples: &[(Nanos, f64)],
    windows: &[Range<usize>],
    range: Nanos,
) -> Option<Vec<f64>> {
    match function {
        Function::Min => Some(extremes(samples, windows, |new, old| new < old)),
        Function::Max => Some(extremes(samples, windows, |new, old| new > old)),
        Function::Sum => sums(samples, windows, 1.0),
        Function::PerSecond => sums(samples, windows, seconds(range)),
        _ => None,
    }
}

/// The best value of each window; NaN where there is nothing else.
fn extremes(
    samples: &[(Nanos, f64)],
    windows: &[Range<usize>],
    is_better: impl Fn(f64, f64) -> bool,
) -> Vec<f64> {
    // Samples that are the best of what follows them, best first.
    let mut best: VecDeque<(usize, f64)> = VecDeque::new();
    let mut next = 0;
    let value = |window: &Range<usize>| {
        for (at, (_, value)) in samples.iter().enumerate().take(window.end).skip(next) {
            while best.back().is_some_and(|(_, old)| is_better(*value, *old)) {
                best.pop_back();
            }
            if !value.is_nan() {
                best.push_back((at, *value));
            }
        }
        next = next.max(window.end);
        while best.front().is_some_and(|(at, _)| *at < window.start) {
            best.pop_front();
        }
        best.front().map_or(f64::NAN, |(_, value)| *value)
    };
    windows.iter().map(value).collect()
}

/// Sums of whole numbers, as differences of sums from the first sample on.
fn sums(samples: &[(Nanos, f64)], windows: &[Range<usize>], per: f64) -> Option<Vec<f64>> {
    let (mut sum, mut size) = (0.0, 0.0);
    let mut up_to = Vec::with_capacity(samples.len() + 1);
    up_to.push(0.0);
    for (_, value) in samples {
        sum += value;
        size += value.abs();
        if value.fract() != 0.0 || size >= EXACT {
            return None;
        }
        up_to.push(sum);
    }
    Some(windows.iter().map(|window| (up_to[window.end] - up_to[window.start]) / per).collect())
}

#[cfg(test)]
mod tests {
    use super::{super::functions::Window, *};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sliding_changes_no_digit(
            values in prop::collection::vec(prop_oneof![Just(f64::NAN), -9.0..9.0, (-9i32..9).prop_map(f64::from)], 1..40),
            starts in prop::collection::vec(0usize..4, 1..30),
            length in 1usize..12,
        ) {
            let samples: Vec<_> = values.iter().enumerate().map(|(at, value)| (at as i64, *value)).collect();
            let starts = starts.iter().scan(0, |at, step| { *at += step; Some(*at) });
            let windows: Vec<_> = starts
                .map(|start| start..(start + length).min(samples.len()))
                .filter(|window| !window.is_empty())
                .collect();
            for function in [Function::Min, Function::Max, Function::Sum, Function::PerSecond] {
                let apply = |window: &Range<usize>| {
                    let window = Window { samples: &samples[window.clone()], end: 0, range: 7_000_000_000 };
                    function.apply(window, &mut Vec::new()).to_bits()
                };
                let expected: Vec<_> = windows.iter().map(apply).collect();
                if let Some(slid) = slide(function, &samples, &windows, 7_000_000_000) {
                    prop_assert_eq!(slid.iter().map(|v| v.to_bits()).collect::<Vec<_>>(), expected);
                } else {
                    prop_assert!(values.iter().any(|value| value.fract() != 0.0));
                }
            }
        }
    }
}
