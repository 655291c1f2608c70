//! The words every other crate uses: labels, matchers, samples, histograms, tenants, time.

mod exemplar;
mod histogram;
mod labels;
mod matcher;
mod metadata;
mod sample;
mod tenant;
mod time;

pub use exemplar::Exemplar;
pub use histogram::{Buckets, CounterResetHint, Histogram, HistogramSample, Span};
pub use labels::{Labels, LabelsBuilder, METRIC_NAME};
pub use matcher::{MatchOp, Matcher, RegexError};
pub use metadata::{Metadata, MetricType};
pub use sample::{STALE_NAN, Sample, is_stale, stale_nan};
pub use tenant::{InvalidTenant, TenantId};
pub use time::{TimeRange, Timestamp};
