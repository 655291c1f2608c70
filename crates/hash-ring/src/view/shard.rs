//! Shuffle shards: a tenant's own few members, so that it cannot harm everybody.

use super::placement::{Layout, PARTITIONS, Spot, Table, mix, zone_numbers};
use model::TenantId;
use std::{cmp::Reverse, fmt, sync::Arc};
use xxhash_rust::xxh3::xxh3_64;

/// The members that hold one tenant's data, or everybody.
pub struct Shard {
    members: Vec<u16>,
    table: Table,
}

impl Shard {
    pub(crate) fn new(members: Vec<u16>, table: Table) -> Self {
        Self { members, table }
    }

    /// The replica set of a token, as indexes into the view's members.
    pub fn replicas(&self, token: u64) -> &[u16] {
        self.table.replicas(token)
    }

    /// Everybody in the shard, sorted.
    pub fn members(&self) -> &[u16] {
        &self.members
    }

    pub(crate) fn table(&self) -> &Table {
        &self.table
    }

    pub(crate) fn bytes(&self) -> usize {
        2 * self.members.len() + self.table.bytes()
    }
}

impl fmt::Debug for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shard").field("members", &self.members).finish_non_exhaustive()
    }
}

impl Layout {
    pub fn shard(&self, tenant: &TenantId, size: usize) -> Arc<Shard> {
        let size = size.max(self.rules.replication_factor * size.min(1));
        if size == 0 || size >= self.spots.len() {
            return self.everybody.clone();
        }
        let key = (Arc::from(tenant.as_str()), size);
        let made =
            self.shards.get_or_insert_with::<_, ()>(&key, || Ok(Arc::new(self.make_shard(tenant, size))));
        made.unwrap_or_else(|()| self.everybody.clone())
    }

    /// In each zone the members that rank highest for the tenant (rendezvous hashing): one that
    /// comes takes the place of one at most, and one that goes leaves its place to the next.
    fn make_shard(&self, tenant: &TenantId, size: usize) -> Shard {
        let seed = xxh3_64(tenant.as_str().as_bytes());
        let spots: Vec<&Spot> = self.spots.iter().collect();
        let mut ranked: Vec<_> = zone_numbers(&spots, self.rules)
            .into_iter()
            .zip(spots)
            .map(|(zone, spot)| (zone, Reverse(mix(seed, xxh3_64(spot.id.as_bytes()))), spot))
            .collect();
        ranked.sort_unstable_by_key(|(zone, rank, spot)| (*zone, *rank, spot.index));
        let a_zone = size.div_ceil(self.rules.zones);
        let same_zone = ranked.chunk_by(|a, b| a.0 == b.0);
        let mut chosen: Vec<&Spot> =
            same_zone.flat_map(|zone| zone.iter().take(a_zone)).map(|(.., spot)| *spot).collect();
        chosen.sort_unstable_by_key(|spot| spot.index);
        // Few members are balanced well by few partitions.
        let partitions = (64 * chosen.len()).next_power_of_two().clamp(1024, PARTITIONS);
        let table = Table::fill(&chosen, self.rules, partitions);
        Shard::new(chosen.iter().map(|spot| spot.index).collect(), table)
    }
}
