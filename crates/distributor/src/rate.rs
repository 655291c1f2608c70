//! A token bucket for each tenant.

use hashbrown::HashMap;
use model::TenantId;
use parking_lot::Mutex;
use service_api::Limits;
use std::time::Duration;

#[derive(Default)]
pub struct Rates {
    buckets: Mutex<HashMap<TenantId, Bucket>>,
}

struct Bucket {
    tokens: f64,
    at: Duration,
}

impl Rates {
    /// Takes `entries` tokens of the tenant's bucket; false if it does not hold that many.
    pub fn admit(&self, tenant: &TenantId, limits: &Limits, now: Duration, entries: u64) -> bool {
        if limits.ingestion_rate <= 0.0 {
            return true;
        }
        let burst = limits.ingestion_burst as f64;
        let mut buckets = self.buckets.lock();
        let bucket = buckets.entry_ref(tenant).or_insert_with(|| Bucket { tokens: burst, at: now });
        let earned = now.saturating_sub(bucket.at).as_secs_f64() * limits.ingestion_rate;
        bucket.tokens = (bucket.tokens + earned).min(burst);
        bucket.at = now;
        if (entries as f64) > bucket.tokens {
            return false;
        }
        bucket.tokens -= entries as f64;
        true
    }
}
