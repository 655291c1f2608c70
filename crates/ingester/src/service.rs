//! The ingester as a service: start, run, drain; and its side of writes.

mod changes;
mod leave;
mod logs;
mod read;
#[cfg(test)]
mod tests;

use crate::{
    append::{Append, Traces, log_error},
    config::IngesterConfig,
    disk_id,
    flush::{Ledger, MarksFile, MarksState, Which},
    fs::Fs,
    head::{BesideSeries, BesideStreams, LogMemory, MetricHead, Resolved, Series, Stream},
    heads::Heads,
    log_state::TooOld,
    metrics::IngesterMetrics,
    record,
    replay::{Replay, Unknown},
    wal::{self, Position, Wal, WalError},
};
use async_trait::async_trait;
use block_store::{Manifests, Ulid};
use model::{Labels, Signal, TenantId};
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use runtime::Clock;
use service_api::{
    AppendOutcome, Code, Error, Ingest, LimitsSource, Refused, Rejection, Result, Wanted, WriteBatch,
};
use std::{
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// The longest that a flush waits after failures, unless the interval itself is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// A stream's open page that has got nothing for so long is compressed.
const IDLE_PAGE: Duration = Duration::from_secs(300);

/// What an ingester works with.
pub struct Dependencies {
    pub fs: Arc<dyn Fs>,
    /// Where the log and what belongs to it lies.
    pub dir: PathBuf,
    pub clock: Arc<dyn Clock>,
    pub limits: Arc<dyn LimitsSource>,
    /// Where blocks go.
    pub manifests: Arc<Manifests>,
    /// Makes the id of a block; the time in it is the clock's.
    pub new_id: NewId,
    /// Names this ingester in what it writes.
    pub instance: String,
}

pub type NewId = Arc<dyn Fn() -> Ulid + Send + Sync>;

/// Takes writes into the log and the heads, answers for what is not in blocks yet, and
/// makes blocks of it.
pub struct Ingester {
    pub(crate) config: IngesterConfig,
    pub(crate) limits: Arc<dyn LimitsSource>,
    pub(crate) manifests: Arc<Manifests>,
    pub(crate) new_id: NewId,
    pub(crate) instance: String,
    pub(crate) wal: Wal,
    pub(crate) heads: Heads<Series>,
    pub(crate) log_heads: Heads<Stream>,
    pub(crate) traces: Arc<Traces>,
    pub(crate) marks: Mutex<MarksState>,
    /// One flush at a time.
    pub(crate) flushing: tokio::sync::Mutex<()>,
    disk_id: Ulid,
    /// Names this run of the process in what it says of changes.
    life: u128,
    holds_data: bool,
    /// Whether writes are taken; held while one is on its way.
    open: tokio::sync::RwLock<bool>,
}

impl Ingester {
    /// Reads the log back; ready when it returns. Blocks.
    pub fn start(
        config: IngesterConfig,
        dependencies: Dependencies,
        registry: &mut Registry,
    ) -> std::result::Result<Arc<Self>, StartError> {
        let Dependencies { fs, dir, clock, limits, manifests, new_id, instance } = dependencies;
        config.validate().map_err(StartError::Config)?;
        let (mut file, mut marks) = MarksFile::open(Arc::clone(&fs), &dir)?;
        let log_dir = dir.join("wal");
        let segment = wal::newest_segment(&*fs, &log_dir)?;
        let disk_id = disk_id::open(&*fs, &dir, segment > 0, &new_id).map_err(StartError::DiskId)?;
        let mut foreign = marks.drop_beyond(Position { segment, offset: u64::MAX });
        let metrics = IngesterMetrics::default();
        metrics.register(registry);
        let memory = Arc::new(LogMemory::new(
            metrics.log_head_bytes.clone(),
            config.max_log_head_bytes,
            config.max_log_block_bytes,
        ));
        let traces = Arc::new(Traces {
            ledger: Ledger::default(),
            metrics,
            clock: Arc::clone(&clock),
            memory: Arc::clone(&memory),
        });
        let IngesterConfig { max_exemplars, max_metadata, .. } = config;
        let heads = Heads::new(config.block_ms(), move || BesideSeries::new(max_exemplars, max_metadata));
        let log_heads = Heads::new(config.block_ms(), move || BesideStreams::new(Arc::clone(&memory)));
        let begun = clock.monotonic();
        let mut replay = Replay::new(&heads, &log_heads, &marks, &traces);
        let (wal, report) =
            Wal::open(fs, &log_dir, config.wal.clone(), Arc::clone(&clock), &mut |at, record| {
                replay.record(at, record);
            })?;
        let (found, unknown, keep) = (replay.found, replay.unknown, replay.keep);
        if let Some(Unknown { position, version }) = unknown {
            return Err(StartError::Version { position, version });
        }
        wal.keep(keep);
        foreign |= marks.drop_beyond(report.end);
        if foreign {
            tracing::warn!("flush marks of another log are dropped");
            // Before a new record can come to a position that they name.
            file.store(&marks)?;
        }
        for (tenant, signal, sequence) in marks.listed() {
            let listed = match signal {
                Signal::Metrics => &heads.get_or_create(tenant).listed,
                Signal::Logs => &log_heads.get_or_create(tenant).listed,
            };
            listed.store(sequence, Ordering::Release);
        }
        let took = clock.monotonic().saturating_sub(begun);
        wal.metrics().register(registry);
        traces.metrics.flushed_at(clock.now_ms());
        traces.metrics.replay_seconds.set(took.as_secs_f64());
        traces.metrics.replayed_samples.inc_by(found.samples);
        traces.metrics.replayed_lines.inc_by(found.lines);
        traces.metrics.replay_orphans.inc_by(found.orphans);
        traces.metrics.unreadable_records.inc_by(found.unreadable);
        tracing::info!(
            seconds = took.as_secs_f64(),
            segments = report.segments,
            records = report.records,
            samples = found.samples,
            lines = found.lines,
            in_blocks = found.in_blocks,
            orphans = found.orphans,
            unreadable = found.unreadable,
            "write-ahead log read"
        );
        let life = new_id().0;
        let marks = Mutex::new(MarksState { file, marks, unsaved: false });
        let flushing = tokio::sync::Mutex::default();
        let ingester = Self {
            config,
            limits,
            manifests,
            new_id,
            instance,
            wal,
            heads,
            log_heads,
            traces,
            marks,
            flushing,
            disk_id,
            life,
            holds_data: segment > 0,
            open: tokio::sync::RwLock::new(true),
        };
        // Series that are all in blocks need not wait for two rounds.
        ingester.sweep();
        ingester.sweep();
        Ok(Arc::new(ingester))
    }

    /// Names the data in the folder: another id means that what was there is gone.
    pub fn disk_id(&self) -> Ulid {
        self.disk_id
    }

    /// Whether there was a log to read: there may be entries that an earlier run acknowledged.
    pub fn holds_data(&self) -> bool {
        self.holds_data
    }

    /// Makes blocks when they are ready, until `drain` is cancelled; then finishes what has
    /// come in and closes the log.
    ///
    /// # Errors
    /// The log has failed: nothing can be taken in safely until a restart.
    pub async fn run(self: Arc<Self>, drain: CancellationToken) -> std::result::Result<(), WalError> {
        let mut failures = 0;
        // What is not in blocks is in the log, so a bucket that hangs need not hold up the end.
        let stop = if self.config.flush_on_shutdown { CancellationToken::new() } else { drain.clone() };
        loop {
            tokio::select! {
                biased;
                () = drain.cancelled() => break,
                error = self.wal.failed() => return Err(error),
                () = self.pause(failures) => {}
            }
            let flushed = tokio::select! {
                biased;
                flushed = self.flush_until(Which::Ready, &stop) => flushed,
                error = self.wal.failed() => return Err(error),
            };
            // Failures have been told where they came up.
            failures = if flushed.is_ok() { 0 } else { (failures + 1).min(8) };
            let this = Arc::clone(&self);
            if runtime::blocking(move || this.sweep()).await.is_err() {
                tracing::error!("looking for series that have ended failed");
            }
        }
        if self.config.flush_on_shutdown {
            let _ = self.flush(Which::All).await;
        }
        self.wal.close().await;
        Ok(())
    }

    /// Waits for the next flush: an interval or until there are enough lines, and longer after failures.
    async fn pause(&self, failures: u32) {
        let (interval, memory) = (self.config.flush_interval(), &self.traces.memory);
        if failures == 0 {
            return tokio::select! {
                biased;
                () = memory.over.notified() => {}
                () = tokio::time::sleep(interval) => {}
            };
        }
        tokio::time::sleep(interval).await;
        let longest = (interval * 2u32.pow(failures)).min(LONGEST_PAUSE.max(interval));
        // Lines that are refused until there is room should not be so for long.
        let over = async {
            while !memory.is_over() {
                memory.over.notified().await;
            }
        };
        tokio::select! {
            biased;
            () = over => {}
            () = tokio::time::sleep(longest.saturating_sub(interval)) => {}
        }
    }

    fn sweep(&self) {
        let (mut series, mut streams) = (Vec::new(), Vec::new());
        let Traces { metrics, clock, .. } = &*self.traces;
        for head in self.heads.all() {
            metrics.swept_series.inc_by(head.sweep() as u64);
            series.push((head.tenant.clone(), head.active_series()));
        }
        let idle = clock.monotonic().saturating_sub(IDLE_PAGE);
        for head in self.log_heads.all() {
            metrics.pages.inc_by(head.seal_idle(idle));
            metrics.swept_series.inc_by(head.sweep() as u64);
            head.beside.watchers.tidy();
            streams.push((head.tenant.clone(), head.active_series()));
        }
        let sum = |held: &[(TenantId, usize)]| held.iter().map(|(_, count)| *count as i64).sum();
        metrics.active_series.set(sum(&series));
        metrics.active_streams.set(sum(&streams));
        metrics.tenant_series.set(series);
        metrics.tenant_streams.set(streams);
    }
}

/// Why an ingester does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{0}")]
    Config(String),
    #[error(transparent)]
    Log(#[from] WalError),
    #[error("the disk's id: {0}")]
    DiskId(std::io::Error),
    #[error("the flush marks: {0}")]
    Marks(#[from] std::io::Error),
    #[error(
        "the write-ahead log has a record of version {version} at {position}, and this program knows none after {}: \
         start the newer version that wrote it and flush before going back, or move the log away to go on without it",
        record::VERSION
    )]
    Version { position: Position, version: u8 },
}

#[async_trait]
impl Ingest for Ingester {
    async fn append(
        &self,
        tenant: &TenantId,
        batch: Arc<WriteBatch>,
        which: Wanted,
    ) -> Result<AppendOutcome> {
        if !record::fits(&batch) {
            return Err(Error::new(
                Code::TooLarge,
                "the request has more entries or buckets than one may have",
            ));
        }
        let _open = self.opened().await?;
        let limits = self.limits.limits(tenant);
        let head = self.heads.get_or_create(tenant);
        let mut outcome = AppendOutcome::default();
        let mut metadata = Vec::new();
        let keyed = |index: u32| Some((index, batch.series.get(index as usize)?.key));
        let resolved = match which {
            Wanted::All => {
                metadata = new_metadata(&head, &batch);
                head.resolve((0..).zip(batch.series.iter().map(|s| s.key)), &mut outcome.unknown)
            }
            Wanted::Keys(indexes) => {
                metadata = new_metadata(&head, &batch);
                head.resolve(indexes.iter().copied().filter_map(keyed), &mut outcome.unknown)
            }
            Wanted::Named(named) => self.resolve_named(&head, &batch, named, limits.max_series, &mut outcome),
        };
        if resolved.series.is_empty() && metadata.is_empty() {
            return Ok(outcome);
        }
        let (answer, answered) = oneshot::channel();
        let out_of_order_ms =
            i64::try_from(limits.out_of_order_window).unwrap_or(i64::MAX).saturating_mul(1000);
        let traces = Arc::clone(&self.traces);
        let (too_old, raised) = (TooOld::default(), Vec::new());
        let append = Append {
            head,
            traces,
            batch,
            resolved,
            metadata,
            out_of_order_ms,
            outcome,
            too_old,
            raised,
            answer,
        };
        let bytes = append.bytes();
        self.wal.append(Box::new(append), bytes).await.map_err(|error| log_error(&error))?;
        answered.await.map_err(|_| Error::unavailable("the ingester is stopping"))?
    }
}

impl Ingester {
    fn resolve_named(
        &self,
        head: &MetricHead,
        batch: &WriteBatch,
        named: Vec<(u32, Labels)>,
        limit: u64,
        outcome: &mut AppendOutcome,
    ) -> Resolved {
        let keyed = named
            .into_iter()
            .filter_map(|(index, labels)| Some((index, batch.series.get(index as usize)?.key, labels)));
        head.resolve_named(keyed.collect(), limit, |index, labels, reason| {
            let series = &batch.series[index as usize];
            let entries = (series.samples.len() + series.histograms.len() + series.exemplars.len()) as u64;
            self.traces.metrics.reject("series_limit", entries);
            outcome.refused.push(Refused { index, entries: entries as u32 });
            outcome.pushed.reject(entries, || Rejection { reason, labels, timestamp: None });
        })
    }
}

fn new_metadata(head: &MetricHead, batch: &WriteBatch) -> Vec<u32> {
    if batch.metadata.is_empty() {
        return Vec::new();
    }
    let kept = head.beside.metadata.read();
    let entries = batch.metadata.iter().enumerate();
    entries.filter(|(_, entry)| !kept.has(entry)).map(|(index, _)| index as u32).collect()
}
