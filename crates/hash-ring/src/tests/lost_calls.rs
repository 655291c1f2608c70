//! A store that loses single calls, or their answers.

use super::support::{TestClock, pass};
use crate::*;
use async_trait::async_trait;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// Loses one call, and answers all others.
struct Lossy {
    kv: MemoryKv,
    calls: AtomicUsize,
    lost: usize,
    /// Not the call, but its answer.
    after: bool,
}

impl Lossy {
    async fn answer<T>(&self, call: impl Future<Output = Result<T, KvError>>) -> Result<T, KvError> {
        let is_lost = self.calls.fetch_add(1, Ordering::SeqCst) == self.lost;
        let lost = || KvError::Unavailable("lost".into());
        if is_lost && !self.after {
            return Err(lost());
        }
        let answer = call.await;
        if is_lost { Err(lost()) } else { answer }
    }
}

#[async_trait]
impl Kv for Lossy {
    async fn get(&self, key: &str) -> Result<Option<KeyValue>, KvError> {
        self.answer(self.kv.get(key)).await
    }

    async fn list(&self, prefix: &str) -> Result<Listing, KvError> {
        self.answer(self.kv.list(prefix)).await
    }

    async fn watch(&self, prefix: &str, from: i64) -> Result<Watch, KvError> {
        self.answer(self.kv.watch(prefix, from)).await
    }

    async fn commit(&self, guards: &[Guard], change: Change) -> Result<Option<i64>, KvError> {
        self.answer(self.kv.commit(guards, change)).await
    }

    async fn grant(&self, ttl: Duration) -> Result<LeaseId, KvError> {
        self.answer(self.kv.grant(ttl)).await
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<(), KvError> {
        self.answer(self.kv.keep_alive(lease)).await
    }

    async fn revoke(&self, lease: LeaseId) -> Result<(), KvError> {
        self.answer(self.kv.revoke(lease)).await
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_call_is_lost_a_member_is_alive_soon() {
    for (lost, after) in (0..12).flat_map(|lost| [(lost, false), (lost, true)]) {
        let clock = TestClock::start();
        let kv = MemoryKv::new(clock.clone());
        let lossy = Lossy { kv: kv.another_host(), calls: AtomicUsize::new(0), lost, after };
        let config =
            RingConfig { instance_id: "a".into(), advertise: "a:7946".into(), ..RingConfig::default() };
        let disk = Disk { id: "disk".to_owned(), holds_data: false };
        let lifecycler =
            Lifecycler::new(Arc::new(lossy), "ingester", &config, disk, clock, &RingMetrics::default());
        lifecycler.activate();
        let drain = CancellationToken::new();
        let running = lifecycler.clone();
        let task = tokio::spawn({
            let drain = drain.clone();
            async move { running.run(drain).await }
        });
        pass(60).await;
        for key in ["yagura/ingester/alive/a", "yagura/ingester/members/a"] {
            assert!(kv.get(key).await.unwrap().is_some(), "no {key}: call {lost}, after it: {after}");
        }
        drain.cancel();
        task.await.unwrap().unwrap();
    }
}
