//! The append-only encoder of one series in an ingester's head.
//!
//! Each sample is a token: how its interval differs from the interval before, and how its
//! value's step differs from the step before. Samples for which both differ by nothing
//! are counted, not written. Values are decimal integers (`i / 10^e` where that is exact to the bit)
//! until one comes that is none; from then on they are floats, XORed with the one before.
//!
//! | token | meaning |
//! |---|---|
//! | `1nnnnnnn` | n + 1 samples with nothing new |
//! | `00vvvvvv` | step changes by v (zigzag) |
//! | `010vvvvv` v | step changes by 64 + v (zigzag, 13 bits, high bits first) |
//! | `0110tfff` | if t: varint of the change of the interval; then what form f says |

mod decode;

use crate::{
    SealedChunk, StartRuns,
    cursor::{put_ivarint, put_trimmed, put_uvarint, zigzag},
    values::POWERS_OF_TEN,
};
use decode::Decoder;
use model::{TimeRange, Timestamp};

const RUN: u8 = 0x80;
const LONGEST_RUN: u8 = 128;
const MEDIUM: u8 = 0x40;
const SMALL_LIMIT: u64 = 64;
const MEDIUM_LIMIT: u64 = SMALL_LIMIT + (1 << 13);
const GENERAL: u8 = 0x60;
const TIMED: u8 = 0x08;

/// Nothing new about the value.
const SAME: u8 = 0;
/// A varint: the change of the step.
const CHANGE: u8 = 1;
/// The 8 bytes of one float among integers (a stale marker, say).
const ONCE: u8 = 2;
/// A new, higher exponent, then the change of the step at that scale.
const RESCALE: u8 = 3;
/// The 8 bytes of a float, and floats from here on.
const FLOATS: u8 = 4;
/// A float, XORed with the one before.
const XOR: u8 = 5;

const MAX_EXPONENT: u8 = 9;
/// In place of an exponent: values are floats.
const FLOAT: u8 = 255;
const INTEGER_LIMIT: u64 = 1 << 53;
const LONGEST_TOKEN: usize = 24;

/// Samples of one series, in time order, encoded as they come. Values keep all their bits.
#[derive(Clone, Debug, Default)]
pub struct OpenChunk {
    /// The first timestamp in 8 bytes, then tokens.
    data: Vec<u8>,
    last_timestamp: Timestamp,
    last_value: f64,
    integer: i64,
    step: i64,
    interval: u32,
    len: u16,
    run: u8,
    exponent: u8,
}

impl OpenChunk {
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a sample. False, and nothing is appended, when `timestamp` is not after the
    /// last one or when the chunk holds 65,535 samples.
    #[must_use]
    #[inline]
    pub fn append(&mut self, timestamp: Timestamp, value: f64) -> bool {
        if self.len == 0 {
            self.data.reserve_exact(LONGEST_TOKEN + 8);
            self.data.extend_from_slice(&timestamp.to_le_bytes());
            self.last_timestamp = timestamp;
        } else if timestamp <= self.last_timestamp || self.len == u16::MAX {
            return false;
        }
        let interval = timestamp.wrapping_sub(self.last_timestamp);
        let timing = interval.wrapping_sub(i64::from(self.interval));
        self.last_timestamp = timestamp;
        self.interval = kept_interval(interval);
        self.len += 1;
        self.put(timing, value);
        self.last_value = value;
        true
    }

    pub fn len(&self) -> usize {
        self.len as usize
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn first_timestamp(&self) -> Option<Timestamp> {
        self.data.first_chunk().map(|bytes| Timestamp::from_le_bytes(*bytes))
    }

    pub fn last_timestamp(&self) -> Option<Timestamp> {
        (self.len > 0).then_some(self.last_timestamp)
    }

    pub fn last_value(&self) -> Option<f64> {
        (self.len > 0).then_some(self.last_value)
    }

    /// Bytes this chunk holds on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.data.capacity()
    }

    /// Appends the samples in `range` to both vectors.
    pub fn decode(&self, range: TimeRange, timestamps: &mut Vec<Timestamp>, values: &mut Vec<f64>) {
        let Some(first) = self.first_timestamp() else { return };
        if range.is_empty() || first > range.end || self.last_timestamp < range.start {
            return;
        }
        if range.start <= first && self.last_timestamp <= range.end {
            timestamps.reserve(self.len());
            values.reserve(self.len());
        }
        let mut decoder = Decoder::new(first, range, timestamps, values);
        // The bytes are our own and in memory only, so that they cannot be corrupt.
        let _ = decoder.decode(&self.data[8..], self.run);
    }

    /// The same samples with their starts, packed tighter and for ever. `None` if there are none.
    pub fn seal(&self, runs: &StartRuns) -> Option<SealedChunk> {
        let (mut timestamps, mut values, mut starts) = (Vec::new(), Vec::new(), Vec::new());
        self.decode(TimeRange::ALL, &mut timestamps, &mut values);
        runs.fill(&timestamps, 0, &mut starts);
        SealedChunk::encode(&timestamps, &values, &starts)
    }

    #[inline]
    fn put(&mut self, timing: i64, value: f64) {
        if self.exponent == FLOAT {
            return self.put_float(timing, value);
        }
        let Some(integer) = to_integer(value, self.exponent) else {
            return self.put_other(timing, value);
        };
        let change = self.advance(integer);
        if timing == 0 && change == 0 {
            return self.count_run();
        }
        self.make_room();
        let change = zigzag(change);
        if timing != 0 {
            self.put_general(timing, if change == 0 { SAME } else { CHANGE });
            if change != 0 {
                put_uvarint(&mut self.data, change);
            }
        } else if change < SMALL_LIMIT {
            self.data.push(change as u8);
        } else if change < MEDIUM_LIMIT {
            let rest = (change - SMALL_LIMIT) as u16;
            self.data.extend_from_slice(&[MEDIUM | (rest >> 8) as u8, rest as u8]);
        } else {
            self.put_general(timing, CHANGE);
            put_uvarint(&mut self.data, change);
        }
    }

    /// Moves on to `integer`; gives how the step changed. Wrapping, as the decoder does.
    #[inline]
    fn advance(&mut self, integer: i64) -> i64 {
        let step = integer.wrapping_sub(self.integer);
        let change = step.wrapping_sub(self.step);
        (self.integer, self.step) = (integer, step);
        change
    }

    #[inline]
    fn count_run(&mut self) {
        self.run += 1;
        if self.run == LONGEST_RUN {
            self.make_room();
        }
    }

    /// Writes out the run so far and sees that the longest token fits.
    #[inline]
    fn make_room(&mut self) {
        let len = self.data.len();
        if self.data.capacity() - len < LONGEST_TOKEN {
            self.data.reserve_exact(LONGEST_TOKEN.max(len / 2));
        }
        if self.run > 0 {
            self.data.push(RUN | (self.run - 1));
            self.run = 0;
        }
    }

    fn put_general(&mut self, timing: i64, form: u8) {
        if timing == 0 {
            self.data.push(GENERAL | form);
        } else {
            self.data.push(GENERAL | TIMED | form);
            put_ivarint(&mut self.data, timing);
        }
    }

    fn put_float(&mut self, timing: i64, value: f64) {
        let difference = value.to_bits() ^ self.last_value.to_bits();
        if difference == 0 && timing == 0 {
            return self.count_run();
        }
        self.make_room();
        if difference == 0 {
            self.put_general(timing, SAME);
        } else {
            self.put_general(timing, XOR);
            put_trimmed(&mut self.data, difference);
        }
    }

    /// A value that is no integer at the present scale.
    fn put_other(&mut self, timing: i64, value: f64) {
        self.make_room();
        let ordinary = value.is_finite() && value != 0.0;
        if ordinary && self.rescale(timing, value) {
            return;
        }
        self.put_general(timing, if ordinary { FLOATS } else { ONCE });
        self.data.extend_from_slice(&value.to_bits().to_le_bytes());
        if ordinary {
            self.exponent = FLOAT;
        }
    }

    fn rescale(&mut self, timing: i64, value: f64) -> bool {
        for exponent in self.exponent + 1..=MAX_EXPONENT {
            let Some(integer) = to_integer(value, exponent) else { continue };
            let factor = 10i64.pow(u32::from(exponent - self.exponent));
            let (Some(last), Some(step)) = (self.integer.checked_mul(factor), self.step.checked_mul(factor))
            else {
                return false;
            };
            (self.exponent, self.integer, self.step) = (exponent, last, step);
            let change = self.advance(integer);
            self.put_general(timing, RESCALE);
            self.data.push(exponent);
            put_ivarint(&mut self.data, change);
            return true;
        }
        false
    }
}

/// Intervals over 49 days are not remembered, so that the struct stays small.
#[inline]
fn kept_interval(interval: i64) -> u32 {
    u32::try_from(interval).unwrap_or(0)
}

/// The integer whose `10^exponent`th part is `value` to the bit.
#[inline]
fn to_integer(value: f64, exponent: u8) -> Option<i64> {
    let (integer, back) = if exponent == 0 {
        let integer = value as i64;
        (integer, integer as f64)
    } else {
        let scaled = value * POWERS_OF_TEN[exponent as usize];
        let integer = (scaled + 0.5f64.copysign(scaled)) as i64;
        (integer, from_integer(integer, exponent))
    };
    (back.to_bits() == value.to_bits() && integer.unsigned_abs() < INTEGER_LIMIT).then_some(integer)
}

#[inline]
fn from_integer(integer: i64, exponent: u8) -> f64 {
    integer as f64 / POWERS_OF_TEN[exponent as usize]
}

#[cfg(test)]
mod tests;
