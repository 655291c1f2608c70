//! Time, passed in so that tests and simulations can hold it.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, Instant, SystemTime},
};

pub trait Clock: Send + Sync {
    /// Wall time in milliseconds since the Unix epoch.
    fn now_ms(&self) -> i64;

    /// Time since some fixed point that no clock change moves: for rates, timeouts, liveness.
    fn monotonic(&self) -> Duration;
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

#[allow(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
impl SystemClock {
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

#[allow(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.map_or(0, |d| d.as_millis() as i64)
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

/// Goes with tokio's time, which tests pause.
#[derive(Debug)]
pub struct RuntimeClock {
    start_ms: i64,
    start: tokio::time::Instant,
}

impl RuntimeClock {
    pub fn at(now_ms: i64) -> Self {
        Self { start_ms: now_ms, start: tokio::time::Instant::now() }
    }
}

impl Clock for RuntimeClock {
    fn now_ms(&self) -> i64 {
        self.start_ms + self.monotonic().as_millis() as i64
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock {
    start_ms: i64,
    now_ms: AtomicI64,
}

impl ManualClock {
    pub fn at(now_ms: i64) -> Self {
        Self { start_ms: now_ms, now_ms: AtomicI64::new(now_ms) }
    }

    pub fn advance(&self, by: Duration) {
        self.now_ms.fetch_add(by.as_millis() as i64, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        self.now_ms.load(Ordering::SeqCst)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis((self.now_ms() - self.start_ms) as u64)
    }
}
