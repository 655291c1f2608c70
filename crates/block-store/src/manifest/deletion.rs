//! Requests to delete, as a manifest lists them.

use super::{BlockMeta, Manifest, as_text};
use model::{TimeRange, Timestamp};
use serde::{Deserialize, Serialize};
use service_api::DeletionState;
use ulid::Ulid;

/// For how long it is told that a request was carried out, in milliseconds.
const TOLD: i64 = 30 * 24 * 3_600_000;

/// Entries that are to go. Whoever reads leaves them out from the moment that this is listed; the compactor
/// takes them out of blocks when it is due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deletion {
    /// Its time is that of the request.
    #[serde(with = "as_text")]
    pub id: Ulid,
    /// Of metrics selectors, of which a series matches any; of logs queries, of which a line matches any.
    pub queries: Vec<String>,
    /// What is deleted is not before,
    pub min_time: Timestamp,
    /// and not after.
    pub max_time: Timestamp,
    /// From then on blocks are rewritten, and nothing comes back. Milliseconds since the Unix epoch.
    pub due: i64,
    /// Until then heads may hold what was there when it was asked for, so that what is flushed from them may have
    /// it. Milliseconds since the Unix epoch.
    pub heads_until: i64,
}

/// What is known of a block once it holds nothing any more that was to be left out of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// As [`BlockMeta::cleared`].
    pub cleared: Vec<Ulid>,
    /// As [`BlockMeta::rules`].
    pub rules: u64,
}

impl Deletion {
    pub fn range(&self) -> TimeRange {
        TimeRange::new(self.min_time, self.max_time)
    }

    /// Whether both name the same entries, as they are written.
    pub fn asks_the_same(&self, other: &Self) -> bool {
        self.queries == other.queries && self.range() == other.range()
    }

    /// When it was asked for, in milliseconds since the Unix epoch.
    pub fn requested(&self) -> i64 {
        millis(self.id)
    }

    pub fn is_due(&self, now: i64) -> bool {
        now >= self.due
    }

    /// Whether heads may hold what it names.
    pub fn concerns_heads(&self, now: i64) -> bool {
        now <= self.heads_until
    }

    /// Whether a block may have what it names: not if that has been taken out of it, nor if the block was listed
    /// later with what has nothing to do with it: then it was [`Manifest::cleared`] of it, or flushed from a
    /// head long after.
    pub fn concerns(&self, block: &BlockMeta) -> bool {
        let is_younger = block.level == 0 && !self.concerns_heads(millis(block.id));
        !is_younger && block.time_range().overlaps(&self.range()) && !block.cleared.contains(&self.id)
    }
}

impl Manifest {
    /// The deletions of which something may be in a block.
    pub fn concerning<'a>(&'a self, block: &'a BlockMeta) -> impl Iterator<Item = &'a Deletion> {
        self.deletions.iter().filter(|deletion| deletion.concerns(block))
    }

    /// All deletions of a range: what a new block is cleared of that has nothing to do with them.
    pub fn cleared(&self, range: TimeRange) -> Vec<Ulid> {
        let of_range = self.deletions.iter().filter(|deletion| deletion.range().overlaps(&range));
        of_range.map(|deletion| deletion.id).collect()
    }

    pub fn state(&self, deletion: &Deletion, now: i64) -> DeletionState {
        let is_left = || self.blocks.iter().any(|block| deletion.concerns(block));
        match deletion.is_due(now) {
            false => DeletionState::Received,
            true if deletion.concerns_heads(now) || is_left() => DeletionState::Processing,
            true => DeletionState::Processed,
        }
    }

    /// The deletions without those that were carried out long ago; none if there are no such.
    pub fn without_old_deletions(&self, now: i64) -> Option<Self> {
        let is_old = |deletion: &Deletion| {
            let since = deletion.due.max(deletion.heads_until);
            now > since.saturating_add(TOLD) && self.state(deletion, now) == DeletionState::Processed
        };
        let deletions: Vec<_> = self.deletions.iter().filter(|d| !is_old(d)).cloned().collect();
        (deletions.len() < self.deletions.len()).then(|| self.with_deletions(deletions))
    }

    /// Another version with these deletions, which blocks say nothing of any more that are not among them.
    pub fn with_deletions(&self, deletions: Vec<Deletion>) -> Self {
        let mut blocks = self.blocks.clone();
        for block in &mut blocks {
            block.cleared.retain(|id| deletions.iter().any(|deletion| deletion.id == *id));
        }
        Self { blocks, deletions, rollups: self.rollups.clone(), ..*self }
    }
}

fn millis(id: Ulid) -> i64 {
    i64::try_from(id.timestamp_ms()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
