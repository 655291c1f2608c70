//! A real etcd, where there is one.

use super::{kv::conforms, support::TestClock};
use crate::*;
use std::{
    env,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

fn find_etcd() -> Option<PathBuf> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/root/usr/bin");
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders = [tools].into_iter().chain(env::split_paths(&path));
    folders.find_map(|folder| Some(folder.join("etcd")).filter(|file| file.is_file()))
}

struct Server {
    child: Child,
    url: String,
    args: Vec<String>,
    binary: PathBuf,
}

impl Server {
    async fn start(binary: PathBuf, folder: &Path) -> Self {
        // Both are held until both are known, so that they differ.
        let ports = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [url, peer] = ports.each_ref().map(|port| format!("http://{}", port.local_addr().unwrap()));
        drop(ports);
        let folder = folder.display().to_string();
        let args = [
            ("name", "e"),
            ("data-dir", &folder),
            ("listen-client-urls", &url),
            ("advertise-client-urls", &url),
            ("listen-peer-urls", &peer),
            ("initial-advertise-peer-urls", &peer),
            ("initial-cluster", &format!("e={peer}")),
        ];
        let args: Vec<_> = args.iter().map(|(key, value)| format!("--{key}={value}")).collect();
        let child = Self::spawn(&binary, &args);
        Self { child, url, args, binary }
    }

    fn spawn(binary: &Path, args: &[String]) -> Child {
        let mut command = Command::new(binary);
        command.args(args).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        command.spawn().unwrap()
    }

    async fn restart(&mut self, pause: Duration) {
        self.child.kill().await.unwrap();
        tokio::time::sleep(pause).await;
        self.child = Self::spawn(&self.binary, &self.args);
    }

    fn client(&self) -> Arc<EtcdKv> {
        Arc::new(EtcdKv::new(&EtcdConfig { endpoints: self.url.clone(), ..EtcdConfig::default() }).unwrap())
    }
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..600 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("in half a minute it did not come to {what}");
}

#[tokio::test]
async fn etcd_conforms_and_a_ring_lives_through_its_restart() {
    let Some(binary) = find_etcd() else {
        println!("skipped: no etcd");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(binary, folder.path()).await;
    let kv = server.client();
    until("answer", async || kv.list("").await.is_ok()).await;
    conforms(&*kv, "conformance/").await;

    let clock = TestClock::start();
    let metrics = RingMetrics::default();
    let drain = CancellationToken::new();
    let mut config = RingConfig { heartbeat_timeout: 3, replication_factor: 2, ..RingConfig::default() };
    let ring = Ring::new(server.client(), "ingester", &config, None, clock.clone(), &metrics);
    let mut tasks = Vec::new();
    tasks.push(tokio::spawn({
        let (ring, drain) = (ring.clone(), drain.clone());
        async move { ring.run(drain).await }
    }));
    let mut instances = Vec::new();
    for id in ["a", "b", "c"] {
        config.instance_id = id.into();
        config.advertise = format!("{id}:1");
        let disk = Disk { id: format!("disk {id}"), holds_data: false };
        let instance = Lifecycler::new(server.client(), "ingester", &config, disk, clock.clone(), &metrics);
        instance.activate();
        tasks.push(tokio::spawn({
            let (instance, drain) = (instance.clone(), drain.clone());
            async move { instance.run(drain).await }
        }));
        instances.push(instance);
    }
    let healthy = || {
        let view = ring.view();
        view.members().iter().filter(|m| m.is_healthy() && m.is_placeable()).count()
    };
    until("three members", async || healthy() == 3).await;
    let placements = ring.view().placements();

    server.restart(Duration::from_secs(1)).await;
    until("answer again", async || kv.list("").await.is_ok()).await;
    instances[0].leave(true).await.unwrap();
    until("two members", async || ring.view().members().len() == 2).await;
    assert_eq!(healthy(), 2);
    assert_eq!(ring.view().placements(), placements + 1, "the restart itself moved nothing");
    drain.cancel();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let left = kv.list("yagura/").await.unwrap().entries;
    let left: Vec<_> = left.iter().map(|entry| entry.key.as_str()).collect();
    assert_eq!(left, ["yagura/ingester/members/b", "yagura/ingester/members/c"], "heartbeats are given up");
    server.child.kill().await.unwrap();
}

#[tokio::test]
async fn endpoints_that_are_away_fail_no_call() {
    let Some(binary) = find_etcd() else {
        println!("skipped: no etcd");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(binary, folder.path()).await;
    let alone = server.client();
    until("answer", async || alone.list("").await.is_ok()).await;
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let away = format!("http://{}", port.local_addr().unwrap());
    drop(port);
    let endpoints = format!("{away},{},{away}", server.url);
    let kv = EtcdKv::new(&EtcdConfig { endpoints, ..EtcdConfig::default() }).unwrap();
    for n in 0..50 {
        let lease = kv.grant(Duration::from_secs(60)).await.unwrap();
        let key = format!("key {n}");
        kv.put(&key, b"x".to_vec(), Some(lease)).await.unwrap();
        kv.keep_alive(lease).await.unwrap();
        assert!(kv.get(&key).await.unwrap().is_some());
        kv.revoke(lease).await.unwrap();
    }
    server.child.kill().await.unwrap();
}

#[tokio::test]
async fn an_etcd_that_is_not_there_is_an_error_in_time() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoints = format!("http://{}", port.local_addr().unwrap());
    drop(port);
    let kv = EtcdKv::new(&EtcdConfig { endpoints, ..EtcdConfig::default() }).unwrap();
    assert!(matches!(kv.list("").await, Err(KvError::Unavailable(_))));
    let tls = EtcdTls { ca_file: Some("/nowhere/ca.pem".into()), ..EtcdTls::default() };
    let error = EtcdKv::new(&EtcdConfig { tls, ..EtcdConfig::default() }).unwrap_err();
    assert!(error.message.contains("ring.etcd.tls.ca_file"), "{error}");
}
