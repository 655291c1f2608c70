//! What has changed since: whether a result that was kept is still right.

use crate::{ReadContext, Result, Source};
use async_trait::async_trait;
use model::{Signal, TimeRange, Timestamp};
use std::{collections::BTreeMap, sync::Arc};

/// How far the head of one tenant and signal is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeadVersion {
    /// Names one run of the ingester's process; chosen at random.
    pub life: u128,
    /// Records of the log that have been applied in it.
    pub sequence: u64,
}

/// What has changed in a head, and how far it is now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeadChange {
    /// Nothing before this time has changed; none if nothing has.
    pub earliest: Option<Timestamp>,
    /// Whoever has seen this version and reads afterwards, reads at least what it stands for.
    pub version: HeadVersion,
}

/// An ingester's heads.
#[async_trait]
pub trait HeadChanges: Send + Sync {
    /// What has been appended since. All that the head holds counts as appended if `since` is none, or
    /// of another life. Raises the context's list of blocks as every read of a head does.
    async fn head_changes(
        &self,
        ctx: &ReadContext,
        signal: Signal,
        since: Option<HeadVersion>,
    ) -> Result<HeadChange>;
}

/// Heads that are read, and tell what has changed.
pub trait HeadSource: Source + HeadChanges {}

impl<T: Source + HeadChanges + ?Sized> HeadSource for T {}

/// A state of all of a tenant's data of one signal, as far as a result depends on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataVersion {
    /// By ingester.
    pub heads: BTreeMap<Arc<str>, HeadVersion>,
    /// Those that overlap the range that was asked about.
    pub blocks: Vec<ListedBlock>,
    /// Those of which something may have been left out, or may lack in a block that has been rewritten.
    pub deletions: Vec<ListedDeletion>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedBlock {
    pub id: u128,
    pub range: TimeRange,
}

/// A request to delete entries of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedDeletion {
    pub id: u128,
    pub range: TimeRange,
}

/// What has changed, and the state now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Nothing before this time has changed; none if nothing has.
    pub earliest: Option<Timestamp>,
    pub version: DataVersion,
    /// The ingesters whose changes `earliest` counts: those that can tell what has changed since, or, where
    /// they are too few, all that answered, with everything that they hold.
    pub counted: Vec<Arc<str>>,
}

/// All of a tenant's data.
#[async_trait]
pub trait Changes: Send + Sync {
    /// What has changed in the range since. The version that comes with the answer is for what is read
    /// *after* it: what is appended in between may be in both, and is never in neither.
    async fn changes(
        &self,
        ctx: &ReadContext,
        signal: Signal,
        range: TimeRange,
        since: &DataVersion,
    ) -> Result<Change>;
}

impl DataVersion {
    /// Without the ingesters that `knows` nothing of: what they hold is then taken for changed.
    pub fn only(mut self, knows: impl Fn(&str) -> bool) -> Self {
        self.heads.retain(|id, _| knows(id));
        self
    }

    /// Whether both have seen the same run of an ingester.
    pub fn shares_life(&self, other: &Self, id: &str) -> bool {
        let life = |version: &Self| version.heads.get(id).map(|head| head.life);
        life(self).is_some() && life(self) == life(other)
    }
}
