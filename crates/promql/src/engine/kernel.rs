//! Functions of one series over the windows of all steps, in one pass.
//!
//! `functions::rate` and `functions::over_time` say what each function is; here neighbouring
//! windows share what they have in common.

mod cells;
mod sliding;

pub(crate) use cells::{CellKernel, Cells};

use super::{
    plan::RangeFunction,
    values::Values,
    window::{WindowCache, Windows},
};
use crate::functions::{
    over_time::OverTime,
    rate::{self, RateKind},
};
use model::Timestamp;
use sliding::{Largest, Slider, SlidingSum, Smallest};
use vectors::{absent, is_absent, quantile};

/// Computes one range function for series after series.
pub(crate) struct RangeKernel {
    function: RangeFunction<Values>,
    windows: WindowCache,
    scratch: Scratch,
}

/// After so many samples it is worth asking whether the query was cancelled.
const SAMPLES_A_CHECK: usize = 1 << 16;

/// Says now and then whether to go on. Thousands of samples, once for each of a million steps, take minutes.
#[derive(Clone, Copy)]
struct Pace<'a> {
    is_cancelled: &'a dyn Fn() -> bool,
    looked_at: usize,
}

impl Pace<'_> {
    /// Whether to look at another window of so many samples.
    #[inline]
    fn goes_on(&mut self, samples: usize) -> bool {
        self.looked_at += samples + 1;
        if self.looked_at < SAMPLES_A_CHECK {
            return true;
        }
        self.looked_at = 0;
        !(self.is_cancelled)()
    }
}

/// Buffers that are used again for each series.
#[derive(Default)]
struct Scratch {
    values: Vec<f64>,
    counts: Vec<u32>,
    resets: Vec<u32>,
    sums: Slider<SlidingSum>,
    largest: Slider<Largest>,
    smallest: Slider<Smallest>,
}

impl RangeKernel {
    /// Whether it can compute the function. What is rare goes the way of `range`.
    pub fn knows<P>(function: &RangeFunction<P>) -> bool {
        !matches!(function, RangeFunction::TimeOf(_) | RangeFunction::DoubleExponential(..))
    }

    /// For a function that it `knows`.
    pub fn new(function: RangeFunction<Values>, windows: WindowCache) -> Self {
        Self { function, windows, scratch: Scratch::default() }
    }

    /// Adds how many samples each step's window holds.
    pub fn count(&mut self, times: &[Timestamp], counts: &mut [u64]) {
        let bounds = &self.windows.windows(times).bounds;
        counts.iter_mut().zip(bounds).for_each(|(count, (from, to))| *count += u64::from(to - from));
    }

    /// `out` gets one value a step; fewer if the query is cancelled meanwhile, which the
    /// caller then finds out. The samples must hold no stale markers.
    pub fn compute(
        &mut self,
        times: &[Timestamp],
        values: &[f64],
        is_cancelled: &dyn Fn() -> bool,
        out: &mut Vec<f64>,
    ) {
        out.clear();
        let spec = *self.windows.spec();
        let windows = self.windows.windows(times);
        let mut pace = Pace { is_cancelled, looked_at: 0 };
        let slices = windows.bounds.iter().map(|(from, to)| (*from as usize, *to as usize));
        let slices = slices.take_while(|(i, j)| pace.goes_on(j - i));
        let scratch = &mut self.scratch;
        match &self.function {
            RangeFunction::Extrapolated(kind) => extrapolated(
                *kind,
                windows,
                values,
                &mut scratch.resets,
                Pace { is_cancelled, looked_at: 0 },
                out,
            ),
            RangeFunction::InstantRate => {
                out.extend(slices.map(|(i, j)| some(rate::irate(&times[i..j], &values[i..j]))));
            }
            RangeFunction::InstantDelta => out.extend(slices.map(|(i, j)| some(rate::idelta(&values[i..j])))),
            RangeFunction::Derivative => {
                out.extend(slices.map(|(i, j)| some(rate::deriv(&times[i..j], &values[i..j]))));
            }
            RangeFunction::PredictLinear(seconds) => out.extend(slices.enumerate().map(|(step, (i, j))| {
                // From the evaluation time, which `offset` and `@` do not move.
                let now = spec.steps.time(step);
                some(rate::predict_linear(&times[i..j], &values[i..j], now, seconds.at(step)))
            })),
            RangeFunction::Quantile(phi) => out.extend(slices.enumerate().map(|(step, (i, j))| {
                if i == j {
                    return absent();
                }
                scratch.values.clear();
                scratch.values.extend_from_slice(&values[i..j]);
                quantile(phi.at(step), &mut scratch.values)
            })),
            RangeFunction::Changes => {
                let differ = |a: f64, b: f64| a != b && !(a.is_nan() && b.is_nan());
                count_pairs(differ, windows, values, &mut scratch.counts, out);
            }
            RangeFunction::Resets => count_pairs(|a, b| b < a, windows, values, &mut scratch.counts, out),
            RangeFunction::OverTime(function) => {
                over_time(*function, windows, values, scratch, Pace { is_cancelled, looked_at: 0 }, out);
            }
            RangeFunction::TimeOf(_) | RangeFunction::DoubleExponential(..) => {}
        }
    }
}

fn some(value: Option<f64>) -> f64 {
    value.unwrap_or_else(absent)
}

/// `rate`, `increase` and `delta`: all that depends on times is in the windows already.
fn extrapolated(
    kind: RateKind,
    windows: &Windows,
    values: &[f64],
    resets: &mut Vec<u32>,
    mut pace: Pace<'_>,
    out: &mut Vec<f64>,
) {
    resets.clear();
    if kind != RateKind::Delta {
        find_resets(values, resets);
    }
    let (mut first_reset, mut behind_reset) = (0, 0);
    for ((from, to), stretch) in windows.bounds.iter().zip(&windows.stretches) {
        if to - from < 2 {
            out.push(absent());
            continue;
        }
        let (first, last) = (values[*from as usize], values[*to as usize - 1]);
        let mut change = last - first;
        if kind == RateKind::Delta {
            out.push(change * stretch.factor);
            continue;
        }
        if !resets.is_empty() {
            while resets.get(behind_reset).is_some_and(|at| at < to) {
                behind_reset += 1;
            }
            while first_reset < behind_reset && resets[first_reset] <= *from {
                first_reset += 1;
            }
            if !pace.goes_on(behind_reset - first_reset) {
                return;
            }
            for at in &resets[first_reset..behind_reset] {
                change += values[*at as usize - 1];
            }
        }
        out.push(change * counter_factor(stretch, first, change));
    }
}

/// A counter is not stretched below zero.
#[inline]
fn counter_factor(stretch: &super::window::Stretch, first: f64, change: f64) -> f64 {
    // That is `to_zero < to_start` without the division, which few windows need.
    if change > 0.0 && first >= 0.0 && stretch.sampled * first < stretch.to_start * change {
        return stretch.factor_with(stretch.sampled * (first / change));
    }
    stretch.factor
}

/// The indexes of values below the one before them.
fn find_resets(values: &[f64], resets: &mut Vec<u32>) {
    const BLOCK: usize = 64;
    for (block, start) in values.chunks(BLOCK).zip((0usize..).step_by(BLOCK)) {
        let before = &values[start.saturating_sub(1)..];
        let ahead = if start == 0 { &block[1..] } else { block };
        // Most blocks have none: find that out without a branch for each value.
        let falls = ahead.iter().zip(before).fold(0u32, |n, (now, before)| n + u32::from(now < before));
        if falls == 0 {
            continue;
        }
        let offset = start + block.len() - ahead.len();
        let pairs = ahead.iter().zip(before).enumerate();
        resets.extend(pairs.filter(|(_, (now, before))| now < before).map(|(i, _)| (offset + i) as u32));
    }
}

/// `changes` and `resets`: from counts up to each sample.
fn count_pairs(
    counts: impl Fn(f64, f64) -> bool,
    windows: &Windows,
    values: &[f64],
    up_to: &mut Vec<u32>,
    out: &mut Vec<f64>,
) {
    up_to.clear();
    let mut total = 0;
    for at in 0..values.len() {
        total += u32::from(at > 0 && counts(values[at - 1], values[at]));
        up_to.push(total);
    }
    out.extend(windows.bounds.iter().map(|(from, to)| {
        if from == to { absent() } else { f64::from(up_to[*to as usize - 1] - up_to[*from as usize]) }
    }));
}

fn over_time(
    function: OverTime,
    windows: &Windows,
    values: &[f64],
    scratch: &mut Scratch,
    mut pace: Pace<'_>,
    out: &mut Vec<f64>,
) {
    let bounds = &windows.bounds;
    let slices = bounds.iter().map(|(from, to)| &values[*from as usize..*to as usize]);
    // Sliding costs about as much as looking at each sample three times.
    let covered: usize = bounds.iter().map(|(from, to)| (to - from) as usize).sum();
    let slides = covered > 3 * values.len() + bounds.len();
    match function {
        OverTime::Count => out.extend(slices.map(|w| if w.is_empty() { absent() } else { w.len() as f64 })),
        OverTime::Sum if slides => {
            scratch.sums.slide(bounds, values, |n| pace.goes_on(n), |sum, window| sum.value(window), out);
        }
        OverTime::Avg if slides => {
            scratch.sums.slide(bounds, values, |n| pace.goes_on(n), |sum, window| sum.mean(window), out);
        }
        OverTime::Max if slides => {
            scratch.largest.slide(bounds, values, |n| pace.goes_on(n), |largest, _| largest.0, out);
        }
        OverTime::Min if slides => {
            scratch.smallest.slide(bounds, values, |n| pace.goes_on(n), |smallest, _| smallest.0, out);
        }
        other => out.extend(slices.take_while(|w| pace.goes_on(w.len())).map(|w| some(other.apply(w)))),
    }
}

/// Removes stale markers: in a range they are no samples.
pub(crate) fn remove_stale(times: &mut Vec<Timestamp>, values: &mut Vec<f64>) {
    let Some(first) = values.iter().position(|v| is_absent(*v)) else { return };
    let mut kept = first;
    for at in first..values.len() {
        if !is_absent(values[at]) {
            times[kept] = times[at];
            values[kept] = values[at];
            kept += 1;
        }
    }
    times.truncate(kept);
    values.truncate(kept);
}

#[cfg(test)]
mod tests;
