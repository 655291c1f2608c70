//! Blocks that a real Prometheus has made are imported, and then both are asked the same.

use integration_tests::{
    Http, Message, Process, Query, S3, Settings, Tool, Version, Yagura, differences, free_port, now_ms,
    queries, snappy, tool,
};
use serde_json::Value;
use std::{
    fmt::Write,
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// 2023-11-14T00:00:00Z.
const START: i64 = 1_699_920_000_000;
const STEP: i64 = 60_000;
const SAMPLES: i64 = 3 * 24 * 60;
/// Between two samples, so that no edge of a range falls on one: of that, versions differ.
const OFF: i64 = 13_000;

/// What is asked at a time `$T`, in seconds.
const QUERIES: &str = r#"
requests_total
{__name__=~"requests_total|temperature_celsius", zone="b"}
rate(requests_total[5m])
increase(requests_total[1h])
sum by (zone) (rate(requests_total[10m]))
topk(2, temperature_celsius)
avg_over_time(temperature_celsius[2h])
max_over_time(temperature_celsius[1d])
quantile_over_time(0.9, temperature_celsius[6h])
count(requests_total) by (zone)
histogram_quantile(0.9, sum by (le) (rate(latency_seconds_bucket[15m])))
requests_total offset 1d
requests_total @ $T
absent(nothing)
stddev by (zone) (temperature_celsius)
deriv(temperature_celsius[30m])
resets(requests_total[1d])
changes(up[2h])
up{zone!~"a|c"}
label_replace(up, "place", "$1", "zone", "(.*)")
"#;

struct Prometheus {
    process: Process,
    base: String,
    data: PathBuf,
}

impl Prometheus {
    /// Serves what is in `data`.
    async fn start(folder: &Path, data: &Path) -> Self {
        let config = folder.join("prometheus.yml");
        fs::write(&config, "global: {scrape_interval: 1h}\n").unwrap();
        let port = free_port();
        let mut command = Command::new(tool(Tool::Prometheus));
        command.current_dir(folder);
        command.arg(format!("--config.file={}", config.display()));
        command.arg(format!("--storage.tsdb.path={}", data.display()));
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        command.args(["--storage.tsdb.retention.time=100y", "--web.enable-admin-api"]);
        command.args(["--web.enable-remote-write-receiver", "--enable-feature=native-histograms"]);
        let process = Process::start(command, &folder.join("prometheus.log"));
        let base = format!("http://127.0.0.1:{port}");
        for _ in 0..600 {
            if Http::default().get(&format!("{base}/-/ready")).await.is_ok_and(|a| a.status == 200) {
                return Self { process, base, data: data.to_owned() };
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("prometheus was not ready within half a minute:\n{}", process.log());
    }

    fn query(&self) -> Query {
        Query::new(Http::default(), &self.base)
    }

    /// Has all that is in memory written as a block; gives the folder that holds it.
    async fn snapshot(&self) -> PathBuf {
        let url = format!("{}/api/v1/admin/tsdb/snapshot", self.base);
        let answer = Http::default().send("POST", &url, &[], Vec::new()).await.unwrap();
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        self.data.join("snapshots").join(body["data"]["name"].as_str().unwrap())
    }
}

/// Three days of counters that restart, gauges, a classic histogram, and series that come and go; not in the
/// order of time, for `promtool` does not want that either.
fn text() -> String {
    let mut text = String::from("# TYPE requests counter\n# HELP requests Those that \"came\".\n");
    for (zone, number) in [("a", 1), ("b", 2), ("c", 3)] {
        for k in 0..SAMPLES {
            let seconds = (START + k * STEP) / 1000;
            let value = (k * number) % 1_000;
            writeln!(text, "requests_total{{zone=\"{zone}\"}} {value} {seconds}").unwrap();
            let celsius = 20.0 + number as f64 * (k as f64 / 100.0).sin();
            writeln!(text, "temperature_celsius{{zone=\"{zone}\"}} {celsius} {seconds}.5").unwrap();
            if k / 200 % 2 == number % 2 {
                writeln!(text, "up{{zone=\"{zone}\"}} {} {seconds}", k % 7 / 6).unwrap();
            }
            for (at, le) in ["0.1", "1.0", "+Inf"].iter().enumerate() {
                let value = k * number * (at as i64 + 1);
                writeln!(text, "latency_seconds_bucket{{zone=\"{zone}\",le=\"{le}\"}} {value} {seconds}")
                    .unwrap();
            }
        }
    }
    text + "# EOF\n"
}

/// Has promtool make blocks of a text.
fn create_blocks(file: &Path, blocks: &Path) {
    let mut command = Command::new(tool(Tool::Promtool));
    let made =
        command.args(["tsdb", "create-blocks-from", "openmetrics"]).args([file, blocks]).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// What differs in the answers to the queries, each at and before a time.
async fn differing(prometheus: &Prometheus, yagura: &Yagura, time: i64) -> Vec<String> {
    let (mut different, mut empty) = (Vec::new(), 0);
    for (expr, range) in queries(QUERIES, time) {
        let (one, other) = if range {
            let from = time - 20 * 3_600_000;
            (
                prometheus.query().range(&expr, from, time, 420_000).await.unwrap(),
                yagura.query().range(&expr, from, time, 420_000).await.unwrap(),
            )
        } else {
            (
                prometheus.query().instant(&expr, time).await.unwrap(),
                yagura.query().instant(&expr, time).await.unwrap(),
            )
        };
        let found = differences(&one, &other);
        different.extend(found.first().map(|first| format!("{expr} (range: {range}): {first}")));
        empty += u32::from(one["result"].as_array().unwrap().is_empty());
    }
    // Of one zone there may be nothing at a time, nor of the day before.
    assert!(empty <= 2, "{empty} answers are empty at {time}");
    different
}

/// What both say of labels and series.
async fn labels_differ(prometheus: &Prometheus, yagura: &Yagura) -> Vec<String> {
    let range = format!("start={}&end={}", START / 1000, (START + SAMPLES * STEP) / 1000);
    let (mut different, http) = (Vec::new(), Http::default());
    for path in
        ["labels?", "label/zone/values?", "label/__name__/values?match[]=up&", "series?match[]={zone=\"b\"}&"]
    {
        let path = format!("/api/v1/{path}{range}");
        let mut answers = Vec::new();
        for base in [&prometheus.base, yagura.base()] {
            let answer = http.get(&format!("{base}{path}")).await.unwrap();
            let mut body: Value = serde_json::from_str(&answer.body).unwrap();
            let mut found: Vec<String> =
                body["data"].take().as_array().unwrap().iter().map(Value::to_string).collect();
            found.sort();
            answers.push(found);
        }
        if answers[0] != answers[1] || answers[0].is_empty() {
            different.push(format!("{path}: {answers:?}"));
        }
    }
    different
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocks_of_prometheus_give_the_same_answers_here() {
    let settings = Settings::default();
    let (file, blocks) = (settings.folder().join("text"), settings.folder().join("blocks"));
    fs::write(&file, text()).unwrap();
    create_blocks(&file, &blocks);
    let from = blocks.display().to_string();
    let said = settings.bucket_prints(&["import", "--tenant", "anonymous", &from]);
    assert!(said.lines().count() > 10 && said.lines().all(|line| line.contains(" samples in ")), "{said}");
    let again = settings.bucket_prints(&["import", "--tenant", "anonymous", &from]);
    assert!(again.lines().all(|line| line.contains("it has been imported before")), "{again}");
    let verified = settings.bucket_prints(&["verify"]);
    assert!(verified.contains("0 damaged; 0 objects"), "{verified}");

    // The same text is the same data by the other way.
    let other = Settings::default();
    let file = file.display().to_string();
    let said = other.bucket_prints(&["backfill", "--tenant", "anonymous", &file]);
    assert!(said.contains(": 4 blocks") || said.contains(": 3 blocks"), "{said}");

    let prometheus = Prometheus::start(settings.folder(), &blocks).await;
    for settings in [settings, other] {
        let yagura = settings.start().await;
        let mut different = labels_differ(&prometheus, &yagura).await;
        for k in [SAMPLES / 2, SAMPLES - 1, 24 * 60 + 1] {
            different.extend(differing(&prometheus, &yagura, START + k * STEP + OFF).await);
        }
        assert!(different.is_empty(), "Prometheus against Yagura:\n{}", different.join("\n"));
    }
    drop(prometheus.process);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn blocks_in_s3_are_imported_into_s3() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("metrics")).unwrap();
    let s3 = S3::start(root.path(), Ipv4Addr::LOCALHOST.into()).await;
    let set = s3.settings("metrics/ours");
    let settings = Settings::new(&set.iter().map(String::as_str).collect::<Vec<_>>());
    let file = settings.folder().join("text");
    fs::write(&file, "m{a=\"1\"} 1 1700000000\nm{a=\"1\"} 2 1700100000\n# EOF\n").unwrap();
    let blocks = root.path().join("metrics/theirs/tenant-7");
    fs::create_dir_all(&blocks).unwrap();
    create_blocks(&file, &blocks);
    let refused = settings.bucket(&["import", "--tenant", "a", "s3://metrics/theirs"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("in its folders tenant-7: name one of them"), "{said}");
    let said = settings.bucket_prints(&["import", "--tenant", "a", "s3://metrics/theirs/tenant-7"]);
    assert!(said.lines().count() == 2 && said.contains("1 sample in 1 block"), "{said}");
    assert!(settings.bucket_prints(&["verify"]).contains("2 blocks"));
    assert!(root.path().join("metrics/ours/a/metrics/manifest").is_dir());
}

fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

fn span(offset: i64, length: u64) -> Message {
    Message::default().varint(1, zigzag(offset)).varint(2, length)
}

/// prometheus.Histogram with integer counts: of so many observations, in more buckets as time goes by.
fn integers(k: i64, time: i64) -> Message {
    // It restarts in the middle.
    let n = (k % 20 + 1) as u64;
    let (buckets, stale) = (if k % 20 < 8 { 2 } else { 3 }, k == 39);
    let deltas = (0..buckets).map(|at| zigzag(if at == 0 { n as i64 } else { 1 }));
    let positive: u64 = (0..buckets).map(|at| n + at).sum();
    let sum = if stale { f64::from_bits(0x7ff0_0000_0000_0002) } else { n as f64 * 1.5 };
    Message::default()
        .varint(1, positive + n + 2 * n)
        .double(3, sum)
        .varint(4, zigzag(1))
        .double(5, 0.001)
        .varint(6, n)
        .message(8, &span(1, 1))
        .packed(9, [zigzag(2 * n as i64)])
        .message(11, &span(-1, buckets))
        .packed(12, deltas)
        .varint(15, time as u64)
}

/// The same with float counts, as recording rules make them.
fn floats(k: i64, time: i64) -> Message {
    let n = k as f64 + 0.5;
    let counts: Vec<u8> = [n, n * 2.0].iter().flat_map(|count| count.to_le_bytes()).collect();
    Message::default()
        .double(2, n * 3.0)
        .double(3, n / 3.0)
        .varint(4, zigzag(0))
        .double(5, 0.0)
        .double(7, 0.0)
        .message(11, &span(2, 2))
        .bytes(13, &counts)
        .varint(14, if k > 20 { 3 } else { 0 })
        .varint(15, time as u64)
}

/// prometheus.WriteRequest with a series of each kind, and one of floats beside them.
fn histograms(start: i64) -> Vec<u8> {
    let mut request = Message::default();
    let name = |name: &str| {
        Message::default().message(1, &Message::default().bytes(1, b"__name__").bytes(2, name.as_bytes()))
    };
    type Make = fn(i64, i64) -> Message;
    for (series, make) in [("native_seconds", integers as Make), ("native_floats", floats)] {
        let body = (0..40).fold(name(series), |body, k| body.message(4, &make(k, start + k * 15_000)));
        request = request.message(1, &body);
    }
    let float = |k: i64| Message::default().double(1, k as f64).varint(2, (start + k * 15_000) as u64);
    let body = (0..40).fold(name("plain"), |body, k| body.message(2, &float(k)));
    snappy(&request.message(1, &body).0)
}

/// The series of an instant query as they are, in some order.
async fn raw(query: &Query, expr: &str, time: i64) -> Vec<String> {
    let mut data = query.instant(expr, time).await.unwrap();
    let mut found: Vec<String> =
        data["result"].take().as_array().unwrap().iter().map(Value::to_string).collect();
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_with_native_histograms_gives_the_same_answers_here() {
    let settings = Settings::default();
    let prometheus = Prometheus::start(settings.folder(), &settings.folder().join("prometheus")).await;
    let start = now_ms() / 60_000 * 60_000 - 3_600_000;
    let url = format!("{}/api/v1/write", prometheus.base);
    let written = Http::default().send("POST", &url, Version::V1.headers(), histograms(start)).await.unwrap();
    assert_eq!(written.status / 100, 2, "{}", written.body);
    let snapshot = prometheus.snapshot().await.display().to_string();
    let said = settings.bucket_prints(&["import", "--tenant", "anonymous", &snapshot]);
    assert!(said.contains("3 series, 120 samples"), "{said}");
    let verified = settings.bucket_prints(&["verify"]);
    assert!(verified.contains("0 damaged"), "{verified}");
    let yagura = settings.start().await;
    let mut different = Vec::new();
    for k in [0, 7, 8, 19, 20, 30, 38, 39] {
        let time = start + k * 15_000 + 4_000;
        for expr in [
            "native_seconds",
            "native_floats",
            "plain",
            "histogram_count(native_seconds)",
            "histogram_sum(native_floats)",
        ] {
            let (one, other) =
                (raw(&prometheus.query(), expr, time).await, raw(&yagura.query(), expr, time).await);
            // The last of the one is a stale marker.
            let gone = k == 39 && expr.contains("native_seconds");
            if one != other || one.is_empty() != gone {
                different.push(format!("{expr} at sample {k}:\n  {one:?}\n  {other:?}"));
            }
        }
    }
    assert!(different.is_empty(), "Prometheus against Yagura:\n{}", different.join("\n"));
}
