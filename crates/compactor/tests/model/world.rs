//! A bucket, what was written to it, and compactors that work on it.

use crate::{
    Flush,
    store::{End, ProcessStore},
};
use block_store::{
    BlockCacheConfig, BlockMeta, BlockObject, BlockWriter, BlocksReader, Bucket, EncodedPage, LogBlockWriter,
    Manifests, Ulid,
};
use compactor::{Compactor, CompactorConfig, CompactorMetrics};
use model::{Labels, Lines, NanoRange, Signal, TenantId, TimeRange};
use object_store::memory::InMemory;
use runtime::{Clock, ManualClock};
use service_api::{
    Limits, LimitsSource, LogsReader, MetricsReader, Needles, ReadContext, SampleBuffer, SelectRequest,
    StreamsRequest, fetch_pages,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

const HOUR: i64 = 3_600_000;
const RETENTION: i64 = 48 * HOUR;

/// A series or stream, a time in milliseconds, and the bits of a value or a line.
pub type Entry = (String, i64, Vec<u8>);

pub struct World {
    inner: Arc<InMemory>,
    requests: Arc<AtomicUsize>,
    clock: Arc<ManualClock>,
    ids: Arc<AtomicU64>,
    scratch: TempDir,
    written: BTreeMap<Signal, BTreeSet<Entry>>,
}

fn tenant() -> TenantId {
    TenantId::new("a").unwrap()
}

fn labels(signal: Signal, series: u8) -> Labels {
    let name = if signal == Signal::Metrics { "__name__" } else { "app" };
    Labels::from_pairs([(name, format!("s{}", series % 3)), ("n", series.to_string())])
}

/// What lies at a time: the same whoever has it.
fn content(signal: Signal, series: u8, time: i64) -> Vec<u8> {
    match signal {
        Signal::Metrics => ((time / 1000) as f64 + f64::from(series) / 8.0).to_bits().to_le_bytes().to_vec(),
        Signal::Logs => format!("line of {series} at {time}").into_bytes(),
    }
}

impl World {
    pub fn new() -> Self {
        // The bucket's own times are the machine's.
        let now = runtime::SystemClock::new().now_ms();
        Self {
            inner: Arc::default(),
            requests: Arc::default(),
            clock: Arc::new(ManualClock::at(now)),
            ids: Arc::new(AtomicU64::new(1)),
            scratch: TempDir::new().unwrap(),
            written: BTreeMap::new(),
        }
    }

    fn manifests(&self, store: ProcessStore) -> Arc<Manifests> {
        let bucket = Bucket::new(Arc::new(store), "");
        Arc::new(Manifests::new(bucket, self.clock.clone(), Duration::ZERO))
    }

    fn sound(&self) -> Arc<Manifests> {
        self.manifests(ProcessStore::new(&self.inner, &Arc::default(), None))
    }

    fn new_id(&self) -> Arc<dyn Fn() -> Ulid + Send + Sync> {
        let (ids, clock) = (Arc::clone(&self.ids), Arc::clone(&self.clock));
        Arc::new(move || Ulid::from_parts(clock.now_ms() as u64, ids.fetch_add(1, SeqCst).into()))
    }

    fn compactor(&self, store: ProcessStore) -> Compactor {
        let config = CompactorConfig {
            delay: 60,
            block_bytes: 600,
            scratch_dir: self.scratch.path().to_owned(),
            ..CompactorConfig::default()
        };
        let limits = Limits { retention: (RETENTION / 1000) as u64, ..Limits::default() };
        let limits: Arc<dyn LimitsSource> = Arc::new(Arc::new(limits));
        let owns = Arc::new(|_: &TenantId, _: Signal, _: Option<i64>| true);
        let (clock, metrics) = (self.clock.clone(), CompactorMetrics::default());
        Compactor::new(config, self.manifests(store), limits, clock, self.new_id(), owns, metrics)
    }

    pub async fn flush(&mut self, flush: &Flush) {
        let now = self.clock.now_ms();
        let start = (now.div_euclid(2 * HOUR) - flush.window) * 2 * HOUR;
        let all: BTreeSet<(Labels, i64, u8)> = flush
            .entries
            .iter()
            .map(|(series, place)| {
                (labels(flush.signal, *series), start + i64::from(*place) * 60_000, *series)
            })
            .collect();
        for (number, skip) in flush.replicas.iter().enumerate() {
            // The first one has everything.
            let kept = |at: &usize| number == 0 || !at.is_multiple_of(*skip);
            let entries: Vec<_> =
                all.iter().enumerate().filter(|(at, _)| kept(at)).map(|(_, entry)| entry.clone()).collect();
            let Some(BlockObject { parts, meta }) = self.block(flush.signal, &entries) else { continue };
            let manifests = self.sound();
            manifests.bucket().put(&meta.object(&tenant(), flush.signal), parts).await.unwrap();
            manifests.add_block(&tenant(), flush.signal, &meta).await.unwrap();
        }
        let entries = all
            .into_iter()
            .map(|(labels, time, series)| (labels.to_string(), time, content(flush.signal, series, time)));
        self.written.entry(flush.signal).or_default().extend(entries);
    }

    fn block(&self, signal: Signal, entries: &[(Labels, i64, u8)]) -> Option<BlockObject> {
        let (id, created) = ((self.new_id())(), self.clock.now_ms());
        let mut series: BTreeMap<&Labels, Vec<(i64, u8)>> = BTreeMap::new();
        entries
            .iter()
            .for_each(|(labels, time, number)| series.entry(labels).or_default().push((*time, *number)));
        match signal {
            Signal::Metrics => {
                let mut writer = BlockWriter::new();
                for (labels, entries) in series {
                    let bits = |(time, number): &(i64, u8)| {
                        let bytes = content(signal, *number, *time);
                        f64::from_le_bytes(bytes.try_into().unwrap())
                    };
                    let values = entries.iter().map(bits).collect();
                    let timestamps = entries.iter().map(|(time, _)| *time).collect();
                    writer
                        .add(labels, &SampleBuffer { timestamps, values, ..SampleBuffer::default() })
                        .unwrap();
                }
                writer.finish(id, "test", created).unwrap()
            }
            Signal::Logs => {
                let mut writer = LogBlockWriter::new();
                for (labels, entries) in series {
                    let mut lines = Lines::default();
                    for (time, number) in entries {
                        lines.push(time * 1_000_000, &content(signal, number, time), []);
                    }
                    writer.add(labels, EncodedPage::encode_all(&lines).unwrap()).unwrap();
                }
                writer.finish(id, "test", created).unwrap()
            }
        }
    }

    /// A round of a process that may end in it.
    pub async fn compact(&self, collects_garbage: bool, end: Option<(usize, End)>) {
        let store = ProcessStore::new(&self.inner, &self.requests, end);
        let ended = Arc::clone(&store.ended);
        let (compactor, stop) = (self.compactor(store), CancellationToken::new());
        tokio::select! {
            biased;
            () = ended.notified() => {}
            _ = Box::pin(compactor.round(collects_garbage, &stop)) => {}
        }
    }

    /// Requests that compactors have made so far.
    pub fn requests(&self) -> usize {
        self.requests.load(SeqCst)
    }

    /// A process stands still, another one does all that there is to do, what is garbage by then goes, and the
    /// first one goes on.
    pub async fn stall(&self, at: usize) {
        let store = ProcessStore::new(&self.inner, &self.requests, Some((at, End::Before)));
        let (ended, goes_on) = (Arc::clone(&store.ended), Arc::clone(&store.goes_on));
        let (compactor, stop) = (self.compactor(store), CancellationToken::new());
        let mut round = Box::pin(compactor.round(true, &stop));
        tokio::select! {
            biased;
            _ = &mut round => return,
            () = ended.notified() => {}
        }
        self.compact(false, None).await;
        self.wait(200);
        self.compact(true, None).await;
        goes_on.notify_one();
        tokio::select! {
            _ = round => {}
            // An object that it was to delete: nobody waits for that.
            () = tokio::time::sleep(Duration::from_secs(3600)) => {}
        }
    }

    pub fn wait(&self, minutes: u64) {
        self.clock.advance(Duration::from_secs(minutes * 60));
    }

    /// What is read is what was written, but for what is past its retention.
    pub async fn check(&self, after: &str) {
        let oldest = self.clock.now_ms() - RETENTION;
        let nothing = BTreeSet::new();
        for signal in Signal::ALL {
            let written = self.written.get(&signal).unwrap_or(&nothing);
            let (read, warnings) = self.read(signal).await;
            assert!(warnings.is_empty(), "after {after}: {warnings:?}");
            let all: BTreeSet<Entry> = read.iter().cloned().collect();
            let kept: BTreeSet<&Entry> = written.iter().filter(|(_, time, _)| *time >= oldest).collect();
            let lost: Vec<_> = kept.iter().filter(|entry| !all.contains(**entry)).collect();
            assert!(lost.is_empty(), "lost after {after}: {lost:?}");
            assert!(all.is_subset(written), "read what was not written, after {after}");
            assert_eq!(read.len(), all.len(), "read twice after {after}");
        }
    }

    /// Everything by way of the newest manifest, repeats between pages left out as queries leave them out.
    pub async fn read(&self, signal: Signal) -> (Vec<Entry>, Vec<String>) {
        let reader = BlocksReader::new(self.sound(), &BlockCacheConfig::default());
        let ctx = ReadContext::new(tenant(), 1 << 30);
        let mut found = Vec::new();
        let warnings;
        match signal {
            Signal::Metrics => {
                let request = SelectRequest { matchers: Vec::new(), range: TimeRange::ALL };
                let selected = MetricsReader::select(&reader, &ctx, &request).await.unwrap();
                warnings = selected.warnings;
                for series in selected.series {
                    let mut buffer = SampleBuffer::default();
                    series.data.read(TimeRange::ALL, &mut buffer).unwrap();
                    let entries = buffer.timestamps.iter().zip(&buffer.values).map(|(time, value)| {
                        (series.labels.to_string(), *time, value.to_bits().to_le_bytes().to_vec())
                    });
                    found.extend(entries);
                }
            }
            Signal::Logs => {
                let range = NanoRange::new(i64::MIN, i64::MAX);
                let request = StreamsRequest { matchers: Vec::new(), range };
                let selected = LogsReader::select(&reader, &ctx, &request).await.unwrap();
                warnings = selected.warnings;
                for stream in selected.streams {
                    let (mut all, mut lines) = (Lines::default(), Lines::default());
                    let pages: Vec<_> = stream.pages.iter().collect();
                    for page in fetch_pages(&ctx, &pages).await.unwrap() {
                        page.read(&Needles::default(), &mut lines).unwrap();
                        (0..lines.len()).for_each(|at| all.push_from(&lines, at));
                    }
                    all.normalize();
                    let entry = |at| {
                        (stream.labels.to_string(), all.timestamps[at] / 1_000_000, all.line(at).to_vec())
                    };
                    found.extend((0..all.len()).map(entry));
                }
            }
        }
        (found, warnings)
    }

    pub async fn blocks(&self, signal: Signal) -> Vec<BlockMeta> {
        self.sound().refresh(&tenant(), signal).await.unwrap().blocks.clone()
    }

    /// Makes an object another one; nothing takes it away.
    pub async fn spoil(
        &self,
        signal: Signal,
        block: &BlockMeta,
        spoil: impl FnOnce(&[u8]) -> Option<Vec<u8>>,
    ) {
        let (manifests, name) = (self.sound(), block.object(&tenant(), signal));
        let whole = manifests.bucket().get(&name).await.unwrap();
        match spoil(&whole) {
            Some(other) => manifests.bucket().put(&name, vec![other.into()]).await.unwrap(),
            None => manifests.bucket().delete(&name).await.unwrap(),
        }
    }

    /// Everything that was written.
    pub fn written(&self, signal: Signal) -> BTreeSet<Entry> {
        self.written.get(&signal).cloned().unwrap_or_default()
    }

    /// In the end there is little left to do, and nothing that nobody lists.
    pub async fn settle(&self) {
        for _ in 0..4 {
            self.wait(24 * 60);
            for _ in 0..6 {
                self.compact(true, None).await;
            }
        }
        self.check("all").await;
        let manifests = self.sound();
        for signal in Signal::ALL {
            let manifest = manifests.refresh(&tenant(), signal).await.unwrap();
            let listed: BTreeSet<String> = manifest.blocks.iter().map(|block| block.id.to_string()).collect();
            let folder = format!("{}/{signal}/blocks", tenant());
            let objects = manifests.bucket().list(&folder).await.unwrap();
            let there: BTreeSet<String> = objects.into_iter().map(|object| object.name).collect();
            assert_eq!(there, listed, "objects of {signal}, and those that are listed");
            assert!(manifest.blocks.iter().all(|block| block.damaged.is_none()));
        }
        let left = std::fs::read_dir(self.scratch.path()).unwrap().count();
        assert_eq!(left, 0, "files of merges");
    }
}
