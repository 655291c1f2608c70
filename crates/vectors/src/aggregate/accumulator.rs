//! What a group gathers, step by step, and how the parts of two shards come together.

use crate::{
    compensated::{add_compensated, compensated_mean},
    quantile::quantile,
    row::{absent, is_absent},
};

/// The aggregations that make one row of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sum,
    Avg,
    Min,
    Max,
    Count,
    Group,
    Stddev,
    Stdvar,
    Quantile,
}

/// The state of one group over all steps.
pub(super) enum Accumulator {
    /// Compensated sums.
    Sum(Vec<Sum>),
    Avg(Vec<Mean>),
    /// Absent as long as there was no value.
    Min(Vec<f64>),
    Max(Vec<f64>),
    Count(Vec<u32>),
    Group(Vec<f64>),
    Stddev(Vec<Variance>),
    Stdvar(Vec<Variance>),
    /// All rows of the group; quantiles need every value.
    Quantile {
        steps: usize,
        rows: Vec<f64>,
    },
}

impl Kind {
    /// Of the state and the row that comes of it.
    pub(super) fn bytes_per_step(self) -> usize {
        size_of::<f64>()
            + match self {
                Self::Sum => size_of::<Sum>(),
                Self::Avg => size_of::<Mean>(),
                Self::Stddev | Self::Stdvar => size_of::<Variance>(),
                Self::Count => size_of::<u32>(),
                Self::Min | Self::Max | Self::Group => size_of::<f64>(),
                Self::Quantile => 0,
            }
    }
}

impl Accumulator {
    pub fn new(kind: Kind, steps: usize) -> Self {
        match kind {
            Kind::Sum => Self::Sum(vec![Sum::default(); steps]),
            Kind::Avg => Self::Avg(vec![Mean::default(); steps]),
            Kind::Min => Self::Min(vec![absent(); steps]),
            Kind::Max => Self::Max(vec![absent(); steps]),
            Kind::Count => Self::Count(vec![0; steps]),
            Kind::Group => Self::Group(vec![absent(); steps]),
            Kind::Stddev => Self::Stddev(vec![Variance::default(); steps]),
            Kind::Stdvar => Self::Stdvar(vec![Variance::default(); steps]),
            Kind::Quantile => Self::Quantile { steps, rows: Vec::new() },
        }
    }

    /// Takes one row of the group.
    pub fn add(&mut self, row: &[f64]) {
        match self {
            Self::Sum(sums) => fold(sums, row, Sum::add),
            Self::Avg(means) => fold(means, row, Mean::add),
            Self::Min(least) => fold(least, row, |least, v| {
                if v < *least || least.is_nan() {
                    *least = v;
                }
            }),
            Self::Max(most) => fold(most, row, |most, v| {
                if v > *most || most.is_nan() {
                    *most = v;
                }
            }),
            Self::Count(counts) => fold(counts, row, |count, _| *count += 1),
            Self::Group(there) => fold(there, row, |there, _| *there = 1.0),
            Self::Stddev(variances) | Self::Stdvar(variances) => fold(variances, row, Variance::add),
            Self::Quantile { rows, .. } => rows.extend_from_slice(row),
        }
    }

    /// Takes note of a value that is no float.
    pub fn count(&mut self, step: usize) {
        match self {
            Self::Count(counts) => counts[step] += 1,
            Self::Group(there) => there[step] = 1.0,
            _ => {}
        }
    }

    /// Takes what another shard gathered for the same group.
    pub fn merge(&mut self, other: Self) {
        match (self, other) {
            (Self::Sum(all), Self::Sum(more)) => all.iter_mut().zip(more).for_each(|(a, b)| a.merge(b)),
            (Self::Avg(all), Self::Avg(more)) => all.iter_mut().zip(more).for_each(|(a, b)| a.merge(b)),
            (Self::Count(all), Self::Count(more)) => all.iter_mut().zip(more).for_each(|(a, b)| *a += b),
            (Self::Stddev(all) | Self::Stdvar(all), Self::Stddev(more) | Self::Stdvar(more)) => {
                all.iter_mut().zip(more).for_each(|(a, b)| a.merge(b));
            }
            (Self::Quantile { rows, .. }, Self::Quantile { rows: more, .. }) => rows.extend(more),
            (all, Self::Min(row) | Self::Max(row) | Self::Group(row)) => all.add(&row),
            // Both come from one aggregation and so are of one kind.
            _ => {}
        }
    }

    /// The group's row. `phi` is the φ of `Quantile` at a step.
    pub fn finish(self, phi: Option<&dyn Fn(usize) -> f64>) -> Vec<f64> {
        match self {
            Self::Sum(sums) => sums.iter().map(Sum::value).collect(),
            Self::Avg(means) => means.iter().map(Mean::value).collect(),
            Self::Min(row) | Self::Max(row) | Self::Group(row) => row,
            Self::Count(counts) => {
                counts.into_iter().map(|n| if n == 0 { absent() } else { f64::from(n) }).collect()
            }
            Self::Stddev(variances) => {
                variances.iter().map(|v| v.value().map_or_else(absent, f64::sqrt)).collect()
            }
            Self::Stdvar(variances) => variances.iter().map(|v| v.value().unwrap_or_else(absent)).collect(),
            Self::Quantile { steps, rows } => quantiles(steps, &rows, phi),
        }
    }
}

#[inline]
fn fold<S>(states: &mut [S], row: &[f64], mut add: impl FnMut(&mut S, f64)) {
    for (state, value) in states.iter_mut().zip(row) {
        if !is_absent(*value) {
            add(state, *value);
        }
    }
}

fn quantiles(steps: usize, rows: &[f64], phi: Option<&dyn Fn(usize) -> f64>) -> Vec<f64> {
    let mut gathered = Vec::new();
    let mut one = |step: usize| {
        gathered.clear();
        gathered.extend(rows[step..].iter().step_by(steps).filter(|v| !is_absent(**v)));
        match phi {
            Some(phi) if !gathered.is_empty() => quantile(phi(step), &mut gathered),
            _ => absent(),
        }
    };
    (0..steps).map(|step| if rows.is_empty() { absent() } else { one(step) }).collect()
}

/// A compensated sum (Kahan and Neumaier); absent without values.
#[derive(Clone, Copy)]
pub(super) struct Sum {
    sum: f64,
    error: f64,
}

impl Default for Sum {
    fn default() -> Self {
        Self { sum: absent(), error: 0.0 }
    }
}

impl Sum {
    #[inline]
    fn add(&mut self, value: f64) {
        if is_absent(self.sum) {
            self.sum = value;
            return;
        }
        add_compensated(&mut self.sum, &mut self.error, value);
    }

    fn merge(&mut self, other: Self) {
        if !is_absent(other.sum) {
            self.add(other.sum);
            self.error += other.error;
        }
    }

    fn value(&self) -> f64 {
        if is_absent(self.sum) || self.sum.is_infinite() { self.sum } else { self.sum + self.error }
    }
}

/// A mean that sums first and divides last, unless the sum would overflow; from there on it
/// carries the mean itself.
#[derive(Clone, Copy, Default)]
pub(super) struct Mean {
    count: f64,
    /// The sum, or once `incremental` the mean.
    state: Sum,
    incremental: bool,
}

impl Mean {
    #[inline]
    fn add(&mut self, value: f64) {
        self.take(Self { count: 1.0, state: Sum { sum: value, error: 0.0 }, incremental: false });
    }

    fn merge(&mut self, other: Self) {
        if other.count > 0.0 {
            self.take(other);
        }
    }

    #[inline]
    fn take(&mut self, other: Self) {
        if self.count == 0.0 {
            *self = other;
            return;
        }
        if !self.incremental && !other.incremental {
            let mut state = self.state;
            state.merge(other.state);
            if !state.sum.is_infinite() {
                self.state = state;
                self.count += other.count;
                return;
            }
        }
        let count = self.count + other.count;
        let (mine, theirs) = (self.share(count), other.share(count));
        *self = Self { count, state: mine, incremental: true };
        self.state.merge(theirs);
    }

    /// What these values add to the mean of `count` values.
    fn share(&self, count: f64) -> Sum {
        if self.incremental {
            let weight = self.count / count;
            Sum { sum: self.state.sum * weight, error: self.state.error * weight }
        } else {
            Sum { sum: self.state.sum / count, error: self.state.error / count }
        }
    }

    fn value(&self) -> f64 {
        if self.count == 0.0 {
            absent()
        } else if self.incremental {
            self.state.value()
        } else {
            compensated_mean(self.state.sum, self.state.error, self.count)
        }
    }
}

/// A variance by Welford's method; parts come together by Chan's.
#[derive(Clone, Copy, Default)]
pub(super) struct Variance {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Variance {
    #[inline]
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        if self.count == 1.0 {
            self.mean = value;
            self.squares = if value.is_finite() { 0.0 } else { f64::NAN };
            return;
        }
        let delta = value - self.mean;
        self.mean += delta / self.count;
        self.squares += delta * (value - self.mean);
    }

    fn merge(&mut self, other: Self) {
        if self.count == 0.0 || other.count == 0.0 {
            if self.count == 0.0 {
                *self = other;
            }
            return;
        }
        let count = self.count + other.count;
        let delta = other.mean - self.mean;
        self.mean += delta * (other.count / count);
        self.squares += other.squares + delta * delta * (self.count * other.count / count);
        self.count = count;
    }

    fn value(&self) -> Option<f64> {
        (self.count > 0.0).then(|| self.squares / self.count)
    }
}

#[cfg(test)]
mod tests;
