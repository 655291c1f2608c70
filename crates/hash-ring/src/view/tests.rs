//! Properties of replica sets and shards.

use super::*;
use crate::{Health, State};
use proptest::prelude::*;
use runtime::{Clock, SystemClock};
use std::collections::{BTreeMap, HashSet};

const TOKENS: u64 = 2_000;
/// Partitions are the high bits of tokens.
const SHIFT: u32 = 64 - PARTITIONS.trailing_zeros();

/// Tokens that fall into many partitions.
fn tokens() -> impl Iterator<Item = u64> {
    (0..TOKENS).map(|n| placement::mix(n, 7))
}

fn member(id: &str, zone: &str) -> Member {
    Member { zone: zone.into(), ..Member::new(id, format!("{id}:1")) }
}

/// `a0, a1, … b0, …`: so many in each zone.
fn zoned(sizes: &[usize]) -> Vec<Member> {
    let zones = sizes.iter().zip('a'..);
    zones
        .flat_map(|(&size, zone)| (0..size).map(move |n| member(&format!("{zone}{n}"), &zone.to_string())))
        .collect()
}

fn plain(size: usize) -> Vec<Member> {
    (0..size).map(|n| member(&format!("m{n:03}"), "")).collect()
}

fn ids(view: &RingView, set: &[u16]) -> Vec<String> {
    set.iter().map(|&index| view.members()[usize::from(index)].id.to_string()).collect()
}

fn sets(view: &RingView) -> Vec<Vec<String>> {
    tokens().map(|token| ids(view, view.replicas(token))).collect()
}

fn zones_of(view: &RingView, set: &[u16]) -> BTreeMap<String, usize> {
    let mut zones = BTreeMap::new();
    for &index in set {
        *zones.entry(view.members()[usize::from(index)].zone.clone()).or_default() += 1;
    }
    zones
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn sets_are_distinct_placeable_and_spread_over_zones(
        sizes in proptest::collection::vec(1usize..6, 1..5),
        factor in 1usize..5,
        out in proptest::collection::vec(any::<bool>(), 20),
    ) {
        let mut members = zoned(&sizes);
        for (member, out) in members.iter_mut().zip(out) {
            member.passed_over = out;
        }
        let view = RingView::new(members, factor);
        let placeable: Vec<_> = view.members().iter().filter(|m| m.is_placeable()).collect();
        let zones: HashSet<_> = placeable.iter().map(|m| &m.zone).collect();
        for token in tokens().take(200) {
            let set = view.replicas(token);
            prop_assert_eq!(set.iter().collect::<HashSet<_>>().len(), set.len());
            prop_assert!(set.iter().all(|&i| view.members()[usize::from(i)].is_placeable()));
            if view.is_zone_aware() {
                prop_assert_eq!(set.len(), factor.min(zones.len()));
                prop_assert!(zones_of(&view, set).values().all(|&n| n == 1));
            } else {
                prop_assert_eq!(set.len(), factor.min(placeable.len()));
                let used = zones_of(&view, set);
                prop_assert_eq!(used.len(), factor.min(zones.len()));
                // A zone holds two more than another only where the other has no more members.
                for (zone, n) in &used {
                    for (other, m) in &used {
                        let size = placeable.iter().filter(|p| &p.zone == other).count();
                        prop_assert!(*n <= m + 1 || *m == size, "{zone}: {n}, {other}: {m} of {size}");
                    }
                }
            }
        }
    }

    #[test]
    fn only_sets_that_must_change_do(
        sizes in proptest::collection::vec(2usize..6, 3..4),
        zoned_ring in any::<bool>(),
        gone in any::<prop::sample::Index>(),
    ) {
        let members = if zoned_ring { zoned(&sizes) } else { plain(sizes.iter().sum()) };
        let gone = members[gone.index(members.len())].id.to_string();
        let with = RingView::new(members.clone(), 3);
        let without = RingView::new(members.into_iter().filter(|m| *m.id != *gone).collect(), 3);
        for (with, without) in sets(&with).into_iter().zip(sets(&without)) {
            if with.contains(&gone) {
                let kept = with.iter().filter(|id| **id != gone);
                prop_assert!(kept.into_iter().all(|id| without.contains(id)), "{with:?} {without:?}");
            } else {
                prop_assert_eq!(with, without);
            }
        }
    }

    #[test]
    fn a_shard_is_stable_and_balanced(
        sizes in proptest::collection::vec(4usize..9, 3..4),
        zoned_ring in any::<bool>(),
        size in 3usize..9,
        gone in any::<prop::sample::Index>(),
        tenant in "[a-z]{1,8}",
    ) {
        let tenant = TenantId::new(&tenant).unwrap();
        let members = if zoned_ring { zoned(&sizes) } else { plain(sizes.iter().sum()) };
        let gone = members[gone.index(members.len())].id.to_string();
        let with = RingView::new(members.clone(), 3);
        let without = RingView::new(members.into_iter().filter(|m| *m.id != *gone).collect(), 3);
        let chosen = |view: &RingView| -> HashSet<String> {
            ids(view, view.shard(&tenant, size).members()).into_iter().collect()
        };
        let (before, after) = (chosen(&without), chosen(&with));
        // A join takes the place of one at most.
        prop_assert!(before.difference(&after).count() <= 1);
        prop_assert!(after.difference(&before).all(|id| *id == gone));
        let shard = with.shard(&tenant, size);
        if zoned_ring {
            let zones = zones_of(&with, shard.members());
            prop_assert!(zones.len() == 3 && zones.values().all(|&n| n == size.div_ceil(3)), "{zones:?}");
        } else {
            prop_assert_eq!(shard.members().len(), size);
        }
        for token in tokens().take(100) {
            let set = shard.replicas(token);
            prop_assert_eq!(set.len(), 3);
            prop_assert!(set.iter().all(|index| shard.members().contains(index)));
            prop_assert_eq!(zones_of(&with, set).len(), if zoned_ring { 3 } else { 1 });
        }
    }
}

#[test]
fn placement_is_the_same_for_ever() {
    let view = RingView::new(zoned(&[2, 2, 2]), 3);
    let first: Vec<_> = [0, 1 << SHIFT, u64::MAX / 2, u64::MAX]
        .map(|token| ids(&view, view.replicas(token)).join(" "))
        .into();
    // A change here would move the data of every running cluster.
    assert_eq!(first, ["a1 b0 c1", "a1 b0 c1", "b1 c0 a1", "a1 b0 c1"]);
}

#[test]
fn tokens_of_a_partition_share_a_set_and_partitions_are_the_high_bits() {
    let view = RingView::new(plain(20), 3);
    for partition in [0, 1, 77, PARTITIONS as u64 - 1] {
        let first = partition << SHIFT;
        assert_eq!(view.replicas(first), view.replicas(first + ((1 << SHIFT) - 1)));
    }
}

#[test]
fn who_cannot_take_writes_is_in_no_set_and_a_restart_moves_nothing() {
    let view = |change: fn(&mut Member)| {
        let mut members = plain(6);
        change(&mut members[2]);
        RingView::new(members, 3)
    };
    let whole = view(|_| ());
    for out in [
        view(|m| m.state = State::Leaving),
        view(|m| (m.state, m.holds_data) = (State::Joining, false)),
        view(|m| (m.health, m.passed_over) = (Health::Unhealthy, true)),
    ] {
        assert!(sets(&out).iter().flatten().all(|id| id != "m002"));
    }
    for still in [view(|m| m.health = Health::Unhealthy), view(|m| m.state = State::Joining)] {
        assert_eq!(sets(&still), sets(&whole));
    }
}

#[test]
fn a_zone_that_is_out_leaves_smaller_sets_and_not_two_in_a_zone() {
    let mut members = zoned(&[3, 3, 3]);
    members.iter_mut().filter(|m| m.zone == "b").for_each(|m| m.passed_over = true);
    let view = RingView::new(members, 3);
    assert!(view.is_zone_aware());
    for token in tokens() {
        let zones = zones_of(&view, view.replicas(token));
        assert_eq!(zones.keys().collect::<Vec<_>>(), ["a", "c"]);
    }
}

#[test]
fn the_first_member_with_a_zone_does_not_get_everything() {
    let mut members = plain(10);
    members[0].zone = "a".into();
    let view = RingView::new(members, 3);
    let of_first = sets(&view).iter().filter(|set| set.contains(&"m000".to_owned())).count();
    assert!(of_first < TOKENS as usize / 2, "{of_first} of {TOKENS}");
}

#[test]
fn nothing_is_placed_anew_for_what_does_not_matter_to_placement() {
    let members = zoned(&[3, 3, 3]);
    let first = RingView::new(members.clone(), 3);
    let next = |change: &dyn Fn(&mut Vec<Member>)| {
        let mut members = members.clone();
        change(&mut members);
        let view = RingView::after(Some(&first), members.clone(), 3, true);
        assert_eq!(sets(&view), sets(&RingView::new(members, 3)), "as if made from nothing");
        view.placements() - first.placements()
    };
    assert_eq!(next(&|_| ()), 0);
    assert_eq!(next(&|m| m[0].health = Health::Unhealthy), 0);
    assert_eq!(next(&|m| m[4].address = "elsewhere:1".into()), 0);
    assert_eq!(next(&|m| m[4].lost_until_ms = 1), 0);
    // One that does not take part yet moves the others in the list only.
    let joining = Member { state: State::Joining, holds_data: false, ..member("a00", "a") };
    assert_eq!(next(&|m| m.push(joining.clone())), 0);
    assert_eq!(next(&|m| m.push(member("a00", "a"))), 1);
    assert_eq!(next(&|m| m[0].state = State::Leaving), 1);
    assert_eq!(next(&|m| m[0].zone = "b".into()), 1);
}

#[test]
fn shards_are_cached_and_follow_the_view() {
    let tenant = TenantId::new("t").unwrap();
    let view = RingView::new(plain(20), 3);
    assert!(Arc::ptr_eq(&view.shard(&tenant, 5), &view.shard(&tenant, 5)));
    assert_eq!(view.shard(&tenant, 0).members().len(), 20);
    assert_eq!(view.shard(&tenant, 20).members().len(), 20);
    assert_eq!(view.shard(&tenant, 1).members().len(), 3, "a shard can hold a replica set");
    let mut members = view.members().to_vec();
    members.push(Member { state: State::Joining, holds_data: false, ..member("a", "") });
    let later = RingView::after(Some(&view), members, 3, true);
    let chosen = |view: &RingView| ids(view, view.shard(&tenant, 5).members());
    assert_eq!(chosen(&view), chosen(&later));
}

#[test]
fn doubles_and_an_empty_ring_do_no_harm() {
    let view = RingView::new(vec![], 3);
    assert!(view.replicas(7).is_empty());
    assert!(view.shard(&TenantId::anonymous(), 3).replicas(7).is_empty());
    let view = RingView::new(vec![member("a", ""), member("a", "x"), member("b", "")], 3);
    assert_eq!(view.members().len(), 2);
    assert_eq!(view.replicas(u64::MAX).len(), 2);
    assert_eq!((view.position("b"), view.position("c")), (Some(1), None));
}

/// Replicas of each member over all partitions.
fn load(view: &RingView) -> Vec<usize> {
    let mut load = vec![0; view.members().len()];
    for partition in 0..PARTITIONS as u64 {
        view.replicas(partition << SHIFT).iter().for_each(|&i| load[usize::from(i)] += 1);
    }
    load
}

/// Replicas that `new` has elsewhere than `old`.
fn moved(old: &RingView, new: &RingView) -> usize {
    (0..PARTITIONS as u64)
        .map(|partition| {
            let before = ids(old, old.replicas(partition << SHIFT));
            let after = ids(new, new.replicas(partition << SHIFT));
            after.iter().filter(|id| !before.contains(id)).count()
        })
        .sum()
}

#[test]
fn load_is_even_and_a_join_moves_its_share_and_a_tenth_at_most() {
    let rings = [
        ("plain", plain(30), 1.10),
        ("plain", plain(300), 1.13),
        ("3 zones", zoned(&[10; 3]), 1.10),
        ("3 zones", zoned(&[100; 3]), 1.15),
    ];
    for (name, members, most) in rings {
        let size = members.len();
        let view = RingView::new(members, 3);
        let load = load(&view);
        let mean = load.iter().sum::<usize>() as f64 / size as f64;
        let ratio = *load.iter().max().unwrap() as f64 / mean;
        let clock = SystemClock::new();
        let again = RingView::new(view.members().to_vec(), 3);
        let placing = clock.monotonic();
        assert_eq!(sets(&again), sets(&view));
        // Shares of single joins differ as loads do; what a cluster sees is their mean.
        let joins = 6;
        let mut total = 0;
        for n in 0..joins {
            let mut members = view.members().to_vec();
            let zone = if name == "plain" { "" } else { ["a", "b", "c"][n % 3] };
            members.push(member(&format!("new{n}"), zone));
            total += moved(&view, &RingView::new(members, 3));
        }
        let replicas = 3 * PARTITIONS;
        let share = total as f64 / joins as f64 / replicas as f64;
        let ideal = 1.0 / (size + 1) as f64;
        println!(
            "{size} members, {name}: placed in {placing:?}, max/mean {ratio:.3}, \
             a join moves {share:.4}, its share is {ideal:.4}"
        );
        // Some twenty times what an idle machine takes in a build for tests.
        assert!(placing.as_secs() < 5, "{size} {name}: {placing:?}");
        assert!(ratio <= most, "{size} {name}: {ratio}");
        assert!(share <= 1.1 * ideal, "{size} {name}: {share} of {ideal}");
    }
}
