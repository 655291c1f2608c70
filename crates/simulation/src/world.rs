//! What outlives the processes: hosts with their disks and clocks, the bucket, the ring's store, and the
//! ledger that nobody in the cluster can see.

use crate::{
    bucket::Weather,
    bugs::Bug,
    clock::{SimClock, Skew, Time},
    evaluations::Evaluations,
    history::History,
    ledger::Ledger,
};
use hash_ring::MemoryKv;
use ingester::fs::sim::SimFs;
use object_store::memory::InMemory;
use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
};

/// How many hosts of each role there are, and what is planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub ingesters: usize,
    /// 0 if there are none.
    pub zones: usize,
    pub replication: usize,
    pub distributors: usize,
    pub queriers: usize,
    pub compactors: usize,
    pub rulers: usize,
    pub bug: Option<Bug>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Ingester,
    Distributor,
    Querier,
    Compactor,
    Ruler,
}

/// What an operator tells a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Write everything to the bucket.
    Flush,
    /// Leave the ring for good.
    Leave,
}

pub struct World {
    pub seed: u64,
    pub shape: Shape,
    pub time: Time,
    pub history: History,
    pub ledger: Ledger,
    pub evaluations: Evaluations,
    pub kv: MemoryKv,
    pub bucket: Arc<InMemory>,
    pub hosts: Vec<Arc<Host>>,
    /// Promises that were broken, by what was found to show it.
    violations: Mutex<Vec<String>>,
    pub counts: Counts,
    phase: Mutex<Phase>,
}

/// What the simulation is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// More may be down than anybody can make up for: errors are in order, wrong answers are not.
    Faults,
    /// Everything is as it should be, and has been for long enough: there is no excuse for an error.
    Calm,
}

/// What was done.
#[derive(Debug, Default)]
pub struct Counts {
    pub acknowledged: AtomicU64,
    pub refused: AtomicU64,
    pub answered: AtomicU64,
    pub unanswered: AtomicU64,
    pub faults: AtomicU64,
    pub merges: AtomicU64,
    pub evaluations: AtomicU64,
}

/// One host, alive or not.
pub struct Host {
    pub name: String,
    pub number: u64,
    pub role: Role,
    pub zone: String,
    pub skew: Skew,
    pub kv: MemoryKv,
    pub weather: Arc<Mutex<Weather>>,
    pub disk: Mutex<SimFs>,
    pub orders: Mutex<VecDeque<Order>>,
    /// The process has ended by itself, and waits to be started again.
    pub ended: AtomicBool,
    /// The time of the next entries that are sent from here.
    pub next_time: AtomicI64,
    lives: AtomicU64,
}

impl World {
    pub fn new(seed: u64, shape: Shape) -> Self {
        let time = Time::default();
        let kv = MemoryKv::new(Arc::new(SimClock::new(time.clone(), Skew::default())));
        let roles = [
            (Role::Ingester, "ingester", shape.ingesters),
            (Role::Distributor, "distributor", shape.distributors),
            (Role::Querier, "querier", shape.queriers),
            (Role::Compactor, "compactor", shape.compactors),
            (Role::Ruler, "ruler", shape.rulers),
        ];
        let mut hosts = Vec::new();
        for (role, name, count) in roles {
            for index in 0..count {
                let number = hosts.len() as u64;
                hosts.push(Arc::new(Host {
                    name: format!("{name}-{index}"),
                    number,
                    role,
                    zone: if shape.zones == 0 {
                        String::new()
                    } else {
                        format!("zone-{}", index % shape.zones)
                    },
                    skew: Skew::default(),
                    kv: kv.another_host(),
                    weather: Arc::new(Mutex::new(Weather { slow_ms: 20, failing: 0 })),
                    disk: Mutex::new(SimFs::new(seed ^ (number << 32))),
                    orders: Mutex::default(),
                    ended: AtomicBool::new(false),
                    next_time: AtomicI64::new(0),
                    lives: AtomicU64::new(0),
                }));
            }
        }
        Self {
            seed,
            shape,
            history: History::new(time.clone()),
            time,
            ledger: Ledger::default(),
            evaluations: Evaluations::default(),
            kv,
            bucket: Arc::new(InMemory::new()),
            hosts,
            violations: Mutex::default(),
            counts: Counts::default(),
            phase: Mutex::new(Phase::Faults),
        }
    }

    /// A promise has been broken.
    pub fn violation(&self, who: &str, what: &str) {
        self.history.note(who, format_args!("VIOLATION {what}"));
        self.violations.lock().push(format!("{who}: {what}"));
    }

    pub fn violations(&self) -> Vec<String> {
        self.violations.lock().clone()
    }

    pub fn phase(&self) -> Phase {
        *self.phase.lock()
    }

    pub fn set_phase(&self, phase: Phase) {
        self.history.note("simulation", format_args!("{phase:?}"));
        *self.phase.lock() = phase;
    }

    pub fn has(&self, bug: Bug) -> bool {
        self.shape.bug == Some(bug)
    }
}

impl Host {
    /// A number for everything random in a new life of this host.
    pub fn new_life(&self, seed: u64) -> u64 {
        let life = self.lives.fetch_add(1, Ordering::SeqCst);
        xxhash_rust::xxh3::xxh3_64_with_seed(&[self.number, life].map(u64::to_le_bytes).concat(), seed)
    }

    /// Where others find it.
    pub fn address(&self) -> String {
        format!("{}:{PORT}", self.name)
    }
}

pub const PORT: u16 = 7000;
