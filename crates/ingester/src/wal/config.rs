//! The settings of the write-ahead log.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// When a write counts as written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sync {
    /// Answer once the disk has confirmed it (fdatasync, shared by all writes that wait at that moment).
    #[default]
    Always,
    /// Answer once the operating system has it; a power loss costs up to `sync_interval_ms` of writes.
    Interval,
}

/// Where the log's work is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Threads {
    /// On two of its own.
    #[default]
    Own,
    /// On the caller's, each record at once and alone: for simulations, in which nothing else may run. Then a sync
    /// that is due by `sync: interval` waits for the next call.
    Inline,
}

/// `wal` in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WalConfig {
    /// `always` or `interval`.
    pub sync: Sync,
    /// With `sync: interval`: milliseconds between two syncs.
    pub sync_interval_ms: u64,
    /// Bytes that a segment file is given in advance; it is removed as a whole.
    pub segment_size: u64,
    /// Microseconds a write may wait for others to share its sync, while the disk is slow and the log busy.
    pub group_window_us: u64,
    /// Bytes after which a group of writes waits for no more.
    pub group_bytes: u64,
    /// Bytes that may wait for the log; more makes senders wait.
    pub queue_bytes: u64,
    /// Bytes of damaged records that are kept for inspection in the folder `quarantine`.
    pub quarantine_bytes: u64,
    /// Nothing to configure: set by whoever starts the log.
    #[serde(skip)]
    pub threads: Threads,
}

impl Default for WalConfig {
    fn default() -> Self {
        Self {
            sync: Sync::Always,
            sync_interval_ms: 100,
            segment_size: 64 << 20,
            group_window_us: 2_000,
            group_bytes: 256 << 10,
            queue_bytes: 64 << 20,
            quarantine_bytes: 64 << 20,
            threads: Threads::Own,
        }
    }
}

impl WalConfig {
    /// What is wrong with these settings, naming the key.
    pub fn validate(&self) -> Result<(), String> {
        let within = |key: &str, value: u64, low: u64, high: u64| match (low..=high).contains(&value) {
            true => Ok(()),
            false => Err(format!("wal.{key} must be between {low} and {high}, is {value}")),
        };
        within("sync_interval_ms", self.sync_interval_ms, 1, 60_000)?;
        within("segment_size", self.segment_size, 16 << 10, 1 << 30)?;
        within("group_window_us", self.group_window_us, 0, 1_000_000)?;
        within("group_bytes", self.group_bytes, 1, 64 << 20)?;
        within("queue_bytes", self.queue_bytes, 64 << 10, 1 << 30)
    }

    pub(super) fn sync_interval(&self) -> Duration {
        Duration::from_millis(self.sync_interval_ms)
    }

    pub(super) fn group_window(&self) -> Duration {
        Duration::from_micros(self.group_window_us)
    }
}
