//! Row 14: an ingester that is there and says nothing.

use integration_tests::{Cluster, Layout, Load, Role, Traffic, soak, tell};
use std::time::Duration;
use tokio::time::sleep;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_14_a_frozen_ingester_holds_up_nobody() {
    let frozen = Duration::from_secs(if soak() { 300 } else { 15 });
    let mut cluster = Cluster::start(Layout::default()).await;
    // Requests large enough that keeping what the frozen one should get would be seen.
    let pause = Duration::from_millis(if soak() { 300 } else { 20 });
    let load = Load { writers: 2, series: 500, pause, past: None };
    let traffic = Traffic::start(&cluster, load).await;
    sleep(Duration::from_secs(4)).await;
    let before = cluster.resident_bytes(Role::Distributor);
    cluster.member_mut("ingester-2").process().signal("STOP");
    let mut most = before;
    for _ in 0..frozen.as_millis() / 250 {
        sleep(Duration::from_millis(250)).await;
        most = most.max(cluster.resident_bytes(Role::Distributor));
    }
    cluster.member_mut("ingester-2").process().signal("CONT");
    cluster.settled().await;
    sleep(Duration::from_secs(2)).await;
    let report = traffic.finish(&cluster, &format!("row 14, an ingester frozen for {frozen:?}")).await;
    let grown = most.saturating_sub(before);
    tell(&format!("row 14: distributors held {} MiB more at most", grown >> 20));
    report.nobody_noticed();
    // Both together stay within what each may take.
    assert!(grown <= 64 << 20, "distributors grew by {grown} bytes");
}
