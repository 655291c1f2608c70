//! Ingesters that do as they are told, and a distributor before many of them.

use super::*;
use hashbrown::{HashMap, HashSet};
use service_api::Refused;
use std::sync::atomic::{AtomicUsize, Ordering};

#[derive(Clone, Debug, Default)]
pub enum Manner {
    #[default]
    Answer,
    Fail(Code),
    /// Takes what it knows and fails when it is sent labels.
    FailNames,
    Hang,
    /// Knows nobody, ever.
    Forget,
    /// Refuses so many entries of each series.
    Refuse(u32),
}

#[derive(Default)]
pub struct Fake {
    pub manner: Mutex<Manner>,
    /// By their keys; the labels that they came with.
    pub known: Mutex<HashMap<SeriesKey, Labels>>,
    /// Series and timestamp.
    pub stored: Mutex<HashSet<(SeriesKey, i64)>>,
    pub metadata: AtomicUsize,
    pub calls: AtomicUsize,
}

impl Fake {
    pub fn is(&self, manner: Manner) {
        *self.manner.lock() = manner;
    }

    fn take(&self, index: u32, key: SeriesKey, times: &[i64], outcome: &mut AppendOutcome) {
        let Manner::Refuse(entries) = *self.manner.lock() else {
            self.stored.lock().extend(times.iter().map(|time| (key, *time)));
            return;
        };
        outcome.refused.push(Refused { index, entries });
        let labels = self.known.lock()[&key].clone();
        let rejection = || Rejection { reason: RejectReason::TooOld, labels, timestamp: Some(times[0]) };
        outcome.pushed.reject(entries.into(), rejection);
        self.stored.lock().extend(times.iter().skip(entries as usize).map(|time| (key, *time)));
    }

    async fn append_any(&self, series: Vec<(SeriesKey, Vec<i64>)>, which: Wanted) -> Result<AppendOutcome> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let manner = self.manner.lock().clone();
        match (&manner, &which) {
            (Manner::Hang, _) => std::future::pending().await,
            (Manner::Fail(code), _) => return Err(Error::new(*code, "told to fail")),
            (Manner::FailNames, Wanted::Named(_)) => return Err(Error::unavailable("told to fail")),
            _ => {}
        }
        let named = matches!(which, Wanted::Named(_));
        let indexes = match which {
            Wanted::All => (0..series.len() as u32).collect(),
            Wanted::Keys(indexes) => indexes.to_vec(),
            Wanted::Named(named) => {
                let learnt = named.iter().map(|(index, labels)| (series[*index as usize].0, labels.clone()));
                self.known.lock().extend(learnt);
                named.into_iter().map(|(index, _)| index).collect()
            }
        };
        assert!(indexes.is_sorted());
        let mut outcome = AppendOutcome::default();
        for index in indexes {
            let (key, times) = &series[index as usize];
            let known = !matches!(manner, Manner::Forget) && self.known.lock().contains_key(key);
            if !named && !known {
                outcome.unknown.push(index);
            } else {
                self.take(index, *key, times, &mut outcome);
            }
        }
        Ok(outcome)
    }
}

#[async_trait]
impl Ingest for Fake {
    async fn append(&self, _: &TenantId, batch: Arc<WriteBatch>, which: Wanted) -> Result<AppendOutcome> {
        if !matches!(which, Wanted::Named(_)) {
            self.metadata.fetch_add(batch.metadata.len(), Ordering::SeqCst);
        }
        let times = |series: &BatchSeries| {
            let samples = &batch.samples[series.samples.start as usize..series.samples.end as usize];
            (series.key, samples.iter().map(|sample| sample.timestamp).collect())
        };
        self.append_any(batch.series.iter().map(times).collect(), which).await
    }
}

#[async_trait]
impl IngestLogs for Fake {
    async fn append_logs(&self, _: &TenantId, batch: Arc<LogBatch>, which: Wanted) -> Result<AppendOutcome> {
        let times = |stream: &service_api::BatchStream| {
            let entries = &batch.entries[stream.entries.start as usize..stream.entries.end as usize];
            (stream.key, entries.iter().map(|entry| entry.timestamp).collect())
        };
        self.append_any(batch.streams.iter().map(times).collect(), which).await
    }
}

/// A ring of fakes, `i0`, `i1` and so on, and what reaches it.
pub struct Cluster {
    pub fakes: Vec<Arc<Fake>>,
    pub view: Arc<RingView>,
    pub clock: Arc<ManualClock>,
    pub distributor: Arc<Distributor>,
    pub registry: Registry,
}

impl Cluster {
    pub fn new(members: usize, replication_factor: usize) -> Self {
        Self::with(members, replication_factor, Limits::default(), |_| ())
    }

    pub fn with(count: usize, factor: usize, limits: Limits, change: impl Fn(&mut Member)) -> Self {
        let member = |number: usize| {
            let mut member = Member::new(&format!("i{number:02}"), number.to_string());
            change(&mut member);
            member
        };
        let ring = Ring::fixed(RingView::new((0..count).map(member).collect(), factor));
        let fakes: Vec<Arc<Fake>> = (0..count).map(|_| Arc::default()).collect();
        let (connected, view) = (fakes.clone(), ring.view());
        let (clock, mut registry) = (Arc::new(ManualClock::at(NOW)), Registry::default());
        let dependencies = Dependencies {
            ring,
            connect: Arc::new(move |member| {
                let fake: Arc<dyn IngestAll> = connected[member.address.parse::<usize>().unwrap()].clone();
                fake
            }),
            ..dependencies(limits, clock.clone())
        };
        let distributor =
            Arc::new(Distributor::new(DistributorConfig::default(), dependencies, &mut registry));
        Self { fakes, view, clock, distributor, registry }
    }

    pub async fn push(&self, batch: WriteBatch) -> Result<PushOutcome> {
        self.distributor.push(&TenantId::anonymous(), batch).await
    }

    /// How many have an entry.
    pub fn copies(&self, key: SeriesKey, timestamp: i64) -> usize {
        self.fakes.iter().filter(|fake| fake.stored.lock().contains(&(key, timestamp))).count()
    }

    pub fn counted(&self, line: &str) -> bool {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        text.contains(&format!("{line}\n"))
    }
}

/// Spreads numbers as a hash would.
pub fn key(number: u64) -> SeriesKey {
    SeriesKey(u128::from(xxhash_rust::xxh3::xxh3_64(&number.to_le_bytes())))
}

/// Counts how often labels are read and how many of its kind there are.
pub struct Counting {
    pub size: usize,
    pub read: Arc<AtomicUsize>,
    #[expect(dead_code, reason = "only counted")]
    pub alive: Arc<()>,
}

impl LabelSource for Counting {
    fn pairs(&self, index: usize, each: &mut dyn FnMut(&str, &str)) -> Result<()> {
        self.read.fetch_add(1, Ordering::SeqCst);
        each("__name__", &format!("series_{index}"));
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.size
    }
}

/// `samples` samples each of the series of these numbers.
pub fn numbered(series: &[u64], samples: i64) -> WriteBatch {
    let labels: Vec<Vec<(&str, &str)>> = vec![vec![("__name__", "a")]; series.len()];
    let times: Vec<i64> = (NOW..NOW + samples).collect();
    let mut batch = batch(&labels.iter().map(|labels| (&**labels, &*times)).collect::<Vec<_>>());
    for (number, series) in series.iter().zip(&mut batch.series) {
        series.key = key(*number);
    }
    let names = series.iter().map(|n| vec![("__name__".to_owned(), format!("series_{n}"))]).collect();
    batch.labels = Box::new(Pairs(names));
    batch
}
