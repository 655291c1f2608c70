//! What 300 members cost the store and each other.

use super::support::*;

#[tokio::test(start_paused = true)]
async fn three_hundred_members_write_nothing_while_nothing_changes() {
    let world = World::new();
    let watcher = world.watch().await;
    let started: Vec<_> = (0..300).map(|n| world.start(&format!("m{n:03}"))).collect();
    for instance in &started {
        instance.lifecycler.activate();
    }
    pass(60).await;
    let start = world.kv.stats();
    assert_eq!(watcher.ring.view().members().len(), 300);
    // A heartbeat and a record or two each.
    assert!((600..=900).contains(&start.writes), "{start:?}");
    assert!((600..=900).contains(&start.events), "{start:?}");
    assert_eq!(start.lists, 1);
    pass(60).await;
    let quiet = world.kv.stats();
    let beats = quiet.keep_alives - start.keep_alives;
    println!(
        "300 members at rest, a minute: {} writes, {beats} keep-alives, {} reads, {} events a watcher",
        quiet.writes - start.writes,
        quiet.reads - start.reads,
        quiet.events - start.events
    );
    assert_eq!((quiet.writes, quiet.events, quiet.lists), (start.writes, start.events, start.lists));
    assert!((3300..=3900).contains(&beats), "{beats}: one in five seconds from each");
    let placements = watcher.ring.view().placements();
    let one = world.start("new");
    one.lifecycler.activate();
    one.lifecycler.written().await;
    pass(1).await;
    let joined = world.kv.stats();
    println!(
        "a join: {} writes, {} events a watcher",
        joined.writes - quiet.writes,
        joined.events - quiet.events
    );
    assert!(joined.writes - quiet.writes <= 3 && joined.events - quiet.events <= 3);
    assert_eq!(watcher.ring.view().placements() - placements, 1, "placed once");
}
