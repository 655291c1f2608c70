//! Bounds what slow ingesters keep in memory of writes that are answered already.

use crate::ingesters::Ingester;
use prometheus_client::metrics::gauge::Gauge;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// What a request counts at least: with it the number of requests is bounded, too.
const LEAST: u64 = 16 << 10;

/// Of all that may be held one ingester may hold this part: one that hangs does not take the room from those that
/// are only the slowest.
const PART: u64 = 4;

pub struct Detached {
    limit: u64,
    bytes: AtomicU64,
    gauge: Gauge,
}

/// Room for one request; given back on drop.
pub struct Hold {
    detached: Arc<Detached>,
    ingester: Arc<Ingester>,
    bytes: u64,
}

impl Detached {
    pub fn new(limit: u64, gauge: Gauge) -> Arc<Self> {
        Arc::new(Self { limit, bytes: AtomicU64::new(0), gauge })
    }

    /// Room for a request of `bytes` to `ingester`, if there is any.
    pub fn hold(self: &Arc<Self>, ingester: &Arc<Ingester>, bytes: usize) -> Option<Hold> {
        let bytes = (bytes as u64).max(LEAST);
        let part = self.limit / PART;
        // One request alone may be larger than the part.
        take(&ingester.detached, bytes, |held, after| held == 0 || after <= part)?;
        if take(&self.bytes, bytes, |_, after| after <= self.limit).is_none() {
            ingester.detached.fetch_sub(bytes, Relaxed);
            return None;
        }
        self.gauge.inc_by(bytes as i64);
        Some(Hold { detached: Arc::clone(self), ingester: Arc::clone(ingester), bytes })
    }
}

/// Adds `bytes` if what is held then, after what was before, is allowed.
fn take(held: &AtomicU64, bytes: u64, allowed: impl Fn(u64, u64) -> bool) -> Option<u64> {
    held.fetch_update(Relaxed, Relaxed, |held| Some(held + bytes).filter(|after| allowed(held, *after))).ok()
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.ingester.detached.fetch_sub(self.bytes, Relaxed);
        self.detached.bytes.fetch_sub(self.bytes, Relaxed);
        self.detached.gauge.dec_by(self.bytes as i64);
    }
}
