//! Two processes that claim one id.

use super::support::*;
use crate::*;

#[tokio::test(start_paused = true)]
async fn a_second_process_with_a_living_id_does_not_get_it() {
    let world = World::new();
    let mut instances = world.cluster(&["a", "b", "c"]).await;
    let watcher = world.watch().await;
    let double = world.start_on("a", Disk { id: "another".into(), holds_data: false });
    double.lifecycler.activate();
    pass(300).await;
    assert_eq!(world.record("a").await.unwrap()["disk"], "disk of a");
    assert!(watcher.shown().is_empty());
    assert!(world.count("kv_errors") > 0.0);
    // When the first is dead, its heartbeat ends and the other takes the place.
    instances.remove(0).kill();
    double.lifecycler.written().await;
    assert_eq!(world.record("a").await.unwrap()["disk"], "another");
    watcher.until("a:A b:A c:A").await;
    assert!(watcher.ring.view().members()[0].lost_until_ms > 0);
}
