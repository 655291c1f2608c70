//! Dead members are forgotten, late and with care.

use super::support::*;
use crate::*;
use service_api::Code;

#[tokio::test(start_paused = true)]
async fn a_dead_member_is_forgotten_when_it_has_been_seen_dead_for_long() {
    let world = World::new();
    let mut instances = world.cluster(&["a", "b", "c", "d"]).await;
    let (watcher, other) = (world.watch().await, world.watch().await);
    instances.remove(0).kill();
    pass(world.config.forget_after - 60).await;
    assert!(world.record("a").await.is_some());
    // Whoever starts now has not seen it for long enough.
    let late = world.watch().await;
    pass(120).await;
    for watcher in [&watcher, &other, &late] {
        watcher.until("b:A c:A d:A").await;
    }
    assert!(world.record("a").await.is_none());
    assert_eq!(world.count("forgotten_members"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn never_so_many_that_fewer_than_the_replication_factor_are_left() {
    let world = World::new();
    let mut instances = world.cluster(&["a", "b", "c", "d"]).await;
    let watchers = [world.watch().await, world.watch().await];
    instances.drain(..2).for_each(Instance::kill);
    pass(3 * world.config.forget_after).await;
    assert_eq!(watchers[0].picture(), "b:(a) c:A d:A", "one of the two, by name");
    let error = watchers[0].ring.forget("b").await.unwrap_err();
    assert!(error.message.contains("fewer than the replication factor of 3"), "{error}");
    instances.extend(world.cluster(&["e"]).await);
    watchers[1].until("c:A d:A e:A").await;
}

#[tokio::test(start_paused = true)]
async fn two_who_forget_two_at_once_do_not_go_below_it_together() {
    let world = World::new();
    let mut instances = world.cluster(&["a", "b", "c", "d"]).await;
    let watchers = [world.watch().await, world.watch().await];
    instances.drain(..2).for_each(Instance::kill);
    watchers[0].until("a:(a) b:(a) c:A d:A").await;
    watchers[1].until("a:(a) b:(a) c:A d:A").await;
    // Neither has seen what the other does.
    let (first, second) = tokio::join!(watchers[0].ring.forget("a"), watchers[1].ring.forget("b"));
    assert_eq!(first, Ok(()));
    assert_eq!(second.unwrap_err().code, Code::Unavailable);
    watchers[1].until("b:(a) c:A d:A").await;
}

#[tokio::test(start_paused = true)]
async fn one_that_was_away_for_a_while_begins_anew() {
    let world = World::new();
    let mut instances = world.cluster(&["a", "b", "c", "d"]).await;
    let watcher = world.watch().await;
    instances.remove(0).kill();
    pass(world.config.forget_after / 2).await;
    let back = world.start("a");
    pass(60).await;
    back.kill();
    pass(world.config.forget_after / 2 + 120).await;
    assert!(world.record("a").await.is_some(), "it lived in between");
    // Nor does the time count in which the store could not be seen.
    watcher.kv.cut_off(true);
    pass(60).await;
    watcher.kv.cut_off(false);
    pass(world.config.forget_after - 120).await;
    assert!(world.record("a").await.is_some());
    pass(300).await;
    assert!(world.record("a").await.is_none());
}

#[tokio::test(start_paused = true)]
async fn an_operator_may_forget_the_dead_and_not_the_living() {
    let world = World::new();
    let mut instances = world.cluster(&["a", "b", "c", "d"]).await;
    let watcher = world.watch().await;
    assert_eq!(watcher.ring.forget("x").await.unwrap_err().code, Code::NotFound);
    assert_eq!(watcher.ring.forget("a").await.unwrap_err().code, Code::BadRequest);
    instances.remove(0).kill();
    watcher.until("a:a b:A c:A d:A").await;
    watcher.ring.forget("a").await.unwrap();
    watcher.until("b:A c:A d:A").await;
    world.kv.set_away(true);
    pass(1).await;
    assert_eq!(watcher.ring.forget("b").await.unwrap_err().code, Code::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn one_that_comes_back_while_it_is_being_forgotten_stays() {
    let world = World::new();
    let mut instances = world.cluster(&["a", "b", "c", "d"]).await;
    let watcher = world.watch().await;
    instances.remove(0).kill();
    watcher.until("a:a b:A c:A d:A").await;
    // It is back, and the ring has not heard of it yet.
    let key = format!("yagura/{ROLE}/alive/a");
    let lease = world.kv.grant(std::time::Duration::from_secs(15)).await.unwrap();
    world.kv.put(&key, vec![], Some(lease)).await.unwrap();
    assert_eq!(watcher.ring.forget("a").await.unwrap_err().code, Code::Unavailable);
    assert!(world.record("a").await.is_some());
}
