//! `topk` and `bottomk`: only what is still in a heap is kept.

use super::{Aggregate, Evaluator, RowRef, RowSink};
use crate::{
    engine::{
        annotations::go_g,
        labels::{LabelChoice, without_metadata},
        steps::Steps,
        values::Values,
    },
    row::{Row, Rows, absent, has_values, is_absent, row_bytes},
};
use model::Labels;
use service_api::{Error, Reservation, Result};
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BinaryHeap, HashMap},
};

impl Evaluator<'_> {
    pub(super) fn top(
        &mut self,
        aggregate: &Aggregate,
        k: &Values,
        smallest: bool,
        steps: &Steps,
    ) -> Result<Rows> {
        let limits = match Limits::new(k, steps) {
            Ok(limits) => limits,
            // As in Prometheus an error in the input comes first.
            Err(error) => return self.rows(&aggregate.input, steps).and(Err(error)),
        };
        let budget = &self.ctx.budget;
        let sink = || {
            Ok(TopSink {
                choice: aggregate.choice(),
                limits: &limits,
                smallest,
                index: HashMap::new(),
                groups: Vec::new(),
                labels: HashMap::new(),
                held: budget.reserve(0)?,
            })
        };
        if limits.per_step.iter().all(|k| *k == 0) {
            // Still evaluated: an error in the input is an error.
            return self.rows(&aggregate.input, steps).map(|_| Rows::default());
        }
        let mut shards = self.stream(&aggregate.input, steps, sink)?.into_iter();
        let Some(mut whole) = shards.next() else { return Ok(Rows::default()) };
        for shard in shards {
            whole.merge(shard)?;
        }
        self.note_memory();
        whole.finish(steps)
    }
}

/// How many values each step keeps.
struct Limits {
    per_step: Vec<usize>,
}

impl Limits {
    fn new(k: &Values, steps: &Steps) -> Result<Self> {
        if k.iter().any(f64::is_nan) {
            return Err(Error::unprocessable("Parameter value is NaN"));
        }
        if k.iter().all(|k| k < 1.0) {
            return Ok(Self { per_step: vec![0; steps.count] });
        }
        for k in k.iter() {
            if k <= i64::MIN as f64 {
                return Err(Error::unprocessable(format!("Scalar value {} underflows int64", go_g(k, None))));
            }
            if k >= i64::MAX as f64 {
                return Err(Error::unprocessable(format!("Scalar value {} overflows int64", go_g(k, None))));
            }
        }
        Ok(Self { per_step: (0..steps.count).map(|step| k.at(step).max(0.0) as usize).collect() })
    }
}

struct TopSink<'a> {
    choice: LabelChoice<'a>,
    limits: &'a Limits,
    smallest: bool,
    index: HashMap<Labels, usize>,
    /// For each group, in order of first appearance, a heap for each step.
    groups: Vec<Vec<BinaryHeap<Entry>>>,
    /// Of series that got into a heap.
    labels: HashMap<usize, Labels>,
    held: Reservation,
}

/// A value in a heap, the first to go on top.
struct Entry {
    /// Negated for `bottomk`.
    rank: f64,
    value: f64,
    position: usize,
}

impl Entry {
    fn new(value: f64, position: usize, smallest: bool) -> Self {
        Self { rank: if smallest { -value } else { value }, value, position }
    }

    /// NaN is worse than any number. Of equals the first to come stays.
    fn is_worse_than(&self, other: &Self) -> bool {
        self.cmp(other).is_gt()
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_rank = match other.rank.partial_cmp(&self.rank) {
            Some(order) => order,
            None => self.rank.is_nan().cmp(&other.rank.is_nan()),
        };
        by_rank.then(self.position.cmp(&other.position))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Entry {}

impl RowSink for TopSink<'_> {
    fn row(&mut self, row: RowRef<'_>) -> Result<()> {
        if !has_values(row.values) {
            return Ok(());
        }
        let at = self.group(self.choice.of(row.labels, row.name_dropped))?;
        let mut entered = false;
        let steps = self.groups[at].iter_mut().zip(row.values).zip(&self.limits.per_step);
        for ((heap, value), limit) in steps {
            if !is_absent(*value) {
                entered |=
                    offer(heap, Entry::new(*value, row.position, self.smallest), *limit, &mut self.held)?;
            }
        }
        if entered {
            let labels = if row.name_dropped { without_metadata(row.labels) } else { row.labels.clone() };
            self.held.grow(labels.heap_bytes())?;
            self.labels.insert(row.position, labels);
        }
        Ok(())
    }
}

/// Puts an entry into a heap if it belongs there.
fn offer(heap: &mut BinaryHeap<Entry>, entry: Entry, limit: usize, held: &mut Reservation) -> Result<bool> {
    if heap.len() < limit {
        if heap.len() == heap.capacity() {
            held.grow((heap.capacity().max(2)) * size_of::<Entry>())?;
        }
        heap.push(entry);
        return Ok(true);
    }
    match heap.peek_mut() {
        Some(mut worst) if limit > 0 && worst.is_worse_than(&entry) => {
            *worst = entry;
            Ok(true)
        }
        _ => Ok(false),
    }
}

impl TopSink<'_> {
    fn group(&mut self, labels: Labels) -> Result<usize> {
        if let Some(at) = self.index.get(&labels) {
            return Ok(*at);
        }
        let steps = self.limits.per_step.len();
        self.held.grow(labels.heap_bytes() + steps * size_of::<BinaryHeap<Entry>>())?;
        self.groups.push((0..steps).map(|_| BinaryHeap::new()).collect());
        self.index.insert(labels, self.groups.len() - 1);
        Ok(self.groups.len() - 1)
    }

    fn merge(&mut self, other: Self) -> Result<()> {
        let mut groups: Vec<_> = other.index.into_iter().collect();
        groups.sort_unstable_by_key(|(_, at)| *at);
        for ((labels, _), heaps) in groups.into_iter().zip(other.groups) {
            let at = self.group(labels)?;
            for ((heap, more), limit) in self.groups[at].iter_mut().zip(heaps).zip(&self.limits.per_step) {
                for entry in more {
                    offer(heap, entry, *limit, &mut self.held)?;
                }
            }
        }
        self.labels.extend(other.labels);
        Ok(())
    }

    /// The kept values as rows. At a single step best first, group after group.
    fn finish(mut self, steps: &Steps) -> Result<Rows> {
        let mut rows = Vec::new();
        for heaps in std::mem::take(&mut self.groups) {
            let mut row_of: BTreeMap<usize, usize> = BTreeMap::new();
            for (step, heap) in heaps.into_iter().enumerate() {
                for entry in heap.into_sorted_vec() {
                    let row = match row_of.get(&entry.position) {
                        Some(row) => *row,
                        None => {
                            let labels = self.labels.get(&entry.position).cloned().unwrap_or_default();
                            self.held.grow(row_bytes(&labels, steps.count))?;
                            rows.push(Row { labels, values: vec![absent(); steps.count] });
                            row_of.insert(entry.position, rows.len() - 1);
                            rows.len() - 1
                        }
                    };
                    rows[row].values[step] = entry.value;
                }
            }
        }
        Ok(Rows { rows, held: vec![self.held] })
    }
}
