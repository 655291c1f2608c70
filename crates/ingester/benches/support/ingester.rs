//! What the benches share: an ingester with its log on a real disk, and what it has written there.

use block_store::{Bucket, Manifests, Ulid};
use ingester::{Dependencies, Ingester, IngesterConfig, fs::RealFs, wal::Sync};
use prometheus_client::registry::Registry;
use runtime::SystemClock;
use service_api::{LabelSource, Limits, Result};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Labels that nobody asks for.
pub struct NoLabels;

impl LabelSource for NoLabels {
    fn pairs(&self, _: usize, _: &mut dyn FnMut(&str, &str)) -> Result<()> {
        Ok(())
    }
}

pub fn start(dir: &Path, registry: &mut Registry) -> Arc<Ingester> {
    let clock = Arc::new(SystemClock::new());
    let bucket = Bucket::new(Arc::new(object_store::memory::InMemory::new()), "");
    let ids = AtomicU64::new(0);
    let dependencies = Dependencies {
        fs: Arc::new(RealFs),
        dir: dir.to_owned(),
        clock: clock.clone(),
        limits: Arc::new(Arc::new(Limits::default())),
        manifests: Arc::new(Manifests::new(bucket, clock, Duration::ZERO)),
        new_id: Arc::new(move || Ulid::from_parts(0, u128::from(ids.fetch_add(1, Ordering::Relaxed)))),
        instance: "bench".into(),
    };
    let mut config = IngesterConfig::default();
    config.wal.sync = Sync::Interval;
    Ingester::start(config, dependencies, registry).expect("it starts")
}

/// Bytes that the log has taken.
pub fn logged(registry: &Registry) -> f64 {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, registry).expect("it is text");
    let line = text.lines().find_map(|line| line.strip_prefix("yagura_wal_appended_bytes_total "));
    line.and_then(|bytes| bytes.parse().ok()).unwrap_or(0.0)
}
