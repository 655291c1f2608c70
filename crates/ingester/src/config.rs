//! The settings of the ingester.

use crate::wal::WalConfig;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// `ingester` in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IngesterConfig {
    /// Seconds of data that one block holds. Blocks begin at multiples of it.
    pub block_duration: u64,
    /// Seconds between two looks at what is ready to become a block.
    pub flush_interval: u64,
    /// Whether everything is written to the bucket when the process stops in order.
    pub flush_on_shutdown: bool,
    /// Exemplars that are kept for one tenant; the oldest go first. 0 keeps none.
    pub max_exemplars: usize,
    /// Metrics of one tenant whose metadata is kept.
    pub max_metadata: usize,
    /// Bytes of compressed lines of one tenant and window of time that make a block at once.
    pub max_log_block_bytes: u64,
    /// Bytes of lines that all heads may hold before some are written to blocks. At twice as
    /// many, lines are refused.
    pub max_log_head_bytes: u64,
    /// The write-ahead log: a section of its own in the configuration.
    #[serde(skip)]
    pub wal: WalConfig,
}

impl Default for IngesterConfig {
    fn default() -> Self {
        Self {
            block_duration: 7200,
            flush_interval: 30,
            flush_on_shutdown: false,
            max_exemplars: 100_000,
            max_metadata: 50_000,
            max_log_block_bytes: 64 << 20,
            max_log_head_bytes: 512 << 20,
            wal: WalConfig::default(),
        }
    }
}

impl IngesterConfig {
    /// What is wrong with these settings, naming the key.
    pub fn validate(&self) -> Result<(), String> {
        // What was deleted is looked for in what heads let go of within a day (`removal::Requests`).
        if !(60..=43_200).contains(&self.block_duration) {
            return Err(format!("block_duration must be between 60 and 43200, is {}", self.block_duration));
        }
        // What has changed is noted by minutes, and forgotten with the window that they are in.
        if !self.block_duration.is_multiple_of(60) {
            return Err(format!("block_duration must be whole minutes, is {}", self.block_duration));
        }
        if !(1..=3600).contains(&self.flush_interval) {
            return Err(format!("flush_interval must be between 1 and 3600, is {}", self.flush_interval));
        }
        if self.max_exemplars > 100_000_000 {
            return Err(format!("max_exemplars must be at most 100000000, is {}", self.max_exemplars));
        }
        for (key, bytes) in [
            ("max_log_block_bytes", self.max_log_block_bytes),
            ("max_log_head_bytes", self.max_log_head_bytes),
        ] {
            if !(1 << 20..=1 << 40).contains(&bytes) {
                return Err(format!("{key} must be between 1048576 and 1099511627776, is {bytes}"));
            }
        }
        self.wal.validate()
    }

    pub(crate) fn block_ms(&self) -> i64 {
        // In bounds by `validate`; the clamp keeps an unchecked configuration from dividing by zero.
        self.block_duration.clamp(1, 43_200) as i64 * 1000
    }

    pub(crate) fn flush_interval(&self) -> Duration {
        Duration::from_secs(self.flush_interval.max(1))
    }
}
