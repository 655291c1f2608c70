//! Which days' figures are to be made.

use super::{Job, LONG, Plan, WAITED};
use block_store::{BlockMeta, ROLLED_UP};
use model::{Signal, TenantId, TimeRange, Timestamp};
use std::{collections::BTreeSet, ops::Not};

/// A day's figures are made when it has been over for so long: what comes later is little, and has all of
/// the day rolled up again.
const OVER: i64 = 2 * LONG;

impl Plan<'_> {
    /// The days whose figures are to be made, the newest first, each with all blocks that may have samples of it.
    /// A day waits for the merges that its blocks are in, and until what they owe is left out of them.
    pub fn rollups(&self, tenant: &TenantId, merges: &[Job]) -> Vec<Job> {
        let job = |(window, inputs)| Job { tenant: tenant.clone(), signal: Signal::Metrics, window, inputs };
        let days = self.days().into_iter().rev();
        days.filter_map(|start| self.of_day(start, merges)).map(job).collect()
    }

    /// The days in which a block begins or ends, and that are long over. Such a day begins behind its first
    /// moment, and ends with that of the next.
    fn days(&self) -> BTreeSet<Timestamp> {
        let times = self.sound().flat_map(|block| [block.min_time, block.max_time]);
        let days = times.map(|time| time.saturating_sub(1).div_euclid(ROLLED_UP) * ROLLED_UP);
        let is_over = |start: &Timestamp| start + ROLLED_UP + OVER <= self.owed.now;
        days.filter(|start| *start >= 0 && is_over(start)).collect()
    }

    fn of_day(&self, start: Timestamp, merges: &[Job]) -> Option<(TimeRange, Vec<BlockMeta>)> {
        let (end, manifest) = (start + ROLLED_UP, &self.owed.manifest);
        if manifest.rollups.iter().any(|rollup| rollup.start == start) {
            return None;
        }
        let inputs = manifest.to_roll_up(start, end)?;
        let is_merged =
            |block: &BlockMeta| merges.iter().any(|job| job.inputs.iter().any(|input| input.id == block.id));
        // After that it is merged if it is worth it.
        let is_late =
            |block: &BlockMeta| block.level == 0 && self.owed.now.saturating_sub(block.created) < WAITED;
        let rests = |block: &&BlockMeta| !self.owed.owes(block) && !is_merged(block) && !is_late(block);
        let rest = inputs.iter().all(rests) && inputs.is_empty().not();
        rest.then(|| (TimeRange::new(start + 1, end), inputs.into_iter().cloned().collect()))
    }
}
