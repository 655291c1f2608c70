//! The settings of the compactor.

use serde::{Deserialize, Serialize};
use std::{path::PathBuf, time::Duration};

/// `compactor` in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CompactorConfig {
    /// Seconds between two looks at what there is to do.
    pub interval: u64,
    /// Seconds for which nothing new must have come for a window of time before its blocks are merged.
    pub delay: u64,
    /// Bytes of memory that a merge may use.
    pub memory: u64,
    /// Bytes at which a new block is full, and another one is begun.
    pub block_bytes: u64,
    /// The folder in which new blocks lie until they are whole; a folder in `data_dir` if empty.
    pub scratch_dir: PathBuf,
}

impl Default for CompactorConfig {
    fn default() -> Self {
        Self {
            interval: 300,
            delay: 600,
            memory: 512 << 20,
            block_bytes: 1 << 30,
            scratch_dir: PathBuf::new(),
        }
    }
}

impl CompactorConfig {
    /// What is wrong with these settings, naming the key.
    pub fn validate(&self) -> Result<(), String> {
        let bounds = [
            ("interval", self.interval, 1..=86_400),
            ("delay", self.delay, 0..=86_400),
            ("memory", self.memory, 16 << 20..=1 << 40),
            ("block_bytes", self.block_bytes, 1 << 20..=64 << 30),
        ];
        for (key, value, allowed) in bounds {
            if !allowed.contains(&value) {
                let (low, high) = (allowed.start(), allowed.end());
                return Err(format!("{key} must be between {low} and {high}, is {value}"));
            }
        }
        Ok(())
    }

    pub(crate) fn interval(&self) -> Duration {
        Duration::from_secs(self.interval.max(1))
    }
}
