//! Native histograms as they are sent and stored: exponential or custom buckets,
//! integer or float counts.

use crate::Timestamp;

/// The schema number that says: the bucket bounds are `custom_values`.
pub const CUSTOM_BUCKETS_SCHEMA: i32 = -53;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CounterResetHint {
    #[default]
    Unknown,
    Reset,
    NotReset,
    Gauge,
}

/// A run of adjacent buckets: `offset` buckets are skipped, `length` follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    pub offset: i32,
    pub length: u32,
}

/// Counts of a histogram, in the form in which they were sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Buckets {
    /// Bucket counts are deltas, each to the bucket before it.
    Integer { count: u64, zero_count: u64, positive: Vec<i64>, negative: Vec<i64> },
    /// Bucket counts are absolute.
    Float { count: f64, zero_count: f64, positive: Vec<f64>, negative: Vec<f64> },
}

/// One native histogram. A stale histogram has the stale marker as its `sum`.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    pub counter_reset_hint: CounterResetHint,
    /// -4 to 8 for exponential buckets, `CUSTOM_BUCKETS_SCHEMA` for custom ones.
    pub schema: i32,
    pub zero_threshold: f64,
    pub sum: f64,
    pub positive_spans: Vec<Span>,
    pub negative_spans: Vec<Span>,
    pub buckets: Buckets,
    /// Upper bounds of custom buckets, ascending, without +Inf.
    pub custom_values: Vec<f64>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct HistogramSample {
    pub timestamp: Timestamp,
    pub histogram: Histogram,
}
