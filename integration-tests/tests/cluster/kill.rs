//! Rows 1, 2 and 6: ingesters die, one at a time or all at once, or lose their disks.

use integration_tests::{Cluster, Layout, Load, Role, Traffic, soak, tell};
use std::time::Duration;
use tokio::time::sleep;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_1_kills_of_one_ingester_in_three_are_not_noticed() {
    let kills = if soak() { 100 } else { 10 };
    let mut cluster = Cluster::start(Layout::default()).await;
    let traffic = Traffic::start(&cluster, Load::default()).await;
    let ingesters = cluster.of(Role::Ingester);
    for round in 0..kills {
        sleep(Duration::from_millis(300 + 97 * (round as u64 % 7))).await;
        let victim = &ingesters[round % ingesters.len()];
        cluster.kill(victim);
        sleep(Duration::from_millis(500 + 211 * (round as u64 % 5))).await;
        cluster.run(&[victim]).await;
        cluster.settled().await;
    }
    let report = traffic.finish(&cluster, &format!("row 1, {kills} kills of one ingester")).await;
    report.nobody_noticed();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_2_kills_of_everything_lose_nothing() {
    let kills = if soak() { 50 } else { 5 };
    let mut cluster = Cluster::start(Layout::default()).await;
    let traffic = Traffic::start(&cluster, Load::default()).await;
    let names = cluster.names();
    let mut slowest = Duration::ZERO;
    for round in 0..kills {
        sleep(Duration::from_millis(1500 + 97 * (round as u64 % 7))).await;
        for name in &names {
            cluster.kill(name);
        }
        slowest = slowest.max(cluster.run(&names).await);
        cluster.settled().await;
    }
    sleep(Duration::from_secs(1)).await;
    let report = traffic.finish(&cluster, &format!("row 2, {kills} kills of everything")).await;
    tell(&format!("row 2: everybody was ready again after {slowest:?} at most"));
    // There is not nearly a gibibyte of log, so that what is promised for one is more than enough.
    assert!(slowest < Duration::from_secs(30), "it took {slowest:?} until all were ready");
    // Writes and queries fail while there is nobody, but no answer is wrong.
    report.something_was_done();
    report.nothing_was_wrong();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_6_the_disk_of_one_ingester_is_erased() {
    // Each in a cluster of its own: for `ring.forget_after` reads count a second loss as one too many.
    for round in 0..if soak() { 3 } else { 1 } {
        let mut cluster = Cluster::start(Layout::default()).await;
        let traffic = Traffic::start(&cluster, Load::default()).await;
        let victim = &cluster.of(Role::Ingester)[round];
        sleep(Duration::from_secs(4)).await;
        cluster.kill(victim);
        cluster.erase_disk(victim);
        sleep(Duration::from_secs(2)).await;
        cluster.run(&[victim]).await;
        cluster.settled().await;
        sleep(Duration::from_secs(4)).await;
        let report = traffic.finish(&cluster, "row 6, one ingester's disk erased").await;
        report.nobody_noticed();
    }
}
