//! The clocks of simulated hosts: right about how long things take, and as wrong about the time of day
//! as the simulation makes them.

use runtime::Clock;
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

/// The true time at which every simulation begins, in milliseconds since the Unix epoch.
pub const EPOCH_MS: i64 = 1_700_000_000_000;

/// Simulated time since the simulation began. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Time(Arc<AtomicU64>);

impl Time {
    /// Called by whoever steps the simulation: between steps no host runs that could tell.
    pub fn set(&self, elapsed: Duration) {
        self.0.store(elapsed.as_millis() as u64, Ordering::SeqCst);
    }

    pub fn elapsed(&self) -> Duration {
        let between_steps = || Duration::from_millis(self.0.load(Ordering::SeqCst));
        turmoil::sim_elapsed().unwrap_or_else(between_steps)
    }
}

/// How far a host's clock is off, in milliseconds. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Skew(Arc<AtomicI64>);

impl Skew {
    pub fn set(&self, ms: i64) {
        self.0.store(ms, Ordering::SeqCst);
    }
}

/// The clock of one process: made anew for each of its lives.
pub struct SimClock {
    time: Time,
    born: Duration,
    skew: Skew,
}

impl SimClock {
    pub fn new(time: Time, skew: Skew) -> Self {
        Self { born: time.elapsed(), time, skew }
    }
}

impl Clock for SimClock {
    fn now_ms(&self) -> i64 {
        EPOCH_MS + self.time.elapsed().as_millis() as i64 + self.skew.0.load(Ordering::SeqCst)
    }

    fn monotonic(&self) -> Duration {
        self.time.elapsed().saturating_sub(self.born)
    }
}
