//! What blocks still hold that is to be left out of them: by deletions, and by rules of retention.

use block_store::{BlockMeta, Deletion, Manifest, Omissions, Settled, Ulid};
use model::{Signal, TimeRange, Timestamp};
use removal::{Deletions, Expired, Retention};
use service_api::{Omit, Result};
use std::sync::Arc;

/// What a tenant's blocks of one signal owe at some time, as it follows from their list.
#[derive(Clone)]
pub struct Owed {
    pub manifest: Arc<Manifest>,
    pub retention: Arc<Retention>,
    /// Milliseconds since the Unix epoch.
    pub now: Timestamp,
}

impl Owed {
    /// Whether a block is to be written again, or to be known to hold nothing of the kind.
    pub fn owes(&self, block: &BlockMeta) -> bool {
        let note = self.rules(block.max_time).note;
        note != 0 && note != block.rules || self.due(block).next().is_some()
    }

    /// The rules that are up for a block that ends at this time. Without rules all of it goes at once, and
    /// not like this.
    fn rules(&self, max_time: Timestamp) -> Expired {
        match self.retention.is_plain() {
            true => Expired::default(),
            false => self.retention.expired(max_time, self.now),
        }
    }

    /// Deletions that concern a block and are not due: whoever merges it with one that they do not concern
    /// would lose which was which.
    pub fn pending(&self, block: &BlockMeta) -> Vec<Ulid> {
        let pending = self.manifest.concerning(block).filter(|deletion| !deletion.is_due(self.now));
        pending.map(|deletion| deletion.id).collect()
    }

    fn due<'a>(&'a self, block: &'a BlockMeta) -> impl Iterator<Item = &'a Deletion> {
        self.manifest.concerning(block).filter(|deletion| deletion.is_due(self.now))
    }

    /// The deletions that are carried out when what blocks owe is left out of them.
    pub fn applied(&self, blocks: &[BlockMeta]) -> Vec<Ulid> {
        let mut applied: Vec<_> = blocks.iter().flat_map(|block| self.due(block)).map(|d| d.id).collect();
        applied.sort_unstable();
        applied.dedup();
        applied
    }

    /// What is to be left out of each.
    pub fn omissions(&self, signal: Signal, blocks: &[BlockMeta]) -> Result<Omissions> {
        let mut omissions = Omissions::new();
        for block in blocks {
            let mut all: Vec<Arc<dyn Omit>> = Vec::new();
            let deletions = Deletions::new(signal, self.due(block))?;
            if !deletions.is_empty() {
                all.push(Arc::new(deletions));
            }
            let expired = self.rules(block.max_time);
            if !expired.is_none() && expired.note != block.rules {
                all.push(self.retention.omit(expired));
            }
            if !all.is_empty() {
                omissions.insert(block.id, Arc::new(all));
            }
        }
        Ok(omissions)
    }

    /// What new blocks of these say once what they owe is left out: the deletions that concern them no more, and
    /// the rules that were applied.
    pub fn settled(&self, blocks: &[BlockMeta]) -> Settled {
        let start = blocks.iter().map(|block| block.min_time).min().unwrap_or(Timestamp::MIN);
        let end = blocks.iter().map(|block| block.max_time).max().unwrap_or(Timestamp::MAX);
        let pending: Vec<Ulid> = blocks.iter().flat_map(|block| self.pending(block)).collect();
        let mut cleared = self.manifest.cleared(TimeRange::new(start, end));
        cleared.retain(|id| !pending.contains(id));
        Settled { cleared, rules: self.rules(end).note }
    }
}

#[cfg(test)]
mod tests;
