//! The floats of random series.
//!
//! Most are small multiples of a quarter: these add up exactly in any order, and many are equal.

use crate::reference::random::Random;

/// More than any series has samples.
const COUNT: usize = 140;

fn quarters(random: &mut Random, low: i64, high: i64) -> f64 {
    random.between(low * 4, high * 4) as f64 / 4.0
}

pub fn counter(random: &mut Random) -> Vec<f64> {
    let mut value = [0.0, 0.0, 10.0, 1e6][random.below(4)];
    let most = [1, 10, 100][random.below(3)];
    let mut next = || {
        let now = value;
        value += if random.chance(30) { 0.0 } else { quarters(random, 0, most) };
        if random.chance(4) {
            value = if random.chance(50) { 0.0 } else { quarters(random, 0, 3) };
        }
        now
    };
    (0..COUNT).map(|_| next()).collect()
}

pub fn gauge(random: &mut Random) -> Vec<f64> {
    let is_wild = random.chance(35);
    let wild = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 1e300, 1e-9, 0.1, 1e17];
    let mut value = quarters(random, -20, 20);
    let mut next = || {
        if is_wild && random.chance(6) {
            return wild[random.below(wild.len())];
        }
        value += quarters(random, -5, 5);
        value
    };
    (0..COUNT).map(|_| next()).collect()
}

/// Few different values.
pub fn small(random: &mut Random) -> Vec<f64> {
    let values = [0.0, 1.0, 1.0, 2.0, 3.0, -1.0, 0.5];
    (0..COUNT).map(|_| values[random.below(values.len())]).collect()
}

/// The counts of the buckets of a classic histogram; each counts what those before it count, mostly.
pub fn buckets(random: &mut Random, bounds: usize) -> Vec<Vec<f64>> {
    let mut counts = vec![0.0; bounds];
    let mut columns = vec![Vec::new(); bounds];
    for _ in 0..COUNT {
        let from = random.below(bounds);
        let more = random.between(0, 8) as f64;
        counts[from..].iter_mut().for_each(|count| *count += more);
        if random.chance(3) {
            counts.fill(0.0);
        }
        if random.chance(2) {
            counts[random.below(bounds)] += 1.0;
        }
        counts.iter().zip(&mut columns).for_each(|(count, column)| column.push(*count));
    }
    columns
}
