//! What a cluster's work costs beside that of one process: CPU seconds of all of them, from `/proc`.
//!
//! `make cost` runs it with release builds of Yagura and of the load generator; the figures are in
//! `docs/benchmarks.md`.

use integration_tests::{Cluster, Layout, Role, S3, Settings, tell};
use serde_json::Value;
use std::{env, fs, path::PathBuf, process::Command, time::Duration};
use tokio::{task::spawn_blocking, time::sleep};

/// Times what one process takes: a cluster of replication 3 writes everything three times, and sends it
/// four times.
const AT_MOST: f64 = 4.0;

const ROUNDS: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Load {
    Metrics,
    Logs,
}

impl Load {
    /// Units in which its cost is told.
    fn unit(self) -> &'static str {
        match self {
            Self::Metrics => "samples",
            Self::Logs => "lines",
        }
    }

    /// Runs the load generator against a server. How much it sent.
    async fn send(self, base: &str) -> f64 {
        let mut command = Command::new(env::var_os("YARDSTICK").expect("YARDSTICK names the load generator"));
        match self {
            Self::Metrics => {
                command.args(["metrics-write", "--hosts", "100", "--scrapes", "60"]);
                command.arg("--url").arg(format!("{base}/api/v1/write"));
            }
            Self::Logs => {
                command.args(["logs-write", "--megabytes", "500"]);
                command.arg("--url").arg(format!("{base}/loki/api/v1/push"));
                for file in log_files() {
                    command.arg("--file").arg(file);
                }
            }
        }
        let output = spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
        let said: Value = serde_json::from_str(&said).unwrap_or_else(|e| panic!("{e}: {said}"));
        said[self.unit()].as_f64().unwrap_or_else(|| panic!("no {} in {said}", self.unit()))
    }
}

fn log_files() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/logs");
    let mut files = Vec::from_iter(fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()));
    files.retain(|file| file.extension().is_some_and(|extension| extension == "log"));
    files.sort();
    files
}

/// CPU seconds.
#[derive(Clone, Copy, Debug, Default)]
struct Used {
    writing: f64,
    flushing: f64,
    /// Of `writing`, by etcd.
    etcd: f64,
}

async fn one_process(load: Load) -> (Used, f64) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("bucket")).unwrap();
    let s3 = S3::start(folder.path(), [127, 0, 0, 1].into()).await;
    let settings = Settings::new(&Vec::from_iter(s3.settings("bucket").iter().map(String::as_str)));
    let yagura = settings.start().await;
    let cpu = || yagura.process.cpu_seconds();
    let start = cpu();
    let sent = load.send(yagura.base()).await;
    sleep(Duration::from_secs(2)).await;
    let written = cpu();
    assert_eq!(yagura.post("/flush", &[], Vec::new()).await.status / 100, 2);
    (Used { writing: written - start, flushing: cpu() - written, etcd: 0.0 }, sent)
}

async fn cluster(load: Load) -> (Used, f64) {
    let cluster = Cluster::start(Layout::default()).await;
    let cpu = || cluster.cpu_seconds() + cluster.etcd.cpu_seconds();
    let (start, etcd) = (cpu(), cluster.etcd.cpu_seconds());
    let sent = load.send(&cluster.bases(Role::Distributor)[0]).await;
    sleep(Duration::from_secs(2)).await;
    let (written, etcd) = (cpu(), cluster.etcd.cpu_seconds() - etcd);
    cluster.flush_all().await;
    (Used { writing: written - start, flushing: cpu() - written, etcd }, sent)
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

async fn compare(load: Load) {
    let (mut writing, mut flushing) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (one, sent) = one_process(load).await;
        let (all, same) = cluster(load).await;
        assert_eq!(sent, same);
        let unit = load.unit();
        tell(&format!(
            "{sent} {unit}: one process {:.2} s ({:.0} {unit} a CPU second) and {:.2} s to flush; the cluster {:.2} s, \
             of which etcd {:.2} s, and {:.2} s to flush: {:.2} times, {:.2} times with the flush",
            one.writing,
            sent / one.writing,
            one.flushing,
            all.writing,
            all.etcd,
            all.flushing,
            all.writing / one.writing,
            (all.writing + all.flushing) / (one.writing + one.flushing),
        ));
        writing.push(all.writing / one.writing);
        flushing.push((all.writing + all.flushing) / (one.writing + one.flushing));
    }
    let most = median(writing).max(median(flushing));
    assert!(most <= AT_MOST, "a cluster takes {most:.2} times the CPU of one process, not {AT_MOST} at most");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn samples_cost_no_more_than_four_times_as_much_in_a_cluster() {
    compare(Load::Metrics).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_cost_no_more_than_four_times_as_much_in_a_cluster() {
    compare(Load::Logs).await;
}
