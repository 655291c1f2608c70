//! What a manifest says of each block.

use super::{Deletion, Rollup, as_text};
use model::{Signal, TenantId, TimeRange, Timestamp};
use serde::{Deserialize, Serialize};
use ulid::Ulid;

/// For how long it is told what a block was made of, in milliseconds, so that lists stay short. A kept result of
/// a query that is older is computed again after a merge.
const SOURCES_KEPT: i64 = 24 * 3_600_000;

/// One version of the list of a tenant's blocks of one signal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// 1 for the first version; 0 where there is none yet.
    pub sequence: u64,
    pub blocks: Vec<BlockMeta>,
    /// What is to be left out of them, in the order in which it was asked for.
    pub deletions: Vec<Deletion>,
    /// Figures of whole days of the blocks, by day: none that is not valid.
    pub rollups: Vec<Rollup>,
}

impl Manifest {
    pub fn lists(&self, id: Ulid) -> bool {
        self.blocks.iter().any(|block| block.id == id)
    }

    /// Another version with these blocks.
    pub fn with_blocks(&self, blocks: Vec<BlockMeta>) -> Self {
        let (deletions, rollups) = (self.deletions.clone(), self.rollups.clone());
        Self { blocks, deletions, rollups, ..*self }
    }

    /// Another version with new blocks in the place of old ones.
    pub(super) fn swap(&self, old: &[BlockMeta], new: &[BlockMeta]) -> Self {
        let is_old = |block: &&BlockMeta| !old.iter().any(|old| old.id == block.id);
        let added = new.iter().filter(|block| !self.lists(block.id));
        let mut swapped: Vec<BlockMeta> = self.blocks.iter().filter(is_old).chain(added).cloned().collect();
        let now = new.iter().map(|block| block.created).max().unwrap_or(0);
        let is_listed = |id: &Ulid| self.deletions.iter().any(|deletion| deletion.id == *id);
        for block in &mut swapped {
            block.cleared.retain(is_listed);
            if block.created.saturating_add(SOURCES_KEPT) < now {
                block.sources = Vec::new();
            }
        }
        self.with_blocks(swapped)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockMeta {
    #[serde(with = "as_text")]
    pub id: Ulid,
    pub min_time: Timestamp,
    pub max_time: Timestamp,
    /// Series or streams.
    pub series: u64,
    /// Floats and histograms, or lines.
    pub samples: u64,
    /// Bytes of all lines' text; 0 where there are none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub text_bytes: u64,
    /// The size of the object.
    pub bytes: u64,
    /// 0 as flushed; higher the more often it was compacted.
    pub level: u8,
    /// What it was made of: for a flushed block the ingester and its position in the WAL, for a merged
    /// one how many blocks, and the first and the last of them, for an imported one what it was before.
    pub source: String,
    /// Milliseconds since the Unix epoch.
    pub created: i64,
    /// The blocks that a merge made this one of, ascending, if it holds all that they held. They are forgotten
    /// after a day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<SourceBlock>,
    /// Why it is set aside, if it is: what reads blocks goes on without it, and queries say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damaged: Option<String>,
    /// The deletions of the same list of which nothing is in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "as_text::all")]
    pub cleared: Vec<Ulid>,
    /// Which retention rules were applied to it, and how far; 0 if none were. It means something to who applies
    /// them alone.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rules: u64,
}

/// A block that another one was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceBlock {
    #[serde(with = "as_text")]
    pub id: Ulid,
    pub min_time: Timestamp,
    pub max_time: Timestamp,
}

impl SourceBlock {
    pub fn of(block: &BlockMeta) -> Self {
        let BlockMeta { id, min_time, max_time, .. } = *block;
        Self { id, min_time, max_time }
    }

    pub fn time_range(&self) -> TimeRange {
        TimeRange::new(self.min_time, self.max_time)
    }
}

impl BlockMeta {
    pub fn time_range(&self) -> TimeRange {
        TimeRange::new(self.min_time, self.max_time)
    }

    /// The ingester whose lines these are, and no other's: what was compacted has those of several.
    pub fn origin(&self) -> u64 {
        match self.source.rsplit_once('/') {
            Some((ingester, _)) if self.level == 0 => service_api::origin(ingester),
            _ => 0,
        }
    }

    /// The object's name in the bucket.
    pub fn object(&self, tenant: &TenantId, signal: Signal) -> String {
        format!("{}/{}", folder(tenant, signal), self.id)
    }
}

/// Where a tenant's blocks of a signal lie in the bucket.
pub(crate) fn folder(tenant: &TenantId, signal: Signal) -> String {
    format!("{tenant}/{signal}/blocks")
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}
