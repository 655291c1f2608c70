//! When a group is due.

use model::{TenantId, Timestamp};
use rules::GroupName;
use std::time::Duration;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// The times of a group: multiples of its interval, moved by a part of it that is the group's own. So groups
/// are spread over time, and whoever runs one, and since when, it has the same times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    interval: i64,
    offset: i64,
}

impl Schedule {
    pub fn new(key: &GroupKey, interval: Duration) -> Self {
        let interval = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX).max(1);
        Self { interval, offset: (key.token() >> 1) as i64 % interval }
    }

    /// The first time after `time`.
    pub fn after(self, time: Timestamp) -> Timestamp {
        let since = (time - self.offset).rem_euclid(self.interval);
        time - since + self.interval
    }

    /// How many times there are from `due` to `now`, without `due` itself.
    pub fn missed(self, due: Timestamp, now: Timestamp) -> i64 {
        (now - due).max(0) / self.interval
    }

    pub fn interval(self) -> i64 {
        self.interval
    }
}

/// A group of one of all tenants.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupKey {
    pub tenant: TenantId,
    pub name: GroupName,
}

impl GroupKey {
    /// The text that stands for the group. No part of it can be taken for another: a tenant has no `/`, and a
    /// namespace comes with its length.
    fn text(&self) -> String {
        let GroupName { namespace, group } = &self.name;
        format!("{}/{}/{namespace}/{group}", self.tenant, namespace.len())
    }

    /// Where it lies on the ring.
    pub fn token(&self) -> u64 {
        xxh3_64(self.text().as_bytes())
    }

    /// Names it among claims.
    pub fn claim(&self) -> String {
        format!("{}/{:032x}", self.tenant, xxh3_128(self.text().as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn key(namespace: &str, group: &str) -> GroupKey {
        let name = GroupName { namespace: namespace.into(), group: group.into() };
        GroupKey { tenant: TenantId::anonymous(), name }
    }

    #[test]
    fn a_groups_times_are_its_own_and_the_same_for_everybody() {
        let minute = Duration::from_secs(60);
        let schedule = Schedule::new(&key("a", "b"), minute);
        let first = schedule.after(1_000_000);
        assert!((1_000_001..=1_060_000).contains(&first));
        assert_eq!(schedule.after(first - 1), first);
        assert_eq!(schedule.after(first), first + 60_000);
        assert_eq!(schedule.after(-first).rem_euclid(60_000), first.rem_euclid(60_000));
        let all: BTreeSet<i64> =
            (0..100).map(|n| Schedule::new(&key("a", &n.to_string()), minute).after(0)).collect();
        assert!(all.len() > 90, "spread over the minute");
    }

    #[test]
    fn what_was_missed_is_counted() {
        let schedule = Schedule::new(&key("a", "b"), Duration::from_secs(10));
        assert_eq!(
            [0, 9_999, 10_000, 35_000, -5].map(|late| schedule.missed(77, 77 + late)),
            [0, 0, 1, 3, 0]
        );
    }

    #[test]
    fn names_are_not_mixed_up() {
        assert_ne!(key("a/b", "c").claim(), key("a", "b/c").claim());
        assert_ne!(key("a", "1/b").claim(), key("a/1", "b").claim());
    }
}
