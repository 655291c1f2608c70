//! The kinds of simulations that there are.

use crate::{bugs::Bug, chaos::Fault, world::Shape};
use std::time::Duration;

/// What a simulation is to be.
#[derive(Clone, Debug)]
pub struct Plan {
    pub shape: Shape,
    /// For how long things go wrong.
    pub faulty: Duration,
    /// What goes wrong.
    pub faults: Vec<Fault>,
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
}

impl Kind {
    pub const ALL: [(&'static str, Self); 4] = [
        ("everything", Self::Everything),
        ("power", Self::Power),
        ("partitions", Self::Partitions),
        ("clocks", Self::Clocks),
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
            bug,
        };
        let zones = Shape { ingesters: 6, zones: 3, ..small };
        let alone = Shape { ingesters: 2, replication: 1, ..small };
        let shape = match (self, seed % 3) {
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
        };
        let harmless = self == Self::Clocks;
        Plan { shape, faulty: Duration::from_secs(25), faults, harmless }
    }
}
