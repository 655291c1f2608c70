//! An immutable picture of one role's ring.

mod placement;
mod shard;

use crate::{Member, ReadPlan};
use model::TenantId;
use placement::{Layout, Rules, Spot};
use std::{collections::BTreeSet, fmt, sync::Arc};

pub use placement::PARTITIONS;
pub use shard::Shard;

pub struct RingView {
    members: Vec<Member>,
    replication_factor: usize,
    /// Whether a whole zone may be missing from a read, if the ring is zone aware.
    trusts_zones: bool,
    layout: Arc<Layout>,
}

impl RingView {
    /// A picture of these members; of several with one id the first counts.
    pub fn new(members: Vec<Member>, replication_factor: usize) -> Self {
        Self::after(None, members, replication_factor, true)
    }

    /// Like `new`, but keeps what it can of the placement of `previous`. `trusts_zones` is false
    /// while there may be entries whose replicas share a zone.
    pub(crate) fn after(
        previous: Option<&RingView>,
        mut members: Vec<Member>,
        replication_factor: usize,
        trusts_zones: bool,
    ) -> Self {
        members.sort_by(|a, b| a.id.cmp(&b.id));
        members.dedup_by(|b, a| a.id == b.id);
        members.truncate(usize::from(u16::MAX));
        let replication_factor = replication_factor.max(1);
        let zones: BTreeSet<&str> = members.iter().map(|m| m.zone.as_str()).collect();
        let named = zones.iter().filter(|zone| !zone.is_empty()).count();
        let zone_aware = named >= replication_factor && replication_factor > 1;
        let rules = Rules {
            replication_factor,
            zone_aware,
            // One member without a zone among others with one would be in every set: zones count
            // once all have one, or there are enough of them.
            zones: if zone_aware || named == zones.len() { zones.len().max(1) } else { 1 },
        };
        let spots = (0u16..).zip(&members).filter(|(_, m)| m.is_placeable());
        let spots = spots.map(|(index, m)| Spot { index, id: m.id.clone(), zone: m.zone.as_str().into() });
        let layout = Layout::after(previous.map(|view| &view.layout), spots.collect(), rules);
        Self { members, replication_factor, trusts_zones, layout }
    }

    /// Sorted by id.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    pub fn replication_factor(&self) -> usize {
        self.replication_factor
    }

    /// How many replicas must have an entry before it is acknowledged.
    pub fn write_quorum(&self) -> usize {
        self.replication_factor / 2 + 1
    }

    /// Whether no two replicas of a set are in one zone.
    pub fn is_zone_aware(&self) -> bool {
        self.layout.rules.zone_aware
    }

    /// The replica set of a token, as indexes into `members()` in ring order. They are distinct;
    /// there may be fewer than the replication factor.
    pub fn replicas(&self, token: u64) -> &[u16] {
        self.layout.everybody.replicas(token)
    }

    /// Who of a token's replica set is to do what only one need do: the first that is healthy, or is us, and
    /// has not been given up. None if nobody is.
    pub fn owner(&self, token: u64, us: Option<u16>, given_up: impl Fn(u16) -> bool) -> Option<u16> {
        let is_able = |member: &u16| {
            let healthy = || self.members[usize::from(*member)].is_healthy() && !given_up(*member);
            Some(*member) == us || healthy()
        };
        self.replicas(token).iter().copied().find(is_able)
    }

    /// The tenant's part of the ring: `size` members (rounded up to the replication factor and
    /// to as many from each zone), always the same ones; everybody if `size` is 0.
    pub fn shard(&self, tenant: &TenantId, size: usize) -> Arc<Shard> {
        self.layout.shard(tenant, size)
    }

    /// Whom a read must ask, and how many of them it can do without.
    pub fn read_plan(&self) -> ReadPlan {
        ReadPlan::new(&self.members, self.write_quorum(), self.trusts_zones && self.is_zone_aware())
    }

    /// The index of a member in `members()`.
    pub fn position(&self, id: &str) -> Option<u16> {
        self.members.binary_search_by(|m| (*m.id).cmp(id)).ok().map(|index| index as u16)
    }

    /// Whether any quorum of any replica set lies in as many zones as it has members.
    pub(crate) fn quorums_span_zones(&self) -> bool {
        self.layout.rules.zone_aware || self.layout.is_one_a_zone()
    }

    pub(crate) fn trusts_zones(&self) -> bool {
        self.trusts_zones
    }

    /// How often the table was filled from the first view to this one.
    pub(crate) fn placements(&self) -> u64 {
        self.layout.fills
    }
}

impl fmt::Debug for RingView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RingView")
            .field("members", &self.members)
            .field("replication_factor", &self.replication_factor)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
