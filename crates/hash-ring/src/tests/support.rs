//! A store, hosts and rings for the scenarios.

use crate::*;
use async_trait::async_trait;
use parking_lot::Mutex;
use runtime::Clock;
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

pub const ROLE: &str = "ingester";

/// Tokio's clock, which tests hold; its wall time can be off.
pub struct TestClock {
    start: Instant,
    pub skew_ms: AtomicI64,
}

impl TestClock {
    pub fn start() -> Arc<Self> {
        Arc::new(Self { start: Instant::now(), skew_ms: AtomicI64::new(0) })
    }
}

impl Clock for TestClock {
    fn now_ms(&self) -> i64 {
        1_700_000_000_000 + self.start.elapsed().as_millis() as i64 + self.skew_ms.load(Ordering::SeqCst)
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

/// The addresses that answer.
#[derive(Default)]
pub struct Reachable(Mutex<BTreeSet<String>>);

#[async_trait]
impl Prober for Reachable {
    async fn alive(&self, address: &str) -> bool {
        self.0.lock().contains(address)
    }
}

pub struct World {
    pub kv: MemoryKv,
    pub clock: Arc<TestClock>,
    pub reachable: Arc<Reachable>,
    pub config: RingConfig,
    pub metrics: RingMetrics,
}

/// A running instance.
pub struct Instance {
    pub lifecycler: Lifecycler,
    /// Its way to the store.
    pub kv: MemoryKv,
    pub clock: Arc<TestClock>,
    reachable: Arc<Reachable>,
    address: String,
    drain: CancellationToken,
    task: JoinHandle<service_api::Result<()>>,
}

/// A running ring and all the views that it has shown.
pub struct Watcher {
    pub ring: Ring,
    pub kv: MemoryKv,
    shown: Arc<Mutex<Vec<Arc<RingView>>>>,
    tasks: [JoinHandle<()>; 2],
}

impl World {
    pub fn new() -> Self {
        let clock = TestClock::start();
        let config = RingConfig { replication_factor: 3, ..RingConfig::default() };
        let kv = MemoryKv::new(clock.clone());
        Self { kv, clock, reachable: Arc::default(), config, metrics: RingMetrics::default() }
    }

    /// Starts an instance on the disk that is named like it.
    pub fn start(&self, id: &str) -> Instance {
        self.start_on(id, Disk { id: format!("disk of {id}"), holds_data: false })
    }

    pub fn start_on(&self, id: &str, disk: Disk) -> Instance {
        self.start_at(id, "", disk)
    }

    pub fn start_at(&self, id: &str, zone: &str, disk: Disk) -> Instance {
        let address = format!("{id}:7946");
        let config = RingConfig {
            instance_id: id.into(),
            advertise: address.clone(),
            zone: zone.into(),
            ..self.config.clone()
        };
        let (kv, clock) = (self.kv.another_host(), TestClock::start());
        // All started in one world count from about the same time.
        clock.skew_ms.store(self.clock.now_ms() - clock.now_ms(), Ordering::SeqCst);
        let lifecycler =
            Lifecycler::new(Arc::new(kv.clone()), ROLE, &config, disk, clock.clone(), &self.metrics);
        let drain = CancellationToken::new();
        let task = tokio::spawn({
            let (lifecycler, drain) = (lifecycler.clone(), drain.clone());
            async move { lifecycler.run(drain).await }
        });
        self.reachable.0.lock().insert(address.clone());
        Instance { lifecycler, kv, clock, reachable: self.reachable.clone(), address, drain, task }
    }

    /// Active instances.
    pub async fn cluster(&self, ids: &[&str]) -> Vec<Instance> {
        let instances: Vec<_> = ids.iter().map(|id| self.start(id)).collect();
        for instance in &instances {
            instance.lifecycler.activate();
            instance.lifecycler.written().await;
        }
        instances
    }

    /// A ring that asks members itself.
    pub async fn watch(&self) -> Watcher {
        self.watch_with(Some(self.reachable.clone())).await
    }

    pub async fn watch_with(&self, prober: Option<Arc<dyn Prober>>) -> Watcher {
        let kv = self.kv.another_host();
        let ring =
            Ring::new(Arc::new(kv.clone()), ROLE, &self.config, prober, self.clock.clone(), &self.metrics);
        let shown = Arc::new(Mutex::new(Vec::new()));
        let record = {
            let (mut views, shown) = (ring.subscribe(), shown.clone());
            async move {
                while views.changed().await.is_ok() {
                    shown.lock().push(views.borrow_and_update().clone());
                }
            }
        };
        let run = {
            let ring = ring.clone();
            async move { ring.run(CancellationToken::new()).await.unwrap() }
        };
        let tasks = [tokio::spawn(record), tokio::spawn(run)];
        ring.listed().await;
        // The first picture is not a change.
        tokio::time::sleep(Duration::from_millis(1)).await;
        shown.lock().clear();
        Watcher { ring, kv, shown, tasks }
    }

    /// The record of an instance in the store.
    pub async fn record(&self, id: &str) -> Option<serde_json::Value> {
        let entry = self.kv.get(&format!("yagura/{ROLE}/members/{id}")).await.unwrap()?;
        Some(serde_json::from_slice(&entry.value).unwrap())
    }

    pub async fn has_heartbeat(&self, id: &str) -> bool {
        self.kv.get(&format!("yagura/{ROLE}/alive/{id}")).await.unwrap().is_some()
    }

    pub fn count(&self, metric: &str) -> f64 {
        let mut registry = prometheus_client::registry::Registry::default();
        self.metrics.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let lines = text.lines().filter(|line| line.starts_with(&format!("yagura_hash_ring_{metric}")));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }
}

impl Instance {
    /// Dies without a word.
    pub fn kill(self) {
        self.task.abort();
        self.reachable.0.lock().remove(&self.address);
    }

    /// Ends in order, with its disk kept.
    pub async fn stop(self) {
        self.drain.cancel();
        self.task.await.unwrap().unwrap();
        self.reachable.0.lock().remove(&self.address);
    }
}

impl Watcher {
    /// One letter a member: Joining, Active or Leaving, small if it is unhealthy, in brackets if it
    /// is passed over.
    pub fn picture(&self) -> String {
        let view = self.ring.view();
        let members = view.members().iter().map(|m| {
            let state = &m.state.as_str()[..1];
            let letter = if m.is_healthy() { state.to_uppercase() } else { state.to_owned() };
            let state = if m.passed_over { format!("({letter})") } else { letter };
            format!("{}:{state}", m.id)
        });
        members.collect::<Vec<_>>().join(" ")
    }

    /// Waits for a picture, for a day at most.
    pub async fn until(&self, picture: &str) {
        let mut views = self.ring.subscribe();
        let wait = async {
            while self.picture() != picture {
                views.changed().await.unwrap();
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(86_400), wait).await;
        assert!(waited.is_ok(), "there is {:?} and not {picture:?}", self.picture());
    }

    /// What has been shown since this was asked last.
    pub fn shown(&self) -> Vec<Arc<RingView>> {
        std::mem::take(&mut *self.shown.lock())
    }

    /// Asserts that replica sets have stayed as they were.
    pub fn assert_nothing_moved(&self, before: &RingView) {
        for view in self.shown() {
            assert_eq!(view.placements(), before.placements(), "{view:?}");
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

pub async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}
