//! Rollups, as a manifest lists them: figures of a day's samples, and of which blocks' samples they are.

use super::{BlockMeta, Manifest, as_text};
use model::{TimeRange, Timestamp};
use serde::{Deserialize, Serialize};
use ulid::Ulid;

/// How much time one rollup has the figures of, in milliseconds: a day, from midnight to midnight in UTC.
pub const ROLLED_UP: i64 = 24 * 3_600_000;

/// The figures of a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollup {
    /// The buckets of time end behind this,
    pub start: Timestamp,
    /// and not behind that.
    pub end: Timestamp,
    /// All listed blocks that may have samples of the day, ascending.
    #[serde(with = "as_text::all")]
    pub of: Vec<Ulid>,
    /// What has the figures; there are none if there were no samples.
    pub blocks: Vec<BlockMeta>,
    /// There are no figures of such samples: native histograms are among them. Noted so that nobody tries again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsuitable: bool,
}

impl Rollup {
    /// The times of the samples of which it has figures.
    pub fn samples(&self) -> TimeRange {
        samples(self.start, self.end)
    }
}

impl Manifest {
    /// The blocks of whose samples a rollup from `start` to `end` would be, ascending by their ids. None if not
    /// all that they hold can be seen: one is damaged, or something of it is deleted.
    pub fn to_roll_up(&self, start: Timestamp, end: Timestamp) -> Option<Vec<&BlockMeta>> {
        let samples = samples(start, end);
        let mut blocks: Vec<&BlockMeta> =
            self.blocks.iter().filter(|block| block.time_range().overlaps(&samples)).collect();
        let is_whole =
            |block: &&BlockMeta| block.damaged.is_none() && self.concerning(block).next().is_none();
        blocks.sort_unstable_by_key(|block| block.id);
        blocks.iter().all(is_whole).then_some(blocks)
    }

    /// Whether its figures are those of all samples that are listed now, and of no others.
    pub fn is_valid(&self, rollup: &Rollup) -> bool {
        let now = self.to_roll_up(rollup.start, rollup.end);
        now.is_some_and(|now| now.iter().map(|block| block.id).eq(rollup.of.iter().copied()))
    }

    /// The blocks that have the figures of all buckets of a length that end in a range, by time. None if the
    /// figures of one may be missing. A day without blocks has none to miss.
    pub fn rolled_up(&self, ends: TimeRange, resolution: i64) -> Option<Vec<BlockMeta>> {
        // Of the first bucket and of the last.
        let first = ends.start.checked_add(ends.start.wrapping_neg().rem_euclid(resolution))?;
        let last = ends.end.checked_sub(ends.end.rem_euclid(resolution))?;
        let extent = samples(first.checked_sub(resolution)?, last);
        let in_extent = || self.blocks.iter().filter(|block| block.time_range().overlaps(&extent));
        // Days outside of all blocks are not looked at, for there is no end to them.
        let start = in_extent().map(|block| block.min_time).min().map(|start| start.max(extent.start));
        let end = in_extent().map(|block| block.max_time).max().map(|end| end.min(extent.end));
        let (Some(start), Some(end), false) = (start, end, extent.is_empty()) else {
            return Some(Vec::new());
        };
        let (mut found, mut midnight) = (Vec::new(), day_of(start));
        while midnight < end {
            let next = midnight.checked_add(ROLLED_UP)?;
            let has_any = || in_extent().any(|block| block.time_range().overlaps(&samples(midnight, next)));
            match self.rollups.iter().find(|rollup| (rollup.start, rollup.end) == (midnight, next)) {
                Some(rollup) if !rollup.unsuitable && self.is_valid(rollup) => {
                    found.extend_from_slice(&rollup.blocks);
                }
                None if !has_any() => {}
                _ => return None,
            }
            midnight = next;
        }
        Some(found)
    }

    /// Another version with these rollups.
    pub fn with_rollups(&self, mut rollups: Vec<Rollup>) -> Self {
        rollups.sort_by_key(|rollup| rollup.start);
        let (blocks, deletions) = (self.blocks.clone(), self.deletions.clone());
        Self { blocks, deletions, rollups, ..*self }
    }

    /// Drops those that are not valid any more.
    pub(super) fn with_valid_rollups(mut self) -> Self {
        let rollups = std::mem::take(&mut self.rollups);
        self.rollups = rollups.into_iter().filter(|rollup| self.is_valid(rollup)).collect();
        self
    }
}

/// Where the day begins that has the sample of this time.
fn day_of(time: Timestamp) -> Timestamp {
    time.saturating_sub(1).div_euclid(ROLLED_UP) * ROLLED_UP
}

/// A bucket has the samples behind the end before, and up to its own.
fn samples(start: Timestamp, end: Timestamp) -> TimeRange {
    TimeRange::new(start.saturating_add(1), end)
}

#[cfg(test)]
mod tests;
