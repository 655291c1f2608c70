//! What a bucket must do, whatever it is made of: a local folder and S3 over a real socket.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "bucket/lists.rs"]
mod lists;
#[path = "bucket/rollups.rs"]
mod rollups;
#[path = "bucket/s3.rs"]
mod s3;

use block_store::{
    BlockCacheConfig, BlockMeta, BlockWriter, BlocksReader, Bucket, BucketConfig, Deletion, Manifest,
    Manifests, S3Config, Ulid, apply_retention, collect_garbage,
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
        cleared: Vec::new(),
        rules: 0,
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
        apply_retention(&manifests, &tenant(), Signal::Metrics, 999).await.unwrap();
        assert!(manifests.latest(&tenant(), Signal::Metrics).await.unwrap().blocks.is_empty());
        assert_eq!(manifests.latest(&tenant(), Signal::Logs).await.unwrap().blocks, [logs]);
        assert_eq!(manifests.tenants().await.unwrap(), [tenant()]);
    });
}
