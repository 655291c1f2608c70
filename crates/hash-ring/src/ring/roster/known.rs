//! What is known of one member.

use super::{PROBES, VANISH};
use crate::{State, member::Record};
use std::time::Duration;

pub(super) struct Known {
    pub record: Record,
    /// The revision of the record's key in the store.
    pub revision: i64,
    /// It came up in a store that was rolled back, and nothing shows that it lives: not a member.
    pub ghost: bool,
    pub healthy: bool,
    /// From when on others stand in for it; none while it takes writes.
    pub pass_over_from: Option<Duration>,
    /// Since when we have seen it without a heartbeat in a store that we believe.
    pub dead_since: Option<Duration>,
    /// When we first saw that data of it is lost.
    pub lost_seen: Duration,
    /// Since when its key is missing from the store in a way that is not believed.
    vanished_since: Option<Duration>,
    /// What it answers itself; none while the store's word is taken.
    probes: Option<Probes>,
}

#[derive(Default)]
struct Probes {
    failures: u32,
    succeeded: bool,
    in_flight: bool,
    last: Option<Duration>,
    failing_since: Option<Duration>,
}

impl Known {
    pub fn new(record: Record, revision: i64, heartbeat: bool, now: Duration) -> Self {
        // One that we have never seen take writes has no places that it could keep.
        let takes_writes = heartbeat && record.state == State::Active;
        Self {
            record,
            revision,
            ghost: false,
            healthy: heartbeat,
            pass_over_from: (!takes_writes).then_some(now),
            dead_since: None,
            lost_seen: now,
            vanished_since: None,
            probes: None,
        }
    }

    pub fn update(&mut self, record: Record, revision: i64, now: Duration) {
        if record.lost_until_ms != self.record.lost_until_ms {
            self.lost_seen = now;
        }
        self.record = record;
        self.found(revision);
    }

    /// Its key is there; what it says does not count.
    pub fn found(&mut self, revision: i64) {
        self.revision = revision;
        self.vanished_since = None;
    }

    pub fn vanish(&mut self, now: Duration) {
        self.vanished_since.get_or_insert(now);
    }

    pub fn vanished(&self) -> bool {
        self.vanished_since.is_some()
    }

    /// Whether it vanished and has not answered for so long that it is believed.
    pub fn is_given_up(&self, now: Duration) -> bool {
        let Some(vanished_since) = self.vanished_since else { return false };
        let silent_since = match &self.probes {
            Some(probes) => probes.failing_since.map(|since| since.max(vanished_since)),
            None => Some(vanished_since),
        };
        silent_since.is_some_and(|since| now >= since + VANISH)
    }

    /// Whether it is to be asked itself.
    pub fn ask(&mut self, asked: bool) {
        match (asked, &self.probes) {
            (true, None) => self.probes = Some(Probes::default()),
            (false, Some(_)) => self.probes = None,
            _ => {}
        }
    }

    /// Whether it lives by its own answers; none if they do not say yet.
    pub fn answer(&self) -> Option<bool> {
        match self.probes.as_ref()? {
            probes if probes.failures >= PROBES => Some(false),
            probes if probes.failures == 0 && probes.succeeded => Some(true),
            _ => None,
        }
    }

    pub fn is_due(&self, now: Duration, interval: Duration) -> bool {
        let due =
            |probes: &Probes| !probes.in_flight && probes.last.is_none_or(|last| now >= last + interval);
        self.probes.as_ref().is_some_and(due)
    }

    pub fn begin_probe(&mut self, now: Duration) {
        if let Some(probes) = &mut self.probes {
            probes.in_flight = true;
            probes.last = Some(now);
        }
    }

    pub fn probed(&mut self, alive: bool, now: Duration) {
        let Some(probes) = &mut self.probes else { return };
        probes.in_flight = false;
        if alive {
            probes.failures = 0;
            probes.succeeded = true;
            probes.failing_since = None;
        } else {
            probes.failures += 1;
            probes.failing_since.get_or_insert(now);
        }
    }
}
