//! Yagura as people run it: the binary, on a folder, reached over HTTP.

use crate::{
    http::{Answer, Http},
    loki::LogQuery,
    process::Process,
    query::Query,
    remote_write::{TimeSeries, Version},
};
use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Output},
    time::Duration,
};
use tempfile::TempDir;

/// Settings (`--set`) and the folder that one or more runs share.
#[derive(Debug)]
pub struct Settings {
    folder: TempDir,
    data_dir: PathBuf,
    set: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self::new(&[])
    }
}

impl Settings {
    /// A new folder, and settings `section.key=value` over those that tests need.
    pub fn new(set: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().join("data");
        let set = set.iter().map(|s| (*s).to_owned()).collect();
        Self { folder, data_dir, set }
    }

    pub fn with_data_dir(mut self, path: &Path) -> Self {
        self.data_dir = path.to_owned();
        self
    }

    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The command that runs Yagura with these settings on a port of its choice.
    pub fn command(&self) -> Command {
        let mut command = Command::new(binary());
        command.current_dir(self.folder()).env_clear();
        command.args(["--set", &format!("data_dir={}", self.data_dir.display())]);
        command.args(["--set", "http.listen=127.0.0.1:0", "--set", "log.format=json"]);
        for setting in &self.set {
            command.args(["--set", setting]);
        }
        command
    }

    /// Runs `yagura bucket` with these words and waits for its end.
    pub fn bucket(&self, words: &[&str]) -> Output {
        self.command().arg("bucket").args(words).output().unwrap()
    }

    /// As `bucket`, for a command that must succeed; gives what it prints.
    pub fn bucket_prints(&self, words: &[&str]) -> String {
        let output = self.bucket(words);
        let (out, errors) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "yagura bucket {words:?}: {}\n{out}{errors}", output.status);
        out.into_owned()
    }

    /// Runs Yagura and waits until it is ready.
    pub async fn start(&self) -> Yagura {
        let log = self.folder().join("log");
        let before = std::fs::metadata(&log).map_or(0, |m| m.len() as usize);
        let mut process = Process::start(self.command(), &log);
        let http = Http::default();
        for _ in 0..3000 {
            let text = process.log();
            let new = &text[before.min(text.len())..];
            if let Some(status) = process.has_ended() {
                panic!("yagura ended with {status}:\n{new}");
            }
            if let Some(address) = address(new)
                && http.get(&format!("http://{address}/ready")).await.is_ok_and(|a| a.status == 200)
            {
                return Yagura { process, http, base: format!("http://{address}") };
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("yagura was not ready within a minute:\n{}", process.log());
    }
}

/// The address in the log line that says where Yagura listens.
fn address(log: &str) -> Option<&str> {
    let line = log.lines().find(|l| l.contains("\"message\":\"listening\""))?;
    let (_, rest) = line.split_once("\"address\":\"")?;
    rest.split_once('"').map(|(address, _)| address)
}

/// The binary under test: built by cargo beside the tests, or named by `YAGURA_BIN`.
pub fn binary() -> PathBuf {
    if let Some(path) = env::var_os("YAGURA_BIN") {
        return path.into();
    }
    let test = env::current_exe().unwrap();
    let path = test.parent().and_then(Path::parent).unwrap().join("yagura");
    assert!(path.exists(), "{} is missing: run `cargo build -p yagura` first", path.display());
    path
}

/// A running Yagura.
#[derive(Debug)]
pub struct Yagura {
    pub process: Process,
    pub http: Http,
    base: String,
}

impl Yagura {
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The address, without a path.
    pub fn base(&self) -> &str {
        &self.base
    }

    pub fn logs(&self) -> LogQuery {
        LogQuery::new(self.http.clone(), &self.base)
    }

    pub fn query(&self) -> Query {
        Query::new(self.http.clone(), &self.base)
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.http.get(&self.url(path)).await.unwrap()
    }

    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        self.http.send("POST", &self.url(path), headers, body).await.unwrap()
    }

    /// Remote-writes the series.
    pub async fn write(&self, version: Version, series: &[TimeSeries]) -> Answer {
        self.post("/api/v1/write", version.headers(), version.body(series)).await
    }

    /// SIGTERM, then the end of the process.
    pub async fn stop(mut self) -> ExitStatus {
        self.process.signal("TERM");
        self.process.ended(Duration::from_secs(40)).await
    }
}
