//! Ingesters, their bucket, and two APIs over them: one that keeps results and one that does not.

mod away;

use crate::{
    Deps, ResultCache, ResultMetrics, router,
    tests::fixture::{Answer, Api, Fixture, send},
};
use axum::{Router, body::Body};
use block_store::{BlockCacheConfig, BlocksReader, Bucket, Manifests, Ulid};
use futures::FutureExt;
use hash_ring::{Member, RingView};
use http::{Request, StatusCode};
use ingester::{
    FlushWhich, Ingester, IngesterConfig,
    fs::sim::SimFs,
    wal::{Threads, WalConfig},
};
use model::{Labels, Sample, TenantId};
use object_store::memory::InMemory;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use querier::{DataChanges, Querier, QuerierMetrics, ReplicatedReader};
use runtime::ManualClock;
use service_api::{
    BatchSeries, BatchStream, Changes, HeadSource, Ingest, IngestLogs, LabelSource, Limits, LogBatch,
    LogEntry, Result, SeriesKey, Source, TextSpan, Wanted, WriteBatch,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

pub const MINUTE: i64 = 60;
/// Seconds; the start of a block's window.
pub const START: i64 = 1_700_002_800;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    PromQl,
    LogQl,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub hits: u64,
    pub partial_hits: u64,
    pub misses: u64,
    pub bytes: u64,
}

pub struct World {
    disks: Vec<SimFs>,
    manifests: Arc<Manifests>,
    ids: Arc<AtomicU64>,
    ingesters: Arc<Mutex<Vec<Arc<Ingester>>>>,
    keeps: Router,
    computes: Router,
}

/// All ingesters, and the only one where there is but one.
pub const ALL: u8 = 0xff;

struct NoLabels;

impl LabelSource for NoLabels {
    fn pairs(&self, _: usize, _: &mut dyn FnMut(&str, &str)) -> Result<()> {
        Ok(())
    }
}

fn start(fs: &SimFs, manifests: &Arc<Manifests>, ids: &Arc<AtomicU64>) -> Arc<Ingester> {
    let wal = WalConfig { threads: Threads::Inline, segment_size: 64 << 10, ..WalConfig::default() };
    // Blocks of ten minutes.
    let config = IngesterConfig { wal, block_duration: 600, ..IngesterConfig::default() };
    let limits = Limits { out_of_order_window: 86_400, ..Limits::default() };
    let ids = Arc::clone(ids);
    let dependencies = ingester::Dependencies {
        fs: Arc::new(fs.clone()),
        dir: "data".into(),
        clock: Arc::new(ManualClock::at(START * 1000)),
        limits: Arc::new(Arc::new(limits)),
        manifests: Arc::clone(manifests),
        new_id: Arc::new(move || {
            Ulid::from_parts(START as u64 * 1000, u128::from(ids.fetch_add(1, Ordering::Relaxed)))
        }),
        instance: "i".into(),
    };
    Ingester::start(config, dependencies, &mut Registry::default()).unwrap()
}

impl World {
    /// One ingester, who always answers.
    pub async fn alone() -> Self {
        Self::new(1, Box::new(|| None)).await
    }

    /// Ingesters with `count` replicas of everything. Before each question to all of them `away` says who
    /// does not answer it.
    pub async fn new(count: usize, away: Box<dyn Fn() -> Option<usize> + Send + Sync>) -> Self {
        let disks: Vec<_> = (0..count).map(|seed| SimFs::new(seed as u64)).collect();
        let ids = Arc::new(AtomicU64::new(1));
        let bucket = Bucket::new(Arc::new(InMemory::new()), "");
        let clock = Arc::new(ManualClock::at(START * 1000));
        let manifests = Arc::new(Manifests::new(bucket, clock, Duration::ZERO));
        let ingesters: Vec<_> = disks.iter().map(|fs| start(fs, &manifests, &ids)).collect();
        let ingesters = Arc::new(Mutex::new(ingesters));
        let members = (0..count).map(|n| Member::new(&format!("m{n}"), format!("m{n}:1"))).collect();
        let view = Arc::new(RingView::new(members, count));
        let (now, missing) = (Arc::clone(&ingesters), Mutex::new(None));
        let connect: querier::Connect = Arc::new(move |member| {
            let at: usize = member.id[1..].parse().unwrap();
            if at == 0 {
                *missing.lock() = away();
            }
            match *missing.lock() == Some(at) {
                true => Arc::new(away::Away) as Arc<dyn HeadSource>,
                false => Arc::clone(&now.lock()[at]) as Arc<dyn HeadSource>,
            }
        });
        let metrics = QuerierMetrics::default();
        let recent =
            Arc::new(ReplicatedReader::new(Arc::new(move || Arc::clone(&view)), connect, metrics.clone()));
        let blocks = Arc::new(BlocksReader::new(Arc::clone(&manifests), &BlockCacheConfig::default()));
        let list: querier::ListBlocks = {
            let blocks = Arc::clone(&blocks);
            Arc::new(move |ctx, signal, range| {
                let blocks = Arc::clone(&blocks);
                async move { blocks.in_range(&ctx, signal, range).await }.boxed()
            })
        };
        let changes = DataChanges::new(Arc::clone(&recent) as Arc<dyn Changes>, list);
        let reader = Arc::new(Querier::new(recent, blocks as Arc<dyn Source>, metrics));
        let mut registry = Registry::default();
        let results = ResultCache::new(8 << 20, Arc::new(changes), ResultMetrics::register(&mut registry));
        let deps = Deps {
            logs: reader.clone(),
            results: results.map(Arc::new),
            registry: Arc::new(registry),
            ..Api::deps(Fixture::default(), reader)
        };
        let computes = router(Deps { results: None, ..deps.clone() });
        Self { disks, manifests, ids, ingesters, keeps: router(deps), computes }
    }

    /// Those whose bits are set.
    fn chosen(&self, which: u8) -> Vec<Arc<Ingester>> {
        let ingesters = self.ingesters.lock();
        (0..)
            .zip(ingesters.iter())
            .filter(|(at, _)| which >> at & 1 == 1)
            .map(|(_, i)| Arc::clone(i))
            .collect()
    }

    /// A few samples of the gauge and of the counter with this number, fifteen seconds apart.
    pub async fn append(&self, which: u8, series: u8, minute: i64, value: i32) {
        let labels = |name: &str| {
            Labels::from_pairs([
                ("__name__", name),
                ("a", &(series % 2).to_string()),
                ("b", &(series / 2).to_string()),
            ])
        };
        let times = (0..4).map(|n| (START + minute * MINUTE + n * 15) * 1000 + i64::from(series));
        let gauge = times.clone().map(|timestamp| Sample { timestamp, value: f64::from(value) * 0.1 });
        let counter =
            times.map(|timestamp| Sample { timestamp, value: f64::from(value.unsigned_abs()) + 0.3 });
        let keyed = |name, samples| BatchSeries {
            key: SeriesKey(labels(name).stable_hash_128()),
            samples,
            histograms: 0..0,
            exemplars: 0..0,
        };
        let batch = WriteBatch {
            series: vec![keyed("m", 0..4), keyed("c_total", 4..8)],
            samples: gauge.chain(counter).collect(),
            histograms: vec![],
            starts: Default::default(),
            exemplars: vec![],
            metadata: vec![],
            labels: Box::new(NoLabels),
        };
        let batch = Arc::new(batch);
        for ingester in self.chosen(which) {
            let named = Wanted::Named(vec![(0, labels("m")), (1, labels("c_total"))]);
            ingester.append(&TenantId::anonymous(), Arc::clone(&batch), named).await.unwrap();
        }
    }

    pub async fn append_lines(&self, which: u8, stream: u8, minute: i64, value: i32) {
        let labels = Labels::from_pairs([("s", stream.to_string())]);
        let mut text = Vec::new();
        let mut entry = |n: i64| {
            let line = format!("v={}.{n} x", value);
            let span = TextSpan { start: text.len() as u32, len: line.len() as u32 };
            text.extend_from_slice(line.as_bytes());
            let timestamp = (START + minute * MINUTE + n * 17) * 1_000_000_000 + 5;
            LogEntry { timestamp, line: span, metadata: 0..0 }
        };
        let entries = (0..3).map(&mut entry).collect();
        let streams = vec![BatchStream { key: SeriesKey(labels.stable_hash_128()), entries: 0..3 }];
        let batch = LogBatch { streams, entries, metadata: vec![], text, labels: Box::new(NoLabels) };
        let batch = Arc::new(batch);
        for ingester in self.chosen(which) {
            let named = Wanted::Named(vec![(0, labels.clone())]);
            ingester.append_logs(&TenantId::anonymous(), Arc::clone(&batch), named).await.unwrap();
        }
    }

    pub async fn flush(&self, which: u8) {
        for ingester in self.chosen(which) {
            ingester.flush(FlushWhich::All).await.unwrap();
        }
    }

    pub fn restart(&self, which: u8) {
        let mut ingesters = self.ingesters.lock();
        for (at, ingester) in ingesters.iter_mut().enumerate().filter(|(at, _)| which >> at & 1 == 1) {
            *ingester = start(&self.disks[at], &self.manifests, &self.ids);
        }
    }

    /// Asks both; the answers must be the same. A range is the start, the end and the step in seconds.
    pub async fn check(&self, language: Language, text: &str, range: (i64, i64, i64)) {
        let kept = result(&self.ask(language, text, range, &[], &[]).await);
        let computed = result(&query(&self.computes, language, text, range, &[], &[]).await);
        assert_eq!(kept, computed, "{text} {range:?}");
    }

    /// Asks the one that keeps results.
    pub async fn ask(
        &self,
        language: Language,
        text: &str,
        range: (i64, i64, i64),
        params: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        query(&self.keeps, language, text, range, params, headers).await
    }

    pub async fn counts(&self) -> Counts {
        let answer = send(&self.keeps, Request::get("/metrics").body(Body::empty()).unwrap()).await;
        let value = |name: &str| {
            let name = format!("yagura_result_cache_{name} ");
            let mut lines = answer.text().lines().filter_map(|line| line.strip_prefix(&name));
            lines.next().unwrap_or_else(|| panic!("{name} in {}", answer.text())).parse().unwrap()
        };
        Counts {
            hits: value("hits_total"),
            partial_hits: value("partial_hits_total"),
            misses: value("misses_total"),
            bytes: value("bytes"),
        }
    }
}

async fn query(
    router: &Router,
    language: Language,
    text: &str,
    (start, end, step): (i64, i64, i64),
    params: &[(&str, &str)],
    headers: &[(&str, &str)],
) -> Answer {
    let path = match language {
        Language::PromQl => "/api/v1/query_range",
        Language::LogQl => "/loki/api/v1/query_range",
    };
    let encoded: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let mut uri = format!("{path}?start={start}&end={end}&step={step}&query={encoded}");
    params.iter().for_each(|(name, value)| uri.push_str(&format!("&{name}={value}")));
    let mut request = Request::get(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(router, request.body(Body::empty()).unwrap()).await
}

/// What both must have in common: all but what the query took.
fn result(answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let text = answer.text();
    let Some((before, stats)) = text.split_once(r#","stats":"#) else { return text.to_owned() };
    // Behind Loki's statistics there is nothing but the end.
    assert!(stats.starts_with('{'), "{text}");
    before.to_owned()
}
