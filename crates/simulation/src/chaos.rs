//! What goes wrong, and when it is mended.

use crate::{
    bucket::Weather,
    clock::EPOCH_MS,
    plan::Plan,
    world::{Host, Order, Role, World},
};
use hash_ring::Snapshot;
use ingester::fs::sim::{Fault as DiskFault, Random, SimFs};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use turmoil::Sim;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// One ingester loses its power, or all do.
    PowerLoss,
    AllPowerLoss,
    /// A process is killed; its disk keeps what was written.
    Kill,
    /// The power goes, the disk fails or is full in the middle of something.
    DiskMidway,
    /// A sync fails, and soon the power.
    SyncFails,
    /// Two hosts do not reach each other, or one of them not the other.
    Partition,
    /// A host reaches nobody and is reached by nobody.
    Isolation,
    /// A host, or all, cannot reach the ring's store.
    StoreAway,
    /// The ring's store is empty, or what it was some time ago.
    StoreReset,
    /// The bucket is slow or fails for a host, or for all.
    Bucket,
    /// A host's clock is off by up to five minutes from here on.
    Clock,
    /// An operator has everything flushed.
    Flush,
    /// An operator takes an ingester out of the ring; it comes back later.
    Leave,
    /// The disk of an ingester is erased.
    Erasure,
}

impl Fault {
    pub const ALL: [Self; 14] = [
        Self::PowerLoss,
        Self::AllPowerLoss,
        Self::Kill,
        Self::DiskMidway,
        Self::SyncFails,
        Self::Partition,
        Self::Isolation,
        Self::StoreAway,
        Self::StoreReset,
        Self::Bucket,
        Self::Clock,
        Self::Flush,
        Self::Leave,
        Self::Erasure,
    ];
}

/// What is to come: mostly the end of a fault.
enum Later {
    PowerLoss(usize),
    Start(usize),
    Connect(usize, usize),
    Reconnect(usize),
    StoreFor(usize),
    Store,
    Bucket(usize),
}

pub struct Chaos {
    world: Arc<World>,
    random: Random,
    kinds: Vec<Fault>,
    every: u64,
    /// Hosts that faults of any host hit.
    hits: Vec<usize>,
    pending: Vec<(Duration, Later)>,
    backup: Option<Snapshot>,
    /// Disks that were erased; a second one before the others have flushed is more than is promised.
    erased: u32,
    /// Hosts that are being started again.
    down: Vec<usize>,
    /// Until then the ring's store may not have everybody again.
    store_settles: Duration,
}

impl Chaos {
    pub fn new(world: Arc<World>, plan: &Plan) -> Self {
        let random = Random(world.seed ^ 0xc4a0_5000);
        let is_hit = |index: &usize| plan.hits.is_none_or(|role| world.hosts[*index].role == role);
        Self {
            hits: (0..world.hosts.len()).filter(is_hit).collect(),
            world,
            random,
            kinds: plan.faults.clone(),
            every: plan.every,
            pending: Vec::new(),
            backup: None,
            erased: 0,
            down: Vec::new(),
            store_settles: Duration::ZERO,
        }
    }

    /// Called once a second.
    pub fn second(&mut self, sim: &mut Sim<'_>, now: Duration) {
        self.clear_away(sim, now);
        self.mend_due(sim, now);
        if self.random.below(10) == 0 {
            self.backup = Some(self.world.kv.snapshot());
        }
        let is_time = match self.every {
            every @ 0..=3 => self.random.below(every.max(1)) == 0,
            every => now.as_secs().is_multiple_of(every),
        };
        if !self.kinds.is_empty() && is_time {
            let kind = self.kinds[self.random.below(self.kinds.len() as u64) as usize];
            self.strike(kind, sim, now);
        }
    }

    /// Everything is mended, at once.
    pub fn mend_all(&mut self, sim: &mut Sim<'_>, now: Duration) {
        self.clear_away(sim, now);
        for (_, later) in std::mem::take(&mut self.pending) {
            if !matches!(later, Later::PowerLoss(_)) {
                self.come(later, sim, now);
            }
        }
        for host in &self.world.hosts {
            host.disk.lock().heal();
        }
    }

    /// Processes that ended by themselves.
    pub fn clear_away(&mut self, sim: &mut Sim<'_>, now: Duration) {
        for index in 0..self.world.hosts.len() {
            let host = Arc::clone(&self.world.hosts[index]);
            if host.ended.swap(false, Ordering::SeqCst) {
                let power = host.disk.lock().is_dead();
                self.stop(index, power, sim, now);
            }
        }
    }

    fn mend_due(&mut self, sim: &mut Sim<'_>, now: Duration) {
        let (due, rest) = std::mem::take(&mut self.pending).into_iter().partition(|(at, _)| *at <= now);
        self.pending = rest;
        let due: Vec<_> = due;
        for (_, later) in due {
            self.come(later, sim, now);
        }
    }

    fn come(&mut self, later: Later, sim: &mut Sim<'_>, now: Duration) {
        let world = Arc::clone(&self.world);
        let name = |index: usize| world.hosts[index].name.clone();
        match later {
            Later::PowerLoss(index) => self.stop(index, true, sim, now),
            Later::Start(index) => {
                world.history.note("simulation", format_args!("{} starts", name(index)));
                self.down.retain(|down| *down != index);
                sim.bounce(name(index));
            }
            Later::Connect(a, b) => {
                world
                    .history
                    .note("simulation", format_args!("{} and {} reach each other", name(a), name(b)));
                sim.repair(name(a), name(b));
            }
            Later::Reconnect(index) => {
                world.history.note("simulation", format_args!("{} is reached again", name(index)));
                for other in (0..world.hosts.len()).filter(|other| *other != index) {
                    sim.repair(name(index), name(other));
                }
            }
            Later::StoreFor(index) => world.hosts[index].kv.cut_off(false),
            Later::Store => world.kv.set_away(false),
            Later::Bucket(index) => *world.hosts[index].weather.lock() = Weather { slow_ms: 20, failing: 0 },
        }
    }

    fn strike(&mut self, kind: Fault, sim: &mut Sim<'_>, now: Duration) {
        if now < self.store_settles && matches!(kind, Fault::Kill | Fault::StoreAway) {
            return;
        }
        let world = Arc::clone(&self.world);
        let any = self.hits[self.random.below(self.hits.len() as u64) as usize];
        let ingester = self.random.below(world.shape.ingesters as u64) as usize;
        let some_time = now + Duration::from_millis(1000 + self.random.below(14_000));
        let all = self.random.below(4) == 0;
        world.counts.faults.fetch_add(1, Ordering::Relaxed);
        world.evaluations.fault(EPOCH_MS + now.as_millis() as i64);
        world.history.note("simulation", format_args!("{kind:?} {any} {ingester}"));
        match kind {
            Fault::PowerLoss => self.stop(ingester, true, sim, now),
            Fault::AllPowerLoss => {
                (0..world.shape.ingesters).for_each(|index| self.stop(index, true, sim, now));
            }
            Fault::Kill => self.stop(any, false, sim, now),
            Fault::DiskMidway => {
                let faults = [DiskFault::Crash, DiskFault::Io, DiskFault::Io, DiskFault::NoSpace];
                let fault = faults[self.random.below(4) as usize];
                world.hosts[ingester].disk.lock().fail_in(self.random.below(40), fault);
            }
            Fault::SyncFails => {
                world.hosts[ingester].disk.lock().fail_sync_in(self.random.below(6));
                let soon = now + Duration::from_millis(1000 + self.random.below(3000));
                self.pending.push((soon, Later::PowerLoss(ingester)));
            }
            Fault::Partition => self.partition(any, ingester, some_time, sim),
            Fault::Isolation => {
                for other in (0..world.hosts.len()).filter(|other| *other != any) {
                    sim.partition(world.hosts[any].name.clone(), world.hosts[other].name.clone());
                }
                self.pending.push((some_time, Later::Reconnect(any)));
                if world.hosts[any].role == Role::Ruler {
                    // It would hold on to what it cannot do.
                    world.hosts[any].kv.cut_off(true);
                    self.pending.push((some_time, Later::StoreFor(any)));
                }
            }
            Fault::StoreAway if all => {
                world.kv.set_away(true);
                self.pending.push((some_time, Later::Store));
            }
            Fault::StoreAway => {
                world.hosts[any].kv.cut_off(true);
                self.pending.push((some_time, Later::StoreFor(any)));
            }
            Fault::StoreReset => self.reset_store(now),
            Fault::Bucket => self.spoil_bucket(any, all, some_time),
            Fault::Clock => world.hosts[any].skew.set(self.random.below(600_001) as i64 - 300_000),
            Fault::Flush => {
                let told = |host: &&Arc<Host>| host.role == Role::Ingester;
                let flush = |host: &Arc<Host>| host.orders.lock().push_back(Order::Flush);
                world.hosts.iter().filter(told).for_each(flush);
            }
            // A replica set needs enough that stay.
            Fault::Leave if world.shape.ingesters > world.shape.replication => {
                world.hosts[ingester].orders.lock().push_back(Order::Leave);
            }
            Fault::Leave => {}
            Fault::Erasure => self.erase(ingester, sim, now),
        }
    }

    /// The process is gone at once; it is started again after a while.
    fn stop(&mut self, index: usize, power: bool, sim: &mut Sim<'_>, now: Duration) {
        let host = Arc::clone(&self.world.hosts[index]);
        if self.down.contains(&index) {
            return;
        }
        self.world.history.note("simulation", format_args!("{} is down, power {power}", host.name));
        sim.crash(host.name.clone());
        host.orders.lock().clear();
        if power {
            host.disk.lock().crash();
        }
        self.down.push(index);
        let back = now + Duration::from_millis(500 + self.random.below(8_000));
        self.pending.push((back, Later::Start(index)));
    }

    fn partition(&mut self, a: usize, b: usize, until: Duration, sim: &mut Sim<'_>) {
        if a == b {
            return;
        }
        let names = (self.world.hosts[a].name.clone(), self.world.hosts[b].name.clone());
        match self.random.below(3) {
            0 => sim.partition(names.0, names.1),
            1 => sim.partition_oneway(names.0, names.1),
            _ => sim.partition_oneway(names.1, names.0),
        }
        self.pending.push((until, Later::Connect(a, b)));
    }

    /// Those who know the ring stay: whoever starts without knowing it has only the store to believe.
    fn reset_store(&mut self, now: Duration) {
        let cut_off = |(_, later): &(Duration, Later)| matches!(later, Later::Store | Later::StoreFor(_));
        if !self.down.is_empty() || self.pending.iter().any(cut_off) {
            return;
        }
        self.store_settles = now + Duration::from_secs(12);
        match &self.backup {
            Some(backup) if self.random.below(2) == 0 => self.world.kv.restore(backup),
            _ => self.world.kv.wipe(),
        }
    }

    fn spoil_bucket(&mut self, host: usize, all: bool, until: Duration) {
        let weather =
            Weather { slow_ms: self.random.below(3) * 1000 + 20, failing: self.random.below(3) * 50 };
        for index in 0..self.world.hosts.len() {
            if all || index == host {
                *self.world.hosts[index].weather.lock() = weather;
                self.pending.push((until, Later::Bucket(index)));
            }
        }
    }

    fn erase(&mut self, ingester: usize, sim: &mut Sim<'_>, now: Duration) {
        // Without replicas nobody else has it.
        if self.erased > 0 || self.down.contains(&ingester) || self.world.shape.replication == 1 {
            return;
        }
        self.erased += 1;
        self.stop(ingester, true, sim, now);
        *self.world.hosts[ingester].disk.lock() = SimFs::new(self.random.draw());
    }
}
