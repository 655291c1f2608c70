//! The same data gives the same answers in a cluster as in one process: while all is well, while an
//! ingester is down, and while blocks are flushed.

use futures::{StreamExt, stream};
use integration_tests::{
    Cluster, Http, Layout, LogStream, PROTOBUF, PUSH, Process, Random, Role, Settings, TimeSeries, Tool,
    Version, differences, form, free_port, now_ms, parse_scrape, push_protobuf, queries, tell, tool,
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::sleep;

/// Samples of each series, and milliseconds between them: as many as `queries.txt` looks back over.
const SAMPLES: i64 = 120;
const STEP: i64 = 2000;

/// Milliseconds that the lines of a file are apart.
const LINES_STEP: i64 = 290;

type Scrape = BTreeMap<BTreeMap<String, String>, f64>;

/// What real programs expose, twice, a little apart.
async fn scrapes(folder: &Path) -> Vec<(Scrape, Scrape)> {
    let (port, node) = (free_port(), free_port());
    let config = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs:\n  - job_name: prometheus\n    static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n"
    );
    let file = folder.join("prometheus.yml");
    fs::write(&file, config).unwrap();
    let mut prometheus = Command::new(tool(Tool::Prometheus));
    prometheus.arg(format!("--config.file={}", file.display()));
    prometheus.arg(format!("--storage.tsdb.path={}", folder.join("prometheus").display()));
    prometheus.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    let mut exporter = Command::new(tool(Tool::NodeExporter));
    exporter.arg(format!("--web.listen-address=127.0.0.1:{node}"));
    let _processes = [
        Process::start(prometheus, &folder.join("prometheus.log")),
        Process::start(exporter, &folder.join("exporter.log")),
    ];
    let http = Http::default();
    let mut found = Vec::new();
    for (job, port) in [("prometheus", port), ("node", node)] {
        let url = format!("http://127.0.0.1:{port}/metrics");
        let scrape = async || {
            let answer = http.get(&url).await.ok().filter(|answer| answer.status == 200)?;
            let named = |(mut labels, value): (BTreeMap<String, String>, f64)| {
                labels.insert("job".into(), job.into());
                labels.insert("instance".into(), format!("127.0.0.1:{port}"));
                (labels, value)
            };
            Some(Scrape::from_iter(parse_scrape(&answer.body).into_iter().map(named)))
        };
        let mut first = scrape().await;
        for _ in 0..300 {
            if first.is_some() {
                break;
            }
            sleep(Duration::from_millis(100)).await;
            first = scrape().await;
        }
        sleep(Duration::from_secs(2)).await;
        let mut last = scrape().await.unwrap();
        let up = [("__name__", "up"), ("job", job), ("instance", &format!("127.0.0.1:{port}"))];
        last.insert(up.map(|(n, v)| (n.to_owned(), v.to_owned())).into(), 1.0);
        found.push((first.unwrap_or_else(|| panic!("{url} does not answer")), last));
    }
    found
}

/// A history that ends before `end` and in which each series goes on as it went between two scrapes.
fn history(scrapes: &[(Scrape, Scrape)], end: i64) -> Vec<TimeSeries> {
    let mut all = Vec::new();
    for (number, (first, last)) in scrapes.iter().enumerate() {
        // No edge of a range falls on a sample.
        let offset = 137 + 274 * number as i64;
        for (labels, value) in last {
            let name = &labels["__name__"];
            let grown = value - first.get(labels).unwrap_or(value);
            // Some programs were started anew in the middle of it.
            let reset = name.len().is_multiple_of(7) && grown >= 0.0;
            let sample = |k: i64| {
                let steps = if reset && k >= SAMPLES / 2 { k - SAMPLES / 2 } else { k };
                (end - (SAMPLES - k) * STEP + offset, value + grown * steps as f64)
            };
            let labels: Vec<(&str, &str)> = labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            all.push(TimeSeries::new(&labels, &(0..SAMPLES).map(sample).collect::<Vec<_>>()));
        }
    }
    all
}

/// Real lines, the last ones shortly before `end`.
fn lines(folder: &Path, end: i64) -> Vec<LogStream> {
    let mut all = Vec::new();
    let mut files = Vec::from_iter(fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    files.retain(|file| file.extension().is_some_and(|e| e == "log"));
    files.sort();
    for (number, file) in files.iter().enumerate() {
        let app = file.file_stem().unwrap().to_string_lossy();
        let text = String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        let mut parts: BTreeMap<usize, Vec<(i64, &str)>> = BTreeMap::new();
        for (n, line) in lines.iter().enumerate() {
            // No two lines have one time, for then their order would be anybody's.
            let ms = end - (lines.len() - n) as i64 * LINES_STEP;
            parts.entry(n % 4).or_default().push((ms * 1_000_000 + number as i64 * 1001, line));
        }
        for (part, lines) in parts {
            let part = part.to_string();
            all.extend(
                lines.chunks(250).map(|lines| LogStream::new(&[("app", &app), ("part", &part)], lines)),
            );
        }
    }
    all
}

/// One question: a path, and whether its answer is of lines.
#[derive(Clone, Debug)]
struct Asked {
    path: String,
    kind: Kind,
}

impl Asked {
    fn with(&self, parameters: &str) -> Self {
        Self { path: format!("{}{parameters}", self.path), kind: self.kind }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Numbers,
    Lines,
    /// Lists of names, in no order.
    Names,
}

fn questions(end: i64, with_logs: bool) -> Vec<Asked> {
    let mut all = Vec::new();
    let seconds = |ms: i64| format!("{}.{:03}", ms / 1000, ms % 1000);
    let mut ask = |path: &str, fields: &[(&str, &str)], kind| {
        all.push(Asked { path: format!("{path}?{}", form(fields)), kind });
    };
    let mut numbers = |api: &str, expr: &str, range: bool, back: i64, step: &str| match range {
        true => ask(
            &format!("{api}/query_range"),
            &[("query", expr), ("start", &seconds(end - back)), ("end", &seconds(end)), ("step", step)],
            Kind::Numbers,
        ),
        false => ask(&format!("{api}/query"), &[("query", expr), ("time", &seconds(end))], Kind::Numbers),
    };
    for (expr, range) in queries(include_str!("../../queries.txt"), end - 20_000) {
        numbers("/api/v1", &expr, range, 70_000, "7");
    }
    let log_queries =
        if with_logs { queries(include_str!("../../log-queries.txt"), end) } else { Vec::new() };
    for (expr, range) in &log_queries {
        if !expr.starts_with("lines ") {
            numbers("/loki/api/v1", expr, *range, 300_000, "30");
        }
    }
    let (start, end) = (seconds(end - 600_000), seconds(end));
    for (expr, range) in &log_queries {
        if let Some(expr) = expr.strip_prefix("lines ") {
            // Of the two a query without a word before it stands for, one for each direction.
            let direction = if *range { "forward" } else { "backward" };
            let fields = [
                ("query", expr),
                ("start", &start),
                ("end", &end),
                ("limit", "700"),
                ("direction", direction),
            ];
            ask("/loki/api/v1/query_range", &fields, Kind::Lines);
        }
    }
    let times = [("start", start.as_str()), ("end", &end)];
    for path in ["/api/v1/labels", "/api/v1/label/job/values", "/api/v1/label/__name__/values"] {
        ask(path, &times, Kind::Names);
    }
    ask("/api/v1/series", &[times.as_slice(), &[("match[]", "{__name__=~\"go_.*\"}")]].concat(), Kind::Names);
    if with_logs {
        for path in ["/loki/api/v1/labels", "/loki/api/v1/label/app/values"] {
            ask(path, &times, Kind::Names);
        }
        ask(
            "/loki/api/v1/series",
            &[times.as_slice(), &[("match[]", "{app=~\"h.*\"}")]].concat(),
            Kind::Names,
        );
    }
    all
}

/// The `data` of an answer, or what came in its place.
async fn answer(http: &Http, base: &str, asked: &Asked) -> Result<Value, String> {
    let answer = http.get(&format!("{base}{}", asked.path)).await.map_err(|e| format!("{e:?}"))?;
    let mut body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let warned = body["warnings"].as_array().is_some_and(|warnings| !warnings.is_empty());
    match body.get_mut("data") {
        Some(data) if answer.status == 200 && !warned => Ok(data.take()),
        _ => Err(format!("{} {}", answer.status, answer.body.trim())),
    }
}

fn difference(kind: Kind, one: &Result<Value, String>, other: &Result<Value, String>) -> Option<String> {
    let (one, other) = match (one, other) {
        (Ok(one), Ok(other)) => (one, other),
        // What is an error in one process (a query for which labels do not match) is the same in a cluster.
        (Err(one), Err(other)) if one == other => return None,
        (one, other) => return Some(format!("{one:?} against {other:?}")),
    };
    match kind {
        Kind::Numbers => differences(one, other).into_iter().next(),
        Kind::Lines => {
            let (one, other) = (entries(one), entries(other));
            let first = one.iter().zip(&other).find(|(a, b)| a != b);
            (one != other).then(|| {
                format!("{} lines against {}, the first difference: {first:?}", one.len(), other.len())
            })
        }
        Kind::Names => {
            let (one, other) = (names(one), names(other));
            (one != other).then(|| format!("{} names against {}", one.len(), other.len()))
        }
    }
}

/// Time, labels and text of each line, sorted.
fn entries(data: &Value) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let streams = data["result"].as_array().into_iter().flatten();
    let lines = streams.flat_map(|stream| {
        let labels = BTreeMap::from_iter(stream["stream"].as_object().into_iter().flatten());
        let labels = format!("{labels:?}");
        let values = stream["values"].as_array().into_iter().flatten();
        values.map(move |value| (text(&value[0]), labels.clone(), text(&value[1])))
    });
    let mut lines = Vec::from_iter(lines);
    lines.sort();
    lines
}

fn names(data: &Value) -> Vec<String> {
    let one = |name: &Value| match name {
        Value::Object(labels) => format!("{:?}", BTreeMap::from_iter(labels)),
        other => other.to_string(),
    };
    let mut names = Vec::from_iter(data.as_array().into_iter().flatten().map(one));
    names.sort();
    names
}

/// What one process says, against which all others are held.
struct Reference {
    http: Http,
    answers: Vec<(Asked, Result<Value, String>)>,
}

impl Reference {
    /// Asks each question through one of the queriers, in another order each time.
    async fn compare(&self, bases: &[String], when: &str, random: &mut Random) {
        self.compare_with(bases, when, random, "").await;
    }

    /// As `compare`, of answers that are all computed anew.
    async fn compare_anew(&self, bases: &[String], when: &str, random: &mut Random) {
        self.compare_with(bases, when, random, "&nocache=1").await;
    }

    async fn compare_with(&self, bases: &[String], when: &str, random: &mut Random, parameters: &str) {
        let first = random.below(self.answers.len());
        let order = (0..self.answers.len()).map(|n| (first + n) % self.answers.len());
        let each = order.map(|n| async move {
            let (asked, expected) = &self.answers[n];
            let got = answer(&self.http, &bases[n % bases.len()], &asked.with(parameters)).await;
            let found = difference(asked.kind, expected, &got);
            found.map(|found| format!("{}\n    {found}", asked.path))
        });
        let found: Vec<_> = stream::iter(each).buffer_unordered(4).collect().await;
        let different = Vec::from_iter(found.into_iter().flatten());
        tell(&format!(
            "compare, {when}: {} of {} answers are those of one process",
            self.answers.len() - different.len(),
            self.answers.len()
        ));
        assert!(
            different.is_empty(),
            "{when}: {} answers differ from those of one process:\n{}",
            different.len(),
            different[..different.len().min(20)].join("\n")
        );
    }
}

async fn write(http: &Http, bases: &[String], series: &[TimeSeries], logs: &[LogStream]) {
    let push = async |path: &str, headers: &[(&str, &str)], body: Vec<u8>, n: usize| {
        let url = format!("{}{path}", bases[n % bases.len()]);
        let answer = http.send("POST", &url, headers, body).await.unwrap();
        assert_eq!(answer.status / 100, 2, "{url}: {}", answer.body);
    };
    for (n, series) in series.chunks(100).enumerate() {
        push("/api/v1/write", Version::V2.headers(), Version::V2.body(series), n).await;
    }
    for (n, streams) in logs.chunks(8).enumerate() {
        push(PUSH, PROTOBUF, push_protobuf(streams), n).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_gives_the_same_answers_as_one_process() {
    // First, for it waits until no other cluster runs.
    let spread = ["querier.small_query_bytes=0", "querier.split_interval=60s"];
    let mut cluster = Cluster::start(Layout::default().set(&spread)).await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/logs");
    let with_logs = folder.is_dir();
    if !with_logs {
        tell("skipped: real log lines are not at ../shared/data/logs; only PromQL is compared");
    }
    let settings = Settings::default();
    let single = settings.start().await;
    let end = now_ms() / 1000 * 1000 - 5000;
    let series = history(&scrapes(settings.folder()).await, end);
    let logs = if with_logs { lines(&folder, end) } else { Vec::new() };
    let http = Http::default();
    write(&http, &[single.base().to_owned()], &series, &logs).await;
    write(&http, &cluster.bases(Role::Distributor), &series, &logs).await;

    let mut answers = Vec::new();
    for asked in questions(end, with_logs) {
        let expected = answer(&http, single.base(), &asked).await;
        answers.push((asked, expected));
    }
    let empty = |(asked, answer): &&(Asked, Result<Value, String>)| {
        asked.kind == Kind::Numbers
            && answer.as_ref().is_ok_and(|a| a["result"].as_array().is_some_and(Vec::is_empty))
    };
    let empty = answers.iter().filter(empty).count();
    assert!(empty < answers.len() / 5, "{empty} of {} answers are empty, which shows nothing", answers.len());
    drop(single);
    let reference = Arc::new(Reference { http, answers });
    let (bases, mut random) = (cluster.bases(Role::Querier), Random::seeded(4));
    reference.compare(&bases, "all is well", &mut random).await;

    cluster.kill("ingester-1");
    reference.compare(&bases, "an ingester is down", &mut random).await;
    cluster.run(&["ingester-1"]).await;
    cluster.settled().await;

    // One flushes after the other, so that some of it is in blocks and in heads too, while it is asked for.
    let flushed = Arc::new(AtomicBool::new(false));
    let (until, asker, to) = (Arc::clone(&flushed), Arc::clone(&reference), bases.clone());
    let asking = tokio::spawn(async move {
        let mut random = Random::seeded(5);
        while !until.load(Ordering::SeqCst) {
            asker.compare(&to, "while blocks are flushed", &mut random).await;
        }
    });
    for name in cluster.of(Role::Ingester) {
        sleep(Duration::from_secs(1)).await;
        cluster.flush(&name).await;
    }
    flushed.store(true, Ordering::SeqCst);
    asking.await.unwrap();

    cluster.kill("ingester-2");
    reference.compare(&bases, "all is in blocks and an ingester is down", &mut random).await;

    // Until queriers have seen the newest list of blocks.
    for _ in 0..20 {
        reference.compare_anew(&bases, "queries are spread", &mut random).await;
        if remote_stretches(&reference.http, &bases).await > 100.0 {
            break;
        }
        sleep(Duration::from_secs(1)).await;
    }
    let spread = remote_stretches(&reference.http, &bases).await;
    tell(&format!("compare: {spread} pieces of queries were evaluated by other queriers"));
    assert!(spread > 100.0, "queries are not evaluated where their blocks are");

    // Whoever is asked then still takes it for alive.
    cluster.kill("querier-0");
    let left = [cluster.member("querier-1").base()];
    reference.compare_anew(&left, "a querier is dead", &mut random).await;
}

async fn remote_stretches(http: &Http, bases: &[String]) -> f64 {
    let mut sum = 0.0;
    for base in bases {
        let metrics = parse_scrape(&http.get(&format!("{base}/metrics")).await.unwrap().body);
        let name = ("__name__".to_owned(), "yagura_querier_remote_stretches_total".to_owned());
        sum += metrics[&BTreeMap::from([name])];
    }
    sum
}
