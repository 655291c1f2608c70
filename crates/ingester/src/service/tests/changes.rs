//! What an ingester says of changes: in which order, across flushes and restarts.

use super::*;
use crate::{FlushWhich, test_support::append_logs};
use service_api::{HeadChange, HeadChanges, HeadVersion};
use std::sync::atomic::AtomicU64;

async fn changed(ingester: &Ingester, signal: Signal, since: Option<HeadVersion>) -> HeadChange {
    ingester.head_changes(&ctx(), signal, since).await.unwrap()
}

const MINUTE: i64 = 60_000;

#[tokio::test]
async fn changes_are_told_by_their_minutes_and_by_signal() {
    let mut setup = Setup::new();
    setup.world.limits.out_of_order_window = 86_400;
    let ingester = setup.start();
    let none = changed(&ingester, Signal::Metrics, None).await;
    assert_eq!((none.earliest, none.version.sequence), (None, 0));
    append(&ingester, &[("a=1", &[(5 * MINUTE + 1, 1.0), (9 * MINUTE, 1.0)]), ("a=2", &[(7 * MINUTE, 1.0)])])
        .await;
    let first = changed(&ingester, Signal::Metrics, Some(none.version)).await;
    assert_eq!((first.earliest, first.version.sequence), (Some(5 * MINUTE), 1));
    // To a new series, late.
    append(&ingester, &[("a=3", &[(6 * MINUTE, 1.0)])]).await;
    let second = changed(&ingester, Signal::Metrics, Some(first.version)).await;
    assert_eq!(second.earliest, Some(6 * MINUTE));
    assert_eq!(changed(&ingester, Signal::Metrics, Some(second.version)).await.earliest, None);
    assert_eq!(changed(&ingester, Signal::Logs, None).await.earliest, None);
    let nanos = |minute: i64| minute * MINUTE * 1_000_000;
    append_logs(&ingester, &[("s=1", &[(nanos(3), "x"), (nanos(4), "y")])]).await.unwrap();
    let lines = changed(&ingester, Signal::Logs, None).await;
    assert_eq!((lines.earliest, lines.version.sequence), (Some(3 * MINUTE), 1));
    append_logs(&ingester, &[("s=2", &[(nanos(2) + 1, "x")])]).await.unwrap();
    assert_eq!(changed(&ingester, Signal::Logs, Some(lines.version)).await.earliest, Some(2 * MINUTE));
}

#[tokio::test]
async fn what_left_for_a_block_is_told_by_the_list_and_a_restart_by_another_life() {
    let setup = Setup::new();
    let ingester = setup.start();
    append(&ingester, &[("a=1", &[(5 * MINUTE, 1.0)])]).await;
    let before = changed(&ingester, Signal::Metrics, None).await.version;
    append(&ingester, &[("a=1", &[(6 * MINUTE, 1.0)])]).await;
    ingester.flush(FlushWhich::All).await.unwrap();
    let query = ctx();
    let after = ingester.head_changes(&query, Signal::Metrics, Some(before)).await.unwrap();
    assert_eq!((after.earliest, query.listed.get(Signal::Metrics)), (None, 1));
    append(&ingester, &[("a=1", &[(200 * MINUTE, 1.0)])]).await;
    drop(ingester);
    let ingester = setup.start();
    let restarted = changed(&ingester, Signal::Metrics, Some(after.version)).await;
    assert_ne!(restarted.version.life, after.version.life);
    assert_eq!(restarted.earliest, Some(200 * MINUTE), "all that the head holds");
}

/// Batches of many series, of which the last one becomes visible last: were the version raised before
/// that, a reader would find it missing.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_entry_is_visible_before_the_version_says_so_and_that_before_it_is_acknowledged() {
    const ROUNDS: i64 = 300;
    let setup = Setup::new();
    let ingester = setup.start();
    let names: Vec<_> = (0..3000).map(|n| format!("a={n:04}")).collect();
    let acknowledged = Arc::new(AtomicU64::new(0));
    let writer = {
        let (ingester, acknowledged) = (Arc::clone(&ingester), Arc::clone(&acknowledged));
        tokio::spawn(async move {
            for round in 1..=ROUNDS {
                let samples = [(round * 1000, round as f64)];
                let batch: Vec<(&str, &[(i64, f64)])> =
                    names.iter().map(|name| (&name[..], &samples[..])).collect();
                append(&ingester, &batch).await;
                acknowledged.store(round as u64, Ordering::SeqCst);
            }
        })
    };
    let (mut looks, mut last) = (0, 0);
    while last < ROUNDS as u64 {
        let done = acknowledged.load(Ordering::SeqCst);
        last = changed(&ingester, Signal::Metrics, None).await.version.sequence;
        assert!(last >= done, "record {done} is acknowledged, and the version is {last}");
        let rows = head_rows(&ingester, vec![Matcher::equal("a", "2999")]).await;
        let visible = rows.first().map_or(0, |(_, samples)| samples.len() as u64);
        assert!(visible >= last, "the version is {last}, and {visible} samples can be read");
        looks += 1;
    }
    writer.await.unwrap();
    assert!(looks > 10, "only {looks} looks");
}
