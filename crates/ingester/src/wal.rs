//! The write-ahead log: opaque records, durable in order before they are answered.
//!
//! Two threads: the *writer* encodes what is queued, writes it and syncs once for the whole group; the *applier*
//! then tells the records in log order, while the writer is at the next group. The layout on disk is described in
//! `docs/wal-format.md`.

mod applier;
mod config;
mod error;
mod format;
mod metrics;
mod position;
mod quarantine;
mod queue;
mod replay;
mod segment;
mod shared;
mod writer;

use std::{
    collections::BTreeSet,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, mpsc},
    thread,
};

use parking_lot::Mutex;
use runtime::Clock;
use tokio::sync::oneshot;

use self::{
    applier::Told,
    error::is_no_space,
    queue::{Entry, Queued},
    shared::Shared,
    writer::{LogEnd, Writer},
};
pub use self::{
    config::{Sync, Threads, WalConfig},
    error::WalError,
    metrics::WalMetrics,
    position::Position,
};
use crate::fs::Fs;

/// Groups that may wait for the applier.
const GROUPS_IN_FLIGHT: usize = 4;
/// What a record takes of the queue's room at least.
const MIN_RECORD_BYTES: usize = 256;

/// Something to be logged.
pub trait Record: Send {
    /// Appends the payload. Called at most once, on the writer's thread and in log order. Segments stand on their
    /// own: the payload declares again whatever `segment` has not declared yet. After a refused record the log goes
    /// on in a new segment, so that what was declared by `encode` and then refused is never relied on.
    fn encode(&mut self, segment: u64, out: &mut Vec<u8>);

    /// Called exactly once for every record that [`Wal::append`] took, in log order, on the applier's thread, once
    /// the payload is durable up to the position or has been refused. Must not block for long.
    fn committed(self: Box<Self>, result: Result<Position, WalError>);
}

/// A segment file of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentInfo {
    pub number: u64,
    /// Bytes of header and frames; the file may be longer, as it is allocated in advance.
    pub bytes: u64,
}

/// What was found when the log was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplayReport {
    pub segments: u64,
    pub records: u64,
    pub payload_bytes: u64,
    /// Stretches inside the log that hold no valid frame; they were copied to `quarantine`.
    pub quarantined: u64,
    pub quarantined_bytes: u64,
    /// Records that are known to be gone, by the gaps in their sequence numbers.
    pub missing_records: u64,
    /// Bytes behind the last valid frame: a write that was never finished or answered.
    pub torn_bytes: u64,
    /// The end of the last record, the start if there is none.
    pub end: Position,
}

type TellAtOnce = fn(Vec<Told>) -> bool;

/// The write-ahead log of one ingester. Dropping it closes it, without waiting for the threads.
pub struct Wal {
    shared: Arc<Shared>,
    queue_bytes: usize,
    /// The writer, if it has no thread.
    inline: Option<Mutex<Writer<TellAtOnce>>>,
}

impl Wal {
    /// Replays what is in `dir`, then starts the threads. Blocks. Writes nothing but quarantined bytes; the first
    /// append or cut starts a new segment. Positions given to `replay` increase; where their segment changes, what
    /// was declared in the one before no longer counts.
    pub fn open(
        fs: Arc<dyn Fs>,
        dir: &Path,
        config: WalConfig,
        clock: Arc<dyn Clock>,
        replay: &mut dyn FnMut(Position, &[u8]),
    ) -> Result<(Self, ReplayReport), WalError> {
        let (shared, end, report) = recover(fs, dir, &config, replay)?;
        let mut wal = Self { shared, queue_bytes: config.queue_bytes as usize, inline: None };
        match config.threads {
            Threads::Own => wal.start(config, clock, end).map_err(|error| WalError::io(dir, error))?,
            Threads::Inline => {
                let tell: TellAtOnce = applier::at_once;
                wal.inline = Some(Mutex::new(Writer::new(wal.shared.clone(), config, clock, end, tell)));
            }
        }
        Ok((wal, report))
    }

    fn start(&self, config: WalConfig, clock: Arc<dyn Clock>, end: LogEnd) -> io::Result<()> {
        let queue_bytes = self.queue_bytes;
        let (sender, receiver) = mpsc::sync_channel(GROUPS_IN_FLIGHT);
        let shared = self.shared.clone();
        let apply = move || {
            guard(&shared, || applier::run(&receiver, || shared.measure_queue(queue_bytes)));
            shared.finished.send_replace(true);
        };
        thread::Builder::new().name("wal-applier".into()).spawn(apply)?;
        let shared = self.shared.clone();
        let tell = move |told| sender.send(told).is_ok();
        let mut writer = Writer::new(shared.clone(), config, clock, end, tell);
        let write = move || {
            guard(&shared, || writer.run());
            shared.close();
            // Whatever a panic left behind is dropped, and with it whoever waits for it is woken.
            drop(shared.queue.take());
        };
        thread::Builder::new().name("wal-writer".into()).spawn(write)?;
        Ok(())
    }

    /// Queues a record, waiting while the queue is full. Where this is an error the record is dropped without a
    /// call to `committed`. `approx_bytes` is what the record costs in memory and about what it will take on disk.
    pub async fn append(&self, record: Box<dyn Record>, approx_bytes: usize) -> Result<(), WalError> {
        self.check()?;
        let bytes = approx_bytes.max(MIN_RECORD_BYTES).min(self.queue_bytes);
        let permit = self.shared.room.clone().acquire_many_owned(bytes as u32).await;
        let permit = Some(permit.map_err(|_closed| WalError::Closed)?);
        self.shared.measure_queue(self.queue_bytes);
        self.check()?;
        let entry = Entry::Record(Queued { record, approx_bytes, permit });
        self.push(entry)
    }

    /// Ends the segment and starts the next. Returns the greatest segment that holds anything appended before this
    /// call; all of that has been told (`committed`) when this returns, and nothing will be added to it.
    pub async fn cut(&self) -> Result<u64, WalError> {
        self.check()?;
        let (reply, answer) = oneshot::channel();
        self.push(Entry::Cut(reply))?;
        answer.await.unwrap_or(Err(WalError::Closed))
    }

    /// Segments that `remove_up_to` is to leave on disk. An operator removes them, while the program is stopped.
    pub fn keep(&self, segments: BTreeSet<u64>) {
        self.shared.keep(segments);
    }

    /// Removes the segments up to and including `segment`, but neither the newest nor what is kept. Returns how many. Blocks for a
    /// few system calls.
    pub fn remove_up_to(&self, segment: u64) -> Result<usize, WalError> {
        self.shared.remove_up_to(segment)
    }

    /// The segments on disk, oldest first.
    pub fn segments(&self) -> Vec<SegmentInfo> {
        self.shared.segments()
    }

    /// Waits until the log fails for good. The service stops then: what it would answer cannot be kept.
    pub async fn failed(&self) -> WalError {
        let mut failure = self.shared.failure.subscribe();
        let failure = failure.wait_for(Option::is_some).await;
        failure.ok().and_then(|failure| failure.clone()).unwrap_or(WalError::Closed)
    }

    pub fn metrics(&self) -> &WalMetrics {
        &self.shared.metrics
    }

    /// Takes no more records, finishes those it has, syncs and ends the threads.
    pub async fn close(&self) {
        self.shared.close();
        if let Some(writer) = &self.inline {
            guard(&self.shared, || {
                writer.lock().step();
            });
            self.shared.finished.send_replace(true);
        }
        let mut finished = self.shared.finished.subscribe();
        // The sender lives as long as `self`.
        let _ = finished.wait_for(|finished| *finished).await;
    }

    fn push(&self, entry: Entry) -> Result<(), WalError> {
        self.shared.queue.push(entry).map_err(|_refused| WalError::Closed)?;
        if let Some(writer) = &self.inline {
            guard(&self.shared, || {
                writer.lock().step();
            });
        }
        Ok(())
    }

    fn check(&self) -> Result<(), WalError> {
        match self.shared.failure() {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }
}

impl Drop for Wal {
    fn drop(&mut self) {
        self.shared.close();
    }
}

/// The number of the newest segment file in `dir`, whole or not; 0 if there is none.
pub fn newest_segment(fs: &dyn Fs, dir: &Path) -> io::Result<u64> {
    fs.create_dir_all(dir)?;
    let names = fs.list(dir)?;
    Ok(names.iter().filter_map(|name| format::parse_file_name(name)).max().unwrap_or(0))
}

/// Reads the log and sets damaged stretches aside.
fn recover(
    fs: Arc<dyn Fs>,
    dir: &Path,
    config: &WalConfig,
    replay: &mut dyn FnMut(Position, &[u8]),
) -> Result<(Arc<Shared>, LogEnd, ReplayReport), WalError> {
    config.validate().map_err(|error| WalError::Config(error.into()))?;
    fs.create_dir_all(dir).map_err(|error| WalError::io(dir, error))?;
    let found = replay::replay(&*fs, dir, replay)?;
    quarantine::save(&*fs, dir, &found.damaged, config.quarantine_bytes);
    let report = found.report;
    if report.quarantined + report.torn_bytes + report.missing_records > 0 {
        tracing::warn!(?report, "the write-ahead log was damaged; all valid records were replayed");
    }
    let shared = Shared::new(fs, dir.to_path_buf(), config.queue_bytes as usize, found.segments);
    shared.metrics.quarantined.inc_by(report.quarantined);
    Ok((Arc::new(shared), found.end, report))
}

/// Runs a thread's work; a panic in it (of a record's code) fails the log instead of leaving callers to wait.
fn guard(shared: &Shared, work: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(work)).is_err() {
        shared.fail("a thread of the log panicked");
        shared.close();
    }
}

#[cfg(test)]
mod tests;
