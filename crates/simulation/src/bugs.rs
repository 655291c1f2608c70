//! Bugs to be planted: each breaks one seam as a real bug would, to show that the simulation finds it.

mod disk;
mod source;
mod writes;

use crate::plan::Kind;

pub use disk::{BuggyFs, Syncs};
pub use source::BuggySource;
pub use writes::QuorumOfRequests;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// A write is acknowledged when one replica has it.
    AcknowledgeAtOne,
    /// The log is not synced before a write is answered.
    NoSync,
    /// A sync that failed is tried again, and its success believed.
    SyncRetried,
    /// A write counts as done when most of its requests are, whichever series they were for.
    QuorumOfRequests,
    /// Dead members are forgotten before their peers have flushed.
    ForgetTooEarly,
    /// A reader does without one ingester more than it may.
    OneMissingTooMany,
    /// Heads let go of data before the block is listed.
    DropBeforeListed,
    /// A reader takes the list of blocks that it has, though heads have let go by a newer one.
    OldManifest,
    /// An ingester answers before its log has been read.
    ActiveBeforeReplay,
    /// An ingester whose disk was erased does not say so.
    ErasedDiskUntold,
    /// What an empty store says of the ring is believed.
    EmptyRingBelieved,
    /// Each ruler has claims of its own.
    ClaimsNotShared,
    /// A ruler that takes a group over takes its alerts for new ones.
    AlertsForgotten,
}

impl Bug {
    /// The kind of simulation that is to find it.
    pub fn found_by(self) -> Kind {
        match self {
            Self::NoSync | Self::SyncRetried => Kind::Power,
            Self::ClaimsNotShared | Self::AlertsForgotten => Kind::Rulers,
            _ => Kind::Everything,
        }
    }

    pub const ALL: [Self; 13] = [
        Self::AcknowledgeAtOne,
        Self::NoSync,
        Self::SyncRetried,
        Self::QuorumOfRequests,
        Self::ForgetTooEarly,
        Self::OneMissingTooMany,
        Self::DropBeforeListed,
        Self::OldManifest,
        Self::ActiveBeforeReplay,
        Self::ErasedDiskUntold,
        Self::EmptyRingBelieved,
        Self::ClaimsNotShared,
        Self::AlertsForgotten,
    ];
}
