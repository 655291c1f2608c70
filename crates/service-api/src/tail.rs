//! Lines as they come in, for whoever watches.

use crate::Result;
use model::{Labels, Matcher, Nanos, TenantId};
use tokio::sync::mpsc;

/// Somebody who takes lines in and can tell of them at once.
pub trait LogsTail: Send + Sync {
    /// Every line that is stored from now on in a stream that matches. It ends when the receiver
    /// is dropped. One that takes too slowly is told which lines it has missed, and holds nobody up.
    fn tail(&self, tenant: &TenantId, matchers: Vec<Matcher>) -> Result<mpsc::Receiver<TailItem>>;
}

/// What a watcher is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TailItem {
    Stored(TailedStream),
    /// Lines that the watcher was too slow for: their stream, and the time of the first one and how many.
    Missed {
        labels: Labels,
        timestamp: Nanos,
        lines: u64,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TailedStream {
    pub labels: Labels,
    pub entries: Vec<TailedEntry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TailedEntry {
    pub timestamp: Nanos,
    pub line: String,
    /// Structured metadata.
    pub metadata: Vec<(String, String)>,
}
