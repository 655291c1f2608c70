//! What an answer must not hang on: the last bits of a float and the order of equal values.
//!
//! Where two ways to add the same numbers differ in the last bit, a comparison further out may turn.
//! The reference can shake its own results that little; what the shaking turns as well says nothing.

use crate::reference::random::mix;
use std::cell::Cell;

#[derive(Clone, Debug, Default)]
pub struct Noise {
    seed: Option<u64>,
    /// Counts results, if equal ones are to be shaken apart.
    calls: Option<Cell<u64>>,
}

impl Noise {
    pub fn none() -> Self {
        Self::default()
    }

    /// Every other seed shakes equal results apart.
    pub fn seeded(seed: u64) -> Self {
        Self { seed: Some(mix(seed)), calls: (seed % 2 == 1).then(Cell::default) }
    }

    /// A result of arithmetic that rounds.
    pub fn rounded(&self, value: f64) -> f64 {
        let Some(seed) = self.seed.filter(|_| value.is_finite()) else { return value };
        let call = self.calls.as_ref().map_or(0, |calls| calls.replace(calls.get() + 1));
        let random = mix(seed ^ value.to_bits() ^ mix(call));
        value * (1.0 + (random % 2001) as f64 * 5e-16 - 5e-13)
    }

    /// A result that rounds only if it has many digits.
    pub fn summed(&self, value: f64) -> f64 {
        let few_digits = (value * 4096.0).fract() == 0.0 && value.abs() < 1e12;
        if few_digits { value } else { self.rounded(value) }
    }

    /// A number that goes into arithmetic that loses digits.
    pub fn nudged(&self, value: f64) -> f64 {
        let Some(seed) = self.seed.filter(|_| value.is_finite()) else { return value };
        value * (1.0 + (mix(seed ^ value.to_bits()) % 5) as f64 * f64::EPSILON - 2.0 * f64::EPSILON)
    }

    /// Where to put one of several equal values.
    pub fn place(&self, at: usize) -> u64 {
        self.seed.map_or(at as u64, |seed| mix(seed ^ at as u64))
    }
}
