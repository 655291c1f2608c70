//! Where tokens go: a consistent-hash ring, walked once for each partition into a table.

use super::Shard;
use consistent_hash::{Node, RingHash, StaticHashRing};
use quick_cache::{Weighter, sync::Cache};
use std::{
    collections::HashMap,
    hash::{Hash, Hasher},
    sync::Arc,
};
use xxhash_rust::xxh3::xxh3_64;

/// Parts that the space of tokens is cut into; a token's partition is its high bits. All tokens
/// of a partition have one replica set. With half as many, the fullest of 300 members would have a
/// sixth more than the mean: a member has too few of them.
pub const PARTITIONS: usize = 32_768;
/// Points of a member on the ring. With 512 the fullest member has about a tenth more than the mean.
const VIRTUAL_NODES: usize = 512;
/// Bytes of tenants' tables that a layout keeps.
const SHARD_CACHE_BYTES: u64 = 32 << 20;

/// A member that replica sets are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    /// In the view's members.
    pub index: u16,
    pub id: Arc<str>,
    pub zone: Arc<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    pub replication_factor: usize,
    /// Never two replicas of a set in one zone.
    pub zone_aware: bool,
    /// Zones of the ring's members; 1 if they are not to be told apart.
    pub zones: usize,
}

/// The placement of one set of members under given rules; views that agree on those share it.
pub(crate) struct Layout {
    pub rules: Rules,
    pub spots: Vec<Spot>,
    pub everybody: Arc<Shard>,
    pub shards: Cache<(Arc<str>, usize), Arc<Shard>, TableBytes>,
    /// How many tables were filled on the way to this layout.
    pub fills: u64,
}

#[derive(Clone)]
pub(crate) struct TableBytes;

impl Weighter<(Arc<str>, usize), Arc<Shard>> for TableBytes {
    fn weight(&self, (tenant, _): &(Arc<str>, usize), shard: &Arc<Shard>) -> u64 {
        (shard.bytes() + tenant.len() + 128) as u64
    }
}

impl Layout {
    /// The placement of `spots`, from `previous` where that is the same.
    pub fn after(previous: Option<&Arc<Layout>>, spots: Vec<Spot>, rules: Rules) -> Arc<Self> {
        let old = previous.filter(|old| old.rules == rules && same_members(&old.spots, &spots));
        let mut fills = previous.map_or(0, |previous| previous.fills);
        let table = match old {
            Some(old) if old.spots == spots => return old.clone(),
            // The same members in other places of the list.
            Some(old) => {
                let places = old.spots.iter().map(|s| s.index).zip(spots.iter().map(|s| s.index)).collect();
                old.everybody.table().renumbered(&places)
            }
            None => {
                fills += 1;
                Table::fill(&spots.iter().collect::<Vec<_>>(), rules, PARTITIONS)
            }
        };
        let shards = Cache::with_weighter(4096, SHARD_CACHE_BYTES, TableBytes);
        let everybody = Arc::new(Shard::new(spots.iter().map(|s| s.index).collect(), table));
        Arc::new(Self { rules, spots, everybody, shards, fills })
    }

    pub fn is_one_a_zone(&self) -> bool {
        let mut zones: Vec<_> = self.spots.iter().map(|s| &s.zone).collect();
        zones.sort_unstable();
        zones.windows(2).all(|pair| pair[0] != pair[1])
    }
}

fn same_members(a: &[Spot], b: &[Spot]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.id == b.id && a.zone == b.zone)
}

/// Replica sets by partition, all of one size.
pub(crate) struct Table {
    width: usize,
    shift: u32,
    cells: Vec<u16>,
}

impl Table {
    /// `partitions` is a power of two, 2 at least.
    pub fn fill(spots: &[&Spot], rules: Rules, partitions: usize) -> Self {
        let zones = zone_numbers(spots, rules);
        let Spread { width, a_zone, extra } = Spread::of(&zones, rules);
        let shift = u64::BITS - partitions.trailing_zeros();
        let mut cells = Vec::with_capacity(partitions * width);
        let nodes = spots.iter().enumerate().map(|(place, spot)| Node {
            key: Word(xxh3_64(spot.id.as_bytes())),
            value: place,
            quantity: VIRTUAL_NODES,
        });
        let ring = StaticHashRing::new(StableHash, nodes);
        let mut set: Vec<usize> = Vec::with_capacity(width);
        for partition in 0..partitions as u64 {
            set.clear();
            let mut extra = extra;
            let mut candidates = ring.calc_candidates(&Word(partition << shift)).map(|node| node.value);
            while set.len() < width
                && let Some(place) = candidates.next()
            {
                let in_zone = set.iter().filter(|&&other| zones[other] == zones[place]).count();
                if in_zone < a_zone {
                    set.push(place);
                } else if in_zone == a_zone && extra > 0 {
                    extra -= 1;
                    set.push(place);
                }
            }
            cells.extend(set.iter().map(|&place| spots[place].index));
        }
        Self { width, shift, cells }
    }

    pub fn replicas(&self, token: u64) -> &[u16] {
        let start = (token >> self.shift) as usize * self.width;
        &self.cells[start..start + self.width]
    }

    pub fn bytes(&self) -> usize {
        2 * self.cells.len()
    }

    fn renumbered(&self, places: &HashMap<u16, u16>) -> Self {
        let cells = self.cells.iter().map(|old| places.get(old).copied().unwrap_or(*old)).collect();
        Self { cells, ..*self }
    }
}

/// A number for the zone of each spot; all are in one if zones do not count.
pub(crate) fn zone_numbers(spots: &[&Spot], rules: Rules) -> Vec<usize> {
    let mut names: Vec<&str> = spots.iter().map(|s| &*s.zone).collect();
    names.sort_unstable();
    names.dedup();
    let number = |zone| if rules.zones == 1 { 0 } else { names.partition_point(|&name| name < zone) };
    spots.iter().map(|s| number(&*s.zone)).collect()
}

/// How the replicas of a set are spread over zones.
struct Spread {
    /// Replicas of a set.
    width: usize,
    /// How many each zone has, if it has so many members.
    a_zone: usize,
    /// How many more there are, one a zone at most.
    extra: usize,
}

impl Spread {
    fn of(zones: &[usize], rules: Rules) -> Self {
        let mut sizes = vec![0usize; zones.iter().max().map_or(0, |max| max + 1)];
        zones.iter().for_each(|&zone| sizes[zone] += 1);
        let with = |a_zone: usize| sizes.iter().map(|&size| size.min(a_zone)).sum::<usize>();
        if rules.zone_aware {
            let width = with(1).min(rules.replication_factor);
            return Self { width, a_zone: 1, extra: 0 };
        }
        let width = zones.len().min(rules.replication_factor);
        let a_zone = (0..=width).rev().find(|&a_zone| with(a_zone) <= width).unwrap_or(0);
        Self { width, a_zone, extra: width - with(a_zone) }
    }
}

/// What is put on the ring or looked up on it: hashed already.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Word(u64);

/// Points on the ring that are the same on every machine and with every compiler, which those of
/// the crate's own hash are not.
struct StableHash;

impl RingHash for StableHash {
    fn hash_item<T: Hash>(&self, item: &T) -> u64 {
        let mut passed = Passed(0);
        item.hash(&mut passed);
        passed.0
    }

    fn hash_vnode<K: Hash>(&self, node_key: &K, vnode_seq: usize) -> u64 {
        mix(self.hash_item(node_key), vnode_seq as u64)
    }
}

/// A hash of two words, little-endian.
pub(crate) fn mix(a: u64, b: u64) -> u64 {
    xxh3_64((u128::from(a) | u128::from(b) << 64).to_le_bytes().as_slice())
}

/// Hands a word through as it is.
struct Passed(u64);

impl Hasher for Passed {
    fn write_u64(&mut self, word: u64) {
        self.0 = word;
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = mix(self.0, xxh3_64(bytes));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
