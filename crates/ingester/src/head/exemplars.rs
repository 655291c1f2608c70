//! The latest exemplars of a tenant, oldest first.

use super::{Counts, MetricHead};
use hashbrown::HashMap;
use model::{Exemplar, TimeRange, Timestamp};
use std::collections::VecDeque;

/// What became of an exemplar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    Stored,
    Present,
    /// Older than its series' newest.
    OutOfOrder,
}

/// A ring: when it is full, the oldest goes.
pub struct Exemplars {
    max: usize,
    ring: VecDeque<(u32, Exemplar)>,
    series: HashMap<u32, Newest>,
}

struct Newest {
    exemplar: Exemplar,
    count: usize,
}

impl MetricHead {
    pub fn keep_exemplars<'a>(
        &self,
        entries: impl Iterator<Item = (u32, &'a Exemplar)>,
        counts: &mut Counts,
    ) {
        let mut entries = entries.peekable();
        if entries.peek().is_none() {
            return;
        }
        let mut kept = self.beside.exemplars.lock();
        for (series, exemplar) in entries {
            match kept.append(series, exemplar) {
                Kept::Stored | Kept::Present => counts.exemplars += 1,
                // As in Prometheus, no reason to refuse a request.
                Kept::OutOfOrder => counts.late_exemplars += 1,
            }
        }
    }
}

impl Exemplars {
    pub fn new(max: usize) -> Self {
        Self { max, ring: VecDeque::new(), series: HashMap::new() }
    }

    pub fn append(&mut self, series: u32, exemplar: &Exemplar) -> Kept {
        if self.max == 0 {
            return Kept::Present;
        }
        if let Some(Newest { exemplar: newest, .. }) = self.series.get(&series) {
            if newest.timestamp == exemplar.timestamp
                && newest.value.to_bits() == exemplar.value.to_bits()
                && newest.labels == exemplar.labels
            {
                return Kept::Present;
            }
            if exemplar.timestamp < newest.timestamp {
                return Kept::OutOfOrder;
            }
        }
        if self.ring.len() >= self.max {
            self.drop_oldest();
        }
        self.ring.push_back((series, exemplar.clone()));
        let newest =
            self.series.entry(series).or_insert_with(|| Newest { exemplar: exemplar.clone(), count: 0 });
        newest.exemplar = exemplar.clone();
        newest.count += 1;
        Kept::Stored
    }

    fn drop_oldest(&mut self) {
        let Some((series, _)) = self.ring.pop_front() else { return };
        if let Some(newest) = self.series.get_mut(&series) {
            newest.count -= 1;
            if newest.count == 0 {
                self.series.remove(&series);
            }
        }
    }

    /// Drops the exemplars of series that are no more.
    pub fn forget(&mut self, series: &[u32]) {
        let before = self.series.len();
        for reference in series {
            self.series.remove(reference);
        }
        if self.series.len() == before {
            return;
        }
        self.ring.retain(|(reference, _)| self.series.contains_key(reference));
    }

    /// Exemplars of these series in the range, by series, each series' in time order.
    pub fn select(&self, series: &[u32], range: &TimeRange) -> Vec<(u32, Vec<Exemplar>)> {
        let mut found: HashMap<u32, Vec<Exemplar>> = HashMap::new();
        for (reference, exemplar) in &self.ring {
            if range.contains(exemplar.timestamp) && series.binary_search(reference).is_ok() {
                found.entry(*reference).or_default().push(exemplar.clone());
            }
        }
        let mut found: Vec<_> = found.into_iter().collect();
        for (_, exemplars) in &mut found {
            exemplars.sort_by_key(|e: &Exemplar| -> Timestamp { e.timestamp });
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Labels;

    fn exemplar(timestamp: Timestamp, trace: &str) -> Exemplar {
        Exemplar { labels: Labels::from_pairs([("trace_id", trace)]), timestamp, value: 1.0 }
    }

    #[test]
    fn the_oldest_goes_when_the_ring_is_full_and_order_is_kept_per_series() {
        let mut exemplars = Exemplars::new(2);
        assert_eq!(exemplars.append(1, &exemplar(10, "a")), Kept::Stored);
        assert_eq!(exemplars.append(1, &exemplar(10, "a")), Kept::Present);
        assert_eq!(exemplars.append(1, &exemplar(9, "b")), Kept::OutOfOrder);
        assert_eq!(exemplars.append(2, &exemplar(5, "c")), Kept::Stored);
        assert_eq!(exemplars.append(2, &exemplar(6, "d")), Kept::Stored);
        let all = exemplars.select(&[1, 2], &TimeRange::ALL);
        assert_eq!(all, [(2, vec![exemplar(5, "c"), exemplar(6, "d")])]);
    }
}
