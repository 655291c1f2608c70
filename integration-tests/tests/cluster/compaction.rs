//! Rows 19 and 21: blocks are merged while everybody writes and reads, by compactors that are killed, or stand
//! still and come back.

use integration_tests::{Cluster, Http, Layout, Load, Random, Role, Traffic, parse_scrape, soak, tell};
use std::{collections::BTreeMap, fs, time::Duration};
use tokio::time::sleep;

/// Days of data in minutes: windows are complete as they are written.
fn load() -> Load {
    let step = if soak() { 15_000 } else { 120_000 };
    Load { past: Some((120 * 3600, step)), ..Load::default() }
}

fn layout() -> Layout {
    let set = [
        "ingester.flush_interval=1s",
        "compactor.interval=1s",
        "compactor.delay=0s",
        "limits.out_of_order_window=10m",
        "querier.small_query_bytes=0",
    ];
    Layout::default().compactors(2).set(&set)
}

/// Merges that were published, as all compactors' logs tell.
fn merges(cluster: &Cluster) -> usize {
    let log = |name: &String| fs::read_to_string(cluster.member(name).log()).unwrap_or_default();
    cluster.of(Role::Compactor).iter().map(|name| log(name).matches("blocks merged").count()).sum()
}

/// The sum of a metric over members of a role.
async fn metric(cluster: &Cluster, role: Role, name: &str) -> f64 {
    let http = Http::default();
    let mut sum = 0.0;
    for member in cluster.running(role) {
        let url = format!("{}/metrics", cluster.member(&member).base());
        let metrics = parse_scrape(&http.get(&url).await.unwrap().body);
        sum += metrics[&BTreeMap::from([("__name__".to_owned(), name.to_owned())])];
    }
    sum
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_21_queries_do_not_notice_that_blocks_are_merged() {
    let cluster = Cluster::start(layout()).await;
    let traffic = Traffic::start(&cluster, load()).await;
    sleep(Duration::from_secs(if soak() { 600 } else { 40 })).await;
    cluster.flush_all().await;
    sleep(Duration::from_secs(5)).await;
    let report = traffic.finish(&cluster, "row 21, merges beside queries").await;
    report.nobody_noticed();
    let merges = merges(&cluster);
    let (inputs, failed) = (
        metric(&cluster, Role::Compactor, "yagura_compactor_merged_blocks_total").await,
        metric(&cluster, Role::Compactor, "yagura_compactor_failed_merges_total").await,
    );
    tell(&format!("row 21: {merges} merges of {inputs} blocks"));
    assert!(merges >= 10, "{merges} merges are too few to show anything");
    assert_eq!(failed, 0.0, "merges failed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_19_compactors_are_killed_and_stand_still() {
    let rounds = if soak() { 100 } else { 12 };
    let mut cluster = Cluster::start(layout()).await;
    let traffic = Traffic::start(&cluster, load()).await;
    let (compactors, mut random) = (cluster.of(Role::Compactor), Random::seeded(19));
    for round in 0..rounds {
        sleep(Duration::from_millis(500 + random.below(2500) as u64)).await;
        let victim = &compactors[round % compactors.len()];
        if round % 3 == 0 {
            // For so long that the other one takes its work over.
            cluster.member_mut(victim).process().signal("STOP");
            sleep(Duration::from_secs(8)).await;
            cluster.member_mut(victim).process().signal("CONT");
        } else {
            cluster.kill(victim);
            sleep(Duration::from_millis(random.below(1500) as u64)).await;
            cluster.run(&[victim]).await;
        }
    }
    cluster.flush_all().await;
    sleep(Duration::from_secs(3)).await;
    let report = traffic.finish(&cluster, &format!("row 19, {rounds} faults of compactors")).await;
    report.nobody_noticed();
    let merges = merges(&cluster);
    tell(&format!("row 19: {merges} merges"));
    assert!(merges >= 10, "{merges} merges are too few to show anything");
}
