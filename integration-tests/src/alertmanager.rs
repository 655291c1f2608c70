//! A real Alertmanager, and the receiver of what it tells.

use crate::{Http, Process, Tool, lasting_port, tool};
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::{
    convert::Infallible,
    fs,
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{net::TcpListener, task::JoinHandle};

/// One that knows of no others.
#[derive(Debug)]
pub struct Alertmanager {
    folder: PathBuf,
    port: u16,
    process: Process,
}

impl Alertmanager {
    /// Has it tell `hook` of alerts in groups by `group_by`, a second after they come, and of nothing twice.
    pub async fn start(folder: &Path, group_by: &str, hook: &str) -> Self {
        fs::create_dir_all(folder).unwrap();
        let config = format!(
            "route:
  receiver: hook
  group_by: [{group_by}]
  group_wait: 1s
  group_interval: 1s
  repeat_interval: 1h
receivers:
  - name: hook
    webhook_configs: [{{url: '{hook}', send_resolved: true}}]
"
        );
        fs::write(folder.join("alertmanager.yml"), config).unwrap();
        let port = lasting_port(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let process = launch(folder, port);
        let alertmanager = Self { folder: folder.to_owned(), port, process };
        alertmanager.ready().await;
        alertmanager
    }

    /// `http://host:port`.
    pub fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again where it was.
    pub async fn restart(&mut self) {
        self.process = launch(&self.folder, self.port);
        self.ready().await;
    }

    /// The alerts that it has.
    pub async fn alerts(&self) -> Vec<Value> {
        let answer = Http::default().get(&format!("{}/api/v2/alerts", self.base())).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }

    async fn ready(&self) {
        let (http, url) = (Http::default(), format!("{}/-/ready", self.base()));
        for _ in 0..600 {
            if http.get(&url).await.is_ok_and(|answer| answer.status == 200) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("Alertmanager is not ready; its log:\n{}", self.process.log());
    }
}

fn launch(folder: &Path, port: u16) -> Process {
    let mut command = program(&tool(Tool::Alertmanager));
    command.current_dir(folder);
    command.arg(format!("--config.file={}", folder.join("alertmanager.yml").display()));
    command.arg(format!("--storage.path={}", folder.join("data").display()));
    command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    command.arg("--cluster.listen-address=");
    Process::start(command, &folder.join("alertmanager.log"))
}

/// Debian's Alertmanager reads its templates below `/usr/share`. If it was only unpacked, it gets a view of the file
/// system in which that folder is the one beside it.
fn program(path: &Path) -> Command {
    const TEMPLATES: &str = "prometheus/alertmanager/default.tmpl";
    let share = path.ancestors().nth(2).map(|root| root.join("share")).unwrap_or_default();
    if Path::new("/usr/share").join(TEMPLATES).exists() || !share.join(TEMPLATES).exists() {
        return Command::new(path);
    }
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c"]);
    command
        .arg("mount --bind \"$0\" /usr/share && exec \"$@\"")
        .arg(fs::canonicalize(share).unwrap())
        .arg(path);
    command
}

/// One notification: a group's alerts.
#[derive(Clone, Debug)]
pub struct Notified {
    /// What comes behind the address in the URL: who has told it.
    pub path: String,
    pub group: Value,
    pub alerts: Vec<Value>,
}

/// Keeps the notifications that Alertmanagers send to it.
#[derive(Debug)]
pub struct Webhook {
    port: u16,
    notified: Arc<Mutex<Vec<Notified>>>,
    server: JoinHandle<()>,
}

impl Webhook {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let notified = Arc::new(Mutex::new(Vec::new()));
        let server = tokio::spawn(serve(listener, notified.clone()));
        Self { port, notified, server }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub fn notified(&self) -> Vec<Notified> {
        self.notified.lock().unwrap().clone()
    }

    /// Waits until what was told is as it should be.
    pub async fn until(&self, what: &str, within: Duration, holds: impl Fn(&[Notified]) -> bool) {
        for _ in 0..within.as_millis() / 50 {
            if holds(&self.notified()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("not within {within:?}: {what}; notified: {:#?}", self.notified());
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, notified: Arc<Mutex<Vec<Notified>>>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let notified = notified.clone();
        let service = service_fn(move |request| take(request, notified.clone()));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn take(
    request: Request<Incoming>,
    notified: Arc<Mutex<Vec<Notified>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    if let Ok(body) = request.into_body().collect().await {
        let told: Value = serde_json::from_slice(&body.to_bytes()).unwrap();
        let alerts = told["alerts"].as_array().unwrap().clone();
        notified.lock().unwrap().push(Notified { path, group: told["groupLabels"].clone(), alerts });
    }
    Ok(Response::new(Full::default()))
}
