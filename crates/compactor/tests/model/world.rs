//! A bucket, what was written to it, and compactors that work on it.

use crate::{
    Delete, Flush,
    data::{Data, Entry, HOUR, content, labels, query},
    store::{End, ProcessStore},
};
use block_store::{
    BlockCacheConfig, BlockMeta, BlockObject, BlockWriter, BlocksReader, Bucket, Deletion, DeletionState,
    EncodedPage, LogBlockWriter, Manifest, Manifests, Ulid,
};
use compactor::{Compactor, CompactorConfig, CompactorMetrics};
use hash_ring::{Member, RingView};
use model::{Labels, Lines, NanoRange, Signal, TenantId, TimeRange};
use object_store::memory::InMemory;
use querier::{BlockClients, DistributedBlocks, QuerierConfig, QuerierMetrics};
use runtime::{Clock, ManualClock};
use service_api::{
    Aggregate, Limits, LimitsSource, LogsReader, MetricsReader, Needles, RESOLUTIONS, ReadContext,
    RetentionRule, RollupRequest, SampleBuffer, SelectRequest, Source, StreamsRequest, fetch_pages,
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

const DAY: i64 = 24 * HOUR;
const RETENTION: i64 = 48 * HOUR;
/// How long some series are kept otherwise; 0 is for ever.
const RULES: [(u8, i64); 2] = [(3, 0), (4, 12 * HOUR)];

fn retention(series: u8) -> i64 {
    match RULES.iter().find(|(of, _)| *of == series) {
        Some((_, 0)) => i64::MAX / 2,
        Some((_, retention)) => *retention,
        None => RETENTION,
    }
}

pub struct World {
    inner: Arc<InMemory>,
    requests: Arc<AtomicUsize>,
    clock: Arc<ManualClock>,
    ids: Arc<AtomicU64>,
    scratch: TempDir,
    data: BTreeMap<Signal, Data>,
    rolled_up: AtomicUsize,
}

fn tenant() -> TenantId {
    TenantId::new("a").unwrap()
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
            data: BTreeMap::new(),
            rolled_up: AtomicUsize::new(0),
        }
    }

    fn manifests(&self, store: ProcessStore) -> Arc<Manifests> {
        let bucket = Bucket::new(Arc::new(store), "");
        Arc::new(Manifests::new(bucket, self.clock.clone(), Duration::ZERO))
    }

    fn sound(&self) -> Arc<Manifests> {
        Self::manifests_of(&self.inner, &self.clock)
    }

    fn manifests_of(inner: &Arc<InMemory>, clock: &Arc<ManualClock>) -> Arc<Manifests> {
        let bucket = Bucket::new(Arc::new(ProcessStore::new(inner, &Arc::default(), None)), "");
        Arc::new(Manifests::new(bucket, clock.clone(), Duration::ZERO))
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
        let rule = |(series, retention): (u8, i64)| RetentionRule {
            selector: format!("{{n=\"{series}\"}}"),
            retention: format!("{}h", retention / HOUR),
        };
        let (retention, retention_rules) = ((RETENTION / 1000) as u64, RULES.map(rule).to_vec());
        let limits = Limits { retention, retention_rules, downsampling: true, ..Limits::default() };
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
            match flush.imported {
                true => {
                    manifests.add_blocks(&tenant(), flush.signal, &[meta], |_| false).await.unwrap();
                }
                false => {
                    manifests.add_block(&tenant(), flush.signal, &meta).await.unwrap();
                }
            }
        }
        let entries = all.into_iter().map(|(_, time, series)| (series, time));
        self.data.entry(flush.signal).or_default().write(flush, entries, now);
    }

    pub async fn delete(&mut self, delete: Delete) {
        let now = self.clock.now_ms();
        let max_time = now - delete.from * HOUR;
        let deletion = Deletion {
            id: (self.new_id())(),
            queries: vec![query(&delete)],
            min_time: max_time - delete.hours * HOUR,
            max_time,
            due: now + delete.delay * HOUR,
            heads_until: now + DAY,
        };
        let add = |current: &Manifest| {
            let mut deletions = current.deletions.clone();
            deletions.push(deletion.clone());
            Some(current.with_deletions(deletions))
        };
        self.sound().update(&tenant(), delete.signal, add).await.unwrap();
        self.data.entry(delete.signal).or_default().delete(deletion, delete);
    }

    pub async fn cancel(&mut self) {
        let now = self.clock.now_ms();
        for (signal, data) in &mut self.data {
            let Some(id) = data.cancel(now) else { continue };
            let manifests = Self::manifests_of(&self.inner, &self.clock);
            let without = |current: &Manifest| {
                let left = current.deletions.iter().filter(|deletion| deletion.id != id).cloned().collect();
                Some(current.with_deletions(left))
            };
            manifests.update(&tenant(), *signal, without).await.unwrap();
        }
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

    pub fn wait_for_noon(&self) {
        let left = (DAY + DAY / 2 - self.clock.now_ms().rem_euclid(DAY)).rem_euclid(DAY);
        self.clock.advance(Duration::from_millis(left as u64));
    }

    /// What is read is what was written and not deleted, but for what is past its retention.
    pub async fn check(&self, after: &str) {
        let now = self.clock.now_ms();
        for signal in Signal::ALL {
            let visible = self.data.get(&signal).map(Data::visible).unwrap_or_default();
            let (read, warnings) = self.read(signal).await;
            assert!(warnings.is_empty(), "after {after}: {warnings:?}");
            let all: BTreeSet<&Entry> = read.iter().collect();
            let is_kept = |(entry, series): &(&&Entry, &u8)| entry.1 >= now - retention(**series);
            let kept: Vec<&Entry> = visible.iter().filter(is_kept).map(|(entry, _)| *entry).collect();
            let lost: Vec<_> = kept.iter().filter(|entry| !all.contains(**entry)).collect();
            assert!(lost.is_empty(), "lost after {after}: {lost:?}");
            let wrong: Vec<_> = all.iter().filter(|entry| !visible.contains_key(**entry)).collect();
            assert!(wrong.is_empty(), "deleted, or never written, and read after {after}: {wrong:?}");
            assert_eq!(read.len(), all.len(), "read twice after {after}");
            if signal == Signal::Metrics {
                self.check_rollups(&read, after).await;
            }
        }
    }

    /// Of each day whose figures are there they are those of what is read.
    async fn check_rollups(&self, read: &[Entry], after: &str) {
        let today = self.clock.now_ms().div_euclid(DAY) * DAY;
        for midnight in (2..10).map(|days| today - days * DAY) {
            let request = RollupRequest {
                matchers: Vec::new(),
                ends: TimeRange::new(midnight + 1, midnight + DAY),
                resolution: RESOLUTIONS[0],
                aggregates: vec![Aggregate::Count],
            };
            let ctx = ReadContext::new(tenant(), 1 << 30);
            let Some(found) = self.queries().rollups(&ctx, &request).await.unwrap() else { continue };
            let mut figures: BTreeMap<(String, i64), u64> = BTreeMap::new();
            for series in &found[0].series {
                let mut buffer = SampleBuffer::default();
                series.data.read(request.ends, &mut buffer).unwrap();
                let counts = buffer.timestamps.iter().zip(&buffer.values);
                figures.extend(counts.map(|(end, count)| ((series.labels.to_string(), *end), *count as u64)));
            }
            let mut wanted: BTreeMap<(String, i64), u64> = BTreeMap::new();
            for (labels, time, _) in
                read.iter().filter(|entry| (midnight + 1..=midnight + DAY).contains(&entry.1))
            {
                let end = (time - 1).div_euclid(RESOLUTIONS[0]) * RESOLUTIONS[0] + RESOLUTIONS[0];
                *wanted.entry((labels.clone(), end)).or_default() += 1;
            }
            assert_eq!(figures, wanted, "figures of other samples, after {after}");
            self.rolled_up.fetch_add(usize::from(!wanted.is_empty()), SeqCst);
        }
    }

    /// How often figures were found, and looked at.
    pub fn rolled_up(&self) -> usize {
        self.rolled_up.load(SeqCst)
    }

    /// As queries read: without what is deleted.
    pub async fn read(&self, signal: Signal) -> (Vec<Entry>, Vec<String>) {
        self.read_from(&self.queries(), signal).await
    }

    fn queries(&self) -> DistributedBlocks {
        let reader = Arc::new(BlocksReader::new(self.sound(), &BlockCacheConfig::default()));
        let view = Arc::new(RingView::new(vec![Member::new("us", "")], 1));
        let clients = BlockClients::new(reader, |_, _, _| unreachable!("nobody else is there"));
        let (config, metrics) = (QuerierConfig::default(), QuerierMetrics::default());
        let ring = Arc::new(move || Arc::clone(&view));
        DistributedBlocks::new(ring, "us".into(), clients, config, metrics)
    }

    /// What lies in the blocks.
    async fn stored(&self, signal: Signal) -> Vec<Entry> {
        let reader = BlocksReader::new(self.sound(), &BlockCacheConfig::default());
        self.read_from(&reader, signal).await.0
    }

    /// Everything by way of the newest manifest, repeats between pages left out as queries leave them out.
    async fn read_from(&self, reader: &dyn Source, signal: Signal) -> (Vec<Entry>, Vec<String>) {
        let ctx = ReadContext::new(tenant(), 1 << 30);
        let mut found = Vec::new();
        let warnings;
        match signal {
            Signal::Metrics => {
                let request = SelectRequest { matchers: Vec::new(), range: TimeRange::ALL };
                let selected = MetricsReader::select(reader, &ctx, &request).await.unwrap();
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
                let selected = LogsReader::select(reader, &ctx, &request).await.unwrap();
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

    /// Everything that was written and not deleted.
    pub fn written(&self, signal: Signal) -> BTreeSet<Entry> {
        let data = self.data.get(&signal);
        data.map(|data| data.visible().into_keys().cloned().collect()).unwrap_or_default()
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
            let of_rollups = manifest.rollups.iter().flat_map(|rollup| &rollup.blocks);
            let listed = manifest.blocks.iter().chain(of_rollups).map(|block| block.id.to_string());
            let listed: BTreeSet<String> = listed.collect();
            let folder = format!("{}/{signal}/blocks", tenant());
            let objects = manifests.bucket().list(&folder).await.unwrap();
            let there: BTreeSet<String> = objects.into_iter().map(|object| object.name).collect();
            assert_eq!(there, listed, "objects of {signal}, and those that are listed");
            assert!(manifest.blocks.iter().all(|block| block.damaged.is_none()));
            let now = self.clock.now_ms();
            let processed = |deletion| manifest.state(deletion, now) == DeletionState::Processed;
            assert!(manifest.deletions.iter().all(processed), "{:?}", manifest.deletions);
            // Nothing is hidden any more: it is gone, and so is what is past its retention.
            let stored: BTreeSet<Entry> = self.stored(signal).await.into_iter().collect();
            let visible = self.data.get(&signal).map(Data::visible).unwrap_or_default();
            let kept = visible.iter().filter(|(entry, series)| entry.1 >= now - retention(**series));
            assert_eq!(
                stored,
                kept.map(|(entry, _)| (*entry).clone()).collect(),
                "what lies in blocks of {signal}"
            );
        }
        let left = std::fs::read_dir(self.scratch.path()).unwrap().count();
        assert_eq!(left, 0, "files of merges");
    }
}
