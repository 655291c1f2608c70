//! Roles in memory that remember what they were asked and answer what they were told to.

use async_trait::async_trait;
use block_store::{BlockMeta, EncodedPage};
use model::{Exemplar, Labels, Lines, Matcher, Metadata, MetricType, NanoRange, Signal, TenantId, TimeRange};
use parking_lot::Mutex;
use service_api::{
    AppendOutcome, Error, ExemplarSeries, GroupState, HeadChange, HeadChanges, HeadVersion, Ingest,
    IngestLogs, LabelQuery, LabelsReader, LineSource, LogBatch, LogPage, LogStream, LogsReader, LogsTail,
    MetricMetadata, MetricsReader, Needles, PageData, PageStore, ReadContext, Result, SampleBuffer,
    SelectRequest, Series, SeriesData, SeriesSet, Source, StreamSet, StreamsRequest, TailItem, Wanted,
    Warned, WriteBatch,
};
use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};
use tokio::sync::mpsc;

#[derive(Default)]
pub struct Fake {
    /// What came in last.
    pub tenant: Mutex<Option<TenantId>>,
    pub batch: Mutex<Option<(Arc<WriteBatch>, Wanted)>>,
    pub lines: Mutex<Option<(Arc<LogBatch>, Wanted)>>,
    pub asked: Mutex<Option<Box<dyn Any + Send>>>,
    pub blocks: Mutex<Option<(Signal, Vec<BlockMeta>)>>,
    pub context: Mutex<Option<ReadContext>>,
    /// What comes out.
    pub outcome: Mutex<AppendOutcome>,
    pub error: Mutex<Option<Error>>,
    pub series: Mutex<Vec<Series>>,
    pub streams: Mutex<Vec<LogStream>>,
    pub names: Mutex<Vec<String>>,
    pub change: Mutex<HeadChange>,
    pub groups: Mutex<Vec<GroupState>>,
    pub tails: Mutex<Vec<mpsc::Sender<TailItem>>>,
    /// Reads and appends wait for ever.
    pub hangs: AtomicBool,
    pub not_ready: AtomicBool,
    /// Nothing has been heard of the ring's store.
    pub store_is_away: AtomicBool,
    pub sequence: AtomicU64,
}

pub fn labels(n: usize) -> Labels {
    Labels::from_pairs([("__name__".to_owned(), "up".to_owned()), ("n".to_owned(), format!("{n:06}"))])
}

impl Fake {
    pub fn is_ready(&self) -> bool {
        !self.not_ready.load(Ordering::Relaxed)
    }

    pub fn has_store(&self) -> bool {
        !self.store_is_away.load(Ordering::Relaxed)
    }

    pub fn listed(&self, signal: Signal) -> u64 {
        self.sequence.load(Ordering::Relaxed) + signal as u64
    }

    pub fn of_blocks(&self, _: &TenantId, signal: Signal, blocks: Vec<BlockMeta>) -> Arc<dyn Source> {
        *self.blocks.lock() = Some((signal, blocks));
        let fake = Self::default();
        *fake.series.lock() = vec![Series { labels: labels(99), data: Arc::new(Plain(vec![9])) }];
        Arc::new(fake)
    }

    pub async fn answer<T>(&self, tenant: &TenantId, value: impl FnOnce() -> T) -> Result<T> {
        *self.tenant.lock() = Some(tenant.clone());
        if self.hangs.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        let error = self.error.lock().clone();
        error.map_or_else(|| Ok(value()), Err)
    }

    async fn read<T>(
        &self,
        ctx: &ReadContext,
        asked: impl Any + Send,
        value: impl FnOnce() -> T,
    ) -> Result<T> {
        *self.context.lock() = Some(ctx.clone());
        *self.asked.lock() = Some(Box::new(asked));
        let answer = self.answer(&ctx.tenant, value).await;
        // As heads do, when they have read.
        for signal in [Signal::Metrics, Signal::Logs] {
            ctx.listed.raise(signal, self.listed(signal));
        }
        answer
    }

    pub fn was_asked<T: 'static>(&self) -> T {
        let asked = self.asked.lock().take().expect("nothing was asked");
        *asked.downcast().unwrap_or_else(|_| panic!("something else was asked"))
    }
}

#[async_trait]
impl Ingest for Fake {
    async fn append(
        &self,
        tenant: &TenantId,
        batch: Arc<WriteBatch>,
        which: Wanted,
    ) -> Result<AppendOutcome> {
        *self.batch.lock() = Some((batch, which));
        self.answer(tenant, || self.outcome.lock().clone()).await
    }
}

#[async_trait]
impl IngestLogs for Fake {
    async fn append_logs(
        &self,
        tenant: &TenantId,
        batch: Arc<LogBatch>,
        which: Wanted,
    ) -> Result<AppendOutcome> {
        *self.lines.lock() = Some((batch, which));
        self.answer(tenant, || self.outcome.lock().clone()).await
    }
}

impl LogsTail for Fake {
    fn tail(&self, tenant: &TenantId, matchers: Vec<Matcher>) -> Result<mpsc::Receiver<TailItem>> {
        *self.tenant.lock() = Some(tenant.clone());
        *self.asked.lock() = Some(Box::new(matchers));
        let (sender, receiver) = mpsc::channel(1);
        self.tails.lock().push(sender);
        Ok(receiver)
    }
}

fn warned<T>(value: T) -> Warned<T> {
    Warned { value, warnings: vec!["a warning".into()] }
}

#[async_trait]
impl HeadChanges for Fake {
    async fn head_changes(
        &self,
        ctx: &ReadContext,
        signal: Signal,
        since: Option<HeadVersion>,
    ) -> Result<HeadChange> {
        self.read(ctx, (signal, since), || *self.change.lock()).await
    }
}

#[async_trait]
impl LabelsReader for Fake {
    async fn series(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<Labels>>> {
        let all = || warned(self.series.lock().iter().map(|series| series.labels.clone()).collect());
        self.read(ctx, query.clone(), all).await
    }

    async fn label_names(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<String>>> {
        self.read(ctx, query.clone(), || warned(self.names.lock().clone())).await
    }

    async fn label_values(
        &self,
        ctx: &ReadContext,
        name: &str,
        query: &LabelQuery,
    ) -> Result<Warned<Vec<String>>> {
        self.read(ctx, (name.to_owned(), query.clone()), || warned(self.names.lock().clone())).await
    }
}

#[async_trait]
impl MetricsReader for Fake {
    async fn select(&self, ctx: &ReadContext, request: &SelectRequest) -> Result<SeriesSet> {
        let all = || SeriesSet { series: self.series.lock().clone(), warnings: vec!["a warning".into()] };
        self.read(ctx, request.clone(), all).await
    }

    async fn exemplars(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Vec<ExemplarSeries>> {
        let exemplar =
            Exemplar { labels: Labels::from_pairs([("trace_id", "x")]), timestamp: -1, value: 2.5 };
        let series = ExemplarSeries { labels: labels(1), exemplars: vec![exemplar] };
        self.read(ctx, query.clone(), || vec![series]).await
    }

    async fn metadata(&self, ctx: &ReadContext, metric: Option<&str>) -> Result<Vec<MetricMetadata>> {
        let metadata = [MetricType::Counter, MetricType::StateSet, MetricType::Unknown]
            .map(|metric_type| Metadata { metric_type, help: "h".into(), unit: "u".into() });
        let metric_metadata = MetricMetadata { metric: "up".into(), metadata: metadata.into() };
        self.read(ctx, metric.map(str::to_owned), || vec![metric_metadata]).await
    }
}

#[async_trait]
impl LogsReader for Fake {
    async fn select(&self, ctx: &ReadContext, request: &StreamsRequest) -> Result<StreamSet> {
        let all = || StreamSet { streams: self.streams.lock().clone(), warnings: vec!["a warning".into()] };
        self.read(ctx, request.clone(), all).await
    }
}

/// Samples at these times, whose values are the times.
pub struct Plain(pub Vec<i64>);

impl SeriesData for Plain {
    fn read(&self, range: TimeRange, out: &mut SampleBuffer) -> Result<()> {
        for time in self.0.iter().filter(|time| range.contains(**time)) {
            out.timestamps.push(*time);
            out.values.push(*time as f64);
        }
        Ok(())
    }
}

/// A page of lines that are not encoded.
pub struct Open(pub Lines);

impl LineSource for Open {
    fn read(&self, needles: &Needles, out: &mut Lines) -> Result<bool> {
        out.clone_from(&self.0);
        Ok(needles.may_be_in(&out.text))
    }
}

/// Pages each of which has one line: its number.
pub struct Numbers;

#[async_trait]
impl PageStore for Numbers {
    async fn fetch(&self, _: &ReadContext, pages: &[u64]) -> Result<Vec<Arc<dyn LineSource>>> {
        let page = |number: &u64| Arc::new(encoded(&number.to_string())) as Arc<dyn LineSource>;
        Ok(pages.iter().map(page).collect())
    }
}

/// A store that says nothing.
pub struct Silent;

#[async_trait]
impl PageStore for Silent {
    async fn fetch(&self, _: &ReadContext, _: &[u64]) -> Result<Vec<Arc<dyn LineSource>>> {
        std::future::pending().await
    }
}

pub fn one_line(text: &str) -> Lines {
    let mut lines = Lines::default();
    lines.push(5, text.as_bytes(), [("k", "v")]);
    lines
}

pub fn encoded(text: &str) -> EncodedPage {
    EncodedPage::encode(&one_line(text)).unwrap()
}

pub fn page(data: PageData) -> LogPage {
    LogPage {
        range: NanoRange::new(5, 6),
        lines: 1,
        text_bytes: 4,
        stored_bytes: 3,
        origin: 7,
        is_cut: false,
        data,
    }
}
