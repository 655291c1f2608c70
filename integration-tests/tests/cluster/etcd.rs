//! Rows 11 and 12: etcd is gone, comes back empty, comes back old.

use integration_tests::{Cluster, Http, Layout, Load, RingMember, Role, Traffic, soak, tell};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{task::JoinHandle, time::sleep};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_11_etcd_is_gone_and_then_an_ingester_too() {
    let away = Duration::from_secs(if soak() { 600 } else { 20 });
    let mut cluster = Cluster::start(Layout::default()).await;
    let traffic = Traffic::start(&cluster, Load::default()).await;
    sleep(Duration::from_secs(2)).await;
    cluster.etcd.go_away();
    // Long enough for every heartbeat to be overdue.
    sleep(away * 2 / 3).await;
    cluster.kill("ingester-1");
    sleep(away / 3).await;
    cluster.etcd.come_back().await;
    cluster.run(&["ingester-1"]).await;
    cluster.settled().await;
    sleep(Duration::from_secs(1)).await;
    let report = traffic.finish(&cluster, &format!("row 11, etcd gone for {away:?}, then an ingester")).await;
    report.nobody_noticed();
}

/// Looks at the ring through one member all the time, and keeps what should not be seen.
struct Watcher {
    stop: Arc<AtomicBool>,
    task: JoinHandle<(usize, Vec<String>)>,
}

impl Watcher {
    fn start(cluster: &Cluster, name: &str, expected: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, name) = (Arc::clone(&stop), name.to_owned());
        let url = format!("{}/ring", cluster.member(&name).base());
        let http = Http::default();
        let task = tokio::spawn(async move {
            let (mut looks, mut found) = (0, Vec::new());
            while !stopped.load(Ordering::SeqCst) {
                let ring = Cluster::ring_at(&http, &url).await;
                looks += 1;
                let active = ring.iter().filter(|member| member.is_active()).count();
                if active != expected && found.len() < 10 {
                    found.push(format!("{name} saw {ring:?}"));
                }
                sleep(Duration::from_millis(100)).await;
            }
            (looks, found)
        });
        Self { stop, task }
    }

    /// How often it looked. Ends the test if it ever saw another ring than expected.
    async fn finish(self) -> usize {
        self.stop.store(true, Ordering::SeqCst);
        let (looks, found) = self.task.await.unwrap();
        assert!(found.is_empty(), "the ring changed though no member did:\n{}", found.join("\n"));
        looks
    }
}

fn watch(cluster: &Cluster, expected: usize) -> Vec<Watcher> {
    let names = [cluster.of(Role::Distributor), cluster.of(Role::Querier)].concat();
    names.iter().map(|name| Watcher::start(cluster, name, expected)).collect()
}

/// Waits until etcd has a record of every ingester again.
async fn written_anew(cluster: &Cluster) {
    for _ in 0..300 {
        let keys = cluster.etcd.keys();
        let has = |name: &String| keys.iter().any(|key| key.contains(name.as_str()));
        if cluster.running(Role::Ingester).iter().all(has) {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("after 30 s etcd does not have every ingester: {:?}", cluster.etcd.keys());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_12_an_etcd_that_comes_back_empty_or_old_is_not_believed() {
    let mut cluster = Cluster::start(Layout::default()).await;
    let old = cluster.etcd.snapshot();
    // Of these the snapshot knows nothing.
    for _ in 0..2 {
        cluster.add(Role::Ingester).await;
    }
    let traffic = Traffic::start(&cluster, Load::default()).await;
    let watchers = watch(&cluster, 5);
    sleep(Duration::from_secs(2)).await;

    cluster.etcd.erase();
    sleep(Duration::from_secs(2)).await;
    cluster.etcd.come_back().await;
    written_anew(&cluster).await;
    // Longer than heartbeats and leases last.
    sleep(Duration::from_secs(8)).await;

    cluster.etcd.restore(&old);
    cluster.etcd.come_back().await;
    written_anew(&cluster).await;
    sleep(Duration::from_secs(8)).await;

    let mut looks = 0;
    for watcher in watchers {
        looks += watcher.finish().await;
    }
    let report = traffic.finish(&cluster, "row 12, etcd empty, then old").await;
    tell(&format!("row 12: 0 of {looks} looks at the ring saw another one"));
    report.nobody_noticed();
    // The ring still takes changes.
    cluster.kill("ingester-4");
    let gone = |ring: &[RingMember]| !ring.iter().any(|m| m.id == "ingester-4" && m.is_active());
    cluster.ring_shows("that ingester-4 is not well", Duration::from_secs(30), gone).await;
}
