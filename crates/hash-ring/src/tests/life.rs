//! Instances that come, restart and go while the store is well.

use super::support::*;
use crate::*;
use service_api::Code;
use std::{sync::atomic::Ordering, time::Duration};

#[tokio::test(start_paused = true)]
async fn a_dead_one_is_unhealthy_then_passed_over_and_back_where_it_was() {
    let world = World::new();
    let mut instances = world.cluster(&["a", "b", "c", "d"]).await;
    let watcher = world.watch().await;
    watcher.until("a:A b:A c:A d:A").await;
    let whole = watcher.ring.view();
    instances.remove(0).kill();
    let killed = tokio::time::Instant::now();
    watcher.until("a:a b:A c:A d:A").await;
    assert!(killed.elapsed() <= Duration::from_secs(16), "{:?}", killed.elapsed());
    assert!(!watcher.ring.view().read_plan().ask.contains(&0));
    watcher.assert_nothing_moved(&whole);
    watcher.until("a:(a) b:A c:A d:A").await;
    assert!(killed.elapsed() <= Duration::from_secs(85), "{:?}", killed.elapsed());
    assert_eq!(watcher.ring.view().replicas(0).len(), 3);
    assert!(!watcher.ring.view().replicas(0).contains(&0));
    pass(600).await;
    assert_eq!(watcher.picture(), "a:(a) b:A c:A d:A");
    let back = world.start("a");
    watcher.until("a:(J) b:A c:A d:A").await;
    back.lifecycler.activate();
    watcher.until("a:A b:A c:A d:A").await;
    for token in (0..100).map(|n| n << 57) {
        assert_eq!(watcher.ring.view().replicas(token), whole.replicas(token));
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_moves_nothing() {
    let world = World::new();
    let mut instances = world.cluster(&["a", "b", "c", "d"]).await;
    let watcher = world.watch().await;
    let whole = watcher.ring.view();
    let began = tokio::time::Instant::now();
    instances.remove(0).stop().await;
    watcher.until("a:a b:A c:A d:A").await;
    assert!(began.elapsed() < Duration::from_secs(1), "the heartbeat is given up, not left to end");
    let again = world.start_on("a", Disk { id: "disk of a".into(), holds_data: true });
    watcher.until("a:J b:A c:A d:A").await;
    assert!(watcher.ring.view().read_plan().ask.contains(&0), "it holds data");
    pass(20).await;
    again.lifecycler.activate();
    watcher.until("a:A b:A c:A d:A").await;
    watcher.assert_nothing_moved(&whole);
    assert_eq!(watcher.ring.view().members()[0].lost_until_ms, 0);
}

#[tokio::test(start_paused = true)]
async fn a_ring_that_starts_late_passes_over_who_is_dead_already() {
    let world = World::new();
    let mut instances = world.cluster(&["a", "b", "c", "d"]).await;
    instances.remove(0).kill();
    pass(30).await;
    let watcher = world.watch().await;
    assert_eq!(watcher.picture(), "a:(a) b:A c:A d:A");
}

#[tokio::test(start_paused = true)]
async fn who_leaves_for_good_is_gone_at_once() {
    let world = World::new();
    let mut instances = world.cluster(&["a", "b", "c", "d"]).await;
    let watcher = world.watch().await;
    let gone = instances.remove(1);
    gone.lifecycler.set_state(State::Leaving);
    watcher.until("a:A b:L c:A d:A").await;
    let plan = watcher.ring.view().read_plan();
    assert_eq!(plan.ask, [0, 1, 2, 3], "it still answers for what it has");
    pass(60).await;
    gone.lifecycler.leave(true).await.unwrap();
    watcher.until("a:A c:A d:A").await;
    pass(60).await;
    assert!(world.record("b").await.is_none() && !world.has_heartbeat("b").await);
    gone.stop().await;
    assert_eq!(world.count("rejected_views"), 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_is_lost_counts_as_missing_until_its_peers_have_flushed() {
    let world = World::new();
    let mut instances = world.cluster(&["a", "b", "c"]).await;
    let watcher = world.watch().await;
    instances.remove(0).kill();
    pass(30).await;
    let fresh = || Disk { id: "another disk".into(), holds_data: false };
    let replaced = world.start_on("a", fresh());
    watcher.until("a:(J) b:A c:A").await;
    let plan = watcher.ring.view().read_plan();
    assert_eq!(plan.ask, [1, 2], "it has nothing yet");
    assert!(plan.is_enough(&[1, 2]) && plan.is_hopeless(&[1]), "{plan:?}");
    replaced.lifecycler.activate();
    watcher.until("a:A b:A c:A").await;
    let plan = watcher.ring.view().read_plan();
    assert_eq!(plan.ask, [0, 1, 2]);
    assert!(plan.is_hopeless(&[1]) && plan.explain(&[1]).contains("a (its disk was erased)"));
    // A restart does not make it forget that.
    replaced.stop().await;
    pass(100).await;
    let again = world.start_on("a", Disk { holds_data: true, ..fresh() });
    again.lifecycler.activate();
    watcher.until("a:A b:A c:A").await;
    assert!(watcher.ring.view().read_plan().is_hopeless(&[1]));
    // Not even where the wall clock is years behind, or somebody's is a little ahead.
    world.clock.skew_ms.store(-200_000_000_000, Ordering::SeqCst);
    pass(world.config.forget_after - 200).await;
    assert!(watcher.ring.view().read_plan().is_hopeless(&[1]));
    pass(200).await;
    assert!(!watcher.ring.view().read_plan().is_hopeless(&[1]));
}

#[tokio::test(start_paused = true)]
async fn a_disk_with_data_that_no_record_knows_is_asked() {
    let world = World::new();
    let instances = world.cluster(&["a", "b"]).await;
    let watcher = world.watch().await;
    let found = world.start_on("c", Disk { id: "old".into(), holds_data: true });
    watcher.until("a:A b:A c:(J)").await;
    assert_eq!(watcher.ring.view().read_plan().ask, [0, 1, 2]);
    let empty = world.start_on("d", Disk { id: "new".into(), holds_data: false });
    watcher.until("a:A b:A c:(J) d:(J)").await;
    assert_eq!(watcher.ring.view().read_plan().ask, [0, 1, 2]);
    drop((instances, found, empty));
}

#[tokio::test(start_paused = true)]
async fn clocks_that_jump_make_nobody_unhealthy() {
    let world = World::new();
    let instances = world.cluster(&["a", "b", "c"]).await;
    let watcher = world.watch().await;
    let whole = watcher.ring.view();
    for jump in [300_000, -300_000, 0, 86_400_000, -86_400_000] {
        world.clock.skew_ms.store(jump, Ordering::SeqCst);
        instances[0].clock.skew_ms.store(-jump, Ordering::SeqCst);
        pass(120).await;
    }
    assert!(watcher.shown().iter().all(|view| view.members() == whole.members()));
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_gone_or_altered_is_written_again_and_a_lost_lease_made_anew() {
    let world = World::new();
    let instances = world.cluster(&["a", "b", "c"]).await;
    let watcher = world.watch().await;
    let key = format!("yagura/{ROLE}/members/a");
    let right = world.record("a").await.unwrap();
    world.kv.delete(&key).await.unwrap();
    watcher.until("b:A c:A").await;
    watcher.until("a:A b:A c:A").await;
    let altered = serde_json::to_string(&right).unwrap().replace("active", "leaving");
    world.kv.put(&key, altered.into_bytes(), None).await.unwrap();
    watcher.until("a:L b:A c:A").await;
    watcher.until("a:A b:A c:A").await;
    world.kv.put(&key, b"not a record".to_vec(), None).await.unwrap();
    pass(10).await;
    let now = world.record("a").await.unwrap();
    assert_eq!((&now["state"], &now["disk"]), (&right["state"], &right["disk"]));
    assert_eq!(watcher.picture(), "a:A b:A c:A");
    assert_eq!(world.count("rejected_views"), 1.0);
    // Leases are numbered as they are granted.
    for lease in 1..=3 {
        world.kv.revoke(lease).await.unwrap();
    }
    pass(6).await;
    assert_eq!(watcher.picture(), "a:A b:A c:A");
    assert!(world.has_heartbeat("a").await);
    pass(60).await;
    assert_eq!(watcher.picture(), "a:A b:A c:A");
    drop(instances);
}

#[tokio::test(start_paused = true)]
async fn a_fixed_ring_stays_and_forgets_nobody() {
    let ring = Ring::fixed(RingView::new(vec![Member::new("me", "127.0.0.1:1")], 1));
    ring.listed().await;
    assert_eq!(ring.view().replicas(7), [0]);
    assert_eq!(ring.forget("me").await.unwrap_err().code, Code::NotFound);
}

#[tokio::test(start_paused = true)]
async fn zones_are_trusted_when_all_that_was_written_without_them_is_in_blocks() {
    let world = World::new();
    let start = |id: &str, zone: &str| {
        let instance = world.start_at(id, zone, Disk { id: id.into(), holds_data: false });
        instance.lifecycler.activate();
        instance
    };
    let watcher = world.watch().await;
    let mut running: Vec<_> =
        [("a1", "a"), ("a2", "a"), ("b1", "b")].map(|(id, zone)| start(id, zone)).into();
    watcher.until("a1:A a2:A b1:A").await;
    running.push(start("c1", "c"));
    watcher.until("a1:A a2:A b1:A c1:A").await;
    let view = watcher.ring.view();
    assert!(view.is_zone_aware());
    // An entry may be at a1 and a2 only.
    assert!(view.read_plan().is_hopeless(&[0, 1]));
    pass(world.config.forget_after + 10).await;
    assert!(!watcher.ring.view().read_plan().is_hopeless(&[0, 1]));
    // One a zone from the start: there is nothing to wait for.
    let late = world.watch().await;
    assert!(!late.ring.view().read_plan().is_hopeless(&[0, 1]));
}
