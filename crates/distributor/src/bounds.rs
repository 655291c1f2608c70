//! Which times a tenant may write.

use service_api::{Limits, RejectReason};

/// The oldest and the newest time that are taken, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    oldest: i64,
    newest: i64,
}

impl Bounds {
    pub fn new(limits: &Limits, now_ms: i64) -> Self {
        let millis = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000);
        let oldest = match limits.max_sample_age {
            0 => i64::MIN,
            age => now_ms.saturating_sub(millis(age)),
        };
        Self { oldest, newest: now_ms.saturating_add(millis(limits.max_sample_future)) }
    }

    /// What is wrong with a time, if anything.
    pub fn check(&self, t: i64) -> Option<RejectReason> {
        if t > self.newest {
            Some(RejectReason::TooFarInFuture)
        } else if t < self.oldest {
            Some(RejectReason::TooFarInPast)
        } else {
            None
        }
    }
}
