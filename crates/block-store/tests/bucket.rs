//! What a bucket must do, whatever it is made of: a local folder and S3 over a real socket.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "bucket/s3.rs"]
mod s3;

use block_store::{
    BlockCacheConfig, BlockMeta, BlockWriter, BlocksReader, Bucket, BucketConfig, Manifest, Manifests,
    S3Config, Ulid, apply_retention, collect_garbage,
};
use bytes::Bytes;
use model::{Labels, Matcher, Signal, TenantId, TimeRange};
use runtime::{Clock, ManualClock, Secret};
use service_api::{Code, LabelQuery, LabelsReader, MetricsReader, ReadContext, SampleBuffer, SelectRequest};
use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;

/// Runs a check against both kinds of bucket.
fn on_both<F: Future<Output = ()>>(check: impl Fn(Bucket) -> F) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let folder = TempDir::new().unwrap();
        let url = format!("file:{}", folder.path().join("made/when/missing").display());
        check(BucketConfig { url }.open(&S3Config::default()).unwrap()).await;

        let folder = TempDir::new().unwrap();
        std::fs::create_dir(folder.path().join("testing")).unwrap();
        let config = S3Config {
            endpoint: Some(s3::serve(folder.path()).await),
            region: Some("us-east-1".to_owned()),
            access_key_id: Some(s3::ACCESS_KEY.to_owned()),
            secret_access_key: Some(Secret::new(s3::SECRET_KEY)),
        };
        let url = "s3://testing/some/prefix".to_owned();
        check(BucketConfig { url }.open(&config).unwrap()).await;
    });
}

fn tenant() -> TenantId {
    // Every kind of character that a tenant may have.
    TenantId::new("team-1_a.b!'(*)").unwrap()
}

fn manifests(bucket: &Bucket, clock: &Arc<ManualClock>) -> Arc<Manifests> {
    Arc::new(Manifests::new(bucket.clone(), clock.clone(), Duration::from_secs(5)))
}

fn meta(id: u64, min_time: i64, max_time: i64) -> BlockMeta {
    let id = Ulid::from_parts(id, id.into());
    let (series, samples, bytes, level, created) = (1, 1, 1, 0, 0);
    BlockMeta {
        id,
        min_time,
        max_time,
        series,
        samples,
        text_bytes: 0,
        bytes,
        level,
        source: "test".to_owned(),
        created,
        sources: Vec::new(),
        damaged: None,
    }
}

fn labels(name: &str, instance: usize) -> Labels {
    Labels::from_pairs([("__name__", name.to_owned()), ("instance", format!("host-{instance}"))])
}

/// Puts a block of one series a name with samples at `times` into the bucket.
async fn put_block(bucket: &Bucket, id: u64, names: &[&str], times: &[i64]) -> BlockMeta {
    let mut writer = BlockWriter::new();
    let values = times.iter().map(|t| *t as f64).collect();
    let samples = SampleBuffer { timestamps: times.to_vec(), values, ..SampleBuffer::default() };
    for name in names {
        writer.add(&labels(name, 1), &samples).unwrap();
    }
    let block = writer.finish(Ulid::from_parts(id, 1), "test", 0).unwrap().unwrap();
    bucket.put(&block.meta.object(&tenant(), Signal::Metrics), block.parts).await.unwrap();
    block.meta
}

async fn select(reader: &BlocksReader, name: &str) -> service_api::Result<Vec<(Labels, Vec<i64>)>> {
    let ctx = ReadContext::new(tenant(), 1 << 30);
    let request = SelectRequest { matchers: vec![Matcher::equal("__name__", name)], range: TimeRange::ALL };
    let mut found = Vec::new();
    for series in reader.select(&ctx, &request).await?.series {
        let mut out = SampleBuffer::default();
        series.data.read(TimeRange::ALL, &mut out)?;
        found.push((series.labels, out.timestamps));
    }
    Ok(found)
}

#[test]
fn objects_are_written_read_listed_and_removed() {
    on_both(|bucket| async move {
        let missing = bucket.get("a/none").await.unwrap_err();
        assert_eq!(missing.code, Code::NotFound, "{missing}");
        bucket.put("a/one", vec![Bytes::from("hello, "), Bytes::from("world")]).await.unwrap();
        bucket.put("a/two", vec![Bytes::from("2")]).await.unwrap();
        bucket.put("a/deep/three", vec![Bytes::from("3")]).await.unwrap();
        bucket.put("a/two", vec![Bytes::from("two")]).await.unwrap();
        assert_eq!(bucket.get("a/one").await.unwrap(), "hello, world");
        assert_eq!(bucket.get("a/two").await.unwrap(), "two");
        assert_eq!(bucket.get_range("a/one", 7..12).await.unwrap(), "world");
        assert!(bucket.get_range("a/one", 7..13).await.is_err());
        let names =
            |objects: Vec<block_store::ObjectInfo>| objects.into_iter().map(|o| o.name).collect::<Vec<_>>();
        let listed = bucket.list("a").await.unwrap();
        assert_eq!(listed.iter().map(|o| o.size).collect::<Vec<_>>(), [12, 3]);
        assert!(listed[0].modified > 1_600_000_000_000);
        assert_eq!(names(listed), ["one", "two"]);
        assert_eq!(names(bucket.list_after("a", "one").await.unwrap()), ["two"]);
        assert!(bucket.list("nowhere").await.unwrap().is_empty());
        assert_eq!(bucket.folders("a").await.unwrap(), ["deep"]);
        bucket.delete("a/one").await.unwrap();
        bucket.delete("a/one").await.unwrap();
        assert_eq!(names(bucket.list("a").await.unwrap()), ["two"]);
    });
}

#[test]
fn a_large_object_goes_up_in_parts_and_is_there_whole_or_not_at_all() {
    const PART: usize = 8 << 20;
    let parts = |len: usize| {
        let bytes: Bytes = (0..len).map(|at| (at >> 12) as u8).collect::<Vec<_>>().into();
        let cut = bytes.clone();
        let part = move |from: usize| Ok(cut.slice(from..(from + PART).min(len)));
        (bytes, (0..len).step_by(PART).map(part).collect::<Vec<service_api::Result<Bytes>>>())
    };
    on_both(|bucket| async move {
        for (number, len) in [0, 5, PART, PART + 1, 6 * PART + 77].into_iter().enumerate() {
            let (name, (bytes, parts)) = (format!("parts/{number}"), parts(len));
            bucket.put_parts(&name, futures::stream::iter(parts)).await.unwrap();
            assert!(bucket.get(&name).await.unwrap() == bytes, "of {len} bytes others came back");
        }
        for fails_at in [0, 1, 2, 6] {
            let (_, mut parts) = parts(6 * PART + 77);
            parts[fails_at] = Err(service_api::Error::unavailable("on purpose"));
            let failed = bucket.put_parts("parts/failed", futures::stream::iter(parts)).await.unwrap_err();
            assert_eq!(failed.message, "on purpose");
            assert_eq!(bucket.get("parts/failed").await.unwrap_err().code, Code::NotFound);
        }
        assert_eq!(bucket.list("parts").await.unwrap().len(), 5);
    });
}

#[test]
fn of_many_who_create_an_object_one_wins() {
    on_both(|bucket| async move {
        let attempts = (0..8).map(|n| {
            let bucket = bucket.clone();
            tokio::spawn(
                async move { (n, bucket.put_new("x/1", Bytes::from(format!("by {n}"))).await.unwrap()) },
            )
        });
        let winners: Vec<_> = futures::future::join_all(attempts)
            .await
            .into_iter()
            .map(|r| r.unwrap())
            .filter(|(_, won)| *won)
            .collect();
        assert_eq!(winners.len(), 1, "{winners:?}");
        assert_eq!(bucket.get("x/1").await.unwrap(), format!("by {}", winners[0].0));
        assert!(!bucket.put_new("x/1", Bytes::from("late")).await.unwrap());
    });
}

#[test]
fn no_block_is_lost_when_eight_write_the_manifest_at_once() {
    on_both(|bucket| async move {
        let clock = Arc::new(ManualClock::at(0));
        let writers = (0..8u64).map(|writer| {
            let manifests = manifests(&bucket, &clock);
            tokio::spawn(async move {
                for block in 0..5 {
                    manifests
                        .add_block(&tenant(), Signal::Metrics, &meta(writer * 100 + block, 0, 10))
                        .await
                        .unwrap();
                }
            })
        });
        for done in futures::future::join_all(writers).await {
            done.unwrap();
        }
        let manifest = manifests(&bucket, &clock).latest(&tenant(), Signal::Metrics).await.unwrap();
        let mut ids: Vec<_> = manifest.blocks.iter().map(|b| b.id.timestamp_ms()).collect();
        ids.sort_unstable();
        let want: Vec<u64> = (0..8).flat_map(|w| (0..5).map(move |b| w * 100 + b)).collect();
        assert_eq!((manifest.sequence, ids), (40, want));
    });
}

#[test]
fn a_manifest_is_believed_for_the_poll_interval() {
    on_both(|bucket| async move {
        let clock = Arc::new(ManualClock::at(0));
        let (ours, theirs) = (manifests(&bucket, &clock), manifests(&bucket, &clock));
        assert_eq!(ours.latest(&tenant(), Signal::Metrics).await.unwrap().sequence, 0);
        theirs.add_block(&tenant(), Signal::Metrics, &meta(1, 0, 10)).await.unwrap();
        theirs.add_block(&tenant(), Signal::Metrics, &meta(1, 0, 10)).await.unwrap();
        assert_eq!(ours.latest(&tenant(), Signal::Metrics).await.unwrap().sequence, 0);
        clock.advance(Duration::from_secs(6));
        assert_eq!(ours.latest(&tenant(), Signal::Metrics).await.unwrap().blocks, [meta(1, 0, 10)]);
        assert_eq!(ours.tenants().await.unwrap(), [tenant()]);
    });
}

#[test]
fn a_query_reads_no_list_that_is_older_than_what_it_has_heard_of() {
    on_both(|bucket| async move {
        let clock = Arc::new(ManualClock::at(0));
        let (ours, theirs) = (manifests(&bucket, &clock), manifests(&bucket, &clock));
        assert_eq!(ours.known_sequence(&tenant(), Signal::Metrics), 0);
        assert_eq!(ours.at_least(&tenant(), Signal::Metrics, 0).await.unwrap().sequence, 0);
        let block = put_block(&bucket, 1, &["up"], &[10]).await;
        theirs.add_block(&tenant(), Signal::Metrics, &block).await.unwrap();
        theirs.add_block(&tenant(), Signal::Metrics, &meta(2, 50, 60)).await.unwrap();
        assert_eq!(theirs.known_sequence(&tenant(), Signal::Metrics), 2);
        assert_eq!(theirs.known_sequence(&tenant(), Signal::Logs), 0);
        // What we know is believed for a while, unless somebody knows better.
        assert_eq!(ours.at_least(&tenant(), Signal::Metrics, 0).await.unwrap().sequence, 0);
        let reader = BlocksReader::new(ours.clone(), &BlockCacheConfig::default());
        let ctx = ReadContext::new(tenant(), 1 << 30);
        let range = TimeRange::new(0, 20);
        assert!(reader.in_range(&ctx, Signal::Metrics, range).await.unwrap().blocks.is_empty());
        ctx.listed.raise(Signal::Metrics, 1);
        assert_eq!(reader.in_range(&ctx, Signal::Metrics, range).await.unwrap().blocks, [block]);
        assert_eq!(ours.known_sequence(&tenant(), Signal::Metrics), 2);
        assert!(
            reader.in_range(&ctx, Signal::Metrics, TimeRange::new(70, 80)).await.unwrap().blocks.is_empty()
        );

        ctx.listed.raise(Signal::Metrics, 3);
        let error = ours.at_least(&tenant(), Signal::Metrics, 3).await.unwrap_err();
        assert!(error.code == Code::Unavailable && error.message.contains("version 3"), "{error}");
        let request = SelectRequest { matchers: vec![], range };
        assert_eq!(reader.select(&ctx, &request).await.err().unwrap().code, Code::Unavailable);
    });
}

#[test]
fn blocks_are_read_back_and_merged() {
    on_both(|bucket| async move {
        let clock = Arc::new(ManualClock::at(0));
        let manifests = manifests(&bucket, &clock);
        let reader = BlocksReader::new(manifests.clone(), &BlockCacheConfig::default());
        assert!(select(&reader, "up").await.unwrap().is_empty());
        let first = put_block(&bucket, 1, &["down", "up"], &[10, 20, 30]).await;
        let second = put_block(&bucket, 2, &["up"], &[30, 40]).await;
        put_block(&bucket, 3, &["up"], &[1_000]).await;
        manifests.add_block(&tenant(), Signal::Metrics, &first).await.unwrap();
        manifests.add_block(&tenant(), Signal::Metrics, &second).await.unwrap();
        for _ in 0..2 {
            assert_eq!(select(&reader, "up").await.unwrap(), [(labels("up", 1), vec![10, 20, 30, 40])]);
        }
        assert_eq!(select(&reader, "down").await.unwrap(), [(labels("down", 1), vec![10, 20, 30])]);
        let other = ReadContext::new(TenantId::new("other").unwrap(), 1 << 30);
        let all = SelectRequest { matchers: vec![], range: TimeRange::ALL };
        assert!(reader.select(&other, &all).await.unwrap().series.is_empty());
    });
}

#[test]
fn a_missing_or_broken_block_is_an_error_and_never_a_hole() {
    on_both(|bucket| async move {
        let clock = Arc::new(ManualClock::at(0));
        let manifests = manifests(&bucket, &clock);
        let block = put_block(&bucket, 1, &["up"], &[10, 20, 30]).await;
        manifests.add_block(&tenant(), Signal::Metrics, &block).await.unwrap();
        let object = block.object(&tenant(), Signal::Metrics);
        let whole = bucket.get(&object).await.unwrap();
        for at in 0..whole.len() {
            let mut broken = whole.to_vec();
            broken[at] ^= 0x10;
            bucket.put(&object, vec![broken.into()]).await.unwrap();
            let reader = BlocksReader::new(manifests.clone(), &BlockCacheConfig::default());
            match select(&reader, "up").await {
                Err(e) => {
                    assert!(e.code == Code::Internal && e.message.contains(&block.id.to_string()), "{e:?}")
                }
                // The first bytes of the object are there for people only.
                Ok(found) => assert!(at < 8, "byte {at}: {found:?}"),
            }
        }
        bucket.put(&object, vec![whole.slice(..whole.len() - 1)]).await.unwrap();
        let reader = BlocksReader::new(manifests.clone(), &BlockCacheConfig::default());
        assert!(select(&reader, "up").await.is_err());
        bucket.delete(&object).await.unwrap();
        let error = select(&reader, "up").await.unwrap_err();
        assert!(
            error.code == Code::Unavailable && error.message.contains(&block.id.to_string()),
            "{error:?}"
        );
    });
}

#[test]
fn blocks_take_the_place_of_others_in_one_step_or_not_at_all() {
    on_both(|bucket| async move {
        let clock = Arc::new(ManualClock::at(100));
        let (ours, theirs) = (manifests(&bucket, &clock), manifests(&bucket, &clock));
        let (a, b, c) = (meta(1, 0, 9), meta(2, 0, 9), meta(3, 10, 19));
        for block in [&a, &b, &c] {
            ours.add_block(&tenant(), Signal::Logs, block).await.unwrap();
        }
        let ids = |manifest: &Manifest| {
            let mut ids: Vec<u64> = manifest.blocks.iter().map(|block| block.id.timestamp_ms()).collect();
            ids.sort_unstable();
            ids
        };
        let replace = async |manifests: &Manifests, old: &[BlockMeta], new: &[BlockMeta]| {
            manifests.replace(&tenant(), Signal::Logs, old, new).await
        };
        let old = [a.clone(), b.clone()];
        let (merged, other) = ([meta(4, 0, 5), meta(5, 6, 9)], [meta(6, 0, 9)]);
        let listed = replace(&ours, &old, &merged).await.unwrap().unwrap();
        assert_eq!((listed.sequence, ids(&listed)), (4, vec![3, 4, 5]));
        // Whoever merged the same, too, comes too late; whoever does not know that it has been done, does nothing.
        assert!(replace(&theirs, &old, &other).await.unwrap().is_none());
        assert!(replace(&theirs, &[a.clone(), c.clone()], &other).await.unwrap().is_none());
        assert_eq!(replace(&theirs, &old, &merged).await.unwrap().unwrap().sequence, 4);
        assert_eq!(ids(&theirs.refresh(&tenant(), Signal::Logs).await.unwrap()), [3, 4, 5]);

        // One that was made too long ago may be taken for garbage.
        clock.advance(Duration::from_secs(31 * 60));
        let late = replace(&ours, &merged, &[meta(7, 0, 9)]).await.unwrap_err();
        assert_eq!(late.code, Code::Unavailable);
        assert_eq!(ids(&ours.refresh(&tenant(), Signal::Logs).await.unwrap()), [3, 4, 5]);
    });
}

/// The clock goes on while the list is written: the process stood still, and what it lists may be gone.
#[test]
fn a_list_that_is_written_too_late_is_taken_back() {
    struct Slow(ManualClock, AtomicU64);

    impl Clock for Slow {
        fn now_ms(&self) -> i64 {
            // The first question is whether the block is young enough.
            let late = self.1.fetch_add(1, Ordering::SeqCst) > 0;
            self.0.now_ms() + if late { 31 * 60_000 } else { 0 }
        }

        fn monotonic(&self) -> Duration {
            self.0.monotonic()
        }
    }

    on_both(|bucket| async move {
        let clock = Arc::new(ManualClock::at(0));
        let sound = manifests(&bucket, &clock);
        let (a, b) = (meta(1, 0, 9), meta(2, 0, 9));
        for block in [&a, &b] {
            sound.add_block(&tenant(), Signal::Metrics, block).await.unwrap();
        }
        let slow = Arc::new(Slow(ManualClock::at(0), AtomicU64::new(0)));
        let slow = Manifests::new(bucket, slow, Duration::ZERO);
        let old = [a.clone(), b.clone()];
        let late = slow.replace(&tenant(), Signal::Metrics, &old, &[meta(3, 0, 9)]).await.unwrap_err();
        assert_eq!(late.code, Code::Unavailable);
        let listed = sound.refresh(&tenant(), Signal::Metrics).await.unwrap();
        assert_eq!((listed.sequence, listed.blocks.as_slice()), (4, old.as_slice()));
    });
}

#[test]
fn what_is_set_aside_is_not_read_and_queries_say_so() {
    on_both(|bucket| async move {
        let clock = Arc::new(ManualClock::at(0));
        let manifests = manifests(&bucket, &clock);
        let reader = BlocksReader::new(manifests.clone(), &BlockCacheConfig::default());
        let sound = put_block(&bucket, 1, &["up"], &[10, 20]).await;
        let broken = put_block(&bucket, 2, &["up"], &[30]).await;
        for block in [&sound, &broken] {
            manifests.add_block(&tenant(), Signal::Metrics, block).await.unwrap();
        }
        bucket.delete(&broken.object(&tenant(), Signal::Metrics)).await.unwrap();
        assert!(select(&reader, "up").await.is_err());
        let set_aside =
            async |block: &BlockMeta| manifests.set_aside(&tenant(), Signal::Metrics, block.id, "gone").await;
        assert!(set_aside(&broken).await.unwrap());
        assert!(!set_aside(&broken).await.unwrap(), "that was noted before");
        assert!(!set_aside(&meta(9, 0, 9)).await.unwrap(), "that is not listed");
        assert_eq!(select(&reader, "up").await.unwrap(), [(labels("up", 1), vec![10, 20])]);
        let ctx = ReadContext::new(tenant(), 1 << 30);
        let warnings = async |from: i64| {
            let range = TimeRange::new(from, 1_000);
            let request = SelectRequest { matchers: vec![], range };
            let of_select = reader.select(&ctx, &request).await.unwrap().warnings;
            let query = LabelQuery { signal: Signal::Metrics, range, matcher_sets: vec![] };
            assert_eq!(reader.label_names(&ctx, &query).await.unwrap().warnings, of_select);
            assert_eq!(reader.label_values(&ctx, "job", &query).await.unwrap().warnings, of_select);
            assert_eq!(reader.series(&ctx, &query).await.unwrap().warnings, of_select);
            of_select
        };
        let told = warnings(0).await;
        assert!(told.len() == 1 && told[0].contains(&broken.id.to_string()), "{told:?}");
        assert!(warnings(31).await.is_empty(), "it has nothing of these times");
    });
}

#[test]
fn what_is_past_its_retention_goes_and_the_rest_stays() {
    on_both(|bucket| async move {
        let clock = Arc::new(ManualClock::at(0));
        let manifests = manifests(&bucket, &clock);
        let old = put_block(&bucket, 1, &["up"], &[10, 20]).await;
        let kept = put_block(&bucket, 2, &["up"], &[20, 1_000]).await;
        let young = put_block(&bucket, 40_000_000_000_000, &["up"], &[7]).await;
        let unlisted = put_block(&bucket, 3, &["up"], &[7]).await;
        manifests.add_block(&tenant(), Signal::Metrics, &old).await.unwrap();
        manifests.add_block(&tenant(), Signal::Metrics, &kept).await.unwrap();
        let dropped =
            apply_retention(&manifests, &tenant(), Signal::Metrics, 1_100, Duration::from_millis(200))
                .await
                .unwrap();
        assert_eq!(dropped, std::slice::from_ref(&old));
        assert!(
            apply_retention(&manifests, &tenant(), Signal::Metrics, 1_100, Duration::from_millis(200))
                .await
                .unwrap()
                .is_empty()
        );

        // Older versions still list the old block: only the unlisted one goes.
        let now = 10_000_000;
        let grace = Duration::from_secs(3_600);
        let gone = collect_garbage(&manifests, &tenant(), Signal::Metrics, now, grace).await.unwrap();
        assert_eq!((gone.blocks, gone.manifests), (1, 0));
        assert!(bucket.get(&unlisted.object(&tenant(), Signal::Metrics)).await.is_err());

        for block in 100..120 {
            manifests.add_block(&tenant(), Signal::Metrics, &meta(block, 0, 10)).await.unwrap();
        }
        let later = 40_000_000_000_000 - 1;
        let gone = collect_garbage(&manifests, &tenant(), Signal::Metrics, later, grace).await.unwrap();
        assert_eq!((gone.blocks, gone.manifests), (1, 7));
        let gone = collect_garbage(&manifests, &tenant(), Signal::Metrics, later, grace).await.unwrap();
        assert_eq!((gone.blocks, gone.manifests), (0, 0));
        assert!(bucket.get(&old.object(&tenant(), Signal::Metrics)).await.is_err());
        for block in [&kept, &young] {
            bucket.get(&block.object(&tenant(), Signal::Metrics)).await.unwrap();
        }
        assert_eq!(manifests.refresh(&tenant(), Signal::Metrics).await.unwrap().sequence, 23);
    });
}

#[test]
fn a_block_that_may_be_garbage_by_now_is_not_listed() {
    on_both(|bucket| async move {
        let clock = Arc::new(ManualClock::at(10_000_000));
        let manifests = manifests(&bucket, &clock);
        let old = meta(10_000_000 - 1_800_001, 0, 10);
        let error = manifests.add_block(&tenant(), Signal::Metrics, &old).await.unwrap_err();
        assert!(error.code == Code::Unavailable && error.message.contains(&old.id.to_string()), "{error}");
        let young = meta(10_000_000 - 1_800_000, 0, 10);
        manifests.add_block(&tenant(), Signal::Metrics, &young).await.unwrap();
        assert_eq!(manifests.refresh(&tenant(), Signal::Metrics).await.unwrap().blocks, [young]);
    });
}

#[test]
fn what_was_the_newest_list_a_moment_ago_is_kept_with_its_blocks() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = TempDir::new().unwrap();
        let url = format!("file:{}", folder.path().display());
        let bucket = BucketConfig { url }.open(&S3Config::default()).unwrap();
        let clock = Arc::new(ManualClock::at(0));
        let manifests = manifests(&bucket, &clock);
        let block = put_block(&bucket, 1, &["up"], &[10]).await;
        manifests.add_block(&tenant(), Signal::Metrics, &block).await.unwrap();
        manifests.add_block(&tenant(), Signal::Metrics, &meta(2, 0, 10)).await.unwrap();
        manifests.update(&tenant(), Signal::Metrics, |_| Some(Vec::new())).await.unwrap();
        for number in 0..20 {
            manifests.add_block(&tenant(), Signal::Metrics, &meta(100 + number, 0, 10)).await.unwrap();
        }
        // The first two are a day older than the others, which came all at once.
        let owner = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap();
        let lists = owner.path().join("metrics/manifest");
        for sequence in 1..=2 {
            let list =
                std::fs::File::options().write(true).open(lists.join(format!("{sequence:020}"))).unwrap();
            let modified = list.metadata().unwrap().modified().unwrap();
            list.set_modified(modified - Duration::from_secs(86_400)).unwrap();
        }
        let newest = std::fs::metadata(lists.join(format!("{:020}", 23))).unwrap().modified().unwrap();
        let now = newest.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
        let owner = tenant();
        let collect = |now| collect_garbage(&manifests, &owner, Signal::Metrics, now, Duration::ZERO);
        // Version 2 was the newest until version 3 came.
        let gone = collect(now).await.unwrap();
        assert_eq!((gone.blocks, gone.manifests), (0, 1));
        bucket.get(&block.object(&tenant(), Signal::Metrics)).await.unwrap();
        // Two processes at once get in nobody's way.
        let later = now + 2 * 3_600_000;
        let (one, other) = tokio::join!(collect(later), collect(later));
        assert!(one.unwrap().blocks + other.unwrap().blocks >= 1);
        assert!(bucket.get(&block.object(&tenant(), Signal::Metrics)).await.is_err());
        assert_eq!(manifests.refresh(&tenant(), Signal::Metrics).await.unwrap().blocks.len(), 20);
    });
}

#[test]
fn logs_and_metrics_of_a_tenant_are_kept_apart() {
    on_both(|bucket| async move {
        let clock = Arc::new(ManualClock::at(0));
        let manifests = manifests(&bucket, &clock);
        let (metrics, logs) = (meta(1, 0, 10), BlockMeta { text_bytes: 7, ..meta(2, 0, 10) });
        for (signal, block) in [(Signal::Metrics, &metrics), (Signal::Logs, &logs)] {
            let object = block.object(&tenant(), signal);
            assert_eq!(object, format!("{}/{signal}/blocks/{}", tenant(), block.id));
            bucket.put(&object, vec![Bytes::from_static(b"x")]).await.unwrap();
            manifests.add_block(&tenant(), signal, block).await.unwrap();
        }
        assert_eq!(
            manifests.refresh(&tenant(), Signal::Metrics).await.unwrap().blocks,
            std::slice::from_ref(&metrics)
        );
        assert_eq!(
            manifests.latest(&tenant(), Signal::Logs).await.unwrap().blocks,
            std::slice::from_ref(&logs)
        );
        let retention = Duration::from_millis(1);
        apply_retention(&manifests, &tenant(), Signal::Metrics, 1_000, retention).await.unwrap();
        assert!(manifests.latest(&tenant(), Signal::Metrics).await.unwrap().blocks.is_empty());
        assert_eq!(manifests.latest(&tenant(), Signal::Logs).await.unwrap().blocks, [logs]);
        assert_eq!(manifests.tenants().await.unwrap(), [tenant()]);
    });
}
