//! Native histograms of which only count and sum are looked at.

use histogram::{Buckets, CounterResetHint, FloatHistogram};
use model::{Histogram, HistogramSample};

/// Leaves of each histogram its count and sum, and the hint that its buckets give: without them nobody could
/// find a reset any more.
pub(super) fn keep_statistics(samples: &mut [HistogramSample]) {
    let mut last: Option<FloatHistogram> = None;
    for sample in samples {
        let mut whole = FloatHistogram::from(&sample.histogram);
        if whole.is_stale() {
            continue;
        }
        if let (CounterResetHint::Unknown, Some(last)) = (whole.counter_reset_hint, &last) {
            let is_reset = whole.is_reset_after(last);
            whole.counter_reset_hint =
                if is_reset { CounterResetHint::Reset } else { CounterResetHint::NotReset };
        }
        let statistics = FloatHistogram {
            zero_threshold: 0.0,
            zero_count: 0.0,
            positive: Buckets::default(),
            negative: Buckets::default(),
            custom_values: [].into(),
            ..whole.clone()
        };
        sample.histogram = Histogram::from(&statistics);
        last = Some(whole);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_go_and_what_they_tell_of_resets_stays() {
        let sample = |timestamp, count: f64| HistogramSample {
            timestamp,
            histogram: Histogram::from(&FloatHistogram {
                count: 10.0,
                zero_count: count,
                ..Default::default()
            }),
        };
        let mut samples = vec![sample(1, 3.0), sample(2, 4.0), sample(3, 2.0)];
        keep_statistics(&mut samples);
        let hints: Vec<_> = samples.iter().map(|s| s.histogram.counter_reset_hint).collect();
        assert_eq!(hints, [CounterResetHint::Unknown, CounterResetHint::NotReset, CounterResetHint::Reset]);
        assert!(samples.iter().all(|s| FloatHistogram::from(&s.histogram).zero_count == 0.0));
    }
}
