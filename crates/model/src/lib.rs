//! The words every other crate uses: labels, matchers, samples, histograms, log lines, tenants, time.

mod exemplar;
mod go_float;
mod histogram;
mod labels;
mod lines;
mod matcher;
mod metadata;
mod nanos;
mod quote;
mod regex;
mod sample;
mod signal;
mod starts;
mod tenant;
mod time;

pub use exemplar::Exemplar;
pub use go_float::{go_g, open_metrics_float};
pub use histogram::{Buckets, CUSTOM_BUCKETS_SCHEMA, CounterResetHint, Histogram, HistogramSample, Span};
pub use labels::{Labels, LabelsBuilder, METRIC_NAME};
pub use lines::{Lines, MetadataColumn};
pub use matcher::{MatchOp, Matcher, RegexError};
pub use metadata::{Metadata, MetricType};
pub use nanos::{NANOS_A_MILLI, NanoRange, Nanos};
pub use quote::{quote, quote_char};
pub use regex::{RegexCosts, capturing_regex, check_regex_work, regex_cost, search_regex};
pub use sample::{STALE_NAN, Sample, is_stale, stale_nan};
pub use signal::Signal;
pub use starts::{pad_starts, push_start, split_starts};
pub use tenant::{InvalidTenant, TenantId};
pub use time::{TimeRange, Timestamp};
