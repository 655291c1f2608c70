//! What `docs/operations.md` tells operators to do, as far as no row of `docs/reliability.md` does it.

use integration_tests::{
    Cluster, Layout, Load, Question, RingMember, Role, Traffic, copy_folder, write_known,
};
use serde_json::Value;
use std::{path::Path, time::Duration};
use tokio::time::sleep;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_gone_for_good_is_replaced() {
    let mut cluster = Cluster::start(Layout::default()).await;
    let traffic = Traffic::start(&cluster, Load::default()).await;
    sleep(Duration::from_secs(2)).await;
    cluster.kill("ingester-1");
    cluster.erase_disk("ingester-1");
    // It tells everybody what it lost, and is given up all the same.
    cluster.run(&["ingester-1"]).await;
    cluster.settled().await;
    cluster.stop("ingester-1").await;
    let unhealthy = |ring: &[RingMember]| ring.iter().any(|m| m.id == "ingester-1" && m.state == "unhealthy");
    cluster.ring_shows("that ingester-1 is not well", Duration::from_secs(30), unhealthy).await;
    cluster.add(Role::Ingester).await;
    // What only two have now is in the bucket before there is one less to ask.
    cluster.flush_all().await;
    cluster.forget("ingester-1").await;
    sleep(Duration::from_secs(2)).await;
    // The cluster is whole again: one more may go.
    cluster.kill("ingester-2");
    sleep(Duration::from_secs(2)).await;
    let report = traffic.finish(&cluster, "a host that is gone for good is replaced").await;
    report.nobody_noticed();
}

/// Copies a bucket as the page says, while it is written to.
async fn back_up(cluster: &Cluster, to: &Path) {
    let is_manifest = |path: &Path| path.parent().is_some_and(|folder| folder.ends_with("manifest"));
    copy_folder(&cluster.bucket(), to, &is_manifest);
    // Blocks that the copied manifests do not know of.
    cluster.flush_all().await;
    copy_folder(&cluster.bucket(), to, &|path| !is_manifest(path));
}

async fn answers(cluster: &Cluster, questions: &[Question]) {
    for querier in cluster.running(Role::Querier) {
        for Question { path, check } in questions {
            let answer =
                cluster.http.get(&format!("{}{path}", cluster.member(&querier).base())).await.unwrap();
            assert_eq!(answer.status, 200, "{path}: {}", answer.body);
            let body: Value = serde_json::from_str(&answer.body).unwrap();
            assert!(body["warnings"].is_null(), "{path}: {body}");
            assert_eq!(check(&body["data"]), None, "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_is_restored_from_a_copy_of_its_bucket() {
    let copy = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(Layout::default()).await;
    let questions = write_known(&cluster.http, &cluster.bases(Role::Distributor)[0], "before").await;
    cluster.flush_all().await;
    let traffic = Traffic::start(&cluster, Load::default()).await;
    sleep(Duration::from_secs(2)).await;
    back_up(&cluster, copy.path()).await;
    traffic.finish(&cluster, "a bucket that is copied").await.nobody_noticed();
    drop(cluster);

    // Another etcd, other disks.
    let cluster = Cluster::start(Layout::default().bucket(copy.path())).await;
    answers(&cluster, &questions).await;
    let traffic = Traffic::start_as(&cluster, "later", Load::default()).await;
    sleep(Duration::from_secs(2)).await;
    cluster.flush_all().await;
    answers(&cluster, &questions).await;
    traffic.finish(&cluster, "a cluster that was restored").await.nobody_noticed();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ingester_leaves_when_it_is_stopped_if_it_was_told_to() {
    let mut cluster = Cluster::start(Layout::default()).await;
    let name = cluster.add(Role::Ingester).await;
    let traffic = Traffic::start(&cluster, Load::default()).await;
    sleep(Duration::from_secs(2)).await;
    let url = format!("{}/ingester/prepare-shutdown", cluster.member(&name).base());
    for (method, status, body) in [
        ("GET", 200, "unset\n"),
        ("POST", 204, ""),
        ("GET", 200, "set\n"),
        ("DELETE", 204, ""),
        ("DELETE", 204, ""),
        ("GET", 200, "unset\n"),
        ("POST", 204, ""),
    ] {
        let answer = cluster.http.send(method, &url, &[], Vec::new()).await.unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (status, body), "{method}");
    }
    // Nothing has happened yet, and a crash does not make it forget.
    sleep(Duration::from_secs(2)).await;
    cluster.kill(&name);
    cluster.run(&[&name]).await;
    cluster.settled().await;
    assert_eq!(cluster.http.get(&url).await.unwrap().body, "set\n");
    cluster.stop(&name).await;
    let gone = |ring: &[RingMember]| ring.iter().all(|m| m.id != name);
    cluster.ring_shows("that it has left", Duration::from_secs(10), gone).await;
    cluster.erase_disk(&name);
    sleep(Duration::from_secs(2)).await;
    let report = traffic.finish(&cluster, "an ingester that leaves when it is stopped").await;
    report.nobody_noticed();
}
