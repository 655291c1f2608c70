//! What there is to do, as it follows from a list of blocks.
//!
//! Blocks are merged within windows of time: first those of two hours, which have a block of each replica and
//! as many more as were full early, and when the day is over those of the day. A window is left alone until
//! nothing new has come for it for a while.
//!
//! A merge reads and writes all of its inputs, so a large block is not made anew for every small one that
//! comes late: what is beside the largest must be an eighth of all, or many blocks, or have waited for long.
//! Parts of one merge, which have no series in common, count as one.
//!
//! And something must be gained: half of the blocks, or that flushed blocks, which are an eighth of all, become
//! merged ones without their replicas' repeats. So every merge leaves fewer blocks or fewer flushed ones, and
//! however much there is, the work comes to an end.
//!
//! When a day has been over for long and rests, figures of its samples are made (`plan/rollups.rs`).

mod rollups;

use crate::Owed;
use block_store::{BlockMeta, Ulid};
use model::{Signal, TenantId, TimeRange, Timestamp};
use std::{collections::BTreeMap, time::Duration};

const HOUR: i64 = 3_600_000;
/// Of new data. Flushed blocks begin at multiples of what divides it, as they are configured by default.
const SHORT: i64 = 2 * HOUR;
/// Of old data; pieces of queries are as long (`querier.split_interval`).
const LONG: i64 = 24 * HOUR;

/// Of more blocks not all are merged at once: each costs memory.
const MAX_INPUTS: usize = 64;
/// Nor of so many times what makes a block full: the first new block must be listed half an hour after it is whole,
/// with all others. That is 8 GiB by default, or some 50 GB of lines, for which a merge takes a quarter of an hour.
const MAX_BLOCKS: u64 = 8;
/// So many blocks beside the largest are merged into it, whatever their size,
const MANY: usize = 8;
/// or one that is so old,
const WAITED: i64 = 6 * HOUR;
/// or if one byte in so many is theirs.
const SHARE: u64 = 8;

/// Blocks that are to become one, or few.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    pub tenant: TenantId,
    pub signal: Signal,
    /// That they lie in, by their first entries.
    pub window: TimeRange,
    pub inputs: Vec<BlockMeta>,
}

impl Job {
    /// Whoever does one job of a day does all of them.
    pub fn day(&self) -> Timestamp {
        self.window.start.div_euclid(LONG) * LONG
    }
}

/// By what jobs are planned.
pub struct Plan<'a> {
    /// The list of blocks, and what they owe at which time.
    pub owed: &'a Owed,
    /// For how long nothing must have come for a window.
    pub delay: Duration,
    /// At which a block is full.
    pub block_bytes: u64,
}

impl Plan<'_> {
    /// The merges of the list, the oldest data first. No block is in two of them.
    pub fn merges(&self, tenant: &TenantId, signal: Signal) -> Vec<Job> {
        let mut jobs = Vec::new();
        for (day, blocks) in self.windows(self.sound(), LONG) {
            let whole = self.of_window(day, &blocks);
            let parts = || {
                let short =
                    blocks.iter().copied().filter(|block| block.max_time < start_of(block, SHORT) + SHORT);
                let of_window =
                    |(window, blocks): (TimeRange, Vec<_>)| Some((window, self.of_window(window, &blocks)?));
                self.windows(short, SHORT).into_iter().filter_map(of_window).collect()
            };
            let of_day: Vec<(TimeRange, Vec<BlockMeta>)> =
                whole.map_or_else(parts, |inputs| vec![(day, inputs)]);
            jobs.extend(of_day.into_iter().map(|(window, inputs)| Job {
                tenant: tenant.clone(),
                signal,
                window,
                inputs,
            }));
        }
        jobs
    }

    /// Blocks that hold something that is to be left out of them, and are in none of these jobs: one to a job.
    pub fn rewrites(&self, tenant: &TenantId, signal: Signal, merges: &[Job]) -> Vec<Job> {
        let is_merged = |id: Ulid| merges.iter().any(|job| job.inputs.iter().any(|input| input.id == id));
        let owing = self.sound().filter(|block| self.owed.owes(block) && !is_merged(block.id));
        let job = |block: &BlockMeta| Job {
            tenant: tenant.clone(),
            signal,
            window: block.time_range(),
            inputs: vec![block.clone()],
        };
        owing.map(job).collect()
    }

    fn sound(&self) -> impl Iterator<Item = &BlockMeta> {
        self.owed.manifest.blocks.iter().filter(|block| block.damaged.is_none())
    }

    /// Blocks by the window in which they begin. Those that differ in what is to be left out of them some day are
    /// not mixed.
    fn windows<'b>(
        &self,
        blocks: impl Iterator<Item = &'b BlockMeta>,
        length: i64,
    ) -> Vec<(TimeRange, Vec<&'b BlockMeta>)> {
        let mut windows: BTreeMap<(Timestamp, Vec<Ulid>), Vec<&BlockMeta>> = BTreeMap::new();
        for block in blocks {
            windows.entry((start_of(block, length), self.owed.pending(block))).or_default().push(block);
        }
        let windows = windows.into_iter();
        windows.map(|((start, _), blocks)| (TimeRange::new(start, start + length - 1), blocks)).collect()
    }

    /// The blocks of a window, if they are to be merged.
    fn of_window(&self, window: TimeRange, blocks: &[&BlockMeta]) -> Option<Vec<BlockMeta>> {
        let newest = blocks.iter().map(|block| block.created).max()?;
        let quiet = self.owed.now.saturating_sub(newest) >= self.delay.as_millis() as i64;
        if self.owed.now <= window.end || !quiet || !self.is_worth_it(blocks) || !self.gains(blocks) {
            return None;
        }
        let mut inputs: Vec<BlockMeta> = blocks.iter().copied().cloned().collect();
        // If they are too many: flushed ones first, by time, so that replicas come together; then the smallest.
        inputs.sort_by_key(|block| match block.level {
            0 => (false, i128::from(block.min_time), block.id),
            _ => (true, i128::from(block.bytes), block.id),
        });
        inputs.truncate(self.at_once(&inputs));
        inputs.sort_by_key(|block| block.id);
        (inputs.len() > 1).then_some(inputs)
    }

    /// How many of blocks may be merged at once.
    fn at_once(&self, blocks: &[BlockMeta]) -> usize {
        let most = self.block_bytes.saturating_mul(MAX_BLOCKS);
        let mut bytes = 0u64;
        let fits = |block: &&BlockMeta| {
            bytes = bytes.saturating_add(block.bytes);
            bytes <= most
        };
        blocks.iter().take(MAX_INPUTS).take_while(fits).count()
    }

    fn gains(&self, blocks: &[&BlockMeta]) -> bool {
        let bytes: u64 = blocks.iter().map(|block| block.bytes).sum();
        let flushed: u64 = blocks.iter().filter(|block| block.level == 0).map(|block| block.bytes).sum();
        // There may be as many afterwards.
        let after = bytes.div_ceil(self.block_bytes.max(1));
        blocks.len() as u64 >= 2 * after || flushed * SHARE >= bytes
    }

    fn is_worth_it(&self, blocks: &[&BlockMeta]) -> bool {
        let mut merges: BTreeMap<Maker<'_>, u64> = BTreeMap::new();
        blocks.iter().for_each(|block| *merges.entry(made_by(block)).or_default() += block.bytes);
        let Some((largest, _)) = merges.into_iter().max_by_key(|(_, bytes)| *bytes) else { return false };
        let others = || blocks.iter().filter(|block| made_by(block) != largest);
        let all: u64 = blocks.iter().map(|block| block.bytes).sum();
        let (count, bytes) = others().fold((0, 0), |(count, bytes), block| (count + 1, bytes + block.bytes));
        let oldest = others().map(|block| block.created).min();
        let waited = oldest.is_some_and(|created| self.owed.now.saturating_sub(created) >= WAITED);
        count >= MANY || (count > 0 && (waited || bytes * SHARE >= all))
    }
}

/// What the blocks of one merge have in common, and no others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Maker<'a> {
    Flush(Ulid),
    Merge(&'a str),
}

fn made_by(block: &BlockMeta) -> Maker<'_> {
    if block.level == 0 { Maker::Flush(block.id) } else { Maker::Merge(&block.source) }
}

fn start_of(block: &BlockMeta, length: i64) -> Timestamp {
    block.min_time.div_euclid(length) * length
}

#[cfg(test)]
mod tests;
