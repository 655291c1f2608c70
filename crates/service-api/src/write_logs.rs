//! The way of a write of log lines. Streams are named by keys, as series are.

use crate::{AppendOutcome, LabelSource, PushOutcome, Result, SeriesKey, Wanted};
use async_trait::async_trait;
use model::{Nanos, TenantId};
use std::{ops::Range, sync::Arc};

/// The lines of one request for one tenant.
pub struct LogBatch {
    /// In the order of the request. A stream may appear more than once.
    pub streams: Vec<BatchStream>,
    /// All streams' entries, one behind the other.
    pub entries: Vec<LogEntry>,
    /// Names and values of all entries' structured metadata, one behind the other.
    pub metadata: Vec<(TextSpan, TextSpan)>,
    /// Where lines and metadata lie: the request's body as it came, and behind it what could not be
    /// taken from there as it was. Every span in use is UTF-8.
    pub text: Vec<u8>,
    /// Gives the labels of a stream that somebody did not know by its key.
    pub labels: Box<dyn LabelSource>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchStream {
    pub key: SeriesKey,
    /// Where this stream's entries lie in the batch.
    pub entries: Range<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    pub timestamp: Nanos,
    pub line: TextSpan,
    /// Where this entry's structured metadata lies in the batch.
    pub metadata: Range<u32>,
}

/// A piece of a batch's text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TextSpan {
    pub start: u32,
    pub len: u32,
}

impl LogBatch {
    pub fn line(&self, entry: &LogEntry) -> &[u8] {
        self.bytes(entry.line)
    }

    pub fn metadata(&self, entry: &LogEntry) -> impl Iterator<Item = (&str, &str)> {
        let range = entry.metadata.start as usize..entry.metadata.end as usize;
        let pairs = self.metadata.get(range).unwrap_or(&[]);
        pairs.iter().map(|(name, value)| (self.str(*name), self.str(*value)))
    }

    pub fn bytes(&self, span: TextSpan) -> &[u8] {
        let start = span.start as usize;
        self.text.get(start..start + span.len as usize).unwrap_or(&[])
    }

    fn str(&self, span: TextSpan) -> &str {
        std::str::from_utf8(self.bytes(span)).unwrap_or("")
    }
}

/// The public side of a write of logs: checks, limits, placement, replication.
#[async_trait]
pub trait PushLogs: Send + Sync {
    /// As [`crate::Push::push`].
    async fn push_logs(&self, tenant: &TenantId, batch: LogBatch) -> Result<PushOutcome>;
}

/// An ingester as a distributor sees it.
pub trait IngestAll: crate::Ingest + IngestLogs {}

impl<T: crate::Ingest + IngestLogs + ?Sized> IngestAll for T {}

/// The ingester's side of a write of logs.
#[async_trait]
pub trait IngestLogs: Send + Sync {
    /// As [`crate::Ingest::append`]. A line that is there already (same stream, time and text) is a success.
    async fn append_logs(
        &self,
        tenant: &TenantId,
        batch: Arc<LogBatch>,
        which: Wanted,
    ) -> Result<AppendOutcome>;
}
