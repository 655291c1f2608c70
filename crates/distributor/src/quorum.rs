//! Counts for each series of a batch which of its replicas have it.

/// The votes on a batch, series by series: one request may fail and each of its series be safe all the same, or
/// most requests succeed and one series be lost (thanos-io/thanos#5784).
pub struct Quorum {
    needed: u8,
    votes: Vec<Votes>,
    /// Series that not enough replicas have yet.
    pending: usize,
    /// Of those the ones that never will.
    lost: usize,
    refused: Vec<Part>,
}

#[derive(Clone, Copy)]
struct Votes {
    acked: u8,
    /// Replicas that have not answered.
    left: u8,
}

/// Entries of a series that one replica refused while it took the others.
struct Part {
    index: u32,
    group: u16,
    entries: u64,
}

impl Quorum {
    /// `replicas` says of each series how many it has: of `placed` ones at least one.
    pub fn new(needed: usize, replicas: impl Iterator<Item = usize>, placed: usize) -> Self {
        let small = |n: usize| u8::try_from(n).unwrap_or(u8::MAX);
        let needed = small(needed);
        let votes: Vec<_> = replicas.map(|left| Votes { acked: 0, left: small(left) }).collect();
        let unplaced = votes.len() - placed;
        let short = votes.iter().filter(|votes| votes.left < needed).count();
        Self { needed, votes, pending: placed, lost: short - unplaced.min(short), refused: Vec::new() }
    }

    /// One replica has series `index`.
    pub fn ack(&mut self, index: u32) {
        let Some(votes) = self.votes.get_mut(index as usize) else { return };
        votes.left = votes.left.saturating_sub(1);
        votes.acked = votes.acked.saturating_add(1);
        self.pending -= usize::from(votes.acked == self.needed);
    }

    /// One replica has not, and will not.
    pub fn fail(&mut self, index: u32) {
        let Some(votes) = self.votes.get_mut(index as usize) else { return };
        votes.left = votes.left.saturating_sub(1);
        self.lost += usize::from(votes.acked + votes.left + 1 == self.needed);
    }

    /// The replica behind `group` has series `index` but for so many of its entries.
    pub fn refuse(&mut self, group: usize, index: u32, entries: u64) {
        self.refused.push(Part { index, group: group as u16, entries });
    }

    /// Whether enough replicas have each series.
    pub fn reached(&self) -> bool {
        self.pending == 0
    }

    /// Series that not enough replicas have so far.
    pub fn pending(&self) -> usize {
        self.pending
    }

    /// Series that enough replicas can no longer have.
    pub fn lost(&self) -> usize {
        self.lost
    }

    pub fn needed(&self) -> usize {
        self.needed.into()
    }

    /// The series of which some entries count as refused, and how many: those that fewer replicas have than are
    /// needed. Of one series replicas refuse the same entries or, having missed some, fewer: so the fewest that
    /// as many replicas as needed refuse at most.
    pub fn refused(&mut self) -> Vec<(u32, u64)> {
        self.sum_up();
        let by_series = self.refused.chunk_by(|a, b| a.index == b.index);
        let verdict = |parts: &[Part]| (parts[0].index, self.verdict(parts, 0));
        by_series.map(verdict).filter(|(_, entries)| *entries > 0).collect()
    }

    /// Whether the replicas that have not answered may yet make entries count as written.
    pub fn is_open(&mut self) -> bool {
        self.sum_up();
        self.refused.chunk_by(|a, b| a.index == b.index).any(|parts| {
            let left = self.votes.get(parts[0].index as usize).map_or(0, |votes| votes.left);
            self.verdict(parts, left) < self.verdict(parts, 0)
        })
    }

    /// Whether any replica refused entries of a series of which none count as refused.
    pub fn disagrees(&mut self) -> bool {
        self.sum_up();
        self.refused.chunk_by(|a, b| a.index == b.index).any(|parts| self.verdict(parts, 0) == 0)
    }

    /// What counts as refused of one series if `more` replicas took all of it; `parts` are its own.
    fn verdict(&self, parts: &[Part], more: u8) -> u64 {
        let acked = self.votes.get(parts[0].index as usize).map_or(0, |votes| votes.acked);
        let clean = usize::from(acked + more).saturating_sub(parts.len());
        let mut entries: Vec<u64> = parts.iter().map(|part| part.entries).collect();
        entries.sort_unstable();
        match usize::from(self.needed).checked_sub(clean + 1) {
            None => 0,
            Some(at) => entries.get(at).or(entries.last()).copied().unwrap_or(0),
        }
    }

    /// Leaves one part for each series and replica, by series.
    fn sum_up(&mut self) {
        self.refused.sort_unstable_by_key(|part| (part.index, part.group));
        self.refused.dedup_by(|later, kept| {
            let same = (later.index, later.group) == (kept.index, kept.group);
            if same {
                kept.entries += later.entries;
            }
            same
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(series: usize, replicas: usize, needed: usize) -> Quorum {
        Quorum::new(needed, std::iter::repeat_n(replicas, series), series)
    }

    #[test]
    fn votes_are_counted_for_each_series() {
        let mut quorum = of(2, 3, 2);
        quorum.ack(0);
        quorum.ack(0);
        quorum.ack(1);
        assert!(!quorum.reached());
        quorum.fail(0);
        quorum.fail(1);
        assert_eq!((quorum.lost(), quorum.pending()), (0, 1));
        quorum.fail(1);
        assert_eq!(quorum.lost(), 1);
    }

    #[test]
    fn a_set_that_is_too_short_is_lost_at_once_and_no_set_is_nobodys() {
        assert_eq!(of(3, 1, 2).lost(), 3);
        let quorum = Quorum::new(2, [3, 0, 1].into_iter(), 2);
        assert_eq!((quorum.lost(), quorum.pending()), (1, 2));
    }

    #[test]
    fn an_entry_counts_as_written_when_enough_replicas_have_it() {
        for (refused, left, counted, open) in [
            (&[0, 0, 5][..], 0, 0, false),
            (&[0, 5, 5], 0, 5, false),
            (&[0, 2, 5], 0, 2, false),
            (&[5, 5, 5], 0, 5, false),
            (&[0, 0], 1, 0, false),
            (&[0, 5], 1, 5, true),
            (&[5, 5], 1, 5, false),
            (&[2, 5], 1, 5, true),
        ] {
            let mut quorum = of(1, refused.len() + left, 2);
            for (group, entries) in refused.iter().enumerate() {
                quorum.ack(0);
                // An ingester may name a series more than once.
                if *entries > 0 {
                    quorum.refuse(group, 0, 1);
                    quorum.refuse(group, 0, entries - 1);
                }
            }
            let found = quorum.refused().first().map_or(0, |(_, entries)| *entries);
            assert_eq!((found, quorum.is_open()), (counted, open), "{refused:?} and {left} more");
        }
    }
}
