//! One cluster of senders: who is listened to, and how long ago that one was heard.

use std::time::Duration;

/// A cluster of which nothing is heard for so long is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(3600);

#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// After so long a silence another one is elected.
    pub failover: Duration,
    /// After so long the store is told that the elected one is there.
    pub update: Duration,
}

/// What is to be done with what a replica sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Take,
    Drop,
    /// Take it, and renew the record that was written at this revision.
    Update(i64),
    /// Take it if the record that was written at this revision can be changed to name it.
    Elect(i64),
}

/// Times are those of a clock that only this process has.
#[derive(Debug)]
pub struct Cluster {
    replica: String,
    /// At which the record was last written, as far as we know; 0 if there is none.
    revision: i64,
    /// When we saw the record change.
    changed: Duration,
    /// When we last had something of the elected one ourselves.
    heard: Option<Duration>,
    /// When the record is to be renewed.
    due: Duration,
    updating: bool,
}

impl Cluster {
    /// As a record says that we see at `now`; `spread`, 0 to 1, sets the times apart at which several processes
    /// that hear the elected one would renew it.
    pub fn new(replica: &str, revision: i64, now: Duration, timeouts: Timeouts, spread: f64) -> Self {
        let due = now + timeouts.update.mul_f64(1.0 + 0.2 * spread);
        Self { replica: replica.to_owned(), revision, changed: now, heard: None, due, updating: false }
    }

    /// As this process alone has it.
    pub fn alone(replica: &str, now: Duration) -> Self {
        let replica = replica.to_owned();
        Self { replica, revision: 0, changed: now, heard: Some(now), due: now, updating: false }
    }

    pub fn replica(&self) -> &str {
        &self.replica
    }

    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// Something came from `replica`.
    pub fn hear(&mut self, replica: &str, now: Duration, store: bool, timeouts: Timeouts) -> Verdict {
        if self.replica == replica {
            self.heard = Some(now);
            if self.updating || !store || now < self.due {
                return Verdict::Take;
            }
            self.updating = true;
            return Verdict::Update(self.revision);
        }
        if self.is_silent(now, timeouts) { Verdict::Elect(self.revision) } else { Verdict::Drop }
    }

    /// The renewal is over, however it went.
    pub fn updated(&mut self) {
        self.updating = false;
    }

    fn is_silent(&self, now: Duration, timeouts: Timeouts) -> bool {
        now.saturating_sub(self.last_sign()) >= timeouts.failover
    }

    fn last_sign(&self) -> Duration {
        self.heard.map_or(self.changed, |heard| heard.max(self.changed))
    }

    /// Whether it is silent by what we heard ourselves: it had been sending to us when the record last changed.
    pub fn is_known_silent(&self, now: Duration, timeouts: Timeouts) -> bool {
        self.is_silent(now, timeouts)
            && self.heard.is_some_and(|heard| heard + timeouts.failover >= self.changed)
    }

    /// Without the store, which is told as soon as it is back.
    pub fn elect_alone(&mut self, replica: &str, now: Duration) {
        *self = Self { revision: self.revision, ..Self::alone(replica, now) };
    }

    /// The record names `replica` since `revision`: we wrote it, or see that somebody did.
    pub fn see(&mut self, replica: &str, revision: i64, now: Duration, timeouts: Timeouts, spread: f64) {
        let heard = self.heard.filter(|_| self.replica == replica);
        let updating = self.updating;
        *self = Self { heard, updating, ..Self::new(replica, revision, now, timeouts, spread) };
    }

    /// The store lost what it knew, and has this revision of the record now: what we know is written again.
    pub fn doubt(&mut self, revision: i64, now: Duration) {
        (self.revision, self.due) = (revision, now);
    }

    pub fn is_forgotten(&self, now: Duration) -> bool {
        now.saturating_sub(self.last_sign()) >= FORGOTTEN
    }
}
