//! Lines of the process's log, sent once a second.

use crate::{target::Target, watch::Watch};
use model::{Signal, TenantId};
use runtime::{OwnLine, OwnLines, own_writes};
use service_api::{
    BatchStream, Code, Error, LabelSource, LogBatch, LogEntry, PushLogs, Result, SeriesKey, TextSpan,
};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// From one batch to the next. With `BATCH` it bounds what a process can write of itself, whatever it logs.
const EVERY: Duration = Duration::from_secs(1);
const BATCH: usize = 1 << 20;

/// Enough for a full queue of lines, and the batch that is held.
const LAST_BATCHES: usize = OwnLines::MAX_BYTES.div_ceil(BATCH) + 1;

/// The longest wait after a write that failed.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// A write that is over a rate may be over it for ever, if all of it comes at once.
const MAX_TRIES: u32 = 10;

pub struct Lines {
    pub queue: Arc<OwnLines>,
    pub push: Arc<dyn PushLogs>,
    pub tenant: TenantId,
    pub target: Arc<Target>,
    pub watch: Arc<Watch>,
    /// The batch that could not be written yet, and how often it was refused for what may lie with it.
    held: (Vec<OwnLine>, u32),
    dropped: u64,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Nothing,
    Some,
    Failed,
}

impl Lines {
    pub fn new(
        queue: Arc<OwnLines>,
        push: Arc<dyn PushLogs>,
        tenant: TenantId,
        target: Arc<Target>,
        watch: Arc<Watch>,
    ) -> Self {
        Self { queue, push, tenant, target, watch, held: (Vec::new(), 0), dropped: 0 }
    }

    pub async fn run(mut self, drain: &CancellationToken) {
        let mut pause = EVERY;
        while drain.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
            pause = match self.send().await {
                Sent::Failed => (2 * pause).min(MAX_PAUSE),
                Sent::Nothing | Sent::Some => EVERY,
            };
        }
        // What the last writes cause others to log would have no end.
        for _ in 0..=LAST_BATCHES {
            if self.send().await != Sent::Some {
                break;
            }
        }
    }

    /// Sends one batch.
    async fn send(&mut self) -> Sent {
        if self.held.0.is_empty() {
            self.held = (self.queue.take(BATCH), 0);
        }
        self.measure();
        if self.held.0.is_empty() {
            return Sent::Nothing;
        }
        let batch = batch(&self.held.0, &self.target);
        let result = self.push.push_logs(&self.tenant, batch).instrument(own_writes()).await;
        if self.watch.is_done(Signal::Logs, &result) {
            self.held = (Vec::new(), 0);
            return Sent::Some;
        }
        let code = result.err().map(|error| error.code);
        if !matches!(code, Some(Code::Unavailable | Code::Timeout | Code::Canceled)) {
            self.held.1 += 1;
        }
        if self.held.1 >= MAX_TRIES {
            self.watch.metrics.dropped_lines.inc_by(self.held.0.len() as u64);
            self.held = (Vec::new(), 0);
        }
        Sent::Failed
    }

    fn measure(&mut self) {
        let dropped = self.queue.dropped();
        self.watch.metrics.dropped_lines.inc_by(dropped.saturating_sub(self.dropped));
        self.dropped = dropped;
        let held: usize = self.held.0.iter().map(|line| line.text.len()).sum();
        self.watch.metrics.queued_line_bytes.set((self.queue.bytes() + held) as i64);
    }
}

/// One stream a level.
fn batch(lines: &[OwnLine], target: &Arc<Target>) -> LogBatch {
    let mut levels: Vec<_> = lines.iter().map(|line| line.level).collect();
    levels.sort_unstable();
    levels.dedup();
    let named = levels.iter().map(|level| level.as_str().to_ascii_lowercase()).collect();
    let mut batch = LogBatch {
        streams: Vec::with_capacity(levels.len()),
        entries: Vec::with_capacity(lines.len()),
        metadata: Vec::new(),
        text: Vec::new(),
        labels: Box::new(Streams { target: Arc::clone(target), levels: named }),
    };
    for level in &levels {
        let first = batch.entries.len() as u32;
        for line in lines.iter().filter(|line| line.level == *level) {
            let span = TextSpan { start: batch.text.len() as u32, len: line.text.len() as u32 };
            batch.text.extend_from_slice(line.text.as_bytes());
            batch.entries.push(LogEntry { timestamp: line.time, line: span, metadata: 0..0 });
        }
        let key = SeriesKey(xxh3_128_with_seed(level.as_str().as_bytes(), target.seed));
        batch.streams.push(BatchStream { key, entries: first..batch.entries.len() as u32 });
    }
    batch
}

struct Streams {
    target: Arc<Target>,
    levels: Vec<String>,
}

impl LabelSource for Streams {
    fn pairs(&self, index: usize, each: &mut dyn FnMut(&str, &str)) -> Result<()> {
        let level = self.levels.get(index).ok_or_else(|| Error::internal("there is no such stream"))?;
        each("level", level);
        for (name, value) in self.target.labels() {
            each(name, value);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
