//! `topk` and `bottomk`: only what is still in a heap is kept.

use crate::{
    labels::{LabelChoice, without_metadata},
    row::{Row, RowRef, Rows, absent, is_absent, row_bytes},
};
use model::Labels;
use service_api::{Reservation, Result};
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BinaryHeap, HashMap},
};

/// For each group and step its largest, or smallest, values.
pub struct Top<'a> {
    choice: LabelChoice<'a>,
    /// How many values each step keeps.
    limits: &'a [usize],
    smallest: bool,
    index: HashMap<Labels, usize>,
    /// For each group, in order of first appearance, a heap for each step.
    groups: Vec<Vec<BinaryHeap<Entry>>>,
    /// Of series that got into a heap, and whether their names are dropped.
    labels: HashMap<usize, (Labels, bool)>,
    /// There were native histograms, which have no rank.
    saw_histograms: bool,
    held: Reservation,
}

impl<'a> Top<'a> {
    /// `limits` is how many values each step keeps; `held` grows with what is kept.
    pub fn new(choice: LabelChoice<'a>, limits: &'a [usize], smallest: bool, held: Reservation) -> Self {
        Self {
            choice,
            limits,
            smallest,
            index: HashMap::new(),
            groups: Vec::new(),
            labels: HashMap::new(),
            saw_histograms: false,
            held,
        }
    }

    pub fn add(&mut self, row: RowRef<'_>) -> Result<()> {
        self.saw_histograms |= !row.histograms.is_empty();
        if !row.has_values() {
            return Ok(());
        }
        let at = self.group(self.choice.of(row.labels, row.name_dropped))?;
        let mut entered = false;
        let steps = self.groups[at].iter_mut().zip(row.values).zip(self.limits);
        for ((heap, value), limit) in steps {
            if !is_absent(*value) {
                entered |=
                    offer(heap, Entry::new(*value, row.position, self.smallest), *limit, &mut self.held)?;
            }
        }
        if entered {
            let drops = row.name_dropped && !self.choice.delayed;
            let labels = if drops { without_metadata(row.labels) } else { row.labels.clone() };
            self.held.grow(labels.heap_bytes())?;
            self.labels.insert(row.position, (labels, row.name_dropped && !drops));
        }
        Ok(())
    }

    fn group(&mut self, labels: Labels) -> Result<usize> {
        if let Some(at) = self.index.get(&labels) {
            return Ok(*at);
        }
        let steps = self.limits.len();
        self.held.grow(labels.heap_bytes() + steps * size_of::<BinaryHeap<Entry>>())?;
        self.groups.push((0..steps).map(|_| BinaryHeap::new()).collect());
        self.index.insert(labels, self.groups.len() - 1);
        Ok(self.groups.len() - 1)
    }

    /// Takes in what another share of the rows gave; positions are those among all rows.
    pub fn merge(&mut self, other: Self) -> Result<()> {
        let mut groups: Vec<_> = other.index.into_iter().collect();
        groups.sort_unstable_by_key(|(_, at)| *at);
        for ((labels, _), heaps) in groups.into_iter().zip(other.groups) {
            let at = self.group(labels)?;
            for ((heap, more), limit) in self.groups[at].iter_mut().zip(heaps).zip(self.limits) {
                for entry in more {
                    offer(heap, entry, *limit, &mut self.held)?;
                }
            }
        }
        self.labels.extend(other.labels);
        self.saw_histograms |= other.saw_histograms;
        Ok(())
    }

    /// Whether native histograms were passed over.
    pub fn saw_histograms(&self) -> bool {
        self.saw_histograms
    }

    /// The kept values as rows. At a single step best first, group after group.
    pub fn finish(mut self) -> Result<Rows> {
        let mut rows = Vec::new();
        for heaps in std::mem::take(&mut self.groups) {
            let mut row_of: BTreeMap<usize, usize> = BTreeMap::new();
            for (step, heap) in heaps.into_iter().enumerate() {
                for entry in heap.into_sorted_vec() {
                    let row = match row_of.get(&entry.position) {
                        Some(row) => *row,
                        None => {
                            let (labels, name_dropped) =
                                self.labels.get(&entry.position).cloned().unwrap_or_default();
                            self.held.grow(row_bytes(&labels, self.limits.len()))?;
                            let floats = Row::floats(labels, vec![absent(); self.limits.len()]);
                            rows.push(Row { name_dropped, ..floats });
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
