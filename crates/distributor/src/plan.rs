//! Which ingesters get which series of a batch.

use crate::{batch::Batch, quorum::Quorum};
use model::Signal;
use service_api::Wanted;
use std::sync::Arc;

/// One request for each ingester that holds any of a batch.
pub struct Plan {
    pub groups: Vec<Group>,
    /// Whether every group is all that the batch has.
    all: bool,
}

/// What one ingester gets.
pub struct Group {
    /// The ingester, by its number in the ring's view.
    pub member: u16,
    /// Series or streams, ascending.
    pub series: Arc<[u32]>,
}

impl Plan {
    /// Groups the series or streams of `batch` by the `members` that `replicas` names for their tokens, of which
    /// `needed` must take each.
    pub fn new<'a, B: Batch>(
        batch: &B,
        members: usize,
        needed: usize,
        replicas: impl Fn(u64) -> &'a [u16],
    ) -> (Self, Quorum) {
        let mut counts = vec![0_usize; members];
        let mut sets: Vec<&[u16]> = Vec::with_capacity(batch.len());
        let mut placed = 0;
        for index in 0..batch.len() {
            if B::SIGNAL == Signal::Logs && batch.entries_of(index) == 0 {
                sets.push(&[]);
                continue; // as in Loki, a stream comes into being with its first line
            }
            placed += 1;
            let set = replicas(batch.key(index).0 as u64);
            set.iter().for_each(|&member| counts[member as usize] += 1);
            sets.push(set);
        }
        let quorum = Quorum::new(needed, sets.iter().map(|set| set.len()), placed);
        let members = (0_u16..).zip(&counts).filter(|(_, count)| **count > 0);
        if counts.iter().all(|&count| count == 0 || count == placed) {
            let everything: Arc<[u32]> =
                (0_u32..).zip(&sets).filter(|(_, set)| !set.is_empty()).map(|(index, _)| index).collect();
            let group = |(member, _)| Group { member, series: Arc::clone(&everything) };
            return (Self { groups: members.map(group).collect(), all: placed == batch.len() }, quorum);
        }
        // One buffer that all groups are sorted into.
        let mut ends: Vec<usize> = counts
            .iter()
            .scan(0, |end, count| {
                let start = *end;
                *end += count;
                Some(start)
            })
            .collect();
        let mut sorted = vec![0_u32; counts.iter().sum()];
        for (index, set) in (0_u32..).zip(&sets) {
            for &member in *set {
                let end = &mut ends[member as usize];
                sorted[*end] = index;
                *end += 1;
            }
        }
        let group = |(member, count): (u16, &usize)| {
            let end = ends[member as usize];
            Group { member, series: sorted[end - count..end].into() }
        };
        (Self { groups: members.map(group).collect(), all: false }, quorum)
    }

    /// For a batch that has metadata only, which goes to `replicas` as a series would.
    pub fn of_metadata(replicas: &[u16], needed: usize) -> (Self, Quorum) {
        let series: Arc<[u32]> = [0].into();
        let group = |&member: &u16| Group { member, series: Arc::clone(&series) };
        let quorum = Quorum::new(needed, [replicas.len()].into_iter(), 1);
        (Self { groups: replicas.iter().map(group).collect(), all: true }, quorum)
    }

    /// What is asked of the ingester of a group at first.
    pub fn wanted(&self, group: usize) -> Wanted {
        if self.all { Wanted::All } else { Wanted::Keys(Arc::clone(&self.groups[group].series)) }
    }
}
