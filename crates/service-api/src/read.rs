//! The way of a read: how engines and the HTTP API reach labels and samples.

use crate::{ReadContext, Result, RollupRequest};
use async_trait::async_trait;
use model::{Exemplar, HistogramSample, Labels, Matcher, Metadata, Signal, TimeRange, Timestamp, pad_starts};
use std::{fmt, sync::Arc};

/// What is known of series and streams without reading their entries.
#[async_trait]
pub trait LabelsReader: Send + Sync {
    /// Label sets that match any of the query's matcher sets, sorted, each once.
    async fn series(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<Labels>>>;

    /// Label names, sorted, each once.
    async fn label_names(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<String>>>;

    /// Values of one label, sorted, each once.
    async fn label_values(
        &self,
        ctx: &ReadContext,
        name: &str,
        query: &LabelQuery,
    ) -> Result<Warned<Vec<String>>>;
}

/// Metric data of some extent: one ingester's head, the bucket's blocks, or everything.
#[async_trait]
pub trait MetricsReader: LabelsReader {
    /// Series that match all matchers and may have samples in the range, sorted by labels,
    /// each once. Everything that needs waiting is done before this returns; the encoded
    /// samples are in memory and counted against the context's budget.
    async fn select(&self, ctx: &ReadContext, request: &SelectRequest) -> Result<SeriesSet>;

    /// For each of the aggregates the series that match, as in `select`: their samples are figures of buckets, at
    /// the buckets' ends. None if there are no such figures of all of the range, or they are not sure to be
    /// those of all samples that `select` would give: then that is the way.
    async fn rollups(&self, _ctx: &ReadContext, _request: &RollupRequest) -> Result<Option<Vec<SeriesSet>>> {
        Ok(None)
    }

    async fn exemplars(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Vec<ExemplarSeries>>;

    /// Metadata by metric name, sorted; of one metric only if `metric` is given.
    async fn metadata(&self, ctx: &ReadContext, metric: Option<&str>) -> Result<Vec<MetricMetadata>>;
}

/// Wanted samples are wanted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SelectRequest {
    pub matchers: Vec<Matcher>,
    pub range: TimeRange,
}

/// As a selector with the range it reads, for people.
impl fmt::Display for SelectRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (at, matcher) in self.matchers.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}{matcher}")?;
        }
        write!(f, "}} from {} to {} ms", self.range.start, self.range.end)
    }
}

/// Wanted label sets are wanted: those of the signal that match any one of the matcher sets and
/// may have entries in the range. No matcher set at all means every series or stream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LabelQuery {
    pub signal: Signal,
    pub matcher_sets: Vec<Vec<Matcher>>,
    pub range: TimeRange,
}

/// A result and the warnings that its reader must see.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Warned<T> {
    pub value: T,
    pub warnings: Vec<String>,
}

impl<T> From<T> for Warned<T> {
    fn from(value: T) -> Self {
        Self { value, warnings: Vec::new() }
    }
}

/// Selected series, sorted by labels, each once.
#[derive(Clone, Default)]
pub struct SeriesSet {
    pub series: Vec<Series>,
    pub warnings: Vec<String>,
}

/// One selected series: its labels, and its samples still encoded.
#[derive(Clone)]
pub struct Series {
    pub labels: Labels,
    pub data: Arc<dyn SeriesData>,
}

/// The samples of one series, to be decoded where they are used.
pub trait SeriesData: Send + Sync {
    /// Appends the entries in `range` to `out`, in time order, one for each timestamp.
    /// Stale markers are among them. Starts that are there already stay with their entries.
    /// Pure CPU work: call it off the async threads.
    fn read(&self, range: TimeRange, out: &mut SampleBuffer) -> Result<()>;

    /// Hands out what `read` would decode, as it is encoded; chunks may overlap and reach beyond the
    /// range, and of entries with one timestamp the one of the earlier chunk counts. False, and
    /// nothing is handed out, if this series cannot: then `read` is the way.
    fn encoded(&self, _range: TimeRange, _each: &mut dyn FnMut(EncodedChunk<'_>)) -> Result<bool> {
        Ok(false)
    }
}

/// Entries of a series in crate `chunk`'s encodings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodedChunk<'a> {
    Floats {
        range: TimeRange,
        count: u32,
        /// As of `chunk::encode_timestamps`.
        timestamps: &'a [u8],
        /// As of `chunk::encode_values`.
        values: &'a [u8],
        /// As of `chunk::encode_starts`.
        starts: &'a [u8],
    },
    Histograms {
        range: TimeRange,
        count: u32,
        /// As of `chunk::encode_histograms`.
        data: &'a [u8],
        /// As of `chunk::encode_starts`.
        starts: &'a [u8],
    },
}

impl EncodedChunk<'_> {
    /// The times of the first and the last entry.
    pub fn range(&self) -> TimeRange {
        let (Self::Floats { range, .. } | Self::Histograms { range, .. }) = self;
        *range
    }
}

/// Decoded entries in columns; reuse one for many series.
#[derive(Clone, Debug, Default)]
pub struct SampleBuffer {
    pub timestamps: Vec<Timestamp>,
    pub values: Vec<f64>,
    /// Native histograms, in time order on their own.
    pub histograms: Vec<HistogramSample>,
    pub starts: StartTimestamps,
}

/// When what the entries count began, if the source knows: either none, or one for each float, and the same
/// for histograms; 0 where that one's is unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StartTimestamps {
    pub floats: Vec<Timestamp>,
    pub histograms: Vec<Timestamp>,
}

impl SampleBuffer {
    pub fn clear(&mut self) {
        self.timestamps.clear();
        self.values.clear();
        self.histograms.clear();
        self.starts.floats.clear();
        self.starts.histograms.clear();
    }

    /// Gives entries of which nothing is known a start of 0 where others have one.
    pub fn pad_starts(&mut self) {
        pad_starts(&mut self.starts.floats, self.timestamps.len());
        pad_starts(&mut self.starts.histograms, self.histograms.len());
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct ExemplarSeries {
    pub labels: Labels,
    pub exemplars: Vec<Exemplar>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct MetricMetadata {
    pub metric: String,
    pub metadata: Vec<Metadata>,
}
