//! A proof by trying everything: what was acknowledged is in every answer that is accepted.

use super::*;
use crate::{Health, RingView, State};

fn member(id: &str, zone: &str) -> Member {
    Member { zone: zone.into(), ..Member::new(id, format!("{id}:1")) }
}

fn zoned(zones: &[&str]) -> Vec<Member> {
    zones.iter().enumerate().map(|(n, zone)| member(&format!("m{n}"), zone)).collect()
}

/// All sets of some of `items`.
fn subsets(items: &[u16]) -> impl Iterator<Item = Vec<u16>> {
    (0u32..1 << items.len()).map(|bits| {
        items.iter().enumerate().filter(|(n, _)| bits >> n & 1 == 1).map(|(_, item)| *item).collect()
    })
}

/// Everything that can have been acknowledged: W members of a set that was made while any of the
/// members were passed over. Such a set never has two in a zone if the ring is zone aware.
fn acknowledged(members: &[Member], factor: usize) -> BTreeSet<Vec<u16>> {
    let mut found = BTreeSet::new();
    let all: Vec<u16> = (0..members.len() as u16).collect();
    for out in subsets(&all) {
        let mut members = members.to_vec();
        out.iter().for_each(|&i| members[usize::from(i)].passed_over = true);
        let view = RingView::new(members, factor);
        // Some tokens are enough to meet most sets: the table is the same for all of a partition.
        for n in 0..64 {
            for written in subsets(view.replicas(n << 58)) {
                if written.len() >= view.write_quorum() {
                    found.insert(written);
                }
            }
        }
    }
    found
}

fn prove(members: Vec<Member>, factor: usize) -> usize {
    // Those that joined with nothing have acknowledged nothing since.
    let writers: Vec<_> = members
        .iter()
        .map(|m| Member { passed_over: !m.may_hold_data(), state: State::Active, ..m.clone() })
        .collect();
    let written = acknowledged(&writers, factor);
    let view = RingView::new(members, factor);
    let plan = view.read_plan();
    // Disks that were erased hold nothing of it any more.
    let intact = |index: &u16| view.members()[usize::from(*index)].lost_until_ms == 0;
    let mut accepted = 0;
    for answered in subsets(&plan.ask) {
        let failed: Vec<_> = plan.ask.iter().copied().filter(|i| !answered.contains(i)).collect();
        assert_eq!(plan.is_enough(&answered), !plan.is_hopeless(&failed), "{}", plan.explain(&failed));
        if plan.is_enough(&answered) {
            accepted += 1;
            for entry in &written {
                let found = entry.iter().filter(|i| intact(i)).any(|i| answered.contains(i));
                assert!(found, "{entry:?} is not found at {answered:?}");
            }
        }
    }
    accepted
}

#[test]
fn every_accepted_read_finds_every_acknowledged_entry() {
    let out = |mut members: Vec<Member>, n: usize| {
        members[n].health = Health::Unhealthy;
        members
    };
    let lost = |mut members: Vec<Member>, n: usize| {
        members[n].lost_until_ms = 1;
        members
    };
    let five = zoned(&["", "", "", "", ""]);
    // All, or all but one.
    assert_eq!(prove(five.clone(), 3), 6);
    assert_eq!(prove(out(five.clone(), 1), 3), 1);
    assert_eq!(prove(out(out(five.clone(), 1), 2), 3), 0);
    assert_eq!(prove(lost(five.clone(), 1), 3), 2, "the erased one may answer or not");
    assert_eq!(prove(out(lost(five.clone(), 1), 1), 3), 1, "one member counts once");
    assert_eq!(prove(out(lost(five.clone(), 1), 2), 3), 0);
    assert_eq!(prove(five.clone(), 5), 16, "two of five may be missing");
    assert_eq!(prove(five, 1), 1, "with one replica nobody may be missing");
    let six = zoned(&["a", "a", "b", "b", "c", "c"]);
    // All, or any of the members of one zone: 1 + 3 * 3.
    assert_eq!(prove(six.clone(), 3), 10);
    assert_eq!(prove(out(six.clone(), 0), 3), 2, "the rest of its zone may be missing too");
    assert_eq!(prove(out(out(six.clone(), 0), 1), 3), 1);
    assert_eq!(prove(out(out(six.clone(), 0), 2), 3), 0);
    assert_eq!(prove(lost(out(six.clone(), 0), 1), 3), 2);
    assert_eq!(prove(lost(out(six.clone(), 0), 2), 3), 0);
    assert_eq!(prove(lost(six, 2), 3), 4, "its zone may be missing, and no other");
    assert_eq!(prove(zoned(&["a", "a", "b", "b"]), 3), 5, "two zones are too few to count by zone");
    assert_eq!(prove(zoned(&["a", "b", "c", "d", "d"]), 3), 1 + 3 + 3);
}

#[test]
fn who_is_asked() {
    let mut members = zoned(&["", "", "", "", ""]);
    members[0].state = State::Leaving;
    members[1].state = State::Joining;
    (members[2].state, members[2].holds_data) = (State::Joining, false);
    members[3].health = Health::Unhealthy;
    assert_eq!(prove(members.clone(), 3), 1);
    let plan = RingView::new(members, 3).read_plan();
    assert_eq!(plan.ask, [0, 1, 4]);
    assert!(plan.is_enough(&[4, 0, 1]) && !plan.is_enough(&[0, 1]));
    assert!(!plan.is_hopeless(&[]) && plan.is_hopeless(&[4]));
    let why = "missing: m3 (no heartbeat), m4 (failed): 2 member(s), where at most 1 may be";
    assert_eq!(plan.explain(&[4]), why);
}

#[test]
fn a_ring_in_which_nothing_can_have_been_acknowledged_is_not_believed() {
    for members in [vec![], zoned(&[""])] {
        let plan = RingView::new(members, 3).read_plan();
        assert!(!plan.is_enough(&plan.ask) && plan.is_hopeless(&[]));
        assert!(plan.explain(&[]).starts_with("only "), "{}", plan.explain(&[]));
    }
    let plan = RingView::new(zoned(&[""]), 1).read_plan();
    assert!(plan.is_enough(&[0]) && plan.is_hopeless(&[0]));
}

#[test]
fn without_trust_in_zones_members_count() {
    let members = zoned(&["a", "a", "b", "b", "c", "c"]);
    let plan = RingView::after(None, members, 3, false).read_plan();
    assert!(plan.is_enough(&[0, 1, 2, 3, 4]) && !plan.is_enough(&[0, 1, 2, 3]));
}
