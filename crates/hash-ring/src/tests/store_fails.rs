//! The store is away, empty, rolled back, or cut off from some.

use super::support::*;
use crate::*;

#[tokio::test(start_paused = true)]
async fn while_the_store_is_away_members_are_asked_themselves() {
    let world = World::new();
    let mut instances = world.cluster(&["a", "b", "c", "d"]).await;
    let watcher = world.watch().await;
    let whole = watcher.ring.view();
    world.kv.set_away(true);
    pass(600).await;
    assert!(watcher.shown().is_empty(), "nobody died: {:?}", watcher.picture());
    instances.remove(0).kill();
    watcher.until("a:a b:A c:A d:A").await;
    watcher.assert_nothing_moved(&whole);
    watcher.until("a:(a) b:A c:A d:A").await;
    pass(600).await;
    assert_eq!(watcher.picture(), "a:(a) b:A c:A d:A");
    // It comes back before the store does.
    let back = world.start("a");
    watcher.until("a:A b:A c:A d:A").await;
    back.lifecycler.activate();
    watcher.shown();
    world.kv.set_away(false);
    pass(120).await;
    assert_eq!(watcher.picture(), "a:A b:A c:A d:A");
    assert!(watcher.shown().iter().flat_map(|view| view.members()).all(Member::is_healthy));
    assert!(world.count("kv_errors") > 0.0);
}

#[tokio::test(start_paused = true)]
async fn without_anybody_to_ask_health_stays_as_it_was() {
    let world = World::new();
    let mut instances = world.cluster(&["a", "b", "c", "d"]).await;
    instances.remove(3).kill();
    pass(60).await;
    let watcher = world.watch_with(None).await;
    world.kv.set_away(true);
    instances.remove(0).kill();
    pass(600).await;
    assert_eq!(watcher.picture(), "a:A b:A c:A d:(a)");
    world.kv.wipe();
    world.kv.set_away(false);
    pass(30).await;
    assert_eq!(watcher.picture(), "a:A b:A c:A d:(a)");
    watcher.until("b:A c:A").await;
}

#[tokio::test(start_paused = true)]
async fn an_empty_store_is_not_believed() {
    let world = World::new();
    let instances = world.cluster(&["a", "b", "c", "d"]).await;
    let watcher = world.watch().await;
    // At once, and after it was away.
    for away in [0, 120] {
        world.kv.set_away(true);
        pass(away).await;
        world.kv.wipe();
        world.kv.set_away(false);
        pass(300).await;
        assert!(world.record("a").await.is_some(), "they register again by themselves");
        assert!(watcher.shown().is_empty() && watcher.picture() == "a:A b:A c:A d:A");
    }
    assert!(world.count("rejected_views") >= 2.0);
    drop(instances);
}

#[tokio::test(start_paused = true)]
async fn members_that_vanish_and_do_not_answer_are_given_up() {
    let world = World::new();
    let mut instances = world.cluster(&["a", "b", "c", "d"]).await;
    let watcher = world.watch().await;
    let began = tokio::time::Instant::now();
    world.kv.set_away(true);
    instances.drain(1..).for_each(Instance::kill);
    world.kv.wipe();
    world.kv.set_away(false);
    watcher.until("a:A b:a c:a d:a").await;
    watcher.until("a:A").await;
    let took = began.elapsed().as_secs();
    assert!((60..=85).contains(&took), "after {took} s");
}

#[tokio::test(start_paused = true)]
async fn many_keys_deleted_at_once_are_a_mistake() {
    let world = World::new();
    let instances = world.cluster(&["a", "b", "c", "d"]).await;
    let watcher = world.watch().await;
    let whole = watcher.ring.view();
    // Cut off, it sees at once what was done one after the other.
    watcher.kv.cut_off(true);
    for id in ["a", "b", "c"] {
        world.kv.delete(&format!("yagura/{ROLE}/members/{id}")).await.unwrap();
        world.kv.delete(&format!("yagura/{ROLE}/alive/{id}")).await.unwrap();
    }
    watcher.kv.cut_off(false);
    pass(60).await;
    watcher.assert_nothing_moved(&whole);
    assert_eq!(watcher.picture(), "a:A b:A c:A d:A");
    drop(instances);
}

#[tokio::test(start_paused = true)]
async fn heartbeats_that_all_end_together_are_doubted() {
    let world = World::new();
    let instances = world.cluster(&["a", "b", "c", "d"]).await;
    let watcher = world.watch().await;
    // Nobody but the ring reaches the store.
    instances.iter().for_each(|instance| instance.kv.cut_off(true));
    pass(300).await;
    assert!(!world.has_heartbeat("a").await);
    // One and two may be dead; more than half are asked.
    assert_eq!(watcher.picture(), "a:A b:A c:A d:A");
    instances.iter().for_each(|instance| instance.kv.cut_off(false));
    pass(60).await;
    assert!(world.has_heartbeat("a").await && watcher.picture() == "a:A b:A c:A d:A");
    // One that is cut off alone is unhealthy to those who are not.
    instances[0].kv.cut_off(true);
    watcher.until("a:a b:A c:A d:A").await;
    instances[0].kv.cut_off(false);
    watcher.until("a:A b:A c:A d:A").await;
}

#[tokio::test(start_paused = true)]
async fn what_a_rolled_back_store_brings_up_again_is_not_believed() {
    let world = World::new();
    let mut instances = world.cluster(&["a", "b", "c"]).await;
    let old = world.start("old");
    old.lifecycler.activate();
    old.lifecycler.written().await;
    let joining = world.start("d");
    joining.lifecycler.written().await;
    let backup = world.kv.snapshot();
    old.lifecycler.leave(true).await.unwrap();
    old.stop().await;
    joining.lifecycler.activate();
    instances.extend(world.cluster(&["e"]).await);
    let watcher = world.watch().await;
    watcher.until("a:A b:A c:A d:A e:A").await;
    let whole = watcher.ring.view();
    world.kv.restore(&backup);
    // The backup's heartbeats run out first.
    pass(300).await;
    assert!(world.record("old").await.is_some(), "its record is there again");
    watcher.assert_nothing_moved(&whole);
    assert_eq!(watcher.picture(), "a:A b:A c:A d:A e:A");
    assert!(world.count("rejected_views") >= 1.0);
    // Should it live after all, it is a member.
    let old = world.start("old");
    old.lifecycler.activate();
    watcher.until("a:A b:A c:A d:A e:A old:A").await;
}
