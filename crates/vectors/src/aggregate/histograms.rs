//! Native histograms in aggregations: sums and means of them, and what has to be said of the others.

use super::Kind;
use crate::histograms::Histograms;
use histogram::{Combined, FloatHistogram, Incompatible, MeanOfHistograms, SumOfHistograms};
use model::Labels;
use std::{collections::BTreeSet, sync::Arc};

/// What a reader must know of the histograms that were aggregated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistogramNotes {
    /// The aggregation has no meaning for histograms and passed over them.
    pub ignored: bool,
    /// A group had floats and histograms at one step, and so has no value there.
    pub mixed: bool,
    /// Some histograms said that their counter was reset, others that theirs was not.
    pub reset_collision: bool,
    /// Custom buckets had different bounds, of which only the common ones were kept.
    pub bounds_reconciled: bool,
    /// Metrics whose buckets, custom or exponential, are of the other kind than those before them.
    pub incompatible: BTreeSet<String>,
}

impl HistogramNotes {
    pub fn merge(&mut self, mut other: Self) {
        self.ignored |= other.ignored;
        self.mixed |= other.mixed;
        self.reset_collision |= other.reset_collision;
        self.bounds_reconciled |= other.bounds_reconciled;
        self.incompatible.append(&mut other.incompatible);
    }
}

/// The histograms of one group over all steps.
pub(super) struct HistogramGroup {
    is_mean: bool,
    steps: Vec<State>,
}

/// The histograms of one step.
#[derive(Default)]
struct State {
    fold: Option<Fold>,
    incompatible: bool,
    reset_collision: bool,
}

enum Fold {
    Sum(SumOfHistograms),
    Mean(MeanOfHistograms),
}

impl Fold {
    fn add(&mut self, histogram: &FloatHistogram) -> Result<Combined, Incompatible> {
        match self {
            Self::Sum(sum) => sum.add(histogram),
            Self::Mean(mean) => mean.add(histogram),
        }
    }

    fn merge(&mut self, other: Self) -> Result<Combined, Incompatible> {
        match (self, other) {
            (Self::Sum(sum), Self::Sum(other)) => sum.merge(other),
            (Self::Mean(mean), Self::Mean(other)) => mean.merge(other),
            // All of one group are of one kind.
            _ => Err(Incompatible),
        }
    }
}

impl HistogramGroup {
    /// Bytes a step without its buckets.
    pub const STEP_BYTES: usize = size_of::<State>();

    /// `None` for an aggregation that has no sum of histograms.
    pub fn new(kind: Kind, steps: usize) -> Option<Self> {
        let is_mean = match kind {
            Kind::Sum => false,
            Kind::Avg => true,
            _ => return None,
        };
        Some(Self { is_mean, steps: (0..steps).map(|_| State::default()).collect() })
    }

    /// Takes one row of the group; says by how many bytes the group has grown.
    pub fn add(&mut self, labels: &Labels, histograms: &Histograms, notes: &mut HistogramNotes) -> usize {
        let mut grown = 0;
        for (step, histogram) in histograms.iter() {
            let state = &mut self.steps[step];
            let done = match &mut state.fold {
                _ if state.incompatible => continue,
                None => {
                    let first = FloatHistogram::clone(histogram);
                    grown += 2 * first.heap_bytes();
                    state.fold = Some(match self.is_mean {
                        true => Fold::Mean(MeanOfHistograms::of(first)),
                        false => Fold::Sum(SumOfHistograms::of(first)),
                    });
                    continue;
                }
                Some(fold) => fold.add(histogram),
            };
            state.take(done, notes, || labels.metric_name().unwrap_or("").to_owned());
        }
        grown
    }

    pub fn merge(&mut self, other: Self, labels: &Labels, notes: &mut HistogramNotes) {
        for (state, other) in self.steps.iter_mut().zip(other.steps) {
            state.incompatible |= other.incompatible;
            state.reset_collision |= other.reset_collision;
            match (&mut state.fold, other.fold) {
                (None, fold) => state.fold = fold,
                (Some(fold), Some(other)) => {
                    let done = fold.merge(other);
                    state.take(done, notes, || labels.metric_name().unwrap_or("").to_owned());
                }
                (Some(_), None) => {}
            }
        }
    }

    /// Puts the results beside the group's floats; a step that has both ends with neither.
    pub fn finish(self, floats: &mut [f64], notes: &mut HistogramNotes) -> Histograms {
        let mut histograms = Histograms::default();
        let steps = floats.len();
        for (step, state) in self.steps.into_iter().enumerate() {
            let Some(fold) = state.fold else { continue };
            if !crate::is_absent(floats[step]) {
                floats[step] = crate::absent();
                notes.mixed = true;
                continue;
            }
            if state.incompatible {
                continue;
            }
            notes.reset_collision |= state.reset_collision;
            let mut histogram = match fold {
                Fold::Sum(sum) => sum.finish(),
                Fold::Mean(mean) => mean.finish(),
            };
            histogram.compact();
            histograms.set(step, steps, Arc::new(histogram));
        }
        histograms
    }
}

impl State {
    fn take(
        &mut self,
        done: Result<Combined, Incompatible>,
        notes: &mut HistogramNotes,
        metric: impl FnOnce() -> String,
    ) {
        match done {
            Ok(combined) => {
                notes.bounds_reconciled |= combined.bounds_reconciled;
                self.reset_collision |= combined.counter_reset_collision;
            }
            Err(Incompatible) => {
                self.incompatible = true;
                notes.incompatible.insert(metric());
            }
        }
    }
}
