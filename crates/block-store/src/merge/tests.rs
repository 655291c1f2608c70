//! Merges of blocks of logs against a model, and of blocks that are damaged, gone, slow or too large.

mod damage;
mod endings;
mod figures;
mod properties;

use super::{
    logs::{PageShape, Tuning, merge_into},
    *,
};
use crate::{BlockCacheConfig, BlocksReader, Bucket, EncodedPage, LogBlockWriter, Manifests};
use ::model::{Labels, Lines, Matcher, NanoRange, Signal, TenantId};
use bytes::Bytes;
use runtime::ManualClock;
use service_api::{LogsReader, Needles, ReadContext, StreamsRequest, fetch_pages};
use std::{sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// A stream, and the lines of each of its pages.
type Given = (Labels, Vec<Lines>);

fn tenant() -> TenantId {
    TenantId::anonymous()
}

fn id(number: u64) -> Ulid {
    Ulid::from_parts(1_700_000_000_000 + number, number.into())
}

fn lines(all: &[(i64, &str)]) -> Lines {
    let mut lines = Lines::default();
    all.iter().for_each(|(time, text)| lines.push(*time, text.as_bytes(), []));
    lines
}

/// Puts a block into a bucket; pages are normalized.
async fn put(bucket: &Bucket, number: u64, level: u8, streams: &[Given]) -> BlockMeta {
    let mut writer = LogBlockWriter::new();
    for (labels, pages) in streams {
        let pages = pages.iter().map(|lines| EncodedPage::encode(lines).unwrap()).collect();
        writer.add(labels, pages).unwrap();
    }
    let mut block = writer.finish(id(number), "ingester-0/1:2", 5).unwrap().unwrap();
    block.meta.level = level;
    bucket.put(&block.meta.object(&tenant(), Signal::Logs), block.parts).await.unwrap();
    block.meta
}

async fn object(bucket: &Bucket, meta: &BlockMeta) -> Bytes {
    bucket.get(&meta.object(&tenant(), Signal::Logs)).await.unwrap()
}

/// A bucket, and a folder for merges.
struct Setup {
    bucket: Bucket,
    config: MergeConfig,
    folder: TempDir,
    tuning: Tuning,
    stop: CancellationToken,
}

impl Default for Setup {
    fn default() -> Self {
        Self::with(Bucket::new(Arc::new(object_store::memory::InMemory::new()), "some"))
    }
}

impl Setup {
    fn with(bucket: Bucket) -> Self {
        let folder = TempDir::new().unwrap();
        let config = MergeConfig { scratch: folder.path().to_owned(), memory: 64 << 20 };
        Self { bucket, config, folder, tuning: Tuning::MERGED, stop: CancellationToken::new() }
    }

    async fn merge(&self, inputs: &[BlockMeta], number: u64) -> Result<Merged, MergeError> {
        let new = NewBlock { id: id(number), created: 9 };
        let (tenant, config) = (tenant(), &self.config);
        let merging = merge_into(&self.bucket, &tenant, inputs, new, config, &self.stop, self.tuning);
        let merged = Box::pin(merging).await;
        assert_eq!(std::fs::read_dir(self.folder.path()).unwrap().count(), 0, "something is left");
        if let Ok(Merged { figures, .. }) = &merged {
            assert!(figures.read_ahead_peak <= figures.read_ahead_limit, "{figures:?}");
            let all = figures.index_bytes + figures.read_ahead_limit + figures.open_peak;
            assert!(all <= self.config.memory as u64, "{figures:?}");
        }
        merged
    }

    /// The pages of a block, as queries find them.
    async fn read(&self, meta: &BlockMeta, matchers: &[Matcher]) -> Vec<Given> {
        let clock = Arc::new(ManualClock::at(0));
        let manifests = Manifests::new(self.bucket.clone(), clock, Duration::from_secs(1));
        let reader = BlocksReader::new(Arc::new(manifests), &BlockCacheConfig::default());
        let reader = reader.only(vec![meta.clone()]);
        let ctx = ReadContext::new(tenant(), 1 << 30);
        let request = StreamsRequest { matchers: matchers.to_vec(), range: NanoRange::ALL };
        let mut all = Vec::new();
        for stream in LogsReader::select(&*reader, &ctx, &request).await.unwrap().streams {
            let sources = fetch_pages(&ctx, &stream.pages.iter().collect::<Vec<_>>()).await.unwrap();
            let read = |source: Arc<dyn service_api::LineSource>| {
                let mut lines = Lines::default();
                assert!(source.read(&Needles::default(), &mut lines).unwrap());
                lines
            };
            all.push((stream.labels, sources.into_iter().map(read).collect()));
        }
        all
    }
}

/// Numbers that look random and are the same every time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}
