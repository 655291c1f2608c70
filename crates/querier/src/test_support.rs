//! Sources in memory that answer, fail or hang, and rings of them.

use crate::{Connect, ViewSource};
use async_trait::async_trait;
use block_store::{BlockMeta, Deletion, Ulid};
use hash_ring::{Member, RingView};
use model::{Labels, Lines, Matcher, NanoRange, Nanos, Signal, TenantId, TimeRange, Timestamp};
use parking_lot::Mutex;
use service_api::{
    Code, Error, ExemplarSeries, HeadChange, HeadChanges, HeadSource, HeadVersion, LabelQuery, LabelsReader,
    LineSource, LogPage, LogStream, LogsReader, MetricMetadata, MetricsReader, Needles, PageData, PageStore,
    ReadContext, Result, SampleBuffer, SelectRequest, Series, SeriesData, SeriesSet, StreamSet,
    StreamsRequest, Warned,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A listed block of these times.
pub fn block(id: u64, min_time: Timestamp, max_time: Timestamp) -> BlockMeta {
    BlockMeta {
        id: Ulid::from_parts(id, 7),
        min_time,
        max_time,
        series: 1,
        samples: 1,
        text_bytes: 0,
        bytes: 1 << 20,
        level: 0,
        source: "ingester/1".to_owned(),
        created: 0,
        sources: Vec::new(),
        damaged: None,
        cleared: Vec::new(),
        rules: 0,
    }
}

/// A request of the first millisecond to delete what a query selects.
pub fn deletion(query: &str, min_time: Timestamp, max_time: Timestamp) -> Deletion {
    let id = Ulid::from_parts(1, min_time as u128);
    let (queries, heads_until) = (vec![query.to_owned()], 1 + 24 * 3_600_000);
    Deletion { id, queries, min_time, max_time, due: i64::MAX, heads_until }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Answers,
    Fails(Code),
    Hangs,
}

type Line = (Nanos, String);

/// What a source has and how it behaves; both may change while it is used.
pub struct Fake {
    mode: Arc<Mutex<Mode>>,
    series: Mutex<BTreeMap<Labels, BTreeMap<Timestamp, f64>>>,
    /// Each stream's pages.
    streams: Mutex<BTreeMap<Labels, Vec<Arc<Page>>>>,
    pub metadata: Mutex<Vec<MetricMetadata>>,
    pub exemplars: Mutex<Vec<ExemplarSeries>>,
    /// Its version, and the times of its changes: the first is of the first record.
    pub life: Mutex<u128>,
    pub changes: Mutex<Vec<Timestamp>>,
}

impl Default for Fake {
    fn default() -> Self {
        Self {
            mode: Arc::new(Mutex::new(Mode::Answers)),
            series: Mutex::default(),
            streams: Mutex::default(),
            metadata: Mutex::default(),
            exemplars: Mutex::default(),
            life: Mutex::default(),
            changes: Mutex::default(),
        }
    }
}

pub fn labels(text: &str) -> Labels {
    Labels::from_pairs(
        text.split(',').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap()),
    )
}

/// The matchers of a selector like `{a="b"}`.
pub fn matchers(selector: &str) -> Vec<Matcher> {
    if selector == "{}" {
        return Vec::new();
    }
    match logql::parse(selector).unwrap() {
        logql::ast::Expr::Logs(query) => query.matchers,
        logql::ast::Expr::Metric(_) => panic!("{selector} is no selector"),
    }
}

pub fn everything() -> SelectRequest {
    SelectRequest { matchers: Vec::new(), range: TimeRange::new(i64::MIN, i64::MAX) }
}

pub fn all_streams() -> StreamsRequest {
    StreamsRequest { matchers: Vec::new(), range: NanoRange::ALL }
}

pub fn label_query(signal: Signal, selectors: &[&str]) -> LabelQuery {
    let matcher_sets = selectors.iter().map(|selector| matchers(selector)).collect();
    LabelQuery { signal, matcher_sets, range: TimeRange::new(i64::MIN, i64::MAX) }
}

pub fn ctx() -> ReadContext {
    ReadContext::new(TenantId::anonymous(), 64 << 20)
}

/// All samples of a set, in order.
pub fn samples(set: &SeriesSet) -> Vec<(Labels, Vec<(Timestamp, f64)>)> {
    let read = |series: &Series| {
        let mut out = SampleBuffer::default();
        series.data.read(TimeRange::new(i64::MIN, i64::MAX), &mut out).unwrap();
        (series.labels.clone(), out.timestamps.iter().copied().zip(out.values).collect())
    };
    set.series.iter().map(read).collect()
}

/// Members with the ids `m0`, `m1`, ….
pub fn ring(count: usize, replication_factor: usize) -> Arc<RingView> {
    let members = (0..count).map(|n| Member::new(&format!("m{n}"), format!("m{n}:1"))).collect();
    Arc::new(RingView::new(members, replication_factor))
}

pub fn fixed(view: &Arc<RingView>) -> ViewSource {
    let view = Arc::clone(view);
    Arc::new(move || Arc::clone(&view))
}

pub fn fakes(count: usize) -> Vec<Arc<Fake>> {
    (0..count).map(|_| Arc::new(Fake::default())).collect()
}

/// The fake of a member by the number in its id.
pub fn connect(fakes: &[Arc<Fake>]) -> Connect {
    let fakes = fakes.to_vec();
    Arc::new(move |member: &Member| {
        Arc::clone(&fakes[member.id[1..].parse::<usize>().unwrap()]) as Arc<dyn HeadSource>
    })
}

impl Fake {
    /// An empty one that does what `other` does.
    pub fn behaving_as(other: &Self) -> Arc<Self> {
        Arc::new(Self { mode: Arc::clone(&other.mode), ..Self::default() })
    }

    pub fn set(&self, mode: Mode) {
        *self.mode.lock() = mode;
    }

    pub fn sample(&self, series: &str, timestamp: Timestamp, value: f64) {
        self.series.lock().entry(labels(series)).or_default().insert(timestamp, value);
    }

    /// A page of a stream; `stored` ones must be fetched.
    pub fn page(&self, stream: &str, entries: &[Line], stored: bool) {
        let mut lines = Lines::default();
        entries.iter().for_each(|(time, text)| lines.push(*time, text.as_bytes(), []));
        lines.normalize();
        if !lines.is_empty() {
            let page = Arc::new(Page { lines, stored });
            self.streams.lock().entry(labels(stream)).or_default().push(page);
        }
    }

    /// Moves everything to another one, as a flush does.
    pub fn move_to(&self, other: &Self) {
        for (labels, pages) in std::mem::take(&mut *self.streams.lock()) {
            other.streams.lock().entry(labels).or_default().extend(pages);
        }
    }

    async fn answer(&self) -> Result<()> {
        let mode = *self.mode.lock();
        match mode {
            Mode::Answers => Ok(()),
            Mode::Fails(code) => Err(Error::new(code, "it fails on purpose")),
            Mode::Hangs => std::future::pending().await,
        }
    }

    fn labels(&self, query: &LabelQuery) -> BTreeSet<Labels> {
        let all: Vec<Labels> = match query.signal {
            Signal::Metrics => self.series.lock().keys().cloned().collect(),
            Signal::Logs => self.streams.lock().keys().cloned().collect(),
        };
        let sets = &query.matcher_sets;
        let wanted = |labels: &Labels| sets.is_empty() || sets.iter().any(|set| matches(set, labels));
        all.into_iter().filter(wanted).collect()
    }
}

fn matches(matchers: &[Matcher], labels: &Labels) -> bool {
    matchers.iter().all(|matcher| matcher.matches_labels(labels))
}

#[async_trait]
impl LabelsReader for Fake {
    async fn series(&self, _: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<Labels>>> {
        self.answer().await?;
        Ok(self.labels(query).into_iter().collect::<Vec<_>>().into())
    }

    async fn label_names(&self, _: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<String>>> {
        self.answer().await?;
        let all = self.labels(query);
        let names: BTreeSet<_> = all.iter().flat_map(|l| l.iter().map(|(name, _)| name.to_owned())).collect();
        Ok(names.into_iter().collect::<Vec<_>>().into())
    }

    async fn label_values(
        &self,
        _: &ReadContext,
        name: &str,
        query: &LabelQuery,
    ) -> Result<Warned<Vec<String>>> {
        self.answer().await?;
        let all = self.labels(query);
        let values: BTreeSet<_> = all.iter().filter_map(|l| l.get(name)).map(str::to_owned).collect();
        Ok(values.into_iter().collect::<Vec<_>>().into())
    }
}

#[async_trait]
impl MetricsReader for Fake {
    async fn select(&self, _: &ReadContext, request: &SelectRequest) -> Result<SeriesSet> {
        self.answer().await?;
        let series = self.series.lock();
        let wanted = series.iter().filter(|(labels, _)| matches(&request.matchers, labels));
        let found = wanted.map(|(labels, samples)| Series {
            labels: labels.clone(),
            data: Arc::new(Samples(samples.clone())),
        });
        Ok(SeriesSet { series: found.collect(), warnings: vec!["warned".to_owned()] })
    }

    async fn exemplars(&self, _: &ReadContext, _: &LabelQuery) -> Result<Vec<ExemplarSeries>> {
        self.answer().await?;
        Ok(self.exemplars.lock().clone())
    }

    async fn metadata(&self, _: &ReadContext, _: Option<&str>) -> Result<Vec<MetricMetadata>> {
        self.answer().await?;
        Ok(self.metadata.lock().clone())
    }
}

struct Samples(BTreeMap<Timestamp, f64>);

impl SeriesData for Samples {
    fn read(&self, range: TimeRange, out: &mut SampleBuffer) -> Result<()> {
        for (timestamp, value) in self.0.range(range.start..=range.end) {
            out.timestamps.push(*timestamp);
            out.values.push(*value);
        }
        Ok(())
    }
}

pub struct Page {
    lines: Lines,
    stored: bool,
}

impl LineSource for Page {
    fn read(&self, needles: &Needles, out: &mut Lines) -> Result<bool> {
        out.clone_from(&self.lines);
        Ok(needles.may_be_in(&out.text))
    }
}

/// What one selection named.
struct Pages {
    mode: Arc<Mutex<Mode>>,
    pages: Vec<Arc<Page>>,
    tenant: TenantId,
}

#[async_trait]
impl PageStore for Pages {
    async fn fetch(&self, ctx: &ReadContext, pages: &[u64]) -> Result<Vec<Arc<dyn LineSource>>> {
        assert_eq!(ctx.tenant, self.tenant, "pages are asked for as another tenant");
        let mode = *self.mode.lock();
        match mode {
            Mode::Answers => {}
            Mode::Fails(code) => return Err(Error::new(code, "it fails on purpose")),
            Mode::Hangs => std::future::pending().await,
        }
        Ok(pages.iter().map(|&page| Arc::clone(&self.pages[page as usize]) as Arc<dyn LineSource>).collect())
    }
}

#[async_trait]
impl LogsReader for Fake {
    async fn select(&self, ctx: &ReadContext, request: &StreamsRequest) -> Result<StreamSet> {
        self.answer().await?;
        let streams = self.streams.lock();
        let all: Vec<_> = streams.values().flatten().cloned().collect();
        let (mode, tenant) = (Arc::clone(&self.mode), ctx.tenant.clone());
        let store: Arc<dyn PageStore> = Arc::new(Pages { mode, pages: all, tenant });
        let (mut set, mut number) = (StreamSet::default(), 0);
        for (labels, pages) in streams.iter() {
            let mut found = Vec::new();
            for page in pages {
                let data = match page.stored {
                    true => PageData::Stored(Arc::clone(&store), number),
                    false => PageData::Here(Arc::clone(page) as Arc<dyn LineSource>),
                };
                number += 1;
                let times = &page.lines.timestamps;
                let range = NanoRange::new(times[0], times[times.len() - 1]);
                if range.overlaps(&request.range) {
                    let text_bytes = (page.lines.text.len() - page.lines.len()) as u64;
                    let lines = page.lines.len() as u32;
                    // What has to be fetched is final, and may be counted unread.
                    let stored_bytes = if page.stored { text_bytes } else { 0 };
                    let is_cut = false;
                    found.push(LogPage { range, lines, text_bytes, stored_bytes, origin: 0, is_cut, data });
                }
            }
            found.sort_by_key(|page| (page.range.start, page.range.end));
            if matches(&request.matchers, labels) && !found.is_empty() {
                set.streams.push(LogStream { labels: labels.clone(), pages: found });
            }
        }
        Ok(set)
    }
}

#[async_trait]
impl HeadChanges for Fake {
    async fn head_changes(
        &self,
        _: &ReadContext,
        _: Signal,
        since: Option<HeadVersion>,
    ) -> Result<HeadChange> {
        self.answer().await?;
        let (changes, life) = (self.changes.lock(), *self.life.lock());
        let known = since.filter(|since| since.life == life).map_or(0, |since| since.sequence as usize);
        let version = HeadVersion { life, sequence: changes.len() as u64 };
        Ok(HeadChange { earliest: changes[known..].iter().copied().min(), version })
    }
}
