//! Token buckets, one for each of what is limited.

use hashbrown::HashMap;
use parking_lot::Mutex;
use std::{hash::Hash, time::Duration};

/// Buckets that are held at once. Beyond it idle ones are forgotten, and then begin full.
const MAX_BUCKETS: usize = 100_000;

/// A bucket that nobody asked for so long may be forgotten.
const IDLE: Duration = Duration::from_secs(60);

/// What a bucket earns and holds.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// 0 is no limit.
    pub per_second: f64,
    pub burst: f64,
    /// What a full bucket gives at once if it has to, going into debt.
    pub most: u64,
}

impl Rate {
    /// `burst` at once, and `per_second` on average.
    pub fn new(per_second: f64, burst: u64) -> Self {
        Self { per_second, burst: burst as f64, most: burst }
    }

    /// The share of one of `n` that grant the rate together. Whatever could be taken at once by one alone still
    /// can, as in Cortex, where each grants the whole burst; but here it is paid for.
    pub fn share(self, n: usize) -> Self {
        let n = n.max(1) as f64;
        Self { per_second: self.per_second / n, burst: self.burst / n, ..self }
    }
}

pub struct Rates<K> {
    buckets: Mutex<HashMap<K, Bucket>>,
}

struct Bucket {
    tokens: f64,
    at: Duration,
}

impl<K> Default for Rates<K> {
    fn default() -> Self {
        Self { buckets: Mutex::default() }
    }
}

impl<K: Eq + Hash> Rates<K> {
    /// Takes tokens out of the bucket of `key`; false, and none taken, if it cannot give that many.
    pub fn admit(&self, key: K, rate: Rate, now: Duration, tokens: u64) -> bool {
        if rate.per_second <= 0.0 {
            return true;
        }
        let burst = rate.burst;
        let mut buckets = self.buckets.lock();
        if buckets.len() >= MAX_BUCKETS && !buckets.contains_key(&key) {
            make_room(&mut buckets, now);
        }
        let bucket = buckets.entry(key).or_insert_with(|| Bucket { tokens: burst, at: now });
        let earned = now.saturating_sub(bucket.at).as_secs_f64() * rate.per_second;
        bucket.tokens = (bucket.tokens + earned).min(burst);
        bucket.at = now;
        let is_full = bucket.tokens >= burst;
        if tokens as f64 > bucket.tokens && !(is_full && tokens <= rate.most) {
            return false;
        }
        bucket.tokens -= tokens as f64;
        true
    }
}

/// Forgets idle buckets, and all of them where that would soon have to be done again.
fn make_room<K: Eq + Hash>(buckets: &mut HashMap<K, Bucket>, now: Duration) {
    buckets.retain(|_, bucket| now.saturating_sub(bucket.at) < IDLE);
    if buckets.len() > MAX_BUCKETS / 2 {
        buckets.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_bounded_and_keeps_who_is_busy() {
        let (rates, rate) = (Rates::default(), Rate::new(1.0, 1));
        for key in 0..MAX_BUCKETS {
            assert!(rates.admit(key, rate, Duration::ZERO, 1));
        }
        let later = Duration::from_secs(61);
        assert!(rates.admit(0, rate, later, 1));
        assert!(rates.admit(MAX_BUCKETS, rate, later, 1));
        assert_eq!(rates.buckets.lock().len(), 2);
        assert!(!rates.admit(0, rate, later, 1));
    }

    #[test]
    fn a_share_lets_large_requests_through_and_makes_them_wait_for_the_next() {
        let (rates, rate) = (Rates::default(), Rate::new(10.0, 100).share(4));
        assert!(rates.admit((), rate, Duration::ZERO, 20));
        assert!(!rates.admit((), rate, Duration::ZERO, 20), "a quarter of the burst is 25");
        let full = Duration::from_secs(8);
        assert!(!rates.admit((), rate, full, 101));
        assert!(rates.admit((), rate, full, 100));
        // 75 in debt, and 2.5 a second.
        assert!(!rates.admit((), rate, full + Duration::from_secs(30), 1));
        assert!(rates.admit((), rate, full + Duration::from_secs(31), 1));
    }
}
