//! `kill -9` during writes, again and again: what was acknowledged is there, once.

use integration_tests::{Balancer, Ledger, Senders, Settings, Version, Wire, now_ms};
use std::time::Duration;

const KILLS: usize = 20;
const SERIES: usize = 10;

async fn kill_often(settings: &Settings, ledgers: Vec<Ledger>) {
    let balancer = Balancer::default();
    let senders = Senders::start(ledgers, &balancer, Duration::from_millis(3));
    for round in 0..KILLS {
        let mut yagura = settings.start().await;
        balancer.set(yagura.base());
        // Other moments each time: while groups are synced, segments cut, blocks flushed.
        tokio::time::sleep(Duration::from_millis(150 + 97 * (round as u64 % 7))).await;
        if round % 5 == 4 {
            // Killed in the middle of a flush that was asked for.
            let (http, url) = (yagura.http.clone(), yagura.url("/flush"));
            let flush = tokio::spawn(async move { http.send("POST", &url, &[], Vec::new()).await });
            tokio::time::sleep(Duration::from_millis(20)).await;
            yagura.process.kill();
            let _ = flush.await;
        } else {
            yagura.process.kill();
        }
    }
    let yagura = settings.start().await;
    balancer.set(yagura.base());
    tokio::time::sleep(Duration::from_millis(300)).await;
    let ledgers = senders.finish().await;
    let acknowledged: usize = ledgers.iter().map(Ledger::acknowledged).sum();
    println!("{acknowledged} entries were acknowledged around {KILLS} kills");
    assert!(acknowledged > KILLS * SERIES, "too few writes to show anything: {acknowledged} entries");
    for ledger in &ledgers {
        ledger.check(&yagura).await;
    }
    // What is in the bucket must not depend on the process that put it there.
    assert!(yagura.stop().await.success());
    let yagura = settings.start().await;
    for ledger in &ledgers {
        ledger.check(&yagura).await;
    }
}

fn version(n: usize) -> Wire {
    Wire::RemoteWrite(if n.is_multiple_of(2) { Version::V1 } else { Version::V2 })
}

fn log_wire(n: usize) -> Wire {
    if n.is_multiple_of(2) { Wire::LokiProtobuf } else { Wire::LokiJson }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_samples_survive_twenty_kills() {
    let settings = Settings::default();
    let ledgers = (0..4).map(|n| Ledger::new(&format!("live-{n}"), SERIES, version(n))).collect();
    kill_often(&settings, ledgers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_lines_survive_twenty_kills() {
    let settings = Settings::default();
    let ledgers = (0..4).map(|n| Ledger::new(&format!("lines-{n}"), SERIES, log_wire(n))).collect();
    kill_often(&settings, ledgers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_while_blocks_are_flushed_lose_nothing_and_double_nothing() {
    kill_while_flushing("metrics", version).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_while_log_blocks_are_flushed_lose_nothing_and_double_nothing() {
    kill_while_flushing("logs", log_wire).await;
}

async fn kill_while_flushing(signal: &str, wire: fn(usize) -> Wire) {
    let settings = Settings::new(&[
        "ingester.block_duration=60",
        "ingester.flush_interval=1",
        "limits.out_of_order_window=0",
        "wal.segment_size=64KiB",
    ]);
    // Two hours in the past, and ten seconds from batch to batch: a block is full every six
    // batches, and old enough to be flushed at once.
    let start = now_ms() - 2 * 3_600_000;
    let ledger = |n| Ledger::new(&format!("past-{n}"), SERIES, wire(n)).with_times(start + n as i64, 2_000);
    kill_often(&settings, (0..4).map(ledger).collect()).await;
    let blocks = settings.data_dir().join(format!("bucket/anonymous/{signal}/blocks"));
    let count = std::fs::read_dir(&blocks).map_or(0, Iterator::count);
    assert!(count > 0, "no block was flushed to {}", blocks.display());
}
