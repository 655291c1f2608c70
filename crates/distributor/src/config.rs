//! The settings of the distributor.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// `distributor` in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DistributorConfig {
    /// Seconds that the ingesters have to take a write.
    pub write_timeout: u64,
    /// Bytes of writes that are answered already and that a slow ingester has yet to take. One ingester can hold
    /// a quarter of them; what does not fit is not sent to it any longer.
    pub max_detached_bytes: u64,
    /// Seconds without a sample of the elected sender of a pair after which the other one is elected.
    pub ha_failover_timeout: u64,
    /// Seconds between two notes in the ring's store that the elected sender is there.
    pub ha_update_timeout: u64,
    /// Series of pairs of senders whose names without the sender are remembered.
    pub ha_series_cache: usize,
}

impl Default for DistributorConfig {
    fn default() -> Self {
        Self {
            write_timeout: 10,
            max_detached_bytes: 32 << 20,
            ha_failover_timeout: 30,
            ha_update_timeout: 15,
            ha_series_cache: 500_000,
        }
    }
}

impl DistributorConfig {
    /// What is wrong with these settings, naming the key.
    pub fn validate(&self) -> Result<(), String> {
        for (key, seconds) in [
            ("write_timeout", self.write_timeout),
            ("ha_failover_timeout", self.ha_failover_timeout),
            ("ha_update_timeout", self.ha_update_timeout),
        ] {
            if !(1..=3600).contains(&seconds) {
                return Err(format!("{key} must be between 1 and 3600, is {seconds}"));
            }
        }
        // Notes come up to a fifth late, and then have to travel.
        if self.ha_failover_timeout < self.ha_update_timeout * 3 / 2 {
            return Err(format!(
                "ha_failover_timeout must be at least one and a half times ha_update_timeout ({}), is {}",
                self.ha_update_timeout, self.ha_failover_timeout
            ));
        }
        if !(1 << 20..=1 << 40).contains(&self.max_detached_bytes) {
            return Err(format!(
                "max_detached_bytes must be between 1048576 and 1099511627776, is {}",
                self.max_detached_bytes
            ));
        }
        if !(1000..=100_000_000).contains(&self.ha_series_cache) {
            return Err(format!(
                "ha_series_cache must be between 1000 and 100000000, is {}",
                self.ha_series_cache
            ));
        }
        Ok(())
    }

    pub(crate) fn write_timeout(&self) -> Duration {
        Duration::from_secs(self.write_timeout)
    }

    pub(crate) fn failover_timeout(&self) -> Duration {
        Duration::from_secs(self.ha_failover_timeout)
    }

    pub(crate) fn update_timeout(&self) -> Duration {
        Duration::from_secs(self.ha_update_timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_work_are_named() {
        let change = |change: fn(&mut DistributorConfig)| {
            let mut config = DistributorConfig::default();
            change(&mut config);
            config.validate()
        };
        assert_eq!(change(|_| ()), Ok(()));
        for (wrong, key) in [
            (change(|c| c.write_timeout = 0), "write_timeout"),
            (change(|c| c.ha_update_timeout = 21), "ha_failover_timeout"),
            (change(|c| c.max_detached_bytes = 1), "max_detached_bytes"),
            (change(|c| c.ha_series_cache = 0), "ha_series_cache"),
        ] {
            assert!(wrong.is_err_and(|why| why.starts_with(key)), "{key}");
        }
    }
}
