//! Vectors of timestamps of the inputs that have been read, as long as there is room.
//!
//! They lie behind the values, in the order in which series need them first. Series of one target come back
//! to a vector again and again, and those whose timestamps are their own need each once: both are served
//! by runs of neighbouring groups, of which the one that was not used for longest goes first. Where the
//! vectors of all targets do not fit, each metric reads all of them anew.

use crate::merge::pieces::{Pieces, Run};
use bytes::Bytes;
use std::collections::BTreeMap;

/// Less is not read at once, if there is more.
const MIN_RUN: u64 = 64 << 10;
/// More would keep what is not needed in the place of what is.
const MAX_RUN: u64 = 1 << 20;

pub struct TimesCache {
    limit: u64,
    run: u64,
    bytes: u64,
    peak: u64,
    /// Counts uses.
    clock: u64,
    /// Of each input the runs that are here, by the first of their groups.
    inputs: Vec<BTreeMap<usize, Kept>>,
    /// Those that must stay until the next round, with their inputs.
    pinned: Vec<(usize, usize)>,
}

struct Kept {
    groups: Vec<Bytes>,
    bytes: u64,
    used: u64,
}

impl TimesCache {
    /// In a round one run may be read for timestamps and one for starts of each input, and as much may be
    /// pinned: so all fits, but for groups that are larger than a run.
    pub fn new(limit: u64, inputs: usize) -> Self {
        let run = (limit / (4 * inputs.max(1) as u64)).clamp(MIN_RUN, MAX_RUN);
        let inputs = (0..inputs).map(|_| BTreeMap::new()).collect();
        Self { limit, run, bytes: 0, peak: 0, clock: 0, inputs, pinned: Vec::new() }
    }

    /// The most bytes that there were at once, but for those above the limit.
    pub fn peak(&self) -> u64 {
        self.peak.min(self.limit)
    }

    /// Bytes above the limit: groups that are larger than a run, and are needed.
    pub fn excess(&self) -> u64 {
        self.bytes.saturating_sub(self.limit)
    }

    /// Nothing has to stay any more.
    pub fn begin_round(&mut self) {
        self.pinned.clear();
    }

    /// Keeps a group that is here until the next round, or says what is to be read for it.
    pub fn pin(&mut self, input: usize, group: usize, pieces: &Pieces) -> Result<(), Option<Run>> {
        let runs = &self.inputs[input];
        if let Some((first, kept)) = runs.range(..=group).next_back()
            && group - first < kept.groups.len()
        {
            self.pinned.push((input, *first));
            return Ok(());
        }
        let next = runs.range(group..).next().map_or(usize::MAX, |(first, _)| *first);
        Err(pieces.from(group, next, self.run))
    }

    /// How many have to stay.
    pub fn pinned(&self) -> usize {
        self.pinned.len()
    }

    /// Those that were pinned behind so many need not stay.
    pub fn unpin(&mut self, pinned: usize) {
        self.pinned.truncate(pinned);
    }

    pub fn get(&mut self, input: usize, group: usize) -> Option<&Bytes> {
        self.clock += 1;
        let (first, kept) = self.inputs[input].range_mut(..=group).next_back()?;
        kept.used = self.clock;
        kept.groups.get(group - first)
    }

    /// Lets go of runs until so many bytes fit.
    pub fn make_room(&mut self, bytes: u64) {
        while self.bytes + bytes > self.limit {
            let pinned = |input: usize, first: usize| self.pinned.contains(&(input, first));
            let all = self.inputs.iter().enumerate();
            let all = all
                .flat_map(|(input, runs)| runs.iter().map(move |(first, kept)| (kept.used, input, *first)));
            let Some((_, input, first)) = all.filter(|(_, input, first)| !pinned(*input, *first)).min()
            else {
                return;
            };
            if let Some(kept) = self.inputs[input].remove(&first) {
                self.bytes -= kept.bytes;
            }
        }
    }

    pub fn insert(&mut self, input: usize, run: Run, groups: Vec<Bytes>) {
        let (bytes, used) = (run.len(), self.clock);
        self.bytes += bytes;
        self.peak = self.peak.max(self.bytes);
        self.inputs[input].insert(run.pieces.start, Kept { groups, bytes, used });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_goes_and_what_is_pinned_stays() {
        let group = vec![7; 40 << 10];
        let pieces = Pieces::new(0, (0..10).map(|_| (group.len() as u32, 0)));
        let mut cache = TimesCache::new(200 << 10, 1);
        let read = |cache: &mut TimesCache, at: usize| {
            let Err(Some(run)) = cache.pin(0, at, &pieces) else { panic!("{at}") };
            cache.make_room(run.len());
            let groups = run.pieces.clone().map(|_| Bytes::from(group.clone())).collect();
            cache.insert(0, run, groups);
            assert!(cache.bytes <= cache.limit);
        };
        (0..5).for_each(|at| read(&mut cache, at));
        assert!(cache.get(0, 0).is_some() && cache.pin(0, 1, &pieces).is_ok());
        read(&mut cache, 5);
        read(&mut cache, 6);
        let here: Vec<_> = (0..10).filter(|at| cache.get(0, *at).is_some()).collect();
        assert_eq!(here, [0, 1, 4, 5, 6]);
        cache.unpin(0);
        cache.begin_round();
        assert_eq!(cache.pin(0, 3, &pieces), Err(pieces.from(3, 4, 1)));
        assert_eq!(cache.peak(), 200 << 10);
    }
}
