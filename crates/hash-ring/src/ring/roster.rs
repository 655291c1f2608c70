//! What is known of the members, and what of the store's news is believed.

mod forget;
mod known;

use crate::{
    Batch, Event, Health, Listing, Member, RingConfig, State,
    keys::{Keys, Part},
    member::Record,
};
use known::Known;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// For how long a member that cannot take writes keeps its places: a restart must not move data.
pub(super) const GRACE: Duration = Duration::from_secs(60);
/// For how long a member that vanished in a way that is not believed is kept without answering.
pub(super) const VANISH: Duration = Duration::from_secs(60);
/// Probes that must fail in a row before a member counts as unhealthy.
const PROBES: u32 = 2;

/// All times are of our own monotonic clock.
pub(super) struct Roster {
    known: BTreeMap<Arc<str>, Known>,
    /// Ids that have a heartbeat in the store.
    alive: BTreeSet<Arc<str>>,
    /// Heartbeats that a store has which was rolled back, of members that did not live as far as we
    /// know: they may be the backup's. If one does not end, it is believed from this time on.
    claimed: BTreeMap<Arc<str>, Duration>,
    replication_factor: usize,
    forget_after: Duration,
    heartbeat_timeout: Duration,
    has_prober: bool,
    /// Whether we follow the store at present.
    connected: bool,
    /// The store that was listed last and the newest revision seen of it.
    seen: Option<(u64, i64)>,
    /// Until when entries may be about whose replicas share a zone.
    mixed_until: Duration,
}

impl Roster {
    pub fn new(config: &RingConfig, has_prober: bool) -> Self {
        Self {
            known: BTreeMap::new(),
            alive: BTreeSet::new(),
            claimed: BTreeMap::new(),
            replication_factor: config.replication_factor,
            forget_after: config.forget_after(),
            heartbeat_timeout: config.heartbeat_timeout(),
            has_prober,
            connected: false,
            seen: None,
            mixed_until: Duration::ZERO,
        }
    }

    pub fn is_connected(&self) -> bool {
        self.connected
    }

    /// Takes in what the store holds. Says why, if not all of it is believed.
    pub fn list(&mut self, listing: &Listing, keys: &Keys, now: Duration) -> Option<&'static str> {
        let rolled_back = self
            .seen
            .is_some_and(|(cluster, revision)| cluster != listing.cluster || listing.revision < revision);
        let claims = std::mem::take(&mut self.claimed);
        let mut records = BTreeMap::new();
        let (mut rejected, mut unreadable) = (None, BTreeSet::new());
        self.alive.clear();
        for entry in &listing.entries {
            match keys.part(&entry.key) {
                Some(Part::Heartbeat(id)) => {
                    let lives = self.known.get(id).is_some_and(|known| known.healthy);
                    let claim = (rolled_back && !lives).then_some(now + 2 * self.heartbeat_timeout);
                    match claim.or(claims.get(id).copied()) {
                        Some(from) => drop(self.claimed.insert(id.into(), from)),
                        None => drop(self.alive.insert(id.into())),
                    }
                }
                Some(Part::Record(id)) => match Record::parse(id, &entry.value) {
                    Some(record) => {
                        records.insert(record.id.clone(), (record, entry.mod_revision));
                    }
                    None => {
                        rejected = Some("unreadable");
                        unreadable.insert(id);
                    }
                },
                None => {}
            }
        }
        let before = self.counted().count();
        // One whose record cannot be read stays as it was.
        let found = |id: &str| records.contains_key(id) || unreadable.contains(id);
        let gone: Vec<_> = self.known.keys().filter(|id| !found(id)).cloned().collect();
        if rolled_back {
            rejected = Some("rolled_back");
        } else if 2 * gone.len() > before || (records.is_empty() && before > 0) {
            rejected = Some("shrunk");
        }
        for id in gone {
            self.vanish(&id, matches!(rejected, Some("rolled_back" | "shrunk")), now);
        }
        for (id, (record, revision)) in records {
            let heartbeat = self.alive.contains(&id);
            match self.known.get_mut(&id) {
                // What came up again is older than what we know; the member will see to it.
                Some(known) if rolled_back && record.generation < known.record.generation => {
                    known.found(revision);
                }
                Some(known) => known.update(record, revision, now),
                None => {
                    let mut known = Known::new(record, revision, heartbeat, now);
                    // It may have left long ago.
                    known.ghost = rolled_back && !heartbeat;
                    self.known.insert(id, known);
                }
            }
        }
        self.seen = Some((listing.cluster, listing.revision));
        self.connected = true;
        rejected
    }

    /// Takes in changes.
    pub fn change(&mut self, batch: &Batch, keys: &Keys, now: Duration) -> Option<&'static str> {
        let is_removal =
            |event: &&Event| event.value.is_none() && matches!(keys.part(&event.key), Some(Part::Record(_)));
        let removed = batch.events.iter().filter(is_removal).count();
        // One that goes is believed. Many at once are somebody's mistake.
        let doubted = removed > 1 && 2 * removed > self.counted().count();
        let mut rejected = doubted.then_some("shrunk");
        for Event { key, value, mod_revision } in &batch.events {
            match (keys.part(key), value) {
                (Some(Part::Heartbeat(id)), Some(_)) => {
                    self.claimed.remove(id);
                    self.alive.insert(id.into());
                }
                (Some(Part::Heartbeat(id)), None) => {
                    self.claimed.remove(id);
                    self.alive.remove(id);
                }
                (Some(Part::Record(id)), None) => self.vanish(id, doubted, now),
                (Some(Part::Record(id)), Some(value)) => match Record::parse(id, value) {
                    Some(record) => self.put(record, *mod_revision, now),
                    None => rejected = Some("unreadable"),
                },
                (None, _) => {}
            }
        }
        if let Some((_, revision)) = &mut self.seen {
            *revision = batch.revision.max(*revision);
        }
        rejected
    }

    fn put(&mut self, record: Record, revision: i64, now: Duration) {
        match self.known.get_mut(&record.id) {
            Some(known) => known.update(record, revision, now),
            None => {
                let heartbeat = self.alive.contains(&record.id);
                self.known.insert(record.id.clone(), Known::new(record, revision, heartbeat, now));
            }
        }
    }

    fn vanish(&mut self, id: &str, doubted: bool, now: Duration) {
        match self.known.get_mut(id) {
            Some(known) if doubted && !known.ghost => known.vanish(now),
            _ => {
                self.known.remove(id);
            }
        }
    }

    /// The store can no longer be followed: what we know stays in force.
    pub fn disconnect(&mut self) {
        self.connected = false;
    }

    /// Draws the conclusions from what was taken in and from the time.
    pub fn settle(&mut self, now: Duration) {
        let due = |_: &Arc<str>, from: &mut Duration| *from <= now;
        self.alive.extend(self.claimed.extract_if(.., due).map(|(id, _)| id));
        let silent =
            self.counted().filter(|(id, known)| known.vanished() || !self.alive.contains(*id)).count();
        // Half of the members do not die in a moment. Heartbeats that end together say something
        // about the store (a restored one has none at all), so the members are asked.
        let store_is_doubted = 2 * silent > self.counted().count();
        let Self { known, alive, has_prober, connected, .. } = self;
        known.retain(|id, known| {
            let heartbeat = alive.contains(id);
            known.ghost &= !heartbeat;
            let doubted = !*connected || known.vanished() || (store_is_doubted && !heartbeat);
            known.ask(doubted && *has_prober);
            let follows_store = *connected && !known.vanished();
            known.healthy = known.answer().unwrap_or(if follows_store { heartbeat } else { known.healthy });
            let takes_writes = known.healthy && known.record.state == State::Active;
            known.pass_over_from = (!takes_writes).then(|| known.pass_over_from.unwrap_or(now + GRACE));
            // Not while we do not look: it may come and go.
            let dead = follows_store && !heartbeat && !known.healthy;
            known.dead_since = dead.then(|| known.dead_since.unwrap_or(now));
            !known.is_given_up(now)
        });
    }

    /// Whom to ask whether they live, at most `most` of them; each of these is then to be told
    /// with `probed`.
    pub fn take_due(&mut self, most: usize, now: Duration) -> Vec<(Arc<str>, String)> {
        let due = |known: &&mut Known| known.is_due(now, self.heartbeat_timeout / 3);
        let due = self.known.values_mut().filter(due).take(most);
        due.map(|known| {
            known.begin_probe(now);
            (known.record.id.clone(), known.record.address.clone())
        })
        .collect()
    }

    pub fn probed(&mut self, id: &str, alive: bool, now: Duration) {
        if let Some(known) = self.known.get_mut(id) {
            known.probed(alive, now);
        }
    }

    /// The members as views show them. `now_ms` is wall time, for what must be told over restarts.
    pub fn members(&self, now: Duration, now_ms: i64) -> Vec<Member> {
        let member = |known: &Known| {
            let Record { id, address, zone, state, disk, holds_data, lost_until_ms, .. } =
                known.record.clone();
            // Over by the writer's clock, or known to us for so long that it must be.
            let lost_is_over = lost_until_ms <= now_ms || now >= known.lost_seen + self.forget_after;
            Member {
                id,
                address,
                zone,
                state,
                health: if known.healthy { Health::Healthy } else { Health::Unhealthy },
                holds_data,
                lost_until_ms: if lost_is_over { 0 } else { lost_until_ms },
                disk,
                passed_over: known.pass_over_from.is_some_and(|from| from <= now),
            }
        };
        self.counted().map(|(_, known)| member(known)).collect()
    }

    /// Those that are members; the others in the store have still to show that they live.
    fn counted(&self) -> impl Iterator<Item = (&Arc<str>, &Known)> {
        self.known.iter().filter(|(_, known)| !known.ghost)
    }

    /// Notes that replicas are being placed so that two may share a zone.
    pub fn placed_across_zones(&mut self, now: Duration) {
        self.mixed_until = now + self.forget_after;
    }

    /// Whether all entries that are not in blocks have their replicas in distinct zones.
    pub fn trusts_zones(&self, now: Duration) -> bool {
        now >= self.mixed_until
    }
}
