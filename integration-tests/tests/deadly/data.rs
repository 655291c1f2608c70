//! What queries of death meet: an hour of some 20,000 series of all kinds; and the bystanders.

use super::now;
use integration_tests::{Http, Message, Random, TimeSeries, Version, Yagura, form, now_ms, snappy};
use serde_json::Value;
use std::{
    fmt,
    ops::Not,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{task::JoinHandle, time::sleep};

/// Tenants with a bystander each; the first one asks the queries of death.
pub const BYSTANDERS: [&str; 2] = ["deadly", "peaceful"];

/// What bystanders ask for, and how much it is.
pub const SENTINEL: (&str, f64) = ("sum(sentinel)", 42.0);

/// The longest that a bystander may wait.
const PATIENCE: Duration = Duration::from_secs(1);

const MINUTES: i64 = 60;
const SERIES_A_REQUEST: usize = 1000;

/// Writes it all; returns its end in seconds.
pub async fn load(yagura: &Yagura) -> i64 {
    let end = now_ms() / 1000 - 5;
    let mut random = Random::seeded(60);
    let minutes: Vec<i64> = (0..=MINUTES).map(|minute| (end - (MINUTES - minute) * 60) * 1000).collect();
    let seconds: Vec<i64> = (0..=3600).map(|second| (end - 3600 + second) * 1000).collect();
    let mut counter = |times: &[i64]| {
        let mut total = 0.0;
        times
            .iter()
            .map(|time| {
                (*time, {
                    total += random.below(1000) as f64;
                    total
                })
            })
            .collect::<Vec<_>>()
    };
    let mut series = Vec::new();
    for n in 0..6000 {
        let labels = [
            ("__name__", "requests_total".to_owned()),
            ("handler", format!("/api/v{}", n % 20)),
            ("instance", format!("host-{}:9090", n % 100)),
            ("job", "api".to_owned()),
            ("pod", format!("pod-{n}")),
        ];
        series.push(one(&labels, counter(&minutes)));
        let labels = [
            ("__name__", "load".to_owned()),
            ("id", format!("{n}")),
            ("instance", format!("host-{}:9090", n % 100)),
            ("job", "node".to_owned()),
        ];
        let wild = counter(&minutes).into_iter().map(|(time, value)| (time, (value * 0.317).sin())).collect();
        series.push(one(&labels, wild));
    }
    for n in 0..3600 {
        let le = ["0.1", "0.2", "0.3", "0.5", "0.8", "1", "2", "3", "5", "8", "10", "+Inf"][n % 12];
        let labels = [
            ("__name__", "latency_bucket".to_owned()),
            ("instance", format!("host-{}:9090", n / 12)),
            ("job", "api".to_owned()),
            ("le", le.to_owned()),
        ];
        series.push(one(&labels, counter(&minutes)));
    }
    for n in 0..3000 {
        series.push(one(&[("__name__", format!("m_{n}")), ("job", "many".to_owned())], counter(&minutes)));
    }
    for n in 0..100 {
        let instance = ("instance", format!("host-{n}:9090"));
        let job = ("job", "api".to_owned());
        series.push(one(
            &[("__name__", "up".to_owned()), instance.clone(), job.clone()],
            minutes.iter().map(|t| (*t, 1.0)).collect(),
        ));
        let labels =
            [("__name__", "target_info".to_owned()), instance, job, ("version", format!("{}", n % 7))];
        series.push(one(&labels, minutes.iter().map(|t| (*t, 1.0)).collect()));
    }
    for n in 0..500 {
        // As long as a value may be.
        let text = format!("{}{n}", "ab".repeat(1998).replace("abab", ["aaaa", "abaa"][n % 2]));
        series.push(one(&[("__name__", "long".to_owned()), ("text", text)], counter(&minutes)));
    }
    for n in 0..20 {
        series.push(one(&[("__name__", "dense".to_owned()), ("n", format!("{n}"))], counter(&seconds)));
    }
    for part in series.chunks(SERIES_A_REQUEST) {
        write(yagura, BYSTANDERS[0], Version::V1.body(part)).await;
    }
    write(yagura, BYSTANDERS[0], native_histograms(&minutes)).await;
    for tenant in BYSTANDERS {
        let sentinel = |n: usize| {
            let labels = [("__name__", "sentinel".to_owned()), ("n", format!("{n}"))];
            one(&labels, minutes.iter().map(|time| (*time, SENTINEL.1 / 6.0)).collect())
        };
        write(yagura, tenant, Version::V1.body(&(0..6).map(sentinel).collect::<Vec<_>>())).await;
    }
    end
}

fn one(labels: &[(&str, String)], samples: Vec<(i64, f64)>) -> TimeSeries {
    let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    TimeSeries { labels, samples }
}

async fn write(yagura: &Yagura, tenant: &str, body: Vec<u8>) {
    let headers = [Version::V1.headers(), &[("x-scope-orgid", tenant)]].concat();
    let answer = yagura.post("/api/v1/write", &headers, body).await;
    assert_eq!(answer.status / 100, 2, "{}", answer.body);
}

/// 200 series of prometheus.Histogram: count_int = 1, sum = 3, schema = 4, zero_threshold = 5,
/// zero_count_int = 6, positive_spans = 11 { offset = 1, length = 2 }, positive_deltas = 12, timestamp = 15.
fn native_histograms(times: &[i64]) -> Vec<u8> {
    const BUCKETS: u64 = 60;
    let mut request = Message::default();
    for n in 0..200 {
        let label =
            |name: &str, value: &str| Message::default().bytes(1, name.as_bytes()).bytes(2, value.as_bytes());
        let mut series = Message::default();
        series = series
            .message(1, &label("__name__", "sizes"))
            .message(1, &label("instance", &format!("host-{n}:9090")));
        for (at, time) in times.iter().enumerate() {
            let each = at as u64 * 3 + 1;
            // Deltas are in zigzag form.
            let deltas = std::iter::once(each * 2).chain((1..BUCKETS).map(|_| 0));
            let histogram = Message::default()
                .varint(1, each * BUCKETS)
                .double(3, each as f64 * 17.0)
                .varint(4, 6)
                .double(5, 1e-128)
                .varint(6, 0)
                .message(11, &Message::default().varint(1, 0).varint(2, BUCKETS))
                .packed(12, deltas)
                .varint(15, *time as u64);
            series = series.message(4, &histogram);
        }
        request = request.message(1, &series);
    }
    snappy(&request.0)
}

/// Somebody who asks the same cheap thing all the time, or writes a new series.
pub struct Bystander {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Tally>,
}

/// How a bystander fared.
pub struct Tally {
    name: String,
    asked: usize,
    slowest: Duration,
    wrong: Vec<String>,
}

/// A request that a bystander sends again and again.
struct Request {
    http: Http,
    url: String,
    tenant: &'static str,
    /// When the data ends, in seconds; whoever writes sends other samples each time.
    end: i64,
    writes: bool,
}

impl Bystander {
    /// Readers of all tenants, and a writer.
    pub fn start_all(yagura: &Yagura, end: i64) -> Vec<Self> {
        let query = form(&[("query", SENTINEL.0), ("time", &end.to_string())]);
        let request = |tenant, path: &str, writes| {
            let (http, url) = (yagura.http.clone(), yagura.url(path));
            Self::start(Request { http, url, tenant, end, writes })
        };
        let readers = BYSTANDERS.map(|tenant| request(tenant, &format!("/api/v1/query?{query}"), false));
        readers.into_iter().chain([request(BYSTANDERS[0], "/api/v1/write", true)]).collect()
    }

    fn start(request: Request) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let does = if request.writes { "writes to" } else { "reads of" };
            let name = format!("who {does} {}", request.tenant);
            let mut tally = Tally { name, asked: 0, slowest: Duration::ZERO, wrong: Vec::new() };
            while !stopped.load(Ordering::Relaxed) {
                let started = now();
                tally.wrong.extend(request.send(tally.asked).await);
                tally.slowest = tally.slowest.max(started.elapsed());
                tally.asked += 1;
                sleep(Duration::from_millis(30)).await;
            }
            tally
        });
        Self { stop, task }
    }

    pub async fn finish(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}

impl Request {
    /// Sends it for the n-th time; says what is wrong with the answer.
    async fn send(&self, n: usize) -> Option<String> {
        if self.writes {
            let labels = [("__name__", "fresh".to_owned()), ("n", format!("{n} {}", now_ms()))];
            let body = Version::V1.body(&[one(&labels, vec![(self.end * 1000, 1.0)])]);
            let headers = [Version::V1.headers(), &[("x-scope-orgid", self.tenant)]].concat();
            let answer = self.http.send("POST", &self.url, &headers, body).await;
            return answer.as_ref().is_ok_and(|a| a.status / 100 == 2).not().then(|| format!("{answer:?}"));
        }
        let answer = self.http.send("GET", &self.url, &[("x-scope-orgid", self.tenant)], Vec::new()).await;
        let body = answer.as_ref().map_or(Value::Null, |a| serde_json::from_str(&a.body).unwrap_or_default());
        let value =
            body["data"]["result"][0]["value"][1].as_str().and_then(|value| value.parse::<f64>().ok());
        (value != Some(SENTINEL.1)).then(|| format!("{answer:?}"))
    }
}

impl Tally {
    pub fn complaint(&self) -> Option<String> {
        let is_fine = self.asked > 100 && self.wrong.is_empty() && self.slowest < PATIENCE;
        (!is_fine).then(|| self.to_string())
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, asked, slowest, wrong } = self;
        write!(f, "{name}: {asked} times, slowest {slowest:.2?}, {} wrong", wrong.len())?;
        wrong.first().map_or(Ok(()), |first| write!(f, ", the first: {first}"))
    }
}
