//! What the heads of logs hold in memory, against its bounds.

use super::window_of;
use model::{TimeRange, Timestamp};
use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::Notify;

/// What an operation has changed, or what a window holds, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WindowBytes {
    pub open: i64,
    pub sealed: i64,
    /// Pages sealed meanwhile.
    pub pages: u64,
}

impl WindowBytes {
    pub fn held(&self) -> i64 {
        self.open + self.sealed
    }

    fn add(&mut self, other: &Self) {
        self.open += other.open;
        self.sealed += other.sealed;
        self.pages += other.pages;
    }
}

/// Of all tenants together.
pub struct LogMemory {
    /// Shown as it is in the metrics, so that it is right between two sweeps, too.
    held: Gauge,
    max: i64,
    max_block: i64,
    /// Told when something is to be flushed for its size.
    pub over: Notify,
}

impl LogMemory {
    /// `max` bytes in all heads, `max_block` of sealed pages in a tenant's window.
    pub fn new(held: Gauge, max: u64, max_block: u64) -> Self {
        let bound = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
        Self { held, max: bound(max), max_block: bound(max_block), over: Notify::new() }
    }

    pub fn held(&self) -> i64 {
        self.held.get()
    }

    pub fn is_over(&self) -> bool {
        self.held() > self.max
    }

    /// Whether no more lines are taken in until something has been flushed.
    pub fn is_full(&self) -> bool {
        self.held() > self.max.saturating_mul(2)
    }

    /// What has to go so that there is room again for a while.
    pub fn excess(&self) -> i64 {
        if self.is_over() { self.held() - self.max / 2 } else { 0 }
    }

    pub fn is_block(&self, window: &WindowBytes) -> bool {
        window.sealed > self.max_block
    }
}

/// Of one tenant, by window.
pub struct WindowsMemory {
    all: Arc<LogMemory>,
    windows: Mutex<BTreeMap<Timestamp, WindowBytes>>,
}

impl WindowsMemory {
    pub fn new(all: Arc<LogMemory>) -> Self {
        Self { all, windows: Mutex::default() }
    }

    /// Notes what has changed, and wakes who flushes if it has become too much.
    pub fn note(&self, window: Timestamp, change: &WindowBytes) {
        let mut windows = self.windows.lock();
        let bytes = windows.entry(window).or_default();
        bytes.add(change);
        let is_block = self.all.is_block(bytes);
        if bytes.held() == 0 {
            windows.remove(&window);
        }
        drop(windows);
        self.all.held.inc_by(change.held());
        if change.held() > 0 && (is_block || self.all.is_over()) {
            self.all.over.notify_one();
        }
    }

    pub fn windows(&self, block_ms: i64) -> Vec<(TimeRange, WindowBytes)> {
        let windows = self.windows.lock();
        windows.iter().map(|(start, bytes)| (window_of(*start, block_ms), *bytes)).collect()
    }
}
