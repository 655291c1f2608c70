//! What long queries read in the place of samples: figures of all samples of a bucket of time.
//!
//! A bucket is named by its end, a multiple of its length, and holds the samples behind the end before and up to
//! its own: so windows that end at such times are whole buckets. Only floats that are no stale markers count,
//! but for [`Aggregate::Latest`]; a bucket without any has no figure.

use model::{Matcher, TimeRange};

/// Lengths of buckets, in milliseconds.
pub const RESOLUTIONS: [i64; 2] = [300_000, 3_600_000];

/// A figure of a bucket. Numbers are part of a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Aggregate {
    Count = 0,
    /// Added up in time order, with compensation, as `sum_over_time` does it.
    Sum = 1,
    /// The least, as `min_over_time` finds it; likewise the greatest.
    Min = 2,
    Max = 3,
    /// The values of the first sample and of the last.
    First = 4,
    Last = 5,
    /// Their times, in milliseconds since the Unix epoch.
    FirstTime = 6,
    LastTime = 7,
    /// How often a value is less than the one before it in the bucket,
    Resets = 8,
    /// and the sum of the values before each such drop, in time order.
    Dropped = 9,
    /// The value of the last entry, whether it is a stale marker or not.
    Latest = 10,
}

impl Aggregate {
    pub const ALL: [Self; 11] = [
        Self::Count,
        Self::Sum,
        Self::Min,
        Self::Max,
        Self::First,
        Self::Last,
        Self::FirstTime,
        Self::LastTime,
        Self::Resets,
        Self::Dropped,
        Self::Latest,
    ];
}

/// Wanted figures are wanted: of series that match all matchers, of the buckets that end in a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollupRequest {
    pub matchers: Vec<Matcher>,
    /// Of the ends of buckets.
    pub ends: TimeRange,
    /// One of [`RESOLUTIONS`].
    pub resolution: i64,
    pub aggregates: Vec<Aggregate>,
}
