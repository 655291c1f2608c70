//! What can go wrong with the log.

use std::{io, path::Path, sync::Arc};

/// Cheap to clone: one failure is the answer to every record of a group.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WalError {
    /// Nothing of the record is in the log. Later ones may succeed: the log tries again by itself.
    #[error("no space left for the write-ahead log")]
    NoSpace,
    /// The log has failed for good; only a restart, which replays it, helps.
    #[error("the write-ahead log has failed: {0}")]
    Failed(Arc<str>),
    #[error("the write-ahead log is closing")]
    Closed,
    #[error("a record of {bytes} bytes is over the write-ahead log's bound of {max}")]
    TooLarge { bytes: usize, max: usize },
    #[error("{file}: format version {version} is not known to this program (it knows {known})")]
    Version { file: Arc<str>, version: u16, known: u16 },
    #[error("{0}")]
    Config(Arc<str>),
    #[error("{path}: {source}")]
    Io { path: Arc<str>, source: Arc<io::Error> },
}

impl WalError {
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.display().to_string().into(), source: Arc::new(source) }
    }
}

/// Full disks and exhausted quotas pass; any other failure of a write does not.
pub(super) fn is_no_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
