//! Takes the place of a Prometheus that scrapes every second, and of a log agent, and writes to one server.

use integration_tests::{
    Cluster, Http, LogStream, PROTOBUF, PUSH, TimeSeries, Version, Yagura, now_ms, parse_scrape,
    push_protobuf,
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{task::JoinHandle, time::sleep};

/// Whom it scrapes.
#[derive(Clone, Debug)]
pub struct Target {
    pub job: &'static str,
    pub instance: String,
    pub base: String,
}

/// Scrapes until it is dropped.
#[derive(Debug)]
pub struct Scraper {
    seen: Arc<Mutex<BTreeMap<&'static str, BTreeSet<String>>>>,
    task: JoinHandle<()>,
}

impl Scraper {
    pub fn start(targets: Vec<Target>, to: &Yagura) -> Self {
        let seen: Arc<Mutex<BTreeMap<_, BTreeSet<String>>>> = Arc::default();
        let (known, http, to) = (Arc::clone(&seen), to.http.clone(), to.base().to_owned());
        let task = tokio::spawn(async move {
            loop {
                for target in &targets {
                    let names = scrape(&http, target, &to).await;
                    known.lock().unwrap().entry(target.job).or_default().extend(names);
                }
                sleep(Duration::from_secs(1)).await;
            }
        });
        Self { seen, task }
    }

    /// The names of all metrics that any process of a job has shown.
    pub fn seen(&self, job: &str) -> BTreeSet<String> {
        self.seen.lock().unwrap().get(job).cloned().unwrap_or_default()
    }
}

impl Drop for Scraper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn scrape(http: &Http, target: &Target, to: &str) -> BTreeSet<String> {
    let (now, answer) = (now_ms(), http.get(&format!("{}/metrics", target.base)).await);
    let mut samples = match &answer {
        Ok(answer) if answer.status == 200 => parse_scrape(&answer.body),
        _ => BTreeMap::new(),
    };
    let names = samples.keys().map(|labels| labels["__name__"].clone()).collect();
    let up = if samples.is_empty() { 0.0 } else { 1.0 };
    samples.insert(BTreeMap::from([("__name__".to_owned(), "up".to_owned())]), up);
    let mut series = Vec::new();
    for (mut labels, value) in samples {
        labels.insert("job".to_owned(), target.job.to_owned());
        labels.insert("instance".to_owned(), target.instance.clone());
        series.push(TimeSeries { labels: labels.into_iter().collect(), samples: vec![(now, value)] });
    }
    let url = format!("{to}/api/v1/write");
    // Whether it was taken is seen by who asks for it.
    let _ = http.send("POST", &url, Version::V2.headers(), Version::V2.body(&series)).await;
    names
}

/// Pushes what the processes have logged, as of now.
pub async fn push_logs(cluster: &Cluster, one: &Yagura) {
    let read = |name: &String| std::fs::read_to_string(cluster.member(name).log()).unwrap_or_default();
    let mut logs = Vec::from_iter(cluster.names().iter().map(|name| ("cluster", name.clone(), read(name))));
    logs.push(("one", "one".to_owned(), one.process.log()));
    let mut streams = Vec::new();
    for (job, instance, text) in &logs {
        for line in text.lines() {
            let record: Value = serde_json::from_str(line).unwrap_or_default();
            let level = record["level"].as_str().unwrap_or("unknown").to_lowercase();
            let labels = [("instance", instance.as_str()), ("job", *job), ("level", level.as_str())];
            streams.push(LogStream::new(&labels, &[(now_ms() * 1_000_000, line)]));
        }
    }
    let answer = one.post(PUSH, PROTOBUF, push_protobuf(&streams)).await;
    assert_eq!(answer.status / 100, 2, "{}", answer.body);
}
