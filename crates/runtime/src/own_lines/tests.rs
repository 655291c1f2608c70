//! What is kept, what is not, and that there is an end to it.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use super::*;
use crate::ManualClock;
use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};
use tracing::{Instrument, subscriber::DefaultGuard};

const NOW: i64 = 1_700_000_000_000;

/// A queue of what this thread logs while the guard lives.
fn logged(level: &str) -> (Arc<OwnLines>, DefaultGuard) {
    let lines = OwnLines::new(Arc::new(ManualClock::at(NOW)));
    let guard = log_into(Arc::clone(&lines), level);
    (lines, guard)
}

fn texts(lines: &OwnLines) -> Vec<String> {
    lines.take(usize::MAX).into_iter().map(|line| line.text.into()).collect()
}

#[test]
fn lines_are_the_printed_json_with_level_and_time() {
    let (lines, _guard) = logged("info");
    tracing::info!(answer = 42, "said \"so\"");
    tracing::debug!("not this");
    tracing::warn!("two");
    let taken = lines.take(usize::MAX);
    let got: Vec<_> = taken.iter().map(|line| (line.time - NOW * 1_000_000, line.level)).collect();
    assert_eq!(got, [(0, Level::INFO), (1, Level::WARN)]);
    let text = &taken[0].text;
    assert!(text.starts_with('{') && text.ends_with('}'), "{text}");
    for part in ["\"level\":\"INFO\"", "\"message\":\"said \\\"so\\\"\"", "\"answer\":42", "\"target\":"] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    assert!(lines.take(usize::MAX).is_empty() && lines.bytes() == 0);
}

#[test]
fn what_a_module_may_log_holds_here_too() {
    let (lines, _guard) = logged("warn,loud=debug");
    tracing::debug!(target: "loud", "a");
    tracing::info!(target: "quiet", "b");
    let texts = texts(&lines);
    assert!(texts.len() == 1 && texts[0].contains("\"a\""), "{texts:?}");
}

#[tokio::test]
async fn what_storing_lines_makes_is_not_kept() {
    for level in ["error", "info", "trace", "error,self_scrape=off"] {
        let (lines, _guard) = logged(level);
        let write = async {
            tracing::error!("the distributor refuses");
            let inner = tracing::error_span!("append");
            async { tracing::error!("deep inside") }.instrument(inner).await;
            tokio::task::yield_now().await;
            tracing::error!("after a while");
        };
        write.instrument(own_writes()).await;
        tracing::error!("outside");
        let texts = texts(&lines);
        assert!(texts.len() == 1 && texts[0].contains("outside"), "{level}: {texts:?}");
    }
}

#[test]
fn the_transports_chatter_is_not_kept_and_its_warnings_are() {
    let (lines, _guard) = logged("trace");
    tracing::trace!(target: "h2::codec::framed_read", "frame");
    tracing::debug!(target: "hyper_util::client", "pooled");
    tracing::info!(target: "tonic::transport", "connecting");
    tracing::debug!(target: "h2o", "another crate");
    tracing::warn!(target: "tower::buffer", "bad");
    let texts = texts(&lines);
    assert!(texts.len() == 2 && texts[0].contains("another") && texts[1].contains("bad"), "{texts:?}");
}

#[test]
fn a_full_queue_drops_what_comes_and_counts_it() {
    let lines = OwnLines::new(Arc::new(ManualClock::at(NOW)));
    for i in 0..MAX_LINES + 5 {
        lines.push(Level::INFO, &i.to_string());
    }
    assert_eq!(lines.dropped(), 5);
    assert_eq!(&*lines.take(1)[0].text, "0");
    lines.push(Level::INFO, "fits again");
    assert_eq!((lines.dropped(), lines.take(usize::MAX).len()), (5, MAX_LINES));

    let long = "x".repeat(MAX_LINE);
    for _ in 0..OwnLines::MAX_BYTES / MAX_LINE + 3 {
        lines.push(Level::INFO, &long);
    }
    assert_eq!((lines.dropped(), lines.bytes()), (8, OwnLines::MAX_BYTES));
    let taken = lines.take(2 * MAX_LINE);
    assert_eq!((taken.len(), lines.bytes()), (2, OwnLines::MAX_BYTES - 2 * MAX_LINE));
    lines.push(Level::INFO, &"x".repeat(MAX_LINE + 1));
    assert_eq!(lines.dropped(), 9);
}

/// Shows what it is told to.
struct Set(AtomicI64);

impl Clock for Set {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

#[test]
fn a_clock_that_is_set_back_a_little_does_not_disorder_lines() {
    let clock = Arc::new(Set(AtomicI64::new(0)));
    let lines = OwnLines::new(clock.clone());
    let time_at = |ms: i64| {
        clock.0.store(NOW + ms, Ordering::SeqCst);
        lines.push(Level::INFO, "");
        lines.take(1)[0].time - NOW * 1_000_000
    };
    let times = [0, 0, 500, 100, 100, 501].map(time_at);
    assert_eq!(times, [0, 1, 500_000_000, 500_000_001, 500_000_002, 501_000_000]);
    // By an hour: better a wrong order than an hour of wrong times.
    assert_eq!(time_at(-3_600_000), -3_600_000_000_000);
}
