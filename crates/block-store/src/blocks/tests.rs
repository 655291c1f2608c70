//! Tests of reading blocks from a bucket that misbehaves, through a disk that does, for others and for oneself.

pub(crate) mod faulty;

use super::*;
use crate::{BlockWriter, Bucket, EncodedPage, LogBlockWriter, Ulid};
use faulty::{Fault, FaultyStore};
use model::{Lines, MatchOp, Matcher, NanoRange, TenantId};
use prometheus_client::encoding::text::encode;
use runtime::{Clock, ManualClock};
use service_api::{Code, Needles, SampleBuffer, fetch_pages};
use std::{
    fs,
    sync::atomic::{AtomicU64, Ordering::SeqCst},
    time::Duration,
};
use tempfile::TempDir;

const SERIES: usize = 48;
const SAMPLES: i64 = 1_500;

/// A bucket with a block of metrics of many page groups, one of few, and one of logs.
struct World {
    store: Arc<FaultyStore>,
    manifests: Arc<Manifests>,
    dir: TempDir,
    blocks: Vec<BlockMeta>,
    clock: Arc<ManualClock>,
}

/// Numbers that look random and are the same every time.
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % below
    }
}

fn tenant() -> TenantId {
    TenantId::new("a").unwrap()
}

fn context() -> ReadContext {
    ReadContext::new(tenant(), 1 << 30)
}

fn metrics_block(id: u64, series: usize, samples: i64) -> crate::BlockObject {
    let (mut writer, mut random) = (BlockWriter::new(), Random(id + 1));
    for number in 0..series {
        let labels = Labels::from_pairs([("__name__", "m".to_owned()), ("n", format!("{number:04}"))]);
        let timestamps: Vec<i64> = (0..samples).map(|t| t * 1_000 + id as i64).collect();
        let values = timestamps.iter().map(|_| f64::from_bits(random.next(1 << 50) << 10)).collect();
        writer.add(&labels, &SampleBuffer { timestamps, values, ..SampleBuffer::default() }).unwrap();
    }
    writer.finish(Ulid::from_parts(id, 1), "test", 0).unwrap().unwrap()
}

fn logs_block(id: u64) -> crate::BlockObject {
    let (mut writer, mut random) = (LogBlockWriter::new(), Random(id + 1));
    for stream in 0..20 {
        let mut lines = Lines::default();
        for n in 0..300 {
            lines.push(
                n,
                format!("{stream} {} {}", random.next(1 << 40), random.next(1 << 40)).as_bytes(),
                [],
            );
        }
        let pages = EncodedPage::encode_all(&lines).unwrap();
        writer.add(&Labels::from_pairs([("app", format!("{stream:02}"))]), pages).unwrap();
    }
    writer.finish(Ulid::from_parts(id, 1), "test", 0).unwrap().unwrap()
}

impl World {
    async fn new() -> Self {
        let store = Arc::new(FaultyStore::default());
        let clock = Arc::new(ManualClock::at(0));
        let bucket = Bucket::new(store.clone(), "");
        let manifests = Arc::new(Manifests::new(bucket, clock.clone(), Duration::from_secs(10)));
        let mut world = Self { store, manifests, dir: TempDir::new().unwrap(), blocks: Vec::new(), clock };
        for (signal, object) in [
            (Signal::Metrics, metrics_block(1, SERIES, SAMPLES)),
            (Signal::Metrics, metrics_block(2, 3, 10)),
            (Signal::Logs, logs_block(3)),
        ] {
            world.put(&tenant(), signal, object).await;
        }
        world
    }

    async fn put(&mut self, tenant: &TenantId, signal: Signal, object: crate::BlockObject) {
        let name = object.meta.object(tenant, signal);
        self.manifests.bucket().put(&name, object.parts).await.unwrap();
        self.manifests.add_block(tenant, signal, &object.meta).await.unwrap();
        self.blocks.push(object.meta);
    }

    /// A reader that keeps nothing in memory, and what it tells of itself.
    fn reader(&self, on_disk: bool) -> (BlocksReader, Registry) {
        let disk_dir = self.dir.path().display().to_string();
        let disk_bytes = if on_disk { 16 << 20 } else { 0 };
        let config = BlockCacheConfig { index_bytes: 0, page_bytes: 0, disk_dir, disk_bytes };
        let mut registry = Registry::default();
        (BlocksReader::open(self.manifests.clone(), &config, &mut registry), registry)
    }

    fn segments(&self) -> Vec<std::path::PathBuf> {
        let entries = fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.extension().is_some_and(|e| e == "segment")).collect()
    }
}

fn counted(registry: &Registry, name: &str) -> u64 {
    let mut text = String::new();
    encode(&mut text, registry).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
}

type Found = Vec<(Labels, Vec<(i64, u64)>)>;

async fn select(reader: &dyn Source, ctx: &ReadContext, matcher: Matcher) -> Result<Found> {
    let request = SelectRequest { matchers: vec![matcher], range: TimeRange::ALL };
    let mut found = Found::new();
    for series in MetricsReader::select(reader, ctx, &request).await?.series {
        let mut out = SampleBuffer::default();
        series.data.read(TimeRange::ALL, &mut out)?;
        let values = out.timestamps.iter().zip(&out.values).map(|(t, v)| (*t, v.to_bits())).collect();
        found.push((series.labels, values));
    }
    Ok(found)
}

fn numbered(pattern: &str) -> Matcher {
    Matcher::new(MatchOp::Regex, "n", pattern).unwrap()
}

async fn read_lines(reader: &dyn Source, ctx: &ReadContext) -> Result<Vec<(Labels, Lines)>> {
    let range = NanoRange::new(0, 1_000);
    let request = StreamsRequest { matchers: vec![], range };
    let mut found = Vec::new();
    for stream in LogsReader::select(reader, ctx, &request).await?.streams {
        let pages: Vec<_> = stream.pages.iter().collect();
        for page in fetch_pages(ctx, &pages).await? {
            let mut lines = Lines::default();
            page.read(&Needles::default(), &mut lines)?;
            found.push((stream.labels.clone(), lines));
        }
    }
    Ok(found)
}

#[tokio::test(start_paused = true)]
async fn one_fault_goes_unnoticed_wherever_it_happens() {
    let world = World::new().await;
    let (reader, _) = world.reader(false);
    let (samples, lines) = (
        select(&reader, &context(), numbered(".*")).await.unwrap(),
        read_lines(&reader, &context()).await.unwrap(),
    );
    assert_eq!((samples.len(), samples[0].1.len(), lines.len()), (SERIES, SAMPLES as usize + 10, 20));
    for on_disk in [false, true] {
        let (reader, registry) = world.reader(on_disk);
        for fault in Fault::ALL {
            let happened = Arc::new(AtomicU64::new(0));
            for at in 0..8 {
                // Else the list of blocks would not be read again.
                world.clock.advance(Duration::from_secs(11));
                let (mut operation, happened) = (0, happened.clone());
                world.store.set(move || {
                    operation += 1;
                    let now = operation - 1 == at;
                    happened.fetch_add(u64::from(now), SeqCst);
                    now.then_some(fault)
                });
                assert_eq!(select(&reader, &context(), numbered(".*")).await.as_ref(), Ok(&samples));
                assert_eq!(read_lines(&reader, &context()).await.as_ref(), Ok(&lines));
                reader.caches.settle();
            }
            assert!(happened.load(SeqCst) >= if on_disk { 1 } else { 8 }, "{fault:?}");
        }
        assert!(on_disk || counted(&registry, "yagura_block_store_repeated_reads_total") > 20);
    }
}

#[tokio::test(start_paused = true)]
async fn one_fault_while_the_list_of_blocks_is_read_goes_unnoticed() {
    let world = World::new().await;
    for fault in Fault::ALL {
        for at in 0..2 {
            let manifests = Manifests::new(
                world.manifests.bucket().clone(),
                world.clock.clone(),
                Duration::from_secs(10),
            );
            let reader = BlocksReader::new(Arc::new(manifests), &BlockCacheConfig::default());
            let mut operation = 0;
            world.store.set(move || {
                operation += 1;
                (operation - 1 == at).then_some(fault)
            });
            let found = reader.in_range(&context(), Signal::Logs, TimeRange::ALL).await;
            assert_eq!(found.unwrap().blocks, world.blocks[2..], "{fault:?} {at}");
        }
    }
}

#[tokio::test]
async fn a_block_that_was_listed_too_late_is_taken_off_the_list_again() {
    let world = World::new().await;
    let other = TenantId::new("b").unwrap();
    let object = metrics_block(0, 1, 1);
    let standing_still = |operations: u64| {
        let (mut operation, clock) = (0, world.clock.clone());
        world.store.set(move || {
            operation += 1;
            if operation == operations {
                clock.advance(Duration::from_secs(31 * 60));
            }
            None
        });
    };
    let list = || world.manifests.add_block(&other, Signal::Metrics, &object.meta);
    // Between the look at the newest list and the end of the writing of the next one.
    standing_still(2);
    let error = list().await.unwrap_err();
    assert_eq!(error.code, Code::Unavailable, "{error}");
    let manifest = world.manifests.refresh(&other, Signal::Metrics).await.unwrap();
    assert_eq!((manifest.sequence, manifest.blocks.len()), (2, 0));
    // What has been listed in time stays, whoever comes late.
    let object = metrics_block(world.clock.now_ms() as u64, 1, 1);
    let list = || world.manifests.add_block(&other, Signal::Metrics, &object.meta);
    list().await.unwrap();
    standing_still(1);
    list().await.unwrap();
    assert!(list().await.is_err());
    let manifest = world.manifests.refresh(&other, Signal::Metrics).await.unwrap();
    assert_eq!((manifest.sequence, &manifest.blocks[..]), (3, &[object.meta.clone()][..]));
}

#[tokio::test(start_paused = true)]
async fn whatever_bucket_and_disk_do_no_answer_is_wrong() {
    let world = World::new().await;
    let (plain, _) = world.reader(false);
    let patterns = [".*", "000.", "00[13]5", "0047"];
    let mut right = Vec::new();
    for pattern in patterns {
        right.push(select(&plain, &context(), numbered(pattern)).await.unwrap());
    }
    let lines = read_lines(&plain, &context()).await.unwrap();
    let (reader, registry) = world.reader(true);
    let (mut random, mut errors) = (Random(7), 0);
    let mut faults = Random(11);
    world.store.set(move || (faults.next(3) == 0).then(|| Fault::ALL[faults.next(5) as usize]));
    for _ in 0..120 {
        let at = random.next(patterns.len() as u64) as usize;
        match select(&reader, &context(), numbered(patterns[at])).await {
            Ok(found) => assert_eq!(found, right[at]),
            Err(_) => errors += 1,
        }
        match read_lines(&reader, &context()).await {
            Ok(found) => assert_eq!(found, lines),
            Err(_) => errors += 1,
        }
        reader.caches.settle();
        for path in world.segments() {
            let mut bytes = fs::read(&path).unwrap();
            for _ in 0..random.next(12) {
                let bit = random.next(bytes.len() as u64 * 8) as usize;
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            if random.next(10) == 0 {
                bytes.truncate(random.next(bytes.len() as u64) as usize + 1);
            }
            // Into the same file, which the reader has open.
            fs::write(&path, bytes).unwrap();
        }
    }
    assert!(errors < 120, "{errors}");
    for name in ["damaged", "hits", "misses"] {
        assert!(counted(&registry, &format!("yagura_cache_disk_{name}_total")) > 20, "{name}");
    }
    world.store.heal();
    for (pattern, right) in patterns.iter().zip(&right) {
        assert_eq!(select(&reader, &context(), numbered(pattern)).await.as_ref(), Ok(right));
    }
    assert_eq!(read_lines(&reader, &context()).await, Ok(lines));
}

#[tokio::test(start_paused = true)]
async fn a_query_ends_in_time_though_the_bucket_gives_no_answer() {
    let world = World::new().await;
    let (reader, _) = world.reader(false);
    for stuck_after in 0..4 {
        world.clock.advance(Duration::from_secs(11));
        let mut left = stuck_after;
        world.store.set(move || {
            left -= 1;
            (left < 0).then_some(Fault::Hangs)
        });
        let ctx = context();
        let (cancel, timed_out) = (ctx.cancel.clone(), ctx.timed_out.clone());
        let started = tokio::time::Instant::now();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(5)).await;
            timed_out.store(true, SeqCst);
            cancel.cancel();
        });
        let error = select(&reader, &ctx, numbered(".*")).await.unwrap_err();
        assert_eq!((error.code, started.elapsed().as_secs()), (Code::Timeout, 5), "{stuck_after}: {error}");
        // With all the time in the world it ends, too.
        let error = select(&reader, &context(), numbered(".*")).await.unwrap_err();
        assert_eq!(error.code, Code::Unavailable, "{error}");
        assert!(started.elapsed() < Duration::from_secs(200));
    }
    let started = tokio::time::Instant::now();
    let written = world.manifests.bucket().put("x", vec![bytes::Bytes::from_static(b"x")]).await;
    assert_eq!((written.unwrap_err().code, started.elapsed().as_secs()), (Code::Unavailable, 300));
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_the_same_at_once_reads_it_once() {
    let world = World::new().await;
    let (reader, _) = world.reader(false);
    world.store.set(|| Some(Fault::Slow));
    let right = select(&reader, &context(), numbered(".*")).await.unwrap();
    let alone = world.store.gets();
    let ctx = context();
    let many = (0..10).map(|_| select(&reader, &ctx, numbered(".*")));
    for found in futures::future::join_all(many).await {
        assert_eq!(found.as_ref(), Ok(&right));
    }
    // Indexes are read once each, and once again by those who come when they are not kept.
    let together = world.store.gets();
    assert!(together <= 2 * alone, "{together} against {alone}");
}

#[tokio::test]
async fn what_is_on_disk_is_not_read_from_the_bucket_and_nothing_takes_more_goes() {
    let world = World::new().await;
    let (plain, _) = world.reader(false);
    let few = numbered("00[13]5");
    let (right, lines) = (
        select(&plain, &context(), few.clone()).await.unwrap(),
        read_lines(&plain, &context()).await.unwrap(),
    );
    let cold = world.store.gets();
    let (reader, registry) = world.reader(true);
    for round in 0..3 {
        assert_eq!(select(&reader, &context(), few.clone()).await.as_ref(), Ok(&right));
        assert_eq!(read_lines(&reader, &context()).await.as_ref(), Ok(&lines));
        assert_eq!(world.store.gets(), if round == 0 { cold } else { 0 }, "round {round}");
        reader.caches.settle();
    }
    // Of all series only what is not there yet is read.
    let all = select(&reader, &context(), numbered(".*")).await.unwrap();
    assert_eq!(all.len(), SERIES);
    assert!(counted(&registry, "yagura_cache_disk_hits_total") > 20);
    assert_eq!(counted(&registry, "yagura_cache_disk_damaged_total"), 0);
    // Another process does not get the folder, and goes without.
    let (second, other) = world.reader(true);
    assert_eq!(select(&second, &context(), few).await, Ok(right));
    second.caches.settle();
    assert_eq!(counted(&other, "yagura_cache_disk_hits_total"), 0);
}

#[tokio::test]
async fn some_blocks_answer_as_all_do_when_all_are_named() {
    let world = World::new().await;
    let (reader, _) = world.reader(false);
    let ctx = context();
    let named = reader.in_range(&ctx, Signal::Metrics, TimeRange::ALL).await.unwrap().blocks;
    assert_eq!(named, world.blocks[..2]);
    let all = select(&reader, &ctx, numbered(".*")).await.unwrap();
    let mut backwards: Vec<_> = named.iter().rev().chain(&named).cloned().collect();
    assert_eq!(select(&*reader.only(backwards.clone()), &ctx, numbered(".*")).await.unwrap(), all);
    backwards.retain(|block| block.id == world.blocks[1].id);
    let found = select(&*reader.only(backwards), &ctx, numbered(".*")).await.unwrap();
    assert_eq!((found.len(), found[0].1.len()), (3, 10));
    assert!(select(&*reader.only(vec![]), &ctx, numbered(".*")).await.unwrap().is_empty());
    let lines = read_lines(&reader, &ctx).await.unwrap();
    assert_eq!(read_lines(&*reader.only(vec![world.blocks[2].clone()]), &ctx).await.unwrap(), lines);
    // No list is read for it.
    world.clock.advance(Duration::from_secs(11));
    ctx.listed.raise(Signal::Metrics, 99);
    assert_eq!(select(&*reader.only(named), &ctx, numbered(".*")).await.unwrap(), all);
}

#[tokio::test(start_paused = true)]
async fn a_block_of_another_tenant_is_not_read_however_warm_the_caches() {
    let mut world = World::new().await;
    let other = TenantId::new("b").unwrap();
    world.put(&other, Signal::Metrics, metrics_block(9, 2, 5)).await;
    let config = BlockCacheConfig {
        disk_dir: world.dir.path().display().to_string(),
        disk_bytes: 16 << 20,
        ..BlockCacheConfig::default()
    };
    let reader = BlocksReader::open(world.manifests.clone(), &config, &mut Registry::default());
    for _ in 0..2 {
        assert_eq!(select(&reader, &context(), numbered(".*")).await.unwrap().len(), SERIES);
        read_lines(&reader, &context()).await.unwrap();
        reader.caches.settle();
    }
    let theirs = ReadContext::new(other, 1 << 30);
    for block in &world.blocks[..3] {
        let only = reader.only(vec![block.clone()]);
        let error = select(&*only, &theirs, numbered(".*")).await.unwrap_err();
        assert_eq!(error.code, Code::Unavailable, "{error}");
        let query = LabelQuery { signal: Signal::Logs, matcher_sets: vec![], range: TimeRange::ALL };
        assert!(only.series(&theirs, &query).await.is_err());
        assert!(read_lines(&*only, &theirs).await.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_size_is_an_error() {
    let world = World::new().await;
    for on_disk in [false, true] {
        let (reader, _) = world.reader(on_disk);
        if on_disk {
            select(&reader, &context(), numbered(".*")).await.unwrap();
            reader.caches.settle();
        }
        for block in &world.blocks {
            let size = block.bytes;
            for bytes in
                [0, 1, 100, size / 2, size - 1, size + 1, size + (1 << 20), 1 << 40, 1 << 63, u64::MAX]
            {
                let only = reader.only(vec![BlockMeta { bytes, ..block.clone() }]);
                for signal in Signal::ALL {
                    let query = LabelQuery { signal, matcher_sets: vec![], range: TimeRange::ALL };
                    let error = only.series(&context(), &query).await.unwrap_err();
                    assert!(matches!(error.code, Code::Internal | Code::Unavailable), "{bytes}: {error}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_selection_has_no_more_series_or_streams_than_it_may() {
    let world = World::new().await;
    let (reader, _) = world.reader(false);
    let ctx = |max_series| ReadContext { max_series, ..context() };
    // Of two blocks, which have three in common.
    world.store.gets();
    assert_eq!(select(&reader, &ctx(SERIES as u64), numbered(".*")).await.unwrap().len(), SERIES);
    let all = world.store.gets();
    for max in [SERIES - 1, 4] {
        let error = select(&reader, &ctx(max as u64), numbered(".*")).await.unwrap_err();
        assert_eq!(error.code, Code::Unprocessable);
        let expected = format!("more series than limits.max_query_series allows ({max})");
        assert!(error.to_string().contains(&expected), "{error}");
        // Pages of a block that has too many by itself are not read.
        let some = world.store.gets();
        assert!(some < all, "{some} of {all}");
    }
    let streams = async |max| {
        let request = StreamsRequest { matchers: Vec::new(), range: NanoRange::ALL };
        LogsReader::select(&reader, &ctx(max), &request).await.map(|set| set.streams.len())
    };
    assert_eq!(streams(20).await.unwrap(), 20);
    let error = streams(19).await.unwrap_err();
    assert!(error.to_string().contains("more streams than limits.max_query_series allows (19)"), "{error}");
}
