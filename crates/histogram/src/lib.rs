//! Native histograms with float counts: what PromQL computes with.

mod add;
mod aggregate;
mod bounds;
mod bucket;
mod classic;
mod compensated;
mod custom;
mod display;
mod equal;
mod quantile;
mod reset;
mod scale;
mod side;
#[cfg(test)]
mod testing;
mod trim;
mod wire;
mod zero;

pub use add::{Combined, Incompatible};
pub use aggregate::{MeanOfHistograms, SumOfHistograms};
pub use bucket::Bucket;
pub use classic::{ClassicError, from_classic};
pub use model::{CUSTOM_BUCKETS_SCHEMA, CounterResetHint, Span};
pub use quantile::NanNote;

use std::sync::Arc;

/// A native histogram whose counts are floats and absolute, not deltas, whatever it was sent as.
///
/// The fields are Prometheus's. With custom buckets (schema `CUSTOM_BUCKETS_SCHEMA`) there is no zero
/// bucket and nothing negative.
#[derive(Clone, Debug, Default)]
pub struct FloatHistogram {
    pub counter_reset_hint: CounterResetHint,
    /// -4 to 8 for exponential buckets, `CUSTOM_BUCKETS_SCHEMA` for custom ones.
    pub schema: i32,
    /// The zero bucket reaches so far from zero to both sides.
    pub zero_threshold: f64,
    pub zero_count: f64,
    pub count: f64,
    pub sum: f64,
    pub positive: Buckets,
    pub negative: Buckets,
    /// Upper bounds of custom buckets, ascending, without +Inf. Shared, as all samples of a series
    /// have the same.
    pub custom_values: Arc<[f64]>,
}

/// The buckets on one side of zero: `spans` say which, `counts` how many observations each holds.
///
/// There are as many counts as the spans' lengths add up to.
#[derive(Clone, Debug, Default)]
pub struct Buckets {
    pub spans: Vec<Span>,
    pub counts: Vec<f64>,
}

impl FloatHistogram {
    pub fn uses_custom_buckets(&self) -> bool {
        self.schema == CUSTOM_BUCKETS_SCHEMA
    }

    /// What it holds besides its own size; custom bounds are not counted, as they are shared.
    pub fn heap_bytes(&self) -> usize {
        let side = |side: &Buckets| {
            side.spans.capacity() * size_of::<Span>() + side.counts.capacity() * size_of::<f64>()
        };
        side(&self.positive) + side(&self.negative)
    }
}
