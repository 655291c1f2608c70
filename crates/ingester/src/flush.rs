//! From the head into blocks, and out of the log.
//!
//! One window of one tenant at a time: note how far the log is in the head; seal and copy
//! what the head has of the window; write a block; list it in the manifest; note in the
//! marks that the log up to there is in blocks; drop what was copied from the head. Then
//! segments of which everything is marked go. A crash between any two of these steps
//! leaves samples in the log or in a listed block, or in both, which reads merge.
//!
//! Readers ask heads before blocks, and a head says by which version of the manifest it has let go
//! of something, so they never miss what moves from the one to the other.

mod block;
mod ledger;
mod lines;
mod marks;
mod schedule;
#[cfg(test)]
mod tests;

use crate::{
    head::{Head, Series, Stream},
    heads::Heads,
    metrics::IngesterMetrics,
    service::Ingester,
    wal::Position,
};
use block::Flush;
use block_store::BlockObject;
use model::Signal;
use schedule::Due;
use service_api::{Error, Result};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

pub use ledger::Ledger;
pub use marks::{Marks, MarksFile};

/// The marks, and whether the file has them.
pub struct MarksState {
    pub file: MarksFile,
    pub marks: Marks,
    pub unsaved: bool,
}

/// Which windows a flush takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those that are complete, or have waited long enough.
    Ready,
    /// Every one that has data.
    All,
}

impl Ingester {
    /// Writes blocks of what the heads hold, and shortens the log.
    ///
    /// # Errors
    /// The first one; the windows behind it have been tried all the same. Nothing is lost
    /// by an error: the data stays in the head and the log.
    pub async fn flush(self: &Arc<Self>, which: Which) -> Result<()> {
        self.flush_until(which, &CancellationToken::new()).await
    }

    /// Like `flush`, but ends early, without an error, when it is to stop.
    pub(crate) async fn flush_until(self: &Arc<Self>, which: Which, stop: &CancellationToken) -> Result<()> {
        let _one_at_a_time = self.flushing.lock().await;
        let due = self.due(which);
        let mut result = Ok(());
        let complete = if due.is_empty() {
            self.traces.ledger.applied().segment.checked_sub(1)
        } else {
            // Ends the segment, so that it can go as soon as the windows in it are in blocks.
            Some(self.wal.cut().await.map_err(|error| Error::unavailable(error.to_string()))?)
        };
        let position = self.traces.ledger.applied();
        for due in due {
            let flushed = match due.signal {
                Signal::Metrics => self.flush_window::<Series>(&self.heads, &due, position, stop).await,
                Signal::Logs => self.flush_window::<Stream>(&self.log_heads, &due, position, stop).await,
            };
            if stop.is_cancelled() {
                break;
            }
            if let Err(error) = flushed {
                self.traces.metrics.flush_failures.inc();
                let Due { tenant, signal, window } = due;
                tracing::warn!(%tenant, %signal, start = window.start, %error, "a block could not be written; trying again later");
                result = result.and(Err(error));
            }
        }
        let this = Arc::clone(self);
        let trimmed = blocking(move || this.trim(complete)).await;
        let result = result.and(trimmed);
        if result.is_ok() && !stop.is_cancelled() {
            self.traces.metrics.flushed_at(self.traces.clock.now_ms());
        }
        result
    }

    async fn flush_window<S: Flush>(
        self: &Arc<Self>,
        heads: &Heads<S>,
        due: &Due,
        position: Position,
        stop: &CancellationToken,
    ) -> Result<()> {
        let Due { tenant, signal, window } = due;
        let (window, Some(head)) = (*window, heads.get(tenant)) else { return Ok(()) };
        // Asked first: all that this stands for is in the copy.
        let changes = head.changes.sequence();
        let job = {
            let head = Arc::clone(&head);
            blocking(move || S::snapshot(&head, window)).await?
        };
        let (job, object) = self.encode::<S>(job, position).await?;
        let mut sequence = 0;
        if let Some(BlockObject { parts, meta }) = object {
            let manifests = &self.manifests;
            let list = async {
                manifests.bucket().put(&meta.object(tenant, *signal), parts).await?;
                manifests.add_block(tenant, *signal, &meta).await
            };
            tokio::select! {
                biased;
                listed = list => sequence = listed?.sequence,
                () = stop.cancelled() => return Err(Error::unavailable("the ingester is stopping")),
            };
            let IngesterMetrics { blocks, block_samples, block_lines, .. } = &self.traces.metrics;
            blocks.inc();
            match signal {
                Signal::Metrics => block_samples.inc_by(meta.samples),
                Signal::Logs => block_lines.inc_by(meta.samples),
            };
            tracing::info!(%tenant, %signal, block = %meta.id, meta.series, meta.samples, meta.bytes, "block written");
        }
        let (this, due) = (Arc::clone(self), due.clone());
        blocking(move || {
            this.finish(&head, &due, position, (&job, sequence, changes));
            Ok(())
        })
        .await
    }

    async fn encode<S: Flush>(
        &self,
        job: S::Job,
        position: Position,
    ) -> Result<(S::Job, Option<BlockObject>)> {
        let (id, created) = ((self.new_id)(), self.traces.clock.now_ms());
        let source = format!("{}/{position}", self.instance);
        blocking(move || {
            let object = S::encode(&job, id, &source, created)?;
            Ok((job, object))
        })
        .await
    }

    /// The block is listed, in this version of the manifest: from here on everything is tidying up.
    fn finish<S: Flush>(
        &self,
        head: &Head<S>,
        due: &Due,
        position: Position,
        (job, sequence, changes): (&S::Job, u64, u64),
    ) {
        let Due { tenant, signal, window } = due;
        {
            let mut state = self.marks.lock();
            state.marks.set((tenant, *signal), *window, position);
            state.marks.list((tenant, *signal), sequence);
            state.unsaved = true;
            if let Err(error) = state.save() {
                // The log stays as long as this does; a replay would only repeat the block.
                tracing::warn!(%error, "flush marks could not be written; trying again later");
            }
        }
        head.listed.fetch_max(sequence, Ordering::AcqRel);
        S::drop_from(job, head);
        // Behind `listed`: that there is another block now tells of these changes, too.
        head.changes.forget(*window, changes);
        let now = self.traces.clock.monotonic();
        let forget = now.saturating_sub(Duration::from_millis(head.block_ms as u64));
        self.traces.ledger.flushed((tenant, *signal), window.start, position, now, forget);
    }

    /// Removes segments of which everything is in blocks; all up to `complete` are known whole.
    fn trim(&self, complete: Option<u64>) -> Result<()> {
        let mut state = self.marks.lock();
        // What is listed in the bucket may leave the log without the marks: on a full disk it has to.
        let saved = state.save().map_err(|error| Error::unavailable(format!("flush marks: {error}")));
        let block_ms = self.config.block_ms();
        let removable =
            complete.and_then(|complete| self.traces.ledger.removable(complete, &state.marks, block_ms));
        let Some(up_to) = removable else { return saved };
        let removed = self.wal.remove_up_to(up_to);
        let removed = removed.map_err(|error| Error::unavailable(error.to_string()))?;
        self.traces.ledger.removed(up_to);
        if removed > 0 {
            // Marks of a segment that is kept stay, lest its data be written to blocks at every start.
            let first = self.wal.segments().first().map_or(up_to + 1, |segment| segment.number);
            state.marks.prune(first.min(up_to + 1));
            tracing::info!(removed, up_to, "segments of the write-ahead log removed");
        }
        saved
    }
}

impl MarksState {
    fn save(&mut self) -> std::io::Result<()> {
        if self.unsaved {
            self.file.store(&self.marks)?;
            self.unsaved = false;
        }
        Ok(())
    }
}

/// Runs what computes long or waits for a disk off the async threads.
async fn blocking<T: Send + 'static>(f: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = runtime::blocking(f).await;
    done.map_err(|error| Error::internal(format!("flush: {error}")))?
}
