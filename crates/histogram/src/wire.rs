//! From and to histograms as they are sent and stored.

use crate::{Buckets, FloatHistogram};
use model::{Buckets as Sent, Histogram};

impl From<&Histogram> for FloatHistogram {
    fn from(sent: &Histogram) -> Self {
        let absolute = |deltas: &[i64]| {
            let mut count = 0_i64;
            let mut next = |delta: &i64| {
                count = count.wrapping_add(*delta);
                count as f64
            };
            deltas.iter().map(&mut next).collect::<Vec<_>>()
        };
        let (count, zero_count, positive, negative) = match &sent.buckets {
            Sent::Integer { count, zero_count, positive, negative } => {
                (*count as f64, *zero_count as f64, absolute(positive), absolute(negative))
            }
            Sent::Float { count, zero_count, positive, negative } => {
                (*count, *zero_count, positive.clone(), negative.clone())
            }
        };
        Self {
            counter_reset_hint: sent.counter_reset_hint,
            schema: sent.schema,
            zero_threshold: sent.zero_threshold,
            zero_count,
            count,
            sum: sent.sum,
            positive: Buckets { spans: sent.positive_spans.clone(), counts: positive },
            negative: Buckets { spans: sent.negative_spans.clone(), counts: negative },
            custom_values: sent.custom_values.as_slice().into(),
        }
    }
}

impl From<&FloatHistogram> for Histogram {
    fn from(histogram: &FloatHistogram) -> Self {
        Self {
            counter_reset_hint: histogram.counter_reset_hint,
            schema: histogram.schema,
            zero_threshold: histogram.zero_threshold,
            sum: histogram.sum,
            positive_spans: histogram.positive.spans.clone(),
            negative_spans: histogram.negative.spans.clone(),
            buckets: Sent::Float {
                count: histogram.count,
                zero_count: histogram.zero_count,
                positive: histogram.positive.counts.clone(),
                negative: histogram.negative.counts.clone(),
            },
            custom_values: histogram.custom_values.to_vec(),
        }
    }
}
