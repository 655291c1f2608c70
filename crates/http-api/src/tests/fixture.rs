//! A server over a few series in memory.

use super::{
    deletions,
    log_fixture::{MemoryLogs, NoTail},
    rule_fixture::MemoryRules,
};
use crate::{ApiConfig, Auth, BuildInfo, Deps, HttpMetrics, Multitenancy, ReadConfig, router};
use async_trait::async_trait;
use axum::{Router, body::Body};
use bytes::Bytes;
use futures::FutureExt;
use http::{HeaderMap, Request, StatusCode};
use model::{
    Buckets, CounterResetHint, Exemplar, Histogram, HistogramSample, Labels, Metadata, MetricType, Sample,
    Signal, Span, TenantId, TimeRange, stale_nan,
};
use runtime::ManualClock;
use service_api::{
    ExemplarSeries, LabelQuery, LabelsReader, Limits, LogBatch, MetricMetadata, MetricsReader, Push,
    PushLogs, PushOutcome, ReadContext, Result, SampleBuffer, SelectRequest, Series, SeriesData, SeriesSet,
    Warned, WriteBatch,
};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};
use tower::ServiceExt;

/// The wall clock of every test, in milliseconds.
pub const NOW: i64 = 600_000;

#[derive(Clone, Default)]
pub struct Fixture {
    pub multitenancy: Multitenancy,
    pub own_tenant: Option<TenantId>,
    pub auth: Option<Auth>,
    pub limits: Limits,
    pub read: ReadConfig,
    /// Series named `many` beside the others.
    pub many_series: usize,
    /// How long the reader takes for each answer.
    pub delay: Duration,
    /// The reader panics when asked for metadata.
    pub panics: bool,
}

pub struct Api {
    pub reader: Arc<MemoryReader>,
    router: Router,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

impl Api {
    pub fn new(fixture: Fixture) -> Self {
        let reader = Arc::new(MemoryReader::new(&fixture));
        Self { router: router(Self::deps(fixture, reader.clone())), reader }
    }

    /// What the API stands on in tests.
    pub fn deps(fixture: Fixture, reader: Arc<dyn MetricsReader>) -> Deps {
        let mut registry = prometheus_client::registry::Registry::default();
        let metrics = HttpMetrics::register(&mut registry);
        let rules = Arc::new(MemoryRules::new());
        let (clock, limits) = (Arc::new(ManualClock::at(NOW)), Arc::new(Arc::new(fixture.limits)));
        Deps {
            reader,
            logs: Arc::new(MemoryLogs::new()),
            tail: Arc::new(NoTail),
            log_engine: Arc::new(logql::Engine::default()),
            push: Arc::new(NoPush),
            push_logs: Arc::new(NoPush),
            deletions: Arc::new(deletions::requests(clock.clone(), limits.clone())),
            engine: Arc::new(promql::Engine::default()),
            spread: None,
            results: None,
            rule_store: rules.clone(),
            rule_states: rules,
            rule_interval: Duration::from_secs(60),
            limits,
            clock,
            multitenancy: fixture.multitenancy,
            own_tenant: fixture.own_tenant,
            auth: fixture.auth,
            config: ApiConfig { read: fixture.read, ..ApiConfig::default() },
            build: BuildInfo {
                version: "1.2.3".into(),
                compiler: "rustc 1.95".into(),
                ..BuildInfo::default()
            },
            metrics,
            registry: Arc::new(registry),
            readiness: Arc::new(|| Ok(())),
            config_yaml: Arc::new(|| "target: all\n".to_owned()),
            reload: Arc::new(|| async { Ok(()) }.boxed()),
            flush: Arc::new(|| async { Err(service_api::Error::unavailable("no bucket")) }.boxed()),
            departure: None,
            serves: crate::Serves::ALL,
            rings: Vec::new(),
        }
    }

    /// The response as it begins; its body has yet to be read.
    pub async fn begin(&self, request: Request<Body>) -> axum::response::Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        send(&self.router, request).await
    }
}

pub async fn send(router: &Router, request: Request<Body>) -> Answer {
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    Answer { status: parts.status, headers: parts.headers, body }
}

struct NoPush;

#[async_trait]
impl PushLogs for NoPush {
    async fn push_logs(&self, _: &model::TenantId, _: LogBatch) -> Result<PushOutcome> {
        Ok(PushOutcome::default())
    }
}

#[async_trait]
impl Push for NoPush {
    async fn push(&self, _: &model::TenantId, _: WriteBatch) -> Result<PushOutcome> {
        Ok(PushOutcome::default())
    }
}

pub struct Stored {
    pub labels: Labels,
    pub samples: Vec<Sample>,
    pub histograms: Vec<HistogramSample>,
}

/// Fixed series in memory.
pub struct MemoryReader {
    series: Vec<Arc<Stored>>,
    delay: Duration,
    panics: bool,
    last_context: Mutex<Option<ReadContext>>,
}

impl MemoryReader {
    pub fn new(fixture: &Fixture) -> Self {
        let mut series: Vec<_> = stored(fixture.many_series).into_iter().map(Arc::new).collect();
        series.sort_by(|a, b| a.labels.cmp(&b.labels));
        Self { series, delay: fixture.delay, panics: fixture.panics, last_context: Mutex::default() }
    }

    pub fn last_context(&self) -> Option<ReadContext> {
        self.last_context.lock().unwrap().clone()
    }

    async fn enter(&self, ctx: &ReadContext) -> Result<()> {
        *self.last_context.lock().unwrap() = Some(ctx.clone());
        ctx.budget.reserve(200)?;
        tokio::time::sleep(self.delay).await;
        ctx.check()
    }

    fn matching<'a>(&'a self, query: &'a LabelQuery) -> impl Iterator<Item = &'a Arc<Stored>> {
        let sets = &query.matcher_sets;
        self.series.iter().filter(move |s| {
            s.overlaps(query.range)
                && (sets.is_empty() || sets.iter().any(|set| set.iter().all(|m| m.matches_labels(&s.labels))))
        })
    }
}

impl Stored {
    fn overlaps(&self, range: TimeRange) -> bool {
        self.samples
            .iter()
            .map(|s| s.timestamp)
            .chain(self.histograms.iter().map(|h| h.timestamp))
            .any(|t| range.contains(t))
    }
}

impl SeriesData for Stored {
    fn read(&self, range: TimeRange, out: &mut SampleBuffer) -> Result<()> {
        for sample in self.samples.iter().filter(|s| range.contains(s.timestamp)) {
            out.timestamps.push(sample.timestamp);
            out.values.push(sample.value);
        }
        out.histograms.extend(self.histograms.iter().filter(|h| range.contains(h.timestamp)).cloned());
        Ok(())
    }
}

#[async_trait]
impl LabelsReader for MemoryReader {
    async fn series(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<Labels>>> {
        self.enter(ctx).await?;
        Ok(self.matching(query).map(|s| s.labels.clone()).collect::<Vec<_>>().into())
    }

    async fn label_names(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<String>>> {
        self.enter(ctx).await?;
        let names: BTreeSet<_> =
            self.matching(query).flat_map(|s| s.labels.iter()).map(|(n, _)| n.to_owned()).collect();
        Ok(names.into_iter().collect::<Vec<_>>().into())
    }

    async fn label_values(
        &self,
        ctx: &ReadContext,
        name: &str,
        query: &LabelQuery,
    ) -> Result<Warned<Vec<String>>> {
        self.enter(ctx).await?;
        let values: BTreeSet<_> =
            self.matching(query).filter_map(|s| s.labels.get(name)).map(str::to_owned).collect();
        Ok(Warned { value: values.into_iter().collect(), warnings: Vec::new() })
    }
}

#[async_trait]
impl MetricsReader for MemoryReader {
    async fn select(&self, ctx: &ReadContext, request: &SelectRequest) -> Result<SeriesSet> {
        self.enter(ctx).await?;
        let query = LabelQuery {
            signal: Signal::Metrics,
            matcher_sets: vec![request.matchers.clone()],
            range: request.range,
        };
        let series = self.matching(&query).map(|s| Series { labels: s.labels.clone(), data: s.clone() });
        Ok(SeriesSet { series: series.collect(), warnings: Vec::new() })
    }

    async fn exemplars(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Vec<ExemplarSeries>> {
        self.enter(ctx).await?;
        let exemplar =
            Exemplar { labels: Labels::from_pairs([("trace_id", "abc")]), timestamp: 15_500, value: 6.0 };
        let with = self.matching(query).filter(|s| s.labels.metric_name() == Some("requests_total"));
        Ok(with
            .map(|s| ExemplarSeries { labels: s.labels.clone(), exemplars: vec![exemplar.clone()] })
            .collect())
    }

    async fn metadata(&self, ctx: &ReadContext, metric: Option<&str>) -> Result<Vec<MetricMetadata>> {
        self.enter(ctx).await?;
        assert!(!self.panics, "the reader panics, as the test wants");
        let entry =
            |metric_type, help: &str| Metadata { metric_type, help: help.to_owned(), unit: String::new() };
        let all = [
            (
                "requests_total",
                vec![
                    entry(MetricType::Counter, "Requests."),
                    entry(MetricType::Counter, "All \"requests\"."),
                ],
            ),
            ("up", vec![entry(MetricType::Gauge, "")]),
        ];
        let wanted = all.into_iter().filter(|(name, _)| metric.is_none_or(|m| m == *name));
        Ok(wanted.map(|(metric, metadata)| MetricMetadata { metric: metric.to_owned(), metadata }).collect())
    }
}

fn floats<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>, value: impl Fn(i64) -> f64) -> Stored {
    let samples = (0..=40).map(|i| Sample { timestamp: i * 15_000, value: value(i) }).collect();
    Stored { labels: Labels::from_pairs(pairs), samples, histograms: Vec::new() }
}

fn stored(many: usize) -> Vec<Stored> {
    let mut all = vec![
        floats([("__name__", "up"), ("instance", "x:1"), ("job", "api")], |_| 1.0),
        floats([("__name__", "up"), ("instance", "y:1"), ("job", "api")], |i| {
            if i == 40 { stale_nan() } else { 0.0 }
        }),
        floats([("__name__", "requests_total"), ("job", "api")], |i| i as f64 * 7.5),
        floats([("__name__", "http.status"), ("code", "a\"b\\c\nd")], |_| 1e300),
        floats([("__name__", "tiny"), ("über", "x")], |_| 1e-9),
    ];
    for (name, value) in
        [("big", 1_234_567.0), ("no_number", f64::NAN), ("high", f64::INFINITY), ("low", f64::NEG_INFINITY)]
    {
        all.push(floats([("__name__", name)], |_| value));
    }
    let histograms = (0..3).map(|i| native_histogram(i * 15_000)).collect();
    all.push(Stored {
        labels: Labels::from_pairs([("__name__", "latency")]),
        samples: Vec::new(),
        histograms,
    });
    for n in 0..many {
        let labels = Labels::from_pairs([("__name__", "many"), ("n", &format!("{n:06}"))]);
        all.push(Stored {
            labels,
            samples: vec![Sample { timestamp: 0, value: n as f64 }],
            histograms: Vec::new(),
        });
    }
    all
}

pub fn native_histogram(timestamp: i64) -> HistogramSample {
    let histogram = Histogram {
        counter_reset_hint: CounterResetHint::NotReset,
        schema: 1,
        zero_threshold: 0.001,
        sum: 18.5,
        positive_spans: vec![Span { offset: 0, length: 2 }, Span { offset: 1, length: 1 }],
        negative_spans: Vec::new(),
        buckets: Buckets::Integer { count: 9, zero_count: 2, positive: vec![1, 2, -1], negative: Vec::new() },
        custom_values: Vec::new(),
    };
    HistogramSample { timestamp, histogram }
}
