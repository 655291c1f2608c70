//! The traits that roles implement and call, the one set of error codes, tenant limits.
//!
//! Engines and HTTP handlers see storage only through these traits; whether the other side
//! is in this process or across the network is decided by wiring.

mod changes;
mod context;
mod deletions;
mod error;
mod limits;
mod logs;
mod matching;
mod merge;
mod omit;
mod read;
mod rollup;
mod rules;
mod tail;
mod write;
mod write_logs;

pub use changes::{
    Change, Changes, DataVersion, HeadChange, HeadChanges, HeadSource, HeadVersion, ListedBlock,
    ListedDeletion,
};
pub use context::{Deadline, Heard, Listed, MemoryBudget, ReadContext, Reservation};
pub use deletions::{DeletionRequest, DeletionRequests, DeletionState};
pub use error::{Code, Error, Result};
pub use limits::{Limits, LimitsSource, RetentionRule};
pub use logs::{
    LineSource, LogPage, LogStream, LogsReader, Needles, PageData, PageStore, Source, StreamSet,
    StreamsRequest, fetch_pages, merge_stream_sets, origin,
};
pub use matching::Matching;
pub use merge::{MergedData, merge_series_sets, read_merged};
pub use omit::{Cut, LineRun, LineTest, LinesCut, Omit};
pub use read::{
    EncodedChunk, ExemplarSeries, LabelQuery, LabelsReader, MetricMetadata, MetricsReader, SampleBuffer,
    SelectRequest, Series, SeriesData, SeriesSet, StartTimestamps, Warned,
};
pub use rollup::{Aggregate, RESOLUTIONS, RollupRequest};
pub use rules::{
    Alert, AlertPhase, AlertState, GroupState, Notify, RuleHealth, RuleKindState, RuleLanguage, RuleState,
    RuleStates,
};
pub use tail::{LogsTail, TailItem, TailedEntry, TailedStream};
pub use write::{
    AppendOutcome, BatchSeries, Ingest, LabelSource, MetadataEntry, Push, PushOutcome, Refused, RejectReason,
    Rejection, SeriesKey, Wanted, WriteBatch,
};
pub use write_logs::{BatchStream, IngestAll, IngestLogs, LogBatch, LogEntry, PushLogs, TextSpan};
