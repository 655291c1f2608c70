//! Float samples and the marker that ends a series.

use crate::Timestamp;

/// The NaN with which Prometheus marks that a series has ended. Its bits are kept
/// everywhere; an ordinary NaN has other bits.
pub const STALE_NAN: u64 = 0x7ff0_0000_0000_0002;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    pub timestamp: Timestamp,
    pub value: f64,
}

/// Whether `value` is the stale marker (and not just any NaN).
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_NAN
}

/// The stale marker.
pub fn stale_nan() -> f64 {
    f64::from_bits(STALE_NAN)
}
