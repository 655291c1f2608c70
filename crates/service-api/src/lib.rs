//! The traits that roles implement and call, the one set of error codes, tenant limits.
//!
//! Engines and HTTP handlers see storage only through these traits; whether the other side
//! is in this process or across the network is decided by wiring.

mod context;
mod error;
mod limits;
mod merge;
mod read;
mod write;

pub use context::{MemoryBudget, ReadContext, Reservation};
pub use error::{Code, Error, Result};
pub use limits::{Limits, LimitsSource};
pub use merge::{MergedData, merge_series_sets};
pub use read::{
    ExemplarSeries, LabelQuery, MetricMetadata, MetricsReader, SampleBuffer, SelectRequest, Series,
    SeriesData, SeriesSet, Warned,
};
pub use write::{
    AppendOutcome, BatchSeries, Ingest, LabelSource, MetadataEntry, Push, PushOutcome, RejectReason,
    Rejection, SeriesKey, WriteBatch,
};
