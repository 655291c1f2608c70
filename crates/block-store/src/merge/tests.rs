//! Merges of blocks against models, and of blocks that are damaged, gone, slow or too large.

mod damage;
mod endings;
mod logs;
mod metrics;

use super::*;
use crate::{
    BlockCacheConfig, BlocksReader, Manifests,
    blocks::tests::faulty::{Fault, FaultyStore},
};
use ::model::{Labels, Matcher};
use bytes::Bytes;
use object_store::memory::InMemory;
use runtime::ManualClock;
use service_api::ReadContext;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};
use tempfile::TempDir;

fn tenant() -> TenantId {
    TenantId::anonymous()
}

/// Of a time that depends on the number alone.
fn id(number: u64) -> Ulid {
    Ulid::from_parts(1_700_000_000_000 + number, number.into())
}

/// A bucket, and a folder for merges.
struct Setup {
    bucket: Bucket,
    signal: Signal,
    config: MergeConfig,
    folder: TempDir,
    tuning: Tuning,
    omissions: Omissions,
    stop: CancellationToken,
}

/// A merge of which one block came.
#[derive(Debug)]
struct One {
    meta: BlockMeta,
    figures: MergeFigures,
}

impl Setup {
    fn new(signal: Signal) -> Self {
        Self::with(signal, Bucket::new(Arc::new(InMemory::new()), "some"))
    }

    fn faulty(signal: Signal) -> (Self, Arc<FaultyStore>) {
        let store = Arc::new(FaultyStore::default());
        (Self::with(signal, Bucket::new(store.clone(), "")), store)
    }

    fn with(signal: Signal, bucket: Bucket) -> Self {
        let folder = TempDir::new().unwrap();
        let scratch = folder.path().to_owned();
        let config = MergeConfig { scratch, memory: 64 << 20, block_bytes: u64::MAX };
        let (tuning, omissions, stop) = (Tuning::MERGED, Omissions::new(), CancellationToken::new());
        Self { bucket, signal, config, folder, tuning, omissions, stop }
    }

    /// The new blocks' ids are of `number` and those that follow it.
    async fn merge_all(&self, inputs: &[BlockMeta], number: u64) -> Result<Merged, MergeError> {
        let next = AtomicU64::new(number);
        let new_id = || id(next.fetch_add(1, SeqCst));
        let merge = Merge {
            bucket: &self.bucket,
            tenant: &tenant(),
            signal: self.signal,
            inputs,
            omissions: &self.omissions,
            config: &self.config,
            new_id: &new_id,
            stop: &self.stop,
        };
        let merged = Box::pin(merge_tuned(merge, self.tuning)).await;
        if let (Ok(merged), false) = (&merged, self.omissions.is_empty()) {
            let touched = is_touched(merge).await.unwrap();
            assert!(touched || merged.figures.omitted == 0, "nothing was to be left out");
        }
        assert_eq!(std::fs::read_dir(self.folder.path()).unwrap().count(), 0, "something is left");
        if let Ok(Merged { figures, .. }) = &merged {
            assert!(figures.read_ahead_peak <= figures.read_ahead_limit, "{figures:?}");
            let all = figures.index_bytes + figures.read_ahead_limit + figures.open_peak;
            assert!(all <= self.config.memory as u64, "{figures:?}");
        }
        merged
    }

    async fn merge(&self, inputs: &[BlockMeta], number: u64) -> Result<One, MergeError> {
        let mut merged = self.merge_all(inputs, number).await?;
        assert_eq!(merged.blocks.len(), 1);
        Ok(One { meta: merged.blocks.remove(0), figures: merged.figures })
    }

    async fn object(&self, meta: &BlockMeta) -> Bytes {
        self.bucket.get(&meta.object(&tenant(), self.signal)).await.unwrap()
    }

    async fn objects(&self, metas: &[BlockMeta]) -> Vec<Bytes> {
        let mut all = Vec::new();
        for meta in metas {
            all.push(self.object(meta).await);
        }
        all
    }

    async fn put_bytes(&self, meta: &BlockMeta, bytes: impl Into<Bytes>) {
        self.bucket.put(&meta.object(&tenant(), self.signal), vec![bytes.into()]).await.unwrap();
    }

    /// Whether there is a block of this number, once nobody is removing any.
    async fn is_there(&self, number: u64) -> bool {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        let folder = format!("{}/{}/blocks", tenant(), self.signal);
        self.bucket.list(&folder).await.unwrap().iter().any(|object| object.name == id(number).to_string())
    }

    /// A block of so many series or streams.
    async fn put_some(&self, number: u64, count: usize) -> BlockMeta {
        match self.signal {
            Signal::Metrics => metrics::put_some(&self.bucket, number, count).await,
            Signal::Logs => logs::put_some(&self.bucket, number, count).await,
        }
    }

    /// Three blocks that have much in common.
    async fn replicas(&self) -> Vec<BlockMeta> {
        match self.signal {
            Signal::Metrics => metrics::replicas(&self.bucket).await,
            Signal::Logs => logs::replicas(&self.bucket).await,
        }
    }

    /// What queries read of blocks.
    fn reader(&self, blocks: &[BlockMeta]) -> (Arc<dyn service_api::Source>, ReadContext) {
        let clock = Arc::new(ManualClock::at(0));
        let manifests = Manifests::new(self.bucket.clone(), clock, Duration::from_secs(1));
        let reader = BlocksReader::new(Arc::new(manifests), &BlockCacheConfig::default());
        (reader.only(blocks.to_vec()), ReadContext::new(tenant(), 1 << 30))
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
