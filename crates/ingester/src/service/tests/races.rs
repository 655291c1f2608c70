//! Lines that are written while they are flushed, swept and read, all at once.

use super::*;
use crate::test_support::{append_logs, head_lines};
use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
};

const ROUNDS: i64 = 150;
const WRITERS: i64 = 3;

/// A writer's stream of one round; some come again, after they have been condemned.
fn stream(writer: i64, round: i64) -> String {
    format!("a={writer},b={}", round % 7)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_acknowledged_is_seen_throughout_and_once() {
    let mut setup = Setup::new();
    setup.world.limits.out_of_order_window = 86_400;
    setup.world.config.wal.segment_size = 1 << 20;
    let world = Arc::new(setup.world);
    let ingester = world.start_in(setup.dir.path());
    let acknowledged = Arc::new(Mutex::new(BTreeSet::new()));
    let done = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let (ingester, acknowledged) = (Arc::clone(&ingester), Arc::clone(&acknowledged));
        writers.push(tokio::spawn(async move {
            for round in 0..ROUNDS {
                let long = "x".repeat(if round % 10 == 0 { 150_000 } else { 10 });
                let texts: Vec<_> = (0..5).map(|n| format!("{round} {n} {long}")).collect();
                let lines: Vec<_> =
                    (0i64..).zip(&texts).map(|(n, text)| (round * 10 + n % 3, &text[..])).collect();
                let name = stream(writer, round);
                let outcome = append_logs(&ingester, &[(&name, &lines)]).await.unwrap();
                assert_eq!(outcome.pushed.lines, 5);
                let name = labels(&name).to_string();
                let mut acknowledged = acknowledged.lock();
                acknowledged.extend(lines.iter().map(|(t, text)| (name.clone(), *t, (*text).to_owned())));
            }
        }));
    }
    let tidying = {
        let (ingester, done) = (Arc::clone(&ingester), Arc::clone(&done));
        tokio::task::spawn_blocking(move || {
            while !done.load(Ordering::Relaxed) {
                for head in ingester.log_heads.all() {
                    head.seal_idle(Duration::MAX);
                    head.sweep();
                }
            }
        })
    };
    let flushing = {
        let (ingester, done) = (Arc::clone(&ingester), Arc::clone(&done));
        tokio::spawn(async move {
            while !done.load(Ordering::Relaxed) {
                ingester.flush(Which::All).await.unwrap();
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
    };
    let mut reads = 0;
    while writers.iter().any(|writer| !writer.is_finished()) || reads == 0 {
        let before = acknowledged.lock().clone();
        let found = flat(world.read_lines(&ingester).await);
        let missing = before.difference(&found).map(|(name, t, _)| (name, t)).next();
        assert_eq!(missing, None, "of {} lines", before.len());
        reads += 1;
    }
    done.store(true, Ordering::Relaxed);
    for task in writers.into_iter().chain([tidying, flushing]) {
        task.await.unwrap();
    }
    ingester.flush(Which::All).await.unwrap();
    assert_eq!(flat(world.read_lines(&ingester).await), *acknowledged.lock());
    assert!(head_lines(&ingester).await.is_empty());
    assert_eq!(ingester.traces.memory.held(), 0);
    drop(ingester);
    let ingester = world.start_in(setup.dir.path());
    assert!(head_lines(&ingester).await.is_empty());
}

fn flat(rows: test_support::LogRows) -> BTreeSet<(String, i64, String)> {
    let lines = |(name, lines): (String, Vec<(i64, String)>)| {
        lines.into_iter().map(move |(t, text)| (name.clone(), t, text))
    };
    rows.into_iter().flat_map(lines).collect()
}
