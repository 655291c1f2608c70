//! The words every other crate uses: labels, matchers, samples, histograms, tenants, time.

mod exemplar;
mod histogram;
mod labels;
mod matcher;
mod metadata;
mod quote;
mod regex;
mod sample;
mod tenant;
mod time;

pub use exemplar::Exemplar;
pub use histogram::{Buckets, CUSTOM_BUCKETS_SCHEMA, CounterResetHint, Histogram, HistogramSample, Span};
pub use labels::{Labels, LabelsBuilder, METRIC_NAME};
pub use matcher::{MatchOp, Matcher, RegexError};
pub use metadata::{Metadata, MetricType};
pub use quote::{quote, quote_char};
pub use regex::capturing_regex;
pub use sample::{STALE_NAN, Sample, is_stale, stale_nan};
pub use tenant::{InvalidTenant, TenantId};
pub use time::{TimeRange, Timestamp};
