//! A real etcd of one node, which can be taken away and come back as it was, empty or older.

use crate::{
    http::Http,
    process::{Process, lasting_port},
    tools::{Tool, tool},
};
use std::{
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use tokio::time::sleep;

#[derive(Debug)]
pub struct Etcd {
    folder: PathBuf,
    client: String,
    peer: String,
    process: Option<Process>,
}

impl Etcd {
    /// Starts etcd with its data in `folder`, which is made.
    pub async fn start(folder: &Path, ip: IpAddr) -> Self {
        fs::create_dir_all(folder).unwrap();
        let url = || format!("http://{ip}:{}", lasting_port(ip));
        let (client, peer) = (url(), url());
        let mut etcd = Self { folder: folder.to_owned(), client, peer, process: None };
        etcd.come_back().await;
        etcd
    }

    pub fn url(&self) -> &str {
        &self.client
    }

    /// SIGKILL.
    pub fn go_away(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Starts it where it was, with what is in its folder, and waits until it serves.
    pub async fn come_back(&mut self) {
        let mut command = Command::new(tool(Tool::Etcd));
        command.args(["--name", "one", "--log-level", "warn"]);
        command.arg("--data-dir").arg(self.data());
        command.args(["--listen-client-urls", &self.client, "--advertise-client-urls", &self.client]);
        command.args(["--listen-peer-urls", &self.peer, "--initial-advertise-peer-urls", &self.peer]);
        command.args(["--initial-cluster", &format!("one={}", self.peer)]);
        let mut process = Process::start(command, &self.folder.join("log"));
        let (http, url) = (Http::default(), format!("{}/health", self.client));
        for _ in 0..1500 {
            if let Some(status) = process.has_ended() {
                panic!("etcd ended with {status}:\n{}", process.log());
            }
            if http.get(&url).await.is_ok_and(|answer| answer.body.contains("true")) {
                self.process = Some(process);
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
        panic!("etcd did not serve within 30 s:\n{}", process.log());
    }

    /// Kills it and takes all its data.
    pub fn erase(&mut self) {
        self.go_away();
        fs::remove_dir_all(self.data()).unwrap();
    }

    /// What it holds now, as a file.
    pub fn snapshot(&self) -> PathBuf {
        let file = self.folder.join("snapshot");
        let _ = fs::remove_file(&file);
        self.control(&["snapshot", "save", &file.display().to_string()]);
        file
    }

    /// Kills it and puts what a snapshot holds in the place of its data, as an operator would.
    pub fn restore(&mut self, snapshot: &Path) {
        self.erase();
        let (snapshot, data) = (snapshot.display().to_string(), self.data().display().to_string());
        let cluster = format!("one={}", self.peer);
        let place = ["--initial-cluster", &cluster, "--initial-advertise-peer-urls", &self.peer];
        let restore = ["snapshot", "restore", &snapshot, "--name", "one", "--data-dir", &data];
        self.control(&[restore.as_slice(), &place].concat());
    }

    pub fn cpu_seconds(&self) -> f64 {
        self.process.as_ref().map_or(0.0, Process::cpu_seconds)
    }

    pub fn keys(&self) -> Vec<String> {
        let text = self.control(&["get", "", "--prefix", "--keys-only"]);
        text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    pub fn put(&self, key: &str, value: &str) {
        self.control(&["put", key, value]);
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn control(&self, args: &[&str]) -> String {
        let mut command = Command::new(tool(Tool::Etcdctl));
        command.env("ETCDCTL_API", "3").args(["--endpoints", &self.client]).args(args);
        let output = command.output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "etcdctl {args:?}: {error}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}
