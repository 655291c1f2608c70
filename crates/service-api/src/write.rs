//! The way of a write: from the parsed request through the distributor to the ingesters.
//!
//! A series is named by a *key*, a wide hash of its label bytes as they came in. Receivers
//! look keys up first and ask for labels only where they do not know one, so that in the
//! steady state nobody takes labels apart, copies or sends them.

use crate::{Result, StartTimestamps};
use async_trait::async_trait;
use model::{Exemplar, HistogramSample, Labels, Metadata, Sample, TenantId, Timestamp};
use std::{ops::Range, sync::Arc};

/// A 128-bit hash of a series' label bytes in one of the wire forms. Two keys may name the
/// same series (other order, other protocol); one key never names two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesKey(pub u128);

/// The entries of one request for one tenant.
pub struct WriteBatch {
    /// In the order of the request. A series may appear more than once.
    pub series: Vec<BatchSeries>,
    /// All series' samples, one behind the other.
    pub samples: Vec<Sample>,
    pub histograms: Vec<HistogramSample>,
    /// Of all `samples`, and of all `histograms`, if any is known. Beside them, so that samples stay small.
    pub starts: StartTimestamps,
    pub exemplars: Vec<Exemplar>,
    pub metadata: Vec<MetadataEntry>,
    /// Gives the labels of a series that somebody did not know by its key.
    pub labels: Box<dyn LabelSource>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchSeries {
    pub key: SeriesKey,
    /// Where this series' entries lie in the batch's vectors.
    pub samples: Range<u32>,
    pub histograms: Range<u32>,
    pub exemplars: Range<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataEntry {
    pub metric: String,
    pub metadata: Metadata,
}

/// Takes the labels of single series out of a request's body.
pub trait LabelSource: Send + Sync {
    /// The name and value pairs of series `index` as sent: unsorted, unchecked, repeats and
    /// empty values included. A name or value that is not UTF-8 is an error.
    fn pairs(&self, index: usize, each: &mut dyn FnMut(&str, &str)) -> Result<()>;

    /// About what it holds in memory.
    fn bytes(&self) -> usize {
        0
    }
}

/// The public side of a write: checks, limits, placement, replication.
#[async_trait]
pub trait Push: Send + Sync {
    /// Returns when every accepted entry is as safe as the configuration promises.
    ///
    /// # Errors
    /// Only what refuses the whole batch: rate limits, no quorum, a full disk. Single bad
    /// entries are in the outcome, and the good ones beside them are kept.
    async fn push(&self, tenant: &TenantId, batch: WriteBatch) -> Result<PushOutcome>;
}

/// What became of a pushed batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PushOutcome {
    pub samples: u64,
    pub histograms: u64,
    pub exemplars: u64,
    pub lines: u64,
    /// Nothing was kept, because another sender of the same samples is the elected one. They are counted as
    /// written above: there is nothing that the sender should do about them.
    pub ha_duplicate: bool,
    /// How many entries were refused, and the first few of them.
    pub rejected: u64,
    pub rejections: Vec<Rejection>,
}

impl PushOutcome {
    /// Rejections that are kept word for word; the rest is only counted.
    pub const KEPT_REJECTIONS: usize = 8;

    /// Counts refused entries; `rejection` is asked for only while it would be kept.
    pub fn reject(&mut self, entries: u64, rejection: impl FnOnce() -> Rejection) {
        self.rejected += entries;
        if self.rejections.len() < Self::KEPT_REJECTIONS {
            self.rejections.push(rejection());
        }
    }

    /// Adds what became of another part of the same request.
    pub fn merge(&mut self, other: Self) {
        self.samples += other.samples;
        self.histograms += other.histograms;
        self.exemplars += other.exemplars;
        self.lines += other.lines;
        self.ha_duplicate |= other.ha_duplicate;
        self.rejected += other.rejected;
        let room = Self::KEPT_REJECTIONS.saturating_sub(self.rejections.len());
        // Whether anything was over a limit decides how a request is answered, so that much is kept.
        let limit = other.rejections.iter().skip(room).find(|r| r.reason.is_limit()).cloned();
        self.rejections.extend(other.rejections.into_iter().take(room));
        if let Some(limit) = limit.filter(|_| !self.rejections.iter().any(|r| r.reason.is_limit())) {
            self.rejections.pop();
            self.rejections.push(limit);
        }
    }
}

/// One refused entry (or a series with all its entries).
#[derive(Clone, Debug, PartialEq)]
pub struct Rejection {
    pub reason: RejectReason,
    pub labels: Labels,
    /// The entry's time, of a line in nanoseconds; none if the series or stream itself was refused.
    pub timestamp: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RejectReason {
    /// Older than the out-of-order window reaches.
    TooOld,
    /// Same time, other value.
    Duplicate,
    TooFarInFuture,
    /// Older than `limits.max_sample_age`.
    TooFarInPast,
    /// The tenant has as many series, or streams, as it may.
    SeriesLimit(u64),
    /// The stream is over its rate in bytes a second.
    StreamRate(u64),
    /// A line that is longer than it may be; both in bytes.
    LineTooLong {
        bytes: u64,
        limit: u64,
    },
    /// Structured metadata that is too large or too much, with the sentence that says why.
    Metadata(String),
    /// A label set that is not valid, with the sentence that says why.
    Labels(String),
    /// A native histogram that is not valid, with the sentence that says why.
    Histogram(String),
}

impl RejectReason {
    /// A word for it, for counting.
    pub fn word(&self) -> &'static str {
        match self {
            Self::TooOld => "out_of_order",
            Self::Duplicate => "duplicate",
            Self::TooFarInFuture => "too_far_in_future",
            Self::TooFarInPast => "too_old",
            Self::SeriesLimit(_) => "series_limit",
            Self::StreamRate(_) => "stream_rate",
            Self::LineTooLong { .. } => "line_too_long",
            Self::Metadata(_) => "structured_metadata",
            Self::Labels(_) => "labels",
            Self::Histogram(_) => "histogram",
        }
    }

    /// Whether the entry may be taken later, once the sender is below its limit.
    pub fn is_limit(&self) -> bool {
        matches!(self, Self::SeriesLimit(_) | Self::StreamRate(_))
    }
}

/// The ingester's side of a write.
#[async_trait]
pub trait Ingest: Send + Sync {
    /// Appends the entries of those series of `batch` that `which` selects and returns when
    /// they are on disk. Of series selected by key the indexes of those whose key is not known
    /// come back in the outcome and nothing of them is kept.
    async fn append(&self, tenant: &TenantId, batch: Arc<WriteBatch>, which: Wanted)
    -> Result<AppendOutcome>;
}

/// The series or streams of a batch that an append takes, by their indexes in the batch.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    /// All, by key; and the batch's metadata.
    All,
    /// These, ascending, by key; and the batch's metadata.
    Keys(Arc<[u32]>),
    /// These, with their checked, sorted labels; no metadata.
    Named(Vec<(u32, Labels)>),
}

/// What became of an append.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AppendOutcome {
    pub pushed: PushOutcome,
    /// Series (indexes into the batch) whose labels are wanted.
    pub unknown: Vec<u32>,
    /// Wanted entries `pushed.rejected` counts, by series or stream, in no order; an index may come
    /// more than once. With several replicas they tell which entries are stored often enough.
    pub refused: Vec<Refused>,
}

/// Entries of one series or stream that were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The index in the batch.
    pub index: u32,
    /// Samples, histograms and exemplars, or lines.
    pub entries: u32,
}
