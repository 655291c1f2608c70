//! Rows 9 and 10: the bucket is gone, or slow, or fails, or ends its answers too early.

use integration_tests::{Cluster, Layout, Load, Role, S3Faults, Traffic, soak, tell};
use std::{fs, path::Path, time::Duration};
use tokio::time::{Instant, sleep};

/// Blocks become full and are flushed all the time.
const FLUSHING: &[&str] =
    &["ingester.block_duration=60", "ingester.flush_interval=1", "limits.out_of_order_window=0"];

fn flushing() -> Load {
    Load { past: Some((24 * 3600, 1000)), pause: Duration::from_millis(50), ..Load::default() }
}

fn files(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let count = |path: &Path| if path.is_dir() { files(path) } else { 1 };
    entries.map(|entry| count(&entry.path())).sum()
}

async fn until_there_are_blocks(cluster: &Cluster, more_than: usize) {
    let start = Instant::now();
    let blocks = |signal| files(&cluster.bucket().join(format!("anonymous/{signal}/blocks")));
    while blocks("metrics") <= more_than || blocks("logs") <= more_than {
        assert!(start.elapsed() < Duration::from_secs(60), "no blocks were flushed within a minute");
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_9_writes_go_on_while_the_bucket_is_gone() {
    let away = Duration::from_secs(if soak() { 1800 } else { 30 });
    let mut cluster = Cluster::start(Layout::default().set(FLUSHING)).await;
    let traffic = Traffic::start(&cluster, flushing()).await;
    until_there_are_blocks(&cluster, 0).await;
    let before = cluster.resident_bytes(Role::Ingester);
    // Half the time nobody is there, half the time somebody says to come again.
    cluster.s3.go_away().await;
    sleep(away / 2).await;
    cluster.s3.set_faults(S3Faults { unavailable: true, ..S3Faults::default() });
    cluster.s3.come_back().await;
    sleep(away / 2).await;
    let after = cluster.resident_bytes(Role::Ingester);
    let blocks = files(&cluster.bucket().join("anonymous/metrics/blocks"));
    cluster.s3.set_faults(S3Faults::default());
    // What waited is flushed.
    until_there_are_blocks(&cluster, blocks).await;
    let report = traffic.finish(&cluster, &format!("row 9, bucket gone for {away:?}")).await;
    tell(&format!("row 9: ingesters held {} MiB before and {} MiB after", before >> 20, after >> 20));
    report.something_was_done();
    report.nothing_was_wrong();
    assert_eq!(report.write_errors, 0, "writes failed while the bucket was gone");
    // Processes that are young and small grow for other reasons too: 16 MiB each for those.
    let bound = before + before / 5 + (48 << 20);
    assert!(after <= bound, "ingesters hold {after} bytes after the outage, {before} before it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_10_a_bad_bucket_gives_no_wrong_answer() {
    let each = Duration::from_secs(if soak() { 120 } else { 6 });
    // Nothing stays in memory, so that queries have to read.
    let small = ["cache.index_bytes=1", "cache.page_bytes=1"];
    let mut cluster = Cluster::start(Layout::default().set(FLUSHING).set(&small)).await;
    let traffic = Traffic::start(&cluster, flushing()).await;
    until_there_are_blocks(&cluster, 0).await;
    let none = S3Faults::default();
    for faults in [
        S3Faults { delay: Duration::from_millis(300), ..none },
        S3Faults { errors: 20, ..none },
        S3Faults { cuts: 20, ..none },
        S3Faults { delay: Duration::from_millis(50), errors: 10, cuts: 10, ..none },
    ] {
        cluster.s3.set_faults(faults);
        sleep(each).await;
    }
    cluster.s3.set_faults(none);
    sleep(Duration::from_secs(2)).await;
    cluster.flush_all().await;
    // What was written to the bad bucket must be right for those who come to it new.
    for querier in cluster.of(Role::Querier) {
        cluster.stop(&querier).await;
        cluster.run(&[&querier]).await;
    }
    let (requests, broken) = cluster.s3.counts();
    let report = traffic.finish(&cluster, "row 10, bucket slow, failing and short").await;
    tell(&format!("row 10: {broken} of {requests} requests to the bucket met a fault"));
    assert!(broken >= 50, "{broken} faults are too few to show anything");
    report.something_was_done();
    report.nothing_was_wrong();
    assert_eq!(report.write_errors, 0, "writes failed because of the bucket");
}
