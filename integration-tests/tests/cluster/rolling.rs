//! Rows 16 and 34: restarts and changes of size that nobody notices; SIGTERM under load.

use integration_tests::{Cluster, Layout, Load, Role, Traffic, soak, tell};
use std::time::Duration;
use tokio::time::sleep;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_16_a_rolling_restart_of_every_role_is_not_noticed() {
    let mut cluster = Cluster::start(Layout::default()).await;
    let traffic = Traffic::start(&cluster, Load::default()).await;
    for _ in 0..if soak() { 10 } else { 1 } {
        for name in cluster.names() {
            sleep(Duration::from_millis(700)).await;
            cluster.stop(&name).await;
            cluster.run(&[&name]).await;
            cluster.settled().await;
        }
    }
    sleep(Duration::from_secs(1)).await;
    traffic.finish(&cluster, "row 16, a rolling restart").await.nobody_noticed();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_16_three_ingesters_become_six_and_three_again() {
    let mut cluster = Cluster::start(Layout::default()).await;
    let traffic = Traffic::start(&cluster, Load::default()).await;
    for _ in 0..if soak() { 5 } else { 1 } {
        let mut added = Vec::new();
        for _ in 0..3 {
            sleep(Duration::from_secs(1)).await;
            added.push(cluster.add(Role::Ingester).await);
        }
        sleep(Duration::from_secs(2)).await;
        // The old ones go, so that everything they had must have found its way into the bucket.
        for name in cluster.of(Role::Ingester).into_iter().filter(|name| !added.contains(name)) {
            cluster.leave(&name).await;
            cluster.settled().await;
            sleep(Duration::from_secs(1)).await;
        }
    }
    let report = traffic.finish(&cluster, "row 16, ingesters 3 -> 6 -> 3").await;
    assert_eq!(cluster.of(Role::Ingester).len(), 3);
    report.nobody_noticed();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_34_sigterm_under_load_drains() {
    let rounds = if soak() { 200 } else { 10 };
    let mut cluster = Cluster::start(Layout::default()).await;
    let traffic = Traffic::start(&cluster, Load::default()).await;
    let names = [
        "ingester-0",
        "distributor-0",
        "querier-0",
        "ingester-1",
        "distributor-1",
        "querier-1",
        "ingester-2",
    ];
    let mut slowest = Duration::ZERO;
    for round in 0..rounds {
        let name = names[round % names.len()];
        sleep(Duration::from_millis(200 + 97 * (round as u64 % 7))).await;
        slowest = slowest.max(cluster.stop(name).await);
        cluster.run(&[name]).await;
        cluster.settled().await;
    }
    let report = traffic.finish(&cluster, &format!("row 34, {rounds} times SIGTERM under load")).await;
    tell(&format!("row 34: the slowest one ended after {slowest:?}"));
    assert!(slowest <= Duration::from_secs(30), "a process took {slowest:?} to end");
    report.nobody_noticed();
}
