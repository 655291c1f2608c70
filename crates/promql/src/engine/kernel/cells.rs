//! Functions of one series over windows of cells: buckets with their figures, and between them samples.
//!
//! What is computed of a window is to the bit what `functions` make of all samples in it: figures are put together
//! in time order, and a sample counts as a bucket of its own.

use super::{
    Pace, counter_factor,
    sliding::{Slider, SlidingSum},
};
use crate::{
    engine::{
        plan::Figures,
        window::{Stretch, WindowCache, Windows},
    },
    functions::rate::RateKind,
};
use model::Timestamp;
use service_api::Aggregate;
use vectors::absent;

/// Cells of one series, in time order.
#[derive(Debug, Default)]
pub(crate) struct Cells {
    /// Ends of buckets, and times of samples.
    pub times: Vec<Timestamp>,
    /// By aggregate; empty where a function does not look at one.
    columns: [Vec<f64>; Aggregate::ALL.len()],
}

impl Cells {
    pub fn clear(&mut self) {
        self.times.clear();
        self.columns.iter_mut().for_each(Vec::clear);
    }

    pub fn column(&self, aggregate: Aggregate) -> &[f64] {
        &self.columns[aggregate as usize]
    }

    pub fn column_mut(&mut self, aggregate: Aggregate) -> &mut Vec<f64> {
        &mut self.columns[aggregate as usize]
    }

    /// A sample as a bucket of its own.
    pub fn push(&mut self, aggregates: &[Aggregate], time: Timestamp, value: f64) {
        use Aggregate as A;
        self.times.push(time);
        for aggregate in aggregates {
            self.column_mut(*aggregate).push(match aggregate {
                A::Count => 1.0,
                A::Sum | A::Min | A::Max | A::First | A::Last | A::Latest => value,
                A::FirstTime | A::LastTime => time as f64,
                A::Resets | A::Dropped => 0.0,
            });
        }
    }

    pub fn heap_bytes(&self) -> usize {
        (self.times.capacity() + self.columns.iter().map(Vec::capacity).sum::<usize>()) * 8
    }
}

/// Computes functions that look at several figures of a bucket.
pub(crate) struct CellKernel {
    figures: Figures,
    windows: WindowCache,
    /// Samples up to each cell, or resets up to its last sample.
    up_to: Vec<u64>,
    /// Resets up to each cell's first sample.
    before: Vec<u64>,
    drops: Vec<Drop>,
    sums: Slider<SlidingSum>,
    /// Some cell of the last series had more than one reset.
    pub has_several_resets: bool,
}

/// What a counter lost, by falling between a cell and the one before it, or within it.
#[derive(Clone, Copy, Debug)]
struct Drop {
    /// Twice the cell's index, and one more if it is within it.
    place: usize,
    lost: f64,
}

impl CellKernel {
    /// None if one figure is enough, of which the function is computed as it is of samples.
    pub fn new(figures: Figures, windows: impl FnOnce() -> WindowCache) -> Option<Self> {
        matches!(figures, Figures::Mean | Figures::Resets | Figures::Change(_)).then(|| Self {
            figures,
            windows: windows(),
            up_to: Vec::new(),
            before: Vec::new(),
            drops: Vec::new(),
            sums: Slider::default(),
            has_several_resets: false,
        })
    }

    /// Adds how many cells each step's window holds.
    pub fn count(&mut self, times: &[Timestamp], counts: &mut [u64]) {
        let bounds = &self.windows.windows(times).bounds;
        counts.iter_mut().zip(bounds).for_each(|(count, (from, to))| *count += u64::from(to - from));
    }

    /// `out` gets one value a step; fewer if the query is cancelled meanwhile, which the caller then finds out.
    pub fn compute(&mut self, cells: &Cells, is_cancelled: &dyn Fn() -> bool, out: &mut Vec<f64>) {
        out.clear();
        self.has_several_resets = false;
        let pace = Pace { is_cancelled, looked_at: 0 };
        match self.figures {
            Figures::Same(_) | Figures::Counts => {}
            Figures::Mean => self.mean(cells, pace, out),
            Figures::Resets => self.resets(cells, out),
            Figures::Change(kind) => self.change(kind, cells, pace, out),
        }
    }

    fn add_up(&mut self, counts: &[f64]) {
        let mut total = 0;
        self.up_to.clear();
        self.up_to.extend(counts.iter().map(|count| {
            total += *count as u64;
            total
        }));
    }

    fn mean(&mut self, cells: &Cells, mut pace: Pace<'_>, out: &mut Vec<f64>) {
        self.add_up(cells.column(Aggregate::Count));
        let Windows { bounds, .. } = self.windows.windows(&cells.times);
        let sums = cells.column(Aggregate::Sum);
        self.sums.slide(bounds, sums, |n| pace.goes_on(n), |sum, window| sum.value(window), out);
        for (value, (from, to)) in out.iter_mut().zip(bounds).filter(|(_, (from, to))| from < to) {
            *value /= samples_of(&self.up_to, *from as usize, *to as usize) as f64;
        }
    }

    fn resets(&mut self, cells: &Cells, out: &mut Vec<f64>) {
        let (first, last) = (cells.column(Aggregate::First), cells.column(Aggregate::Last));
        self.up_to.clear();
        self.before.clear();
        let mut total = 0;
        for (at, within) in cells.column(Aggregate::Resets).iter().enumerate() {
            total += u64::from(at > 0 && first[at] < last[at - 1]);
            self.before.push(total);
            total += *within as u64;
            self.up_to.push(total);
        }
        out.extend(self.windows.windows(&cells.times).bounds.iter().map(
            |(from, to)| match to.checked_sub(1) {
                Some(at) if from < to => (self.up_to[at as usize] - self.before[*from as usize]) as f64,
                _ => absent(),
            },
        ));
    }

    /// `rate`, `increase` and `delta`.
    fn change(&mut self, kind: RateKind, cells: &Cells, mut pace: Pace<'_>, out: &mut Vec<f64>) {
        self.add_up(cells.column(Aggregate::Count));
        self.drops.clear();
        if kind != RateKind::Delta {
            self.has_several_resets = find_drops(cells, &mut self.drops);
        }
        let (first, last) = (cells.column(Aggregate::First), cells.column(Aggregate::Last));
        let times = (cells.column(Aggregate::FirstTime), cells.column(Aggregate::LastTime));
        let spec = *self.windows.spec();
        let Windows { bounds, .. } = self.windows.windows(&cells.times);
        let (mut first_drop, mut behind_drop) = (0, 0);
        for (step, (from, to)) in bounds.iter().enumerate() {
            let (from, to) = (*from as usize, *to as usize);
            let count = samples_of(&self.up_to, from, to);
            if count < 2 {
                out.push(absent());
                continue;
            }
            let end = spec.window_end(step);
            let (start, sampled) = (end.saturating_sub(spec.range), (times.0[from], times.1[to - 1]));
            let sampled = (sampled.0 as Timestamp, sampled.1 as Timestamp);
            let stretch = Stretch::of(sampled, count, (start, end), kind);
            let mut change = last[to - 1] - first[from];
            if kind == RateKind::Delta {
                out.push(change * stretch.factor);
                continue;
            }
            while self.drops.get(behind_drop).is_some_and(|drop| drop.place < 2 * to) {
                behind_drop += 1;
            }
            // What was lost before the first cell's first sample is no loss in the window.
            while first_drop < behind_drop && self.drops[first_drop].place <= 2 * from {
                first_drop += 1;
            }
            if !pace.goes_on(behind_drop - first_drop) {
                return;
            }
            for drop in &self.drops[first_drop..behind_drop] {
                change += drop.lost;
            }
            out.push(change * counter_factor(&stretch, first[from], change));
        }
    }
}

/// How many samples the cells from `from` up to before `to` hold.
fn samples_of(up_to: &[u64], from: usize, to: usize) -> u64 {
    let until = |at: usize| at.checked_sub(1).map_or(0, |at| up_to[at]);
    until(to) - until(from)
}

/// All falls in time order; whether some cell has more than one.
fn find_drops(cells: &Cells, drops: &mut Vec<Drop>) -> bool {
    let (first, last) = (cells.column(Aggregate::First), cells.column(Aggregate::Last));
    let (resets, dropped) = (cells.column(Aggregate::Resets), cells.column(Aggregate::Dropped));
    let mut has_several = false;
    for at in 0..first.len() {
        if at > 0 && first[at] < last[at - 1] {
            drops.push(Drop { place: 2 * at, lost: last[at - 1] });
        }
        if resets[at] > 0.0 {
            drops.push(Drop { place: 2 * at + 1, lost: dropped[at] });
            has_several |= resets[at] > 1.0;
        }
    }
    has_several
}
