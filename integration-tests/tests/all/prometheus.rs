//! Beside a real Prometheus: it scrapes itself and a node_exporter, writes all of it to
//! Yagura, and then both are asked the same.

use integration_tests::{
    Http, Process, Query, Settings, Tool, differences, free_port, now_ms, queries, tool,
};
use std::{fs, path::Path, process::Command, time::Duration};

/// How long data is gathered before the questions.
const GATHER: Duration = Duration::from_secs(130);

struct Pair {
    prometheus: Query,
    yagura: Query,
}

fn start_node_exporter(folder: &Path, port: u16) -> Process {
    let mut command = Command::new(tool(Tool::NodeExporter));
    command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    // Collectors that talk to services of the machine, or say something else at each scrape.
    for collector in ["systemd", "timex", "ntp", "hwmon", "powersupplyclass", "rapl"] {
        command.arg(format!("--no-collector.{collector}"));
    }
    Process::start(command, &folder.join("node_exporter.log"))
}

fn start_prometheus(folder: &Path, port: u16, node: u16, write_to: &str) -> Process {
    let config = format!(
        "global:
  scrape_interval: 1s
  scrape_timeout: 1s
scrape_configs:
  - job_name: prometheus
    static_configs: [{{targets: ['127.0.0.1:{port}']}}]
  - job_name: node
    static_configs: [{{targets: ['127.0.0.1:{node}']}}]
remote_write:
  - url: {write_to}
    queue_config: {{batch_send_deadline: 500ms}}
"
    );
    let file = folder.join("prometheus.yml");
    fs::write(&file, config).unwrap();
    let mut command = Command::new(tool(Tool::Prometheus));
    command.current_dir(folder);
    command.arg(format!("--config.file={}", file.display()));
    command.arg(format!("--storage.tsdb.path={}", folder.join("prometheus").display()));
    command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    Process::start(command, &folder.join("prometheus.log"))
}

impl Pair {
    /// A time near `around` whose milliseconds lie as far as can be from those of all samples
    /// (both scrape once a second), so that no edge of a range falls on a sample: Prometheus 2
    /// counts one at the start of a range, Prometheus 3 and Yagura do not.
    async fn quiet_time(&self, around: i64) -> i64 {
        let scrapes = self.prometheus.series("up[90s]", around).await;
        let mut residues: Vec<i64> =
            scrapes.iter().flat_map(|s| &s.points).map(|p| p.0.rem_euclid(1000)).collect();
        residues.sort_unstable();
        residues.dedup();
        let next = residues.iter().skip(1).copied().chain([residues[0] + 1000]);
        let gaps = residues.iter().zip(next).map(|(&from, to)| (to - from, from));
        let (gap, from) = gaps.max().unwrap();
        assert!(gap >= 10, "samples fall on every part of a second: {residues:?}");
        around - around.rem_euclid(1000) + (from + gap / 2).rem_euclid(1000)
    }

    /// Waits until Yagura has every sample up to `time`.
    async fn caught_up(&self, time: i64) {
        let mut last = Vec::new();
        for _ in 0..120 {
            last.clear();
            for expr in ["count by (job) ({job=~\".+\"})", "{job=~\".+\"}[100s]"] {
                match (self.prometheus.instant(expr, time).await, self.yagura.instant(expr, time).await) {
                    (Ok(one), Ok(other)) => last.extend(differences(&one, &other)),
                    (one, other) => last.push(format!("{expr}: {one:?} against {other:?}")),
                }
            }
            if last.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        panic!("after a minute Yagura does not have what Prometheus has:\n{}", last.join("\n"));
    }

    /// What differs in the answers to one query, at `end` and over the minute before.
    async fn compare(&self, expr: &str, range: bool, end: i64) -> Option<String> {
        let start = end - 60_000;
        let (one, other) = if range {
            let step = 7000;
            (
                self.prometheus.range(expr, start, end, step).await,
                self.yagura.range(expr, start, end, step).await,
            )
        } else {
            (self.prometheus.instant(expr, end).await, self.yagura.instant(expr, end).await)
        };
        let kind = if range { "range" } else { "instant" };
        match (one, other) {
            (Ok(one), Ok(other)) => {
                let found = differences(&one, &other);
                let first = found.first()?;
                Some(format!("{kind} {expr}\n    {} differences, the first: {first}", found.len()))
            }
            (one, other) => {
                let shown = |r: Result<_, integration_tests::Answer>| match r {
                    Ok(_) => "an answer".to_owned(),
                    Err(answer) => format!("{} {}", answer.status, answer.body.trim()),
                };
                Some(format!("{kind} {expr}\n    Prometheus: {}\n    Yagura: {}", shown(one), shown(other)))
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_data_gives_the_same_answers() {
    let settings = Settings::default();
    let yagura = settings.start().await;
    let (port, node) = (free_port(), free_port());
    let _node_exporter = start_node_exporter(settings.folder(), node);
    let mut process = start_prometheus(settings.folder(), port, node, &yagura.url("/api/v1/write"));
    let base = format!("http://127.0.0.1:{port}");
    let pair = Pair { prometheus: Query::new(Http::default(), &base), yagura: yagura.query() };

    tokio::time::sleep(GATHER).await;
    assert!(process.has_ended().is_none(), "prometheus ended:\n{}", process.log());
    // A little in the past: what was scraped since is still on its way.
    let end = pair.quiet_time(now_ms() - 5000).await;
    pair.caught_up(end).await;

    let queries = queries(include_str!("../../queries.txt"), end - 20_000);
    let mut different = Vec::new();
    for (expr, range) in &queries {
        different.extend(pair.compare(expr, *range, end).await);
    }
    println!("{} of {} queries gave the same answer", queries.len() - different.len(), queries.len());
    assert!(queries.len() >= 40, "{} queries are too few", queries.len());
    assert!(
        different.is_empty(),
        "answers that differ (Prometheus against Yagura):\n{}",
        different.join("\n")
    );
}
