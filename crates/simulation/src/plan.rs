//! The kinds of simulations that there are.

use crate::{
    bugs::Bug,
    chaos::Fault,
    world::{Role, Shape},
};
use std::time::Duration;

/// What a simulation is to be.
#[derive(Clone, Debug)]
pub struct Plan {
    pub shape: Shape,
    /// For how long things go wrong.
    pub faulty: Duration,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// Seconds from one fault to the next: at random and three on average, or regularly if there are more.
    pub every: u64,
    /// Whom it goes wrong for; everybody if none.
    pub hits: Option<Role>,
    /// Nothing that goes wrong is an excuse for an error.
    pub harmless: bool,
}

/// What is to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Everything goes wrong.
    Everything,
    /// Power is lost, syncs fail and disks are full, with and without replicas to make up for it.
    Power,
    /// Hosts do not reach each other or the ring's store.
    Partitions,
    /// Clocks jump, and nothing else is wrong: nobody may notice.
    Clocks,
    /// Rulers are killed, cut off and lied to.
    Rulers,
}

impl Kind {
    pub const ALL: [(&'static str, Self); 5] = [
        ("everything", Self::Everything),
        ("power", Self::Power),
        ("partitions", Self::Partitions),
        ("clocks", Self::Clocks),
        ("rulers", Self::Rulers),
    ];

    /// The simulation of this kind that a seed stands for.
    pub fn plan(self, seed: u64, bug: Option<Bug>) -> Plan {
        let small = Shape {
            ingesters: 3 + (seed % 2) as usize,
            zones: 0,
            replication: 3,
            distributors: 2,
            queriers: 2,
            // What is planted lies elsewhere.
            compactors: if bug.is_none() { 2 } else { 0 },
            rulers: 0,
            bug,
        };
        let zones = Shape { ingesters: 6, zones: 3, ..small };
        let alone = Shape { ingesters: 2, replication: 1, ..small };
        let rulers = Shape { ingesters: 3, distributors: 1, queriers: 1, compactors: 0, rulers: 3, ..small };
        let shape = match (self, seed % 3) {
            (Self::Rulers, _) => rulers,
            (Self::Power, 0 | 1) => alone,
            (_, 0) => zones,
            _ => small,
        };
        let faults = match self {
            Self::Everything => Fault::ALL.to_vec(),
            Self::Power => {
                vec![Fault::PowerLoss, Fault::AllPowerLoss, Fault::DiskMidway, Fault::SyncFails, Fault::Flush]
            }
            Self::Partitions => vec![Fault::Partition, Fault::Isolation, Fault::StoreAway],
            Self::Clocks => vec![Fault::Clock],
            Self::Rulers => vec![Fault::Kill, Fault::Isolation, Fault::StoreAway, Fault::StoreReset],
        };
        let harmless = self == Self::Clocks;
        let (faulty, every, hits) = match self {
            // What one fault costs can only be told where there is one at a time.
            Self::Rulers => (150, 25, Some(Role::Ruler)),
            _ => (25, 3, None),
        };
        Plan { shape, faulty: Duration::from_secs(faulty), faults, every, hits, harmless }
    }
}
