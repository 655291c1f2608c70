//! A sender that writes down what became of every sample, and the check against a server.

use crate::{
    http::Http,
    query::Series,
    random::Random,
    remote_write::{TimeSeries, now_ms},
    wire::Wire,
    yagura::Yagura,
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// The metric that all ledgers write.
pub const METRIC: &str = "ledger_total";

/// One sender with series of its own. It sends one batch at a time, each with one sample for
/// each of its series, and sends about half of the failed ones again, as real senders do.
#[derive(Debug)]
pub struct Ledger {
    name: String,
    series: usize,
    wire: Wire,
    random: Random,
    /// The time of the next batch, and how far batches are apart; none is the machine's time.
    next: i64,
    step: Option<i64>,
    value: f64,
    pending: Option<Batch>,
    fates: BTreeMap<i64, (f64, Fate)>,
    replicated: bool,
    turn: usize,
    progress: Arc<Progress>,
    failures: usize,
    first_failure: Option<String>,
}

/// How far a ledger is, for those who look on. Counted in batches, which is in entries a series.
#[derive(Debug, Default)]
pub struct Progress {
    sent: AtomicU64,
    acknowledged: AtomicU64,
}

impl Progress {
    /// Batches of which every entry must be there.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::SeqCst)
    }

    /// Batches that were sent at least once. There can be no more than these.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }
}

/// A ledger as others see it while it sends.
#[derive(Clone, Debug)]
pub struct Watch {
    pub writer: String,
    pub series: u64,
    pub wire: Wire,
    /// The time of its first entry at the earliest (milliseconds).
    pub first: i64,
    pub progress: Arc<Progress>,
}

#[derive(Clone, Copy, Debug)]
struct Batch {
    timestamp: i64,
    value: f64,
}

/// What is known of a batch's samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Must be there, once.
    Acknowledged,
    /// Must not be there.
    Refused,
    /// There was no answer: may be there, once.
    Unknown,
}

impl Ledger {
    /// A sender whose samples bear the machine's time.
    pub fn new(name: &str, series: usize, wire: impl Into<Wire>) -> Self {
        let seed = name.bytes().fold(7, |seed: u64, b| seed.wrapping_mul(31) + u64::from(b));
        Self {
            name: name.to_owned(),
            series,
            wire: wire.into(),
            random: Random::seeded(seed),
            next: now_ms(),
            step: None,
            value: 0.0,
            pending: None,
            fates: BTreeMap::new(),
            replicated: false,
            turn: 0,
            progress: Arc::default(),
            failures: 0,
            first_failure: None,
        }
    }

    /// Samples from `start` on, `step` apart (milliseconds), however fast they are sent.
    pub fn with_times(mut self, start: i64, step: i64) -> Self {
        (self.next, self.step) = (start, Some(step));
        self
    }

    /// A sender to a cluster. There a refusal says only that too few replicas have the entries.
    pub fn replicated(mut self) -> Self {
        self.replicated = true;
        self
    }

    /// What it takes to ask a server how much it has of this ledger.
    pub fn watch(&self) -> Watch {
        Watch {
            writer: self.name.clone(),
            series: self.series as u64,
            wire: self.wire,
            first: self.next,
            progress: Arc::clone(&self.progress),
        }
    }

    /// Sends that did not end with an acknowledgement, and what the first of them ended with.
    pub fn failures(&self) -> (usize, Option<&str>) {
        (self.failures, self.first_failure.as_deref())
    }

    /// Sends one batch and writes down its fate. An answer that is neither success nor a
    /// plea to come again ends the test. `base` is the server's address.
    pub async fn send(&mut self, http: &Http, base: &str) -> Fate {
        self.send_to_one_of(http, &[base.to_owned()]).await
    }

    /// As [`Self::send`], to the next of several servers in turn, and on to the others as long as there
    /// is no answer, as a load balancer would.
    pub async fn send_to_one_of(&mut self, http: &Http, bases: &[String]) -> Fate {
        let batch = match self.pending.take() {
            Some(batch) if self.random.below(2) == 0 => batch,
            _ => self.next_batch(),
        };
        let body = self.wire.body(&self.request(batch));
        self.turn += 1;
        let (mut fate, mut said) = (Fate::Unknown, String::new());
        for n in 0..bases.len() {
            let base = &bases[(self.turn + n) % bases.len()];
            (fate, said) = self.attempt(http, base, batch, body.clone()).await;
            if fate != Fate::Unknown {
                break;
            }
        }
        if fate == Fate::Acknowledged {
            self.progress.acknowledged.fetch_add(1, Ordering::SeqCst);
        } else {
            self.pending = Some(batch);
            self.failures += 1;
            self.first_failure.get_or_insert(said);
        }
        fate
    }

    async fn attempt(&mut self, http: &Http, base: &str, batch: Batch, body: Vec<u8>) -> (Fate, String) {
        let url = format!("{base}{}", self.wire.path());
        let (fate, said) = match http.send("POST", &url, self.wire.headers(), body).await {
            Err(error) => (Fate::Unknown, format!("{error:?}")),
            Ok(answer) if answer.status / 100 == 2 => (Fate::Acknowledged, String::new()),
            Ok(answer) if answer.status == 503 => {
                assert!(
                    answer.headers.contains_key("retry-after"),
                    "503 without Retry-After: {}",
                    answer.body
                );
                (Fate::Refused, answer.body)
            }
            Ok(answer) => panic!("a good write was answered with {} {}", answer.status, answer.body),
        };
        // A batch that was sent before without an answer may be there whatever is said now.
        let before = self.fates.get(&batch.timestamp).map(|(_, fate)| *fate);
        let fate_now = match (before, fate) {
            (Some(Fate::Unknown), Fate::Refused) => Fate::Unknown,
            (_, Fate::Refused) if self.replicated => Fate::Unknown,
            _ => fate,
        };
        self.fates.insert(batch.timestamp, (batch.value, fate_now));
        (fate, said)
    }

    fn next_batch(&mut self) -> Batch {
        let timestamp = match self.step {
            Some(_) => self.next,
            None => self.next.max(now_ms()),
        };
        self.next = timestamp + self.step.unwrap_or(1);
        self.value += 1.0;
        self.progress.sent.fetch_add(1, Ordering::SeqCst);
        Batch { timestamp, value: self.value }
    }

    fn request(&self, batch: Batch) -> Vec<TimeSeries> {
        let one = |series: usize| {
            let labels =
                [("__name__", METRIC), ("series", &series.to_string()), ("writer", self.name.as_str())];
            TimeSeries::new(&labels, &[(batch.timestamp, batch.value)])
        };
        (0..self.series).map(one).collect()
    }

    /// Entries that were acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.fates.values().filter(|(_, fate)| *fate == Fate::Acknowledged).count() * self.series
    }

    /// Reads everything back and ends the test if a sample is missing, double, wrong or
    /// there though it was refused.
    pub async fn check(&self, yagura: &Yagura) {
        self.check_at(&yagura.http, yagura.base()).await;
    }

    /// As [`Self::check`], of the server at `base`.
    pub async fn check_at(&self, http: &Http, base: &str) {
        let Some((&first, _)) = self.fates.first_key_value() else { return };
        let (range, entries) = ((first, self.next + 1000), self.fates.len() * self.series);
        let found = self.wire.read(http, base, METRIC, &self.name, range, entries).await;
        let problems = self.problems(&found);
        assert!(
            problems.is_empty(),
            "writer {}: {} things are wrong with {} acknowledged entries, the first of them:\n{}",
            self.name,
            problems.len(),
            self.acknowledged(),
            problems[..problems.len().min(20)].join("\n")
        );
    }

    fn problems(&self, found: &[Series]) -> Vec<String> {
        let mut problems = Vec::new();
        let any = self.acknowledged() > 0;
        if found.len() > self.series || (any && found.len() < self.series) {
            problems.push(format!("{} series instead of {}", found.len(), self.series));
        }
        for series in found {
            let name = series.labels.get("series").cloned().unwrap_or_default();
            let mut there: BTreeMap<i64, f64> = BTreeMap::new();
            for (timestamp, value) in &series.points {
                if there.insert(*timestamp, *value).is_some() {
                    problems.push(format!("series {name}: {timestamp} is there twice"));
                }
                match self.fates.get(timestamp) {
                    None => problems.push(format!("series {name}: {timestamp} was never sent")),
                    Some((_, Fate::Refused)) => {
                        problems.push(format!("series {name}: {timestamp} is there though it was refused"));
                    }
                    Some((sent, _)) if sent != value => {
                        problems.push(format!("series {name}: {timestamp} is {value}, sent was {sent}"));
                    }
                    Some(_) => {}
                }
            }
            let lost = |(t, (_, fate)): (&i64, &(f64, Fate))| {
                let lost = *fate == Fate::Acknowledged && !there.contains_key(t);
                lost.then(|| format!("series {name}: {t} is lost"))
            };
            problems.extend(self.fates.iter().filter_map(lost));
        }
        problems
    }
}
