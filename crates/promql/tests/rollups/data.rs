//! Some days of random series, with all that goes wrong with them.

use super::reader::{DAY, Reader, Stored};
use crate::random::Random;
use model::{Labels, Timestamp, stale_nan};

/// A day (UTC) somewhere, and one before the epoch.
const FIRST_DAYS: [i64; 3] = [0, 19_675, -3];
pub const DAYS: i64 = 5;

const LAST_OF_KIND: usize = 4;

pub fn generate(random: &mut Random) -> (Reader, i64) {
    let first_day = FIRST_DAYS[random.below(FIRST_DAYS.len())];
    let mut series = Vec::new();
    for (name, kind) in [("c_total", 0), ("g", 1), ("wild", 2), ("x_total", 3), ("h", 4)] {
        for at in 0..1 + random.below(LAST_OF_KIND) {
            let labels = Labels::from_pairs([("__name__", name), ("i", &at.to_string()), ("j", "x")]);
            let samples = samples(random, first_day * DAY, kind);
            series.push(Stored { labels, samples, histograms: Vec::new() });
        }
    }
    series.sort_by(|a, b| a.labels.cmp(&b.labels));
    let mut reader = Reader { series, ..Reader::default() };
    let every = random.chance(30);
    let days = (first_day - 1)..(first_day + DAYS);
    reader.rolled_up = days.filter(|_| every || random.chance(70)).collect();
    (reader, first_day * DAY)
}

/// The next value of a series of some kind.
fn next(random: &mut Random, kind: usize, value: f64) -> f64 {
    const WILD: [f64; 7] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 1e300, -5e-324];
    // Tenths cannot be added without rounding, so that the order tells.
    let more = random.between(0, 50) as f64 / 10.0;
    match kind {
        // Of some counters resets are rare, so that buckets with several of them are, too.
        0 if random.below(1000) == 0 => more,
        0 | 3 if kind == 0 || !random.chance(4) => value + more,
        3 => more,
        1 => 100.0 + random.between(-500, 500) as f64 / 10.0,
        2 if random.chance(10) => WILD[random.below(WILD.len())],
        // Nothing here cancels out or is too large to be added.
        4 if random.chance(1) => WILD[random.below(3)],
        4 => random.between(0, 1000) as f64 / 10.0,
        _ => random.between(-30, 30) as f64 / 10.0,
    }
}

fn samples(random: &mut Random, start: Timestamp, kind: usize) -> Vec<(Timestamp, f64)> {
    let interval = [60_000, 100_000, 150_000, 300_000, 777_000][random.below(5)];
    let jitter = [0, 0, 1, 30_000][random.below(4)];
    let end = start + DAYS * DAY - if random.chance(30) { random.between(0, 2 * DAY) } else { 0 };
    let mut time = start - DAY / 2 + if random.chance(30) { random.between(0, 3 * DAY) } else { 0 };
    if random.chance(60) {
        // Exactly on the ends of buckets, now and then.
        time = time.div_euclid(300_000) * 300_000;
    }
    let (mut samples, mut value) = (Vec::new(), 0.0);
    while time < end {
        value = next(random, kind, value);
        samples.push((time, value));
        time += interval + random.between(-jitter, jitter);
        match random.below(300) {
            // The series ends and begins anew, with or without a gap.
            0 => {
                samples.push((time, stale_nan()));
                time += interval + random.between(0, 3) * 3_600_000;
            }
            1 => samples.extend([(time, stale_nan()), (time + 1, stale_nan())]),
            2 => time += random.between(0, 4 * 3_600_000),
            // Onto the next end of a bucket, and right behind it.
            3 => time = time.div_euclid(300_000) * 300_000 + 300_000,
            4 => time = time.div_euclid(3_600_000) * 3_600_000 + 3_600_001,
            _ => {}
        }
        time = samples.last().map_or(time, |(last, _)| time.max(last + 1));
        if value.is_nan() || value.is_infinite() || value.abs() > 1e200 {
            value = 0.0;
        }
    }
    samples
}
