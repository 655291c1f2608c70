//! Reads an open chunk's tokens.

use super::{
    CHANGE, FLOAT, FLOATS, GENERAL, LONGEST_RUN, MAX_EXPONENT, MEDIUM, ONCE, RESCALE, RUN, SAME, SMALL_LIMIT,
    TIMED, XOR, from_integer, kept_interval,
};
use crate::{
    Corrupt,
    cursor::{Cursor, unzigzag},
};
use model::{TimeRange, Timestamp};

/// The encoder's state, gone through once more, and where samples go to.
pub(super) struct Decoder<'a> {
    range: TimeRange,
    timestamps: &'a mut Vec<Timestamp>,
    values: &'a mut Vec<f64>,
    timestamp: Timestamp,
    interval: u32,
    value: f64,
    integer: i64,
    step: i64,
    exponent: u8,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(
        first: Timestamp,
        range: TimeRange,
        timestamps: &'a mut Vec<Timestamp>,
        values: &'a mut Vec<f64>,
    ) -> Self {
        let (interval, value, integer, step, exponent) = (0, 0.0, 0, 0, 0);
        Self { range, timestamps, values, timestamp: first, interval, value, integer, step, exponent }
    }

    /// Decodes all tokens and then the run that is not written yet.
    pub(super) fn decode(&mut self, tokens: &[u8], run: u8) -> Result<(), Corrupt> {
        let mut tokens = Cursor::new(tokens);
        while !tokens.is_empty() {
            self.token(&mut tokens)?;
            if self.timestamp > self.range.end {
                return Ok(());
            }
        }
        self.repeat(run);
        Ok(())
    }

    #[inline]
    fn token(&mut self, tokens: &mut Cursor<'_>) -> Result<(), Corrupt> {
        let token = tokens.byte()?;
        if token >= RUN {
            self.repeat((token & !RUN) + 1);
        } else if token < MEDIUM {
            self.change(0, u64::from(token));
        } else if token < GENERAL {
            let high = u64::from(token & !MEDIUM) << 8;
            self.change(0, SMALL_LIMIT + (high | u64::from(tokens.byte()?)));
        } else {
            let timing = if token & TIMED == 0 { 0 } else { tokens.ivarint()? };
            self.general(timing, token & 7, tokens)?;
        }
        Ok(())
    }

    fn repeat(&mut self, count: u8) {
        debug_assert!(count <= LONGEST_RUN);
        for _ in 0..count {
            self.change(0, 0);
        }
    }

    /// A sample whose step changed by the zigzag number; among floats, the same value again.
    #[inline]
    fn change(&mut self, timing: i64, change: u64) {
        if self.exponent != FLOAT {
            self.step = self.step.wrapping_add(unzigzag(change));
            self.integer = self.integer.wrapping_add(self.step);
            self.value = match self.exponent {
                0 => self.integer as f64,
                exponent => from_integer(self.integer, exponent),
            };
        }
        self.emit(timing, self.value);
    }

    fn general(&mut self, timing: i64, form: u8, tokens: &mut Cursor<'_>) -> Result<(), Corrupt> {
        match form {
            SAME => self.change(timing, 0),
            CHANGE => self.change(timing, tokens.uvarint()?),
            ONCE => self.emit(timing, f64::from_le_bytes(tokens.array()?)),
            RESCALE => {
                let exponent = tokens.byte()?;
                let by = exponent.checked_sub(self.exponent).ok_or(Corrupt("scale goes down"))?;
                if exponent > MAX_EXPONENT {
                    return Err(Corrupt("scale out of bounds"));
                }
                let factor = 10i64.pow(u32::from(by));
                self.integer = self.integer.wrapping_mul(factor);
                self.step = self.step.wrapping_mul(factor);
                self.exponent = exponent;
                self.change(timing, tokens.uvarint()?);
            }
            FLOATS => {
                self.exponent = FLOAT;
                self.emit(timing, f64::from_le_bytes(tokens.array()?));
            }
            XOR => {
                let bits = self.value.to_bits() ^ tokens.trimmed()?;
                self.emit(timing, f64::from_bits(bits));
            }
            _ => return Err(Corrupt("no such token")),
        }
        Ok(())
    }

    #[inline]
    fn emit(&mut self, timing: i64, value: f64) {
        let interval = timing.wrapping_add(i64::from(self.interval));
        self.interval = kept_interval(interval);
        self.timestamp = self.timestamp.wrapping_add(interval);
        self.value = value;
        if self.range.contains(self.timestamp) {
            self.timestamps.push(self.timestamp);
            self.values.push(value);
        }
    }
}
