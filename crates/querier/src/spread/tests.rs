//! Pieces go to those who own their blocks, and together they are the whole answer, whoever fails.

use super::*;
use crate::{Federation, test_support::*};
use block_store::{BlockMeta, BlocksInRange};
use hash_ring::RingView;
use model::{Labels, Signal, TimeRange};
use parking_lot::Mutex;
use promql::engine::{Query, QueryResult};
use service_api::{Code, Error, Heard};
use std::sync::atomic::{AtomicBool, Ordering};
use vectors::{Rows, Steps};

const HOUR: i64 = 3_600_000;
const HOURS: i64 = 48;

/// Queriers that see the same data, `m0` being us, and what each has evaluated.
struct World {
    view: Arc<RingView>,
    data: Arc<Fake>,
    modes: Vec<Arc<Mutex<Mode>>>,
    evaluated: Arc<Mutex<Vec<(usize, Stretch)>>>,
    metrics: QuerierMetrics,
    config: QuerierConfig,
}

struct Remote {
    number: usize,
    mode: Arc<Mutex<Mode>>,
    engines: Arc<Evaluator>,
    evaluated: Arc<Mutex<Vec<(usize, Stretch)>>>,
}

#[async_trait]
impl Evaluate for Remote {
    async fn evaluate(&self, ctx: &ReadContext, stretch: &Stretch) -> Result<Option<Table>> {
        self.evaluated.lock().push((self.number, stretch.clone()));
        let mode = *self.mode.lock();
        match mode {
            Mode::Answers => self.engines.evaluate(ctx, stretch).await,
            Mode::Fails(code) => Err(Error::new(code, "it fails on purpose")),
            Mode::Hangs => std::future::pending().await,
        }
    }
}

fn blocks() -> Vec<BlockMeta> {
    (0..HOURS).map(|hour| block(hour as u64, hour * HOUR, (hour + 1) * HOUR - 1)).collect()
}

impl World {
    fn new(queriers: usize) -> Self {
        let data = Arc::new(Fake::default());
        for minute in 0..HOURS * 60 {
            let time = minute * 60_000;
            data.sample("__name__=load,host=a", time, (minute as f64 * 0.7).sin());
            // Comes and goes.
            if minute / 100 % 3 == 0 {
                data.sample("__name__=load,host=b", time, minute as f64);
            }
        }
        for minute in 0..HOURS * 60 {
            let lines = [(minute * 60_000 * model::NANOS_A_MILLI, format!("n={minute}"))];
            data.page(["app=a", "app=b"][usize::from(minute / 200 % 2 == 0)], &lines, false);
        }
        Self {
            view: ring(queriers, 3),
            data,
            modes: (0..queriers).map(|_| Arc::new(Mutex::new(Mode::Answers))).collect(),
            evaluated: Arc::default(),
            metrics: QuerierMetrics::default(),
            config: QuerierConfig { small_query_bytes: 0, split_interval: 3600, ..QuerierConfig::default() },
        }
    }

    fn engines(&self) -> Arc<Evaluator> {
        let reader = Arc::new(Federation::new(self.data.clone(), 1));
        Arc::new(Evaluator::new(reader, Arc::default(), Arc::default(), 4))
    }

    fn spread(&self) -> Spread {
        let list = |_: ReadContext, _: Signal, range: TimeRange| {
            let found = blocks().into_iter().filter(|block| block.time_range().overlaps(&range)).collect();
            async move { Ok(BlocksInRange { blocks: found, ..BlocksInRange::default() }) }.boxed()
        };
        let (modes, evaluated, engines) = (self.modes.clone(), self.evaluated.clone(), self.engines());
        let connect = move |member: &Member| {
            let number = member.id[1..].parse::<usize>().unwrap();
            let (mode, engines) = (Arc::clone(&modes[number]), Arc::clone(&engines));
            Arc::new(Remote { number, mode, engines, evaluated: Arc::clone(&evaluated) }) as Arc<dyn Evaluate>
        };
        Spread::new(
            (fixed(&self.view), "m0".into()),
            Arc::new(list),
            self.engines(),
            Arc::new(connect),
            self.config.clone(),
            self.metrics.clone(),
        )
    }

    async fn ask(&self, stretch: &Stretch) -> Result<Option<Table>> {
        self.spread().evaluate(&ctx(), stretch).await
    }

    /// Spread and evaluated at once it is the same.
    async fn check(&self, stretch: &Stretch) {
        let spread =
            self.ask(stretch).await.unwrap().unwrap_or_else(|| panic!("not spread: {}", stretch.query));
        let whole = self.engines().evaluate(&ctx(), stretch).await.unwrap().unwrap();
        assert!(!whole.rows.rows.is_empty(), "{} is nothing", stretch.query);
        assert_eq!(sorted(spread.rows), sorted(whole.rows), "{}", stretch.query);
        assert_eq!((spread.warnings, spread.infos), (whole.warnings, whole.infos));
    }
}

/// With bits for values.
fn sorted(rows: Rows) -> Vec<(Labels, Vec<u64>)> {
    let bits = |row: vectors::Row| (row.labels, row.values.iter().map(|value| value.to_bits()).collect());
    let mut rows: Vec<_> = rows.rows.into_iter().map(bits).collect();
    rows.sort();
    rows
}

fn metrics(query: &str) -> Stretch {
    let steps = Steps::range(HOUR / 2 + 7, HOURS * HOUR, 61_000);
    Stretch { signal: Signal::Metrics, query: query.to_owned(), steps, lookback: 300_000 }
}

fn logs(query: &str) -> Stretch {
    let nanos = model::NANOS_A_MILLI;
    let steps = Steps::range((HOUR / 2 + 7) * nanos, HOURS * HOUR * nanos, 61_000 * nanos);
    Stretch { signal: Signal::Logs, query: query.to_owned(), steps, lookback: 0 }
}

#[tokio::test]
async fn both_languages_are_spread_and_joined() {
    let world = World::new(4);
    for query in [
        "load",
        "sum(load)",
        "sum by (host) (rate(load[3h]))",
        "load offset 2h > 0",
        "max_over_time(load[30m:1m]) + on (host) group_left load",
        "rate(load[10m])",
        "load offset -90m",
    ] {
        world.check(&metrics(query)).await;
    }
    for query in [
        r#"sum(count_over_time({app=~".+"}[5m]))"#,
        r#"sum by (app) (rate({app=~"a|b"} |= "7" [2h]))"#,
        r#"avg_over_time({app="a"} | logfmt | unwrap n [10m] offset 1h)"#,
    ] {
        world.check(&logs(query)).await;
    }
    let evaluated = world.evaluated.lock();
    for member in 1..4 {
        assert!(evaluated.iter().any(|(by, _)| *by == member), "{member} was never asked");
    }
    assert_eq!(world.metrics.remote_stretches.get() as usize, evaluated.len());
    assert!(world.metrics.local_stretches.get() > 0, "we own none");
    assert_eq!(world.metrics.failed_stretches.get(), 0);
}

#[tokio::test]
async fn whoever_fails_the_answer_is_whole() {
    for failing in 0..8 {
        let world = World::new(4);
        for (at, mode) in world.modes.iter().enumerate().skip(1) {
            if failing >> (at - 1) & 1 == 1 {
                *mode.lock() = Mode::Fails([Code::Unavailable, Code::Internal][at % 2]);
            }
        }
        world.check(&metrics("sum(load)")).await;
        assert_eq!(world.metrics.failed_stretches.get() > 0, failing > 0);
    }
}

#[tokio::test]
async fn errors_of_the_query_are_not_tried_elsewhere() {
    let mut world = World::new(4);
    world.config.concurrent_owners = 1;
    world.modes.iter().for_each(|mode| *mode.lock() = Mode::Fails(Code::Unprocessable));
    let error = world.ask(&metrics("load")).await.err().unwrap();
    assert_eq!((error.code, world.evaluated.lock().len()), (Code::Unprocessable, 1));
}

#[tokio::test]
async fn what_is_not_worth_it_or_depends_on_all_steps_is_left_to_who_asks() {
    let world = World::new(4);
    for query in ["load @ end()", r#"{host="a"}"#, "no query at all ("] {
        assert!(world.ask(&metrics(query)).await.unwrap().is_none(), "{query}");
    }
    let short = Stretch { steps: Steps::range(HOUR, HOUR + HOUR / 2, 60_000), ..metrics("load") };
    let sparse = Stretch { steps: Steps::range(0, HOURS * HOUR, HOUR), ..metrics("load") };
    let long = metrics(&format!("load{}", " ".repeat(MAX_QUERY_BYTES)));
    for stretch in [short, sparse, long] {
        assert!(world.ask(&stretch).await.unwrap().is_none(), "{stretch:?}");
    }
    let small = QuerierConfig { small_query_bytes: 1 << 40, ..world.config.clone() };
    let never = QuerierConfig { split_interval: 0, ..world.config.clone() };
    for config in [small, never] {
        let world = World { config, ..World::new(4) };
        assert!(world.ask(&metrics("load")).await.unwrap().is_none());
    }
    for queriers in [0, 1] {
        assert!(World::new(queriers).ask(&metrics("load")).await.unwrap().is_none());
    }
    assert!(world.evaluated.lock().is_empty());
}

/// Says of every stretch that it is no table, but for those of `m0`.
struct Unfit(AtomicBool);

#[async_trait]
impl Evaluate for Unfit {
    async fn evaluate(&self, ctx: &ReadContext, _: &Stretch) -> Result<Option<Table>> {
        self.0.store(true, Ordering::Relaxed);
        let heard: &Arc<Heard> = ctx.heard.as_ref().unwrap();
        heard.from(["a".into()].into_iter());
        Ok(None)
    }
}

#[tokio::test]
async fn a_piece_that_is_no_table_leaves_all_to_who_asks() {
    let world = World::new(4);
    let unfit = Arc::new(Unfit(AtomicBool::new(false)));
    let other = Arc::clone(&unfit);
    let spread =
        Spread { connect: Arc::new(move |_| Arc::clone(&other) as Arc<dyn Evaluate>), ..world.spread() };
    let ctx = ReadContext { heard: Some(Arc::default()), ..ctx() };
    assert!(spread.evaluate(&ctx, &metrics("load")).await.unwrap().is_none());
    assert!(unfit.0.load(Ordering::Relaxed));
}

#[tokio::test]
async fn a_joined_table_is_an_answer_again() {
    let world = World::new(4);
    let stretch = metrics("sum by (host) (load)");
    let table = world.ask(&stretch).await.unwrap().unwrap();
    let spread = QueryResult::of_table(table, &stretch.steps);
    let reader = Federation::new(world.data.clone(), 1);
    let expr = promql::parse(&stretch.query, Default::default()).unwrap();
    let (query, steps) = (Query::new(&stretch.query, &expr), stretch.steps);
    let whole = promql::Engine::default()
        .range(&ctx(), &reader, query, steps.start, steps.last_time(), steps.interval)
        .await
        .unwrap();
    assert_eq!(format!("{:?}", points(&spread)), format!("{:?}", points(&whole)));
}

fn points(result: &QueryResult) -> Vec<(Labels, Vec<(i64, f64)>)> {
    let promql::engine::Value::Matrix(series) = &result.value else { panic!("no matrix") };
    series.iter().map(|series| (series.labels.clone(), series.points().collect())).collect()
}
