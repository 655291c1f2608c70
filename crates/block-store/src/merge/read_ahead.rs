//! Reads the pieces of all inputs, each input's one after the other, a little before they are used.

use super::{
    MergeError,
    memory::Memory,
    pieces::{Pieces, Run},
    stored::Stored,
};
use bytes::Bytes;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};
use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;

/// Of hundreds of inputs only so many are read at once.
const REQUESTS: usize = 32;

/// What all inputs of a merge have read and not used yet. A clone is the same.
#[derive(Clone, Debug)]
pub struct ReadAhead(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    run: u64,
    requests: Semaphore,
    held: AtomicU64,
    peak: AtomicU64,
}

impl ReadAhead {
    pub fn new(memory: &Memory) -> Self {
        let (held, peak) = (AtomicU64::new(0), AtomicU64::new(0));
        Self(Arc::new(Shared { run: memory.run, requests: Semaphore::new(REQUESTS), held, peak }))
    }

    /// The most bytes that there ever were.
    pub fn peak(&self) -> u64 {
        self.0.peak.load(Relaxed)
    }

    fn hold(&self, bytes: u64) -> Held {
        let held = self.0.held.fetch_add(bytes, Relaxed) + bytes;
        self.0.peak.fetch_max(held, Relaxed);
        Held(self.clone(), bytes)
    }
}

/// Bytes that are here, or on their way.
#[derive(Debug)]
struct Held(ReadAhead, u64);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.0.held.fetch_sub(self.1, Relaxed);
    }
}

/// Pieces that have been read, and checked.
#[derive(Debug)]
pub struct Arrived {
    pieces: std::vec::IntoIter<Bytes>,
    _held: Option<Held>,
}

impl Iterator for Arrived {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        self.pieces.next()
    }
}

/// Reads one input from its first piece to its last.
pub struct SequentialReader {
    stored: Stored,
    pieces: Arc<Pieces>,
    budget: ReadAhead,
    /// The last that was asked for.
    last: Option<Run>,
    ahead: Option<AbortOnDropHandle<Result<Arrived, MergeError>>>,
}

impl SequentialReader {
    /// Begins to read.
    pub fn new(stored: Stored, pieces: Pieces, budget: &ReadAhead) -> Self {
        let (pieces, budget) = (Arc::new(pieces), budget.clone());
        let mut reader = Self { stored, pieces, budget, last: None, ahead: None };
        reader.look_ahead();
        reader
    }

    /// The next pieces; what was there before must have been used. Nothing behind the last ones.
    pub async fn next(&mut self) -> Result<Option<Arrived>, MergeError> {
        let arrived = match self.ahead.take() {
            Some(task) => {
                task.await.map_err(|e| service_api::Error::internal(format!("a read was lost: {e}")))??
            }
            // One that is larger than what may be read ahead: it counts as an open page.
            None => match self.pieces.after(self.last.as_ref(), self.budget.0.run) {
                Some(run) => self.fetch(run, None).await?,
                None => return Ok(None),
            },
        };
        self.look_ahead();
        Ok(Some(arrived))
    }

    fn look_ahead(&mut self) {
        let run = self.pieces.after(self.last.as_ref(), self.budget.0.run);
        if let Some(run) = run.filter(|run| run.len() <= self.budget.0.run) {
            let held = self.budget.hold(run.len());
            self.ahead = Some(AbortOnDropHandle::new(tokio::spawn(self.fetch(run, Some(held)))));
        }
    }

    fn fetch(
        &mut self,
        run: Run,
        held: Option<Held>,
    ) -> impl Future<Output = Result<Arrived, MergeError>> + Send + use<> {
        self.last = Some(run.clone());
        let (stored, pieces, budget) = (self.stored.clone(), Arc::clone(&self.pieces), self.budget.clone());
        async move {
            let _place = budget.0.requests.acquire().await;
            let range = run.bytes.clone();
            let pieces = stored.read(range, move |bytes| pieces.split(&run, &bytes)).await?;
            Ok(Arrived { pieces: pieces.into_iter(), _held: held })
        }
    }
}
