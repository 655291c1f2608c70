//! Rulers beside each other, in time that passes as fast as they let it.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use super::*;
use crate::Witnesses;
use block_store::Bucket;
use hash_ring::{Member, MemoryKv, RingView};
use model::{Matcher, Sample, TimeRange, Timestamp};
use object_store::memory::InMemory;
use rules::{Answer, Expression, Reading, ResultSample, RuleStore};
use runtime::RuntimeClock;
use service_api::{Alert, Limits, PushOutcome};
use std::sync::atomic::{AtomicUsize, Ordering};

const START: i64 = 1_700_000_000_000;
const MINUTE: Duration = Duration::from_secs(60);

/// What everybody's rules have asked and made: who, which series, as of when.
#[derive(Default)]
struct Made {
    writes: Mutex<Vec<(usize, String, Timestamp, bool)>>,
    alerts: Mutex<Vec<(usize, Alert)>>,
}

impl Made {
    fn times(&self, series: &str) -> Vec<(usize, Timestamp)> {
        let writes = self.writes.lock();
        writes.iter().filter(|w| w.1 == series && !w.3).map(|w| (w.0, w.2)).collect()
    }
}

struct World {
    clock: Arc<RuntimeClock>,
    kv: MemoryKv,
    bucket: Bucket,
    made: Arc<Made>,
    started: AtomicUsize,
}

/// A ruler that runs.
struct Process {
    ruler: Arc<Ruler>,
    store: Arc<Stored>,
    kv: MemoryKv,
    drain: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

struct Nobody;

#[async_trait]
impl Witnesses for Nobody {
    async fn store_is_away(&self) -> bool {
        false
    }
}

struct Seam {
    number: usize,
    made: Arc<Made>,
}

#[async_trait]
impl Queries for Seam {
    async fn instant(&self, _: &TenantId, expr: &Expression, _: Timestamp) -> Result<Answer> {
        // Slow where it says so.
        if expr.text() == "slow" {
            sleep(Duration::from_secs(150)).await;
        }
        let samples = vec![(Labels::empty(), vectors::Sample::Float(1.0))];
        Ok(Answer { samples, warnings: vec![] })
    }

    async fn last(&self, _: &TenantId, _: &[Matcher], _: TimeRange) -> Result<Vec<(Labels, Sample)>> {
        Ok(vec![])
    }
}

#[async_trait]
impl Results for Seam {
    async fn write(&self, _: &TenantId, samples: Vec<ResultSample>) -> Result<PushOutcome> {
        for sample in samples {
            let name = sample.labels.metric_name().unwrap().to_owned();
            let stale = matches!(sample.value, vectors::Sample::Float(value) if model::is_stale(value));
            self.made.writes.lock().push((self.number, name, sample.timestamp, stale));
        }
        Ok(PushOutcome::default())
    }
}

impl Notify for Seam {
    fn notify(&self, _: &TenantId, alerts: Vec<Alert>) {
        self.made.alerts.lock().extend(alerts.into_iter().map(|alert| (self.number, alert)));
    }

    fn alertmanagers(&self, _: &TenantId) -> Vec<String> {
        vec![]
    }
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(RuntimeClock::at(START));
        Self {
            kv: MemoryKv::new(Arc::clone(&clock) as Arc<dyn Clock>),
            clock,
            bucket: Bucket::new(Arc::new(InMemory::new()), ""),
            made: Arc::default(),
            started: AtomicUsize::new(0),
        }
    }

    /// A ruler that takes everything for its own that `owns` says; whatever the ring is.
    fn start(&self, owns: impl Fn(u64) -> bool + Send + Sync + 'static) -> Process {
        let number = self.started.fetch_add(1, Ordering::SeqCst);
        let name: Arc<str> = format!("ruler-{number}").into();
        let (kv, clock) = (self.kv.another_host(), Arc::clone(&self.clock) as Arc<dyn Clock>);
        let reading = Reading { lang: None, promql: promql::ParseOptions::default() };
        let limits = Arc::new(Arc::new(Limits::default()));
        let store = Arc::new(Stored::new(self.bucket.clone(), vec![], reading, limits, Default::default()));
        let config = RulerConfig::default();
        let claims = Claims::new(
            Arc::new(kv.clone()),
            "yagura",
            Arc::clone(&name),
            config.claim_timeout(),
            Arc::clone(&clock),
            Arc::new(Nobody),
        );
        let seam = || Arc::new(Seam { number, made: Arc::clone(&self.made) });
        let dependencies = Dependencies {
            store: Arc::clone(&store),
            queries: seam(),
            results: seam(),
            notifier: seam(),
            set_alerting: Arc::new(|_, _| {}),
            claims: Arc::new(claims),
            ring: Ring::fixed(RingView::new(vec![Member::new(&name, "")], 1)),
            owns: Arc::new(owns),
            clock,
            metrics: RulerMetrics::default(),
        };
        let ruler = Ruler::new(&config, "http://here".into(), dependencies);
        let drain = CancellationToken::new();
        let (running, stop) = (Arc::clone(&ruler), drain.clone());
        let task = tokio::spawn(async move { running.run(stop).await.unwrap() });
        Process { ruler, store, kv, drain, task }
    }
}

impl Process {
    async fn put(&self, name: &str, rest: &str) {
        let yaml = format!("name: {name}\nrules:\n- {rest}\n");
        let reading = Reading { lang: None, promql: promql::ParseOptions::default() };
        let group = rules::read_group(&yaml, &reading).unwrap();
        self.store.put(&TenantId::anonymous(), "n", group).await.unwrap();
        self.ruler.changed(&TenantId::anonymous()).await.unwrap();
    }

    /// The process is gone at once.
    async fn kill(self) {
        self.kv.cut_off(true);
        self.task.abort();
        // Its groups' tasks do not outlive a process.
        let running = std::mem::take(&mut *self.ruler.running.lock());
        running.into_values().for_each(|group| group.kill());
        let _ = self.task.await;
    }

    async fn stop(self) {
        self.drain.cancel();
        self.task.await.unwrap();
    }
}

async fn pass(minutes: u32) {
    sleep(MINUTE * minutes).await;
}

/// Times that are a minute apart, each once.
fn assert_regular(times: &[(usize, Timestamp)], missed: i64) {
    let gaps: Vec<i64> = times.windows(2).map(|pair| (pair[1].1 - pair[0].1) / 60_000).collect();
    assert!(gaps.iter().all(|gap| *gap >= 1), "twice at one time: {times:?}");
    assert_eq!(gaps.iter().sum::<i64>() - gaps.len() as i64, missed, "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn groups_run_on_time_and_changes_are_seen_at_once() {
    let world = World::new();
    let one = world.start(|_| true);
    one.put("g", "{record: a, expr: x}").await;
    pass(10).await;
    let times = world.made.times("a");
    assert!((9..=10).contains(&times.len()), "{times:?}");
    assert_regular(&times, 0);
    let state = one.ruler.groups(&TenantId::anonymous()).await.unwrap().value;
    assert_eq!((state[0].namespace.as_str(), state[0].name.as_str()), ("n", "g"));
    assert_eq!(state[0].last_evaluation, times.last().map(|t| t.1));

    one.put("g", "{record: b, expr: x}").await;
    pass(2).await;
    assert!(world.made.times("a").len() <= times.len() + 1);
    assert!((1..=2).contains(&world.made.times("b").len()));
    // What it recorded before has ended.
    assert_eq!(world.made.writes.lock().iter().filter(|w| w.1 == "a" && w.3).count(), 1);

    one.store.delete_namespace(&TenantId::anonymous(), "n").await.unwrap();
    one.ruler.changed(&TenantId::anonymous()).await.unwrap();
    let before = world.made.times("b").len();
    pass(5).await;
    assert_eq!(world.made.times("b").len(), before);
    assert_eq!(world.made.writes.lock().last().map(|w| (w.1.as_str(), w.3)), Some(("b", true)));
    assert!(one.ruler.groups(&TenantId::anonymous()).await.unwrap().value.is_empty());
    assert_eq!(one.ruler.claims.held(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_takes_too_long_is_counted_and_the_newest_one_that_is_due_has_its_turn() {
    let world = World::new();
    let one = world.start(|_| true);
    one.put("g", "{record: a, expr: slow}").await;
    pass(20).await;
    let times = world.made.times("a");
    let gaps: Vec<i64> = times.windows(2).map(|pair| pair[1].1 - pair[0].1).collect();
    // Each takes 150 s, and then the newest that is due has its turn.
    assert!(!gaps.is_empty() && gaps.iter().all(|gap| [120_000, 180_000].contains(gap)), "{times:?}");
    let lost = gaps.iter().map(|gap| gap / 60_000 - 1).sum::<i64>();
    assert!(one.ruler.metrics.missed_evaluations.get() >= lost as u64);
}

#[tokio::test(start_paused = true)]
async fn a_dead_rulers_groups_are_taken_over_with_one_evaluation_missed_at_most() {
    for after in [0, 7, 23, 44] {
        let world = World::new();
        let first = world.start(|_| true);
        first.put("g", "{record: a, expr: x}").await;
        pass(4).await;
        let second = world.start(|_| true);
        pass(4).await;
        assert!(world.made.times("a").iter().all(|t| t.0 == 0), "it is claimed");
        sleep(Duration::from_secs(after)).await;
        first.kill().await;
        pass(4).await;
        let times = world.made.times("a");
        assert!(times.iter().any(|t| t.0 == 1));
        let lost = times.windows(2).map(|pair| (pair[1].1 - pair[0].1) / 60_000 - 1).sum::<i64>();
        assert_regular(&times, lost);
        assert!(lost <= 1, "{times:?}");
        second.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_ruler_that_stops_hands_over_and_nothing_is_missed() {
    let world = World::new();
    let first = world.start(|_| true);
    for group in 0..20 {
        first.put(&format!("g{group}"), &format!("{{record: a{group}, expr: x}}")).await;
    }
    pass(1).await;
    let second = world.start(|_| true);
    pass(4).await;
    first.stop().await;
    pass(4).await;
    for group in 0..20 {
        let times = world.made.times(&format!("a{group}"));
        assert_eq!((times.first().map(|t| t.0), times.last().map(|t| t.0)), (Some(0), Some(1)));
        assert_regular(&times, 0);
    }
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_is_cut_off_from_the_rings_store_stops_before_another_begins() {
    let world = World::new();
    let first = world.start(|_| true);
    first.put("g", "{record: a, expr: x}").await;
    let second = world.start(|_| true);
    pass(4).await;
    first.kv.cut_off(true);
    pass(4).await;
    first.kv.cut_off(false);
    pass(4).await;
    let times = world.made.times("a");
    let lost = times.windows(2).map(|pair| (pair[1].1 - pair[0].1) / 60_000 - 1).sum::<i64>();
    assert_regular(&times, lost);
    assert!(lost <= 1 && times.last().map(|t| t.0) == Some(1), "{times:?}");
    let groups = |p: &Process| p.ruler.running.lock().len();
    assert_eq!((groups(&first), groups(&second)), (0, 1), "the first has given it up");
}
