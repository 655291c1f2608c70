//! What a round does for some tenants does not depend on others.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use block_store::{BlockWriter, Bucket, Manifests, Ulid};
use compactor::{Compactor, CompactorConfig, CompactorMetrics};
use model::{Labels, Signal, TenantId};
use object_store::memory::InMemory;
use runtime::{Clock, ManualClock};
use service_api::{Limits, SampleBuffer};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio_util::sync::CancellationToken;

const DAY: i64 = 86_400_000;
const NOW: i64 = 20_000 * DAY;

/// Two blocks of each of ten days.
async fn write(manifests: &Manifests, tenant: &TenantId) {
    for number in 0..20 {
        let mut writer = BlockWriter::new();
        let time = NOW - (number % 10 + 2) * DAY + number;
        let samples = SampleBuffer { timestamps: vec![time], values: vec![1.0], ..SampleBuffer::default() };
        writer.add(&Labels::from_pairs([("__name__", "m")]), &samples).unwrap();
        let id = Ulid::from_parts(NOW as u64, number as u128);
        let block = writer.finish(id, "test", NOW).unwrap().unwrap();
        manifests.bucket().put(&block.meta.object(tenant, Signal::Metrics), block.parts).await.unwrap();
        manifests.add_block(tenant, Signal::Metrics, &block.meta).await.unwrap();
    }
}

#[tokio::test]
async fn a_tenant_whose_list_cannot_be_read_keeps_nobody_waiting() {
    let clock = Arc::new(ManualClock::at(NOW));
    let bucket = Bucket::new(Arc::new(InMemory::new()), "");
    let manifests = Arc::new(Manifests::new(bucket, clock.clone(), Duration::ZERO));
    let broken = "a/metrics/manifest/00000000000000000001";
    manifests.bucket().put(broken, vec![b"no list".as_slice().into()]).await.unwrap();
    let tenant = TenantId::new("b").unwrap();
    write(&manifests, &tenant).await;
    clock.advance(Duration::from_secs(3600));
    let scratch = tempfile::tempdir().unwrap();
    let config = CompactorConfig { scratch_dir: scratch.path().to_owned(), ..CompactorConfig::default() };
    let (ids, now, metrics) = (AtomicU64::new(100), clock.clone(), CompactorMetrics::default());
    let compactor = Compactor::new(
        config,
        Arc::clone(&manifests),
        Arc::new(Arc::new(Limits { retention: 0, ..Limits::default() })),
        clock,
        Arc::new(move || Ulid::from_parts(now.now_ms() as u64, ids.fetch_add(1, Ordering::SeqCst).into())),
        Arc::new(|_, _, _| true),
        metrics.clone(),
    );
    let stop = CancellationToken::new();
    assert_eq!(Box::pin(compactor.round(false, &stop)).await, 2, "of ten merges eight are done in a round");
    assert_eq!((metrics.merges.get(), metrics.failed_rounds.get()), (8, 1));
    assert_eq!(Box::pin(compactor.round(false, &stop)).await, 0);
    assert_eq!((metrics.merges.get(), metrics.failed_merges.get()), (10, 0));
    assert_eq!(manifests.refresh(&tenant, Signal::Metrics).await.unwrap().blocks.len(), 10);
}
