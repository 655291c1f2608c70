//! What becomes of lines, with somebody who takes them and somebody who does not.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use super::*;
use crate::{SelfScrapeConfig, SelfScrapeMetrics};
use async_trait::async_trait;
use parking_lot::Mutex;
use runtime::ManualClock;
use service_api::PushOutcome;
use tracing::Level;

#[derive(Default)]
struct Store {
    refuses: Mutex<Option<Code>>,
    /// Streams' labels and their lines.
    written: Mutex<Vec<String>>,
    pushes: Mutex<u32>,
}

#[async_trait]
impl PushLogs for Store {
    async fn push_logs(&self, tenant: &TenantId, batch: LogBatch) -> Result<PushOutcome> {
        *self.pushes.lock() += 1;
        if let Some(code) = *self.refuses.lock() {
            return Err(Error::new(code, "no"));
        }
        assert_eq!(tenant.as_str(), "yagura");
        for (index, stream) in batch.streams.iter().enumerate() {
            let mut labels = Vec::new();
            batch.labels.pairs(index, &mut |name, value| labels.push(format!("{name}={value}"))).unwrap();
            for entry in &batch.entries[stream.entries.start as usize..stream.entries.end as usize] {
                let line = String::from_utf8_lossy(batch.line(entry)).into_owned();
                self.written.lock().push(format!("{} {} {line}", labels.join(" "), entry.timestamp));
            }
        }
        Ok(PushOutcome { lines: batch.entries.len() as u64, ..PushOutcome::default() })
    }
}

fn lines(store: &Arc<Store>) -> Lines {
    let clock = Arc::new(ManualClock::at(0));
    Lines::new(
        OwnLines::new(clock.clone()),
        store.clone(),
        TenantId::new("yagura").unwrap(),
        Arc::new(Target::new(&SelfScrapeConfig::default(), "host")),
        Arc::new(Watch::new(clock, SelfScrapeMetrics::default())),
    )
}

fn line(time: i64, level: Level, text: &str) -> OwnLine {
    OwnLine { time, level, text: text.into() }
}

#[tokio::test]
async fn there_is_a_stream_a_level_and_lines_keep_their_order() {
    let store = Arc::new(Store::default());
    let mut lines = lines(&store);
    lines.held.0 = vec![line(1, Level::INFO, "a"), line(2, Level::WARN, "b"), line(3, Level::INFO, "ü")];
    assert_eq!(lines.send().await, Sent::Some);
    assert_eq!(lines.send().await, Sent::Nothing);
    let mut written = std::mem::take(&mut *store.written.lock());
    written.sort();
    let expected = [
        "level=info job=yagura instance=host 1 a",
        "level=info job=yagura instance=host 3 ü",
        "level=warn job=yagura instance=host 2 b",
    ];
    assert_eq!(written, expected);
}

#[tokio::test]
async fn lines_wait_while_nobody_takes_them_and_go_if_nobody_ever_will() {
    let store = Arc::new(Store::default());
    let mut lines = lines(&store);
    lines.held.0 = vec![line(1, Level::INFO, "a")];
    for code in [Code::Unavailable, Code::Timeout, Code::Unavailable] {
        *store.refuses.lock() = Some(code);
        for _ in 0..20 {
            assert_eq!(lines.send().await, Sent::Failed);
        }
    }
    *store.refuses.lock() = None;
    assert_eq!(lines.send().await, Sent::Some);
    assert_eq!(store.written.lock().len(), 1);
    assert_eq!(lines.watch.metrics.dropped_lines.get(), 0);
    assert_eq!(lines.watch.metrics.failed_writes(Signal::Logs).get(), 60);

    lines.held.0 = vec![line(1, Level::INFO, "a"), line(2, Level::INFO, "b")];
    *store.refuses.lock() = Some(Code::RateLimited);
    for _ in 0..MAX_TRIES {
        assert_eq!(lines.send().await, Sent::Failed);
    }
    assert_eq!(lines.send().await, Sent::Nothing);
    assert_eq!(lines.watch.metrics.dropped_lines.get(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_failing_write_is_tried_less_and_less_often() {
    let store = Arc::new(Store::default());
    *store.refuses.lock() = Some(Code::Unavailable);
    let mut lines = lines(&store);
    lines.held.0 = vec![line(1, Level::INFO, "a")];
    let drain = CancellationToken::new();
    let running = lines.run(&drain);
    assert!(tokio::time::timeout(Duration::from_secs(600), running).await.is_err());
    // After 1, 3, 7, 15, 31 and 61 seconds, and then twice a minute.
    assert_eq!(*store.pushes.lock(), 5 + 18);
}
