//! The best lines so far: those nearest to the end from which a query reads.

use crate::{engine::Direction, pipeline::LabelSet};
use model::Nanos;
use service_api::{MemoryBudget, Reservation, Result};
use std::{cmp::Ordering, collections::HashSet, sync::Arc};

/// A line that the pipeline let through.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub timestamp: Nanos,
    /// Where its stream, its page in the stream and itself in the page are: the order of lines
    /// of one time.
    pub stream: u32,
    pub page: u32,
    pub at: u32,
    /// Stands for the line as it was stored, where another page may hold it too.
    pub identity: Option<u128>,
    pub labels: LabelSet,
    pub line: String,
}

/// Keeps the best `limit` lines of those pushed, and now and then some more.
pub(crate) struct Top {
    direction: Direction,
    limit: usize,
    found: Vec<Found>,
    /// Lines beyond this time are not wanted any more.
    bound: Option<Nanos>,
    budget: Arc<MemoryBudget>,
    held: Reservation,
    pub duplicates: u64,
}

impl Found {
    fn bytes(&self) -> usize {
        // Labels of the stream are there already.
        let labels = self.labels.metadata.heap_bytes() + self.labels.parsed.heap_bytes();
        size_of::<Self>() + self.line.capacity() + labels
    }
}

impl Direction {
    /// Whether a query meets time `a` before time `b`.
    pub(crate) fn is_nearer(self, a: Nanos, b: Nanos) -> bool {
        match self {
            Self::Forward => a < b,
            Self::Backward => a > b,
        }
    }

    /// The order of the answer: within a stream, backward is forward reversed.
    fn order(self, a: &Found, b: &Found) -> Ordering {
        let in_stream = |f: &Found| (f.page, f.at);
        match self {
            Self::Forward => a.timestamp.cmp(&b.timestamp),
            Self::Backward => b.timestamp.cmp(&a.timestamp),
        }
        .then(a.stream.cmp(&b.stream))
        .then_with(|| match self {
            Self::Forward => in_stream(a).cmp(&in_stream(b)),
            Self::Backward => in_stream(b).cmp(&in_stream(a)),
        })
    }
}

impl Top {
    pub fn new(budget: &Arc<MemoryBudget>, direction: Direction, limit: usize) -> Result<Self> {
        let (budget, held) = (Arc::clone(budget), budget.reserve(0)?);
        Ok(Self { direction, limit, found: Vec::new(), bound: None, budget, held, duplicates: 0 })
    }

    /// An empty one that wants what this one still wants.
    pub fn like(&self) -> Result<Self> {
        Ok(Self { bound: self.bound, ..Self::new(&self.budget, self.direction, self.limit)? })
    }

    pub fn wants(&self, time: Nanos) -> bool {
        self.bound.is_none_or(|bound| !self.direction.is_nearer(bound, time))
    }

    pub fn push(&mut self, found: Found) -> Result<()> {
        self.held.grow(found.bytes())?;
        self.found.push(found);
        if self.found.len() >= self.limit.saturating_mul(2).max(256) {
            self.settle()?;
        }
        Ok(())
    }

    /// Takes over what another one kept.
    pub fn merge(&mut self, other: Self) -> Result<()> {
        self.held.grow(other.found.iter().map(Found::bytes).sum())?;
        self.found.extend(other.found);
        self.duplicates += other.duplicates;
        Ok(())
    }

    /// Puts the lines in order, takes out repeats and what is beyond the limit.
    pub fn settle(&mut self) -> Result<()> {
        let direction = self.direction;
        self.found.sort_unstable_by(|a, b| direction.order(a, b));
        self.drop_repeats();
        self.found.truncate(self.limit);
        if self.found.len() == self.limit {
            self.bound = self.found.last().map(|worst| worst.timestamp).or(self.bound);
        }
        self.count()
    }

    /// Of lines of one stream with one time and one text the first that was stored is kept.
    fn drop_repeats(&mut self) {
        let before = self.found.len();
        let same = |a: &Found, b: &Found| (a.timestamp, a.stream) == (b.timestamp, b.stream);
        let mut repeats: Vec<bool> = Vec::new();
        let mut seen = HashSet::new();
        let mut at = 0;
        for group in self.found.chunk_by(same) {
            if group.len() > 1 && group.iter().any(|found| found.identity.is_some()) {
                repeats.resize(before, false);
                seen.clear();
                let mut is_repeat = |found: &Found| found.identity.is_some_and(|id| !seen.insert(id));
                let marks = &mut repeats[at..at + group.len()];
                match self.direction {
                    Direction::Forward => {
                        group.iter().zip(marks).for_each(|(found, mark)| *mark = is_repeat(found));
                    }
                    Direction::Backward => {
                        group.iter().zip(marks).rev().for_each(|(found, mark)| *mark = is_repeat(found));
                    }
                }
            }
            at += group.len();
        }
        if !repeats.is_empty() {
            let mut marks = repeats.into_iter();
            self.found.retain(|_| !marks.next().unwrap_or(false));
            self.duplicates += (before - self.found.len()) as u64;
        }
    }

    /// Hands over, in order, the lines that come before all times from `edge` on; all of them
    /// without an edge. Call `settle` before.
    pub fn drain(&mut self, edge: Option<Nanos>) -> Result<Vec<Found>> {
        let direction = self.direction;
        let ready = self
            .found
            .partition_point(|found| edge.is_none_or(|edge| direction.is_nearer(found.timestamp, edge)));
        let drained: Vec<Found> = self.found.drain(..ready).collect();
        self.count()?;
        Ok(drained)
    }

    /// So many lines less are wanted.
    pub fn lower_limit(&mut self, by: usize) {
        self.limit = self.limit.saturating_sub(by);
    }

    fn count(&mut self) -> Result<()> {
        self.held = self.budget.reserve(0)?;
        self.held.grow(self.found.iter().map(Found::bytes).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Labels;

    #[test]
    fn lines_count_with_the_labels_that_were_made_for_them() {
        let found = |label: &str| Found {
            timestamp: 0,
            stream: 0,
            page: 0,
            at: 0,
            identity: None,
            labels: LabelSet { parsed: Labels::from_pairs([("a", label)]), ..LabelSet::default() },
            line: "x".to_owned(),
        };
        let budget = MemoryBudget::new(10_000);
        let mut top = Top::new(&budget, Direction::Forward, 1000).unwrap();
        top.push(found("short")).unwrap();
        assert!(top.push(found(&"long".repeat(2500))).is_err());
    }
}
