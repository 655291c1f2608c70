//! How long to wait before a failed call to the store is tried again.

use std::time::Duration;
use xxhash_rust::xxh3::xxh3_64_with_seed;

const FIRST: Duration = Duration::from_millis(500);
const DOUBLINGS: u32 = 4;

/// Doubles from half a second to eight, and takes off up to half by a hash of who waits: all that
/// lost the store at once do not come back at once, and a simulation stays the same.
pub(crate) fn backoff(who: &str, failures: u32) -> Duration {
    let longest = FIRST * 2u32.pow(failures.saturating_sub(1).min(DOUBLINGS));
    let share = xxh3_64_with_seed(who.as_bytes(), u64::from(failures)) >> 32;
    longest - longest.mul_f64(share as f64 / 2f64.powi(33))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_differ_by_who_waits() {
        let bounds = [(1, 0.25, 0.5), (2, 0.5, 1.0), (5, 4.0, 8.0), (1_000_000, 4.0, 8.0)];
        for (failures, least, most) in bounds {
            let wait = backoff("a", failures).as_secs_f64();
            assert!((least..=most).contains(&wait), "{failures}: {wait}");
        }
        assert_ne!(backoff("a", 3), backoff("b", 3));
        assert_eq!(backoff("a", 3), backoff("a", 3));
    }
}
