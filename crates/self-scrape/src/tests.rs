//! The whole of it, with time that stands still and somebody who takes all or nothing.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use super::*;
use async_trait::async_trait;
use model::is_stale;
use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;
use runtime::RuntimeClock;
use service_api::{Error, LogBatch, PushOutcome, Result, WriteBatch};
use tracing::subscriber::DefaultGuard;

const START: i64 = 1_700_000_000_000;

/// Tells of each write in the log, as a chatty write path would.
#[derive(Default)]
struct Store {
    refuses: bool,
    hangs: bool,
    times: Mutex<Vec<(i64, bool)>>,
    lines: Mutex<Vec<String>>,
    pushes: Mutex<u32>,
}

impl Store {
    async fn answer(&self) -> Result<PushOutcome> {
        *self.pushes.lock() += 1;
        if self.hangs {
            std::future::pending::<()>().await;
        }
        for _ in 0..100 {
            tracing::debug!("under way");
        }
        // Another task is not under the span of whoever started it.
        tokio::spawn(async { tracing::debug!("elsewhere") }).await.unwrap();
        if self.refuses {
            tracing::error!("refused");
            return Err(Error::unavailable("no place"));
        }
        Ok(PushOutcome::default())
    }
}

#[async_trait]
impl Push for Store {
    async fn push(&self, _: &TenantId, batch: WriteBatch) -> Result<PushOutcome> {
        let sample = batch.samples[0];
        self.times.lock().push((sample.timestamp, is_stale(sample.value)));
        self.answer().await
    }
}

#[async_trait]
impl PushLogs for Store {
    async fn push_logs(&self, _: &TenantId, batch: LogBatch) -> Result<PushOutcome> {
        let texts = batch.entries.iter().map(|e| String::from_utf8_lossy(batch.line(e)).into_owned());
        self.lines.lock().extend(texts);
        self.answer().await
    }
}

struct World {
    store: Arc<Store>,
    lines: Arc<OwnLines>,
    metrics: SelfScrapeMetrics,
    drain: CancellationToken,
    running: tokio::task::JoinHandle<()>,
    _logging: DefaultGuard,
}

fn start(store: Store, level: &str) -> World {
    let clock: Arc<dyn Clock> = Arc::new(RuntimeClock::at(START));
    let lines = OwnLines::new(Arc::clone(&clock));
    let logging = runtime::log_into(Arc::clone(&lines), level);
    let (store, drain) = (Arc::new(store), CancellationToken::new());
    let mut registry = Registry::default();
    registry.register("g", "G", <Gauge>::default());
    let metrics = SelfScrapeMetrics::register(&mut registry);
    let dependencies = Dependencies {
        instance: "host".into(),
        push: store.clone(),
        push_logs: store.clone(),
        registry: Arc::new(registry),
        lines: Arc::clone(&lines),
        clock,
        metrics: metrics.clone(),
    };
    let own = SelfScrape::new(&SelfScrapeConfig::default(), TenantId::new("yagura").unwrap(), dependencies);
    let run = own.run(drain.clone());
    let running = tokio::spawn(async move { run.await.unwrap() });
    World { store, lines, metrics, drain, running, _logging: logging }
}

#[tokio::test(start_paused = true)]
async fn samples_lie_an_interval_apart_and_end_when_the_process_does() {
    let world = start(Store::default(), "info");
    tokio::time::sleep(Duration::from_secs(61)).await;
    world.drain.cancel();
    world.running.await.unwrap();
    let times = world.store.times.lock().clone();
    assert!(times.len() == 5 || times.len() == 6, "{times:?}");
    let (last, before) = times.split_last().unwrap();
    assert!(before.windows(2).all(|pair| pair[1].0 - pair[0].0 == 15_000), "{times:?}");
    assert!(before.iter().all(|(_, stale)| !stale) && last.1, "{times:?}");
    assert!((61_000..61_010).contains(&(last.0 - START)), "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_logged_before_it_runs_and_while_it_ends_is_written() {
    let world = start(Store::default(), "info");
    tracing::info!("first of all");
    tokio::time::sleep(Duration::from_secs(2)).await;
    tracing::info!("last of all");
    world.drain.cancel();
    world.running.await.unwrap();
    let lines = world.store.lines.lock();
    assert!(lines.len() == 2 && lines[0].contains("first") && lines[1].contains("last"), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn lines_about_writing_lines_do_not_multiply() {
    for refuses in [false, true] {
        let world = start(Store { refuses, ..Store::default() }, "trace");
        tracing::info!("the spark");
        tokio::time::sleep(Duration::from_secs(3600)).await;
        let (pushes, waiting) = (*world.store.pushes.lock(), world.lines.take(usize::MAX).len());
        // One an interval and one a second at most; each leaves the line of another task at most.
        assert!((240..=250 + 3600).contains(&pushes), "{pushes}");
        assert!(waiting <= pushes as usize + 100, "{waiting} lines of {pushes} writes");
        let said = world.store.lines.lock().iter().filter(|line| line.contains("cannot write")).count();
        assert_eq!(said, 0, "while it refuses nothing is kept, and else there is nothing to say");
        let has = |word: &str| world.store.lines.lock().iter().any(|line| line.contains(word));
        assert!(!has("under way") && !has("refused"));
        assert_eq!(world.metrics.failed_writes(Signal::Metrics).get() > 0, refuses);
        world.drain.cancel();
        world.running.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn failures_are_said_once_a_minute() {
    let world = start(Store { refuses: true, ..Store::default() }, "info");
    tokio::time::sleep(Duration::from_secs(600)).await;
    let said: Vec<_> = world.lines.take(usize::MAX).into_iter().map(|line| line.text).collect();
    assert!((6..=10).contains(&said.len()), "{said:?}");
    assert!(said.iter().all(|line| line.contains("no place") && line.contains("left_out")), "{said:?}");
}

#[tokio::test(start_paused = true)]
async fn who_does_not_answer_holds_up_the_end_for_a_moment_only() {
    let world = start(Store { hangs: true, ..Store::default() }, "info");
    tokio::time::sleep(Duration::from_secs(60)).await;
    let asked = tokio::time::Instant::now();
    world.drain.cancel();
    world.running.await.unwrap();
    let took = asked.elapsed();
    assert!((LAST_TRY..LAST_TRY + Duration::from_millis(100)).contains(&took), "{took:?}");
}
