//! What others of a cluster rely on: leaving, the disk's name, which manifest a head counts on.

use super::*;
use crate::{
    flush::Which,
    test_support::{append_logs, head_lines},
    wal::Threads,
};

fn world(fs: &SimFs) -> World {
    let mut world = World::new(Arc::new(fs.clone()));
    world.config.wal.segment_size = 64 << 10;
    world
}

#[tokio::test]
async fn who_leaves_refuses_writes_and_has_nothing_left() {
    let world = world(&SimFs::new(1));
    let ingester = world.start();
    append(&ingester, &[("a=1", &[(1000, 1.0)])]).await;
    append_logs(&ingester, &[("a=1", &[(1, "line")])]).await.unwrap();
    assert_eq!(ingester.remaining(), 2);
    world.store.fail_after(0, false);
    assert!(ingester.leave().await.is_err());
    assert_eq!(ingester.remaining(), 2);
    let refused = test_support::append(&ingester, &[("a=1", &[(2000, 1.0)])]).await.unwrap_err();
    assert_eq!((refused.code, &*refused.message), (Code::Unavailable, "the ingester is leaving"));
    assert_eq!(append_logs(&ingester, &[("a=1", &[(2, "more")])]).await.unwrap_err().code, Code::Unavailable);
    world.store.heal();
    ingester.leave().await.unwrap();
    assert_eq!(ingester.remaining(), 0);
    assert!(head_rows(&ingester, vec![]).await.is_empty() && head_lines(&ingester).await.is_empty());
    assert_eq!(world.read(&ingester).await, [(r#"{a="1"}"#.to_owned(), vec![(1000, 1.0)])]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_on_its_way_is_in_the_blocks_of_who_leaves() {
    for seed in 0..20 {
        let world = world(&SimFs::new(seed));
        let ingester = world.start();
        let (writer, taken) = (Arc::clone(&ingester), Arc::new(Mutex::new(0)));
        let counted = Arc::clone(&taken);
        let writing = tokio::spawn(async move {
            for t in 0.. {
                if test_support::append(&writer, &[("a=1", &[(t, 1.0)])]).await.is_err() {
                    return;
                }
                *counted.lock() += 1;
            }
        });
        while *taken.lock() < 3 {
            tokio::task::yield_now().await;
        }
        ingester.leave().await.unwrap();
        writing.await.unwrap();
        assert_eq!(ingester.remaining(), 0);
        assert_eq!(world.read(&ingester).await[0].1.len(), *taken.lock());
    }
}

#[tokio::test]
async fn a_head_tells_which_manifest_has_what_it_let_go_of_also_after_restarts() {
    let fs = SimFs::new(1);
    let world = world(&fs);
    let mut ingester = world.start();
    let disk = ingester.disk_id();
    let mut before = 0;
    for round in 1..=3 {
        append(&ingester, &[("a=1", &[(round * 7_200_000, 1.0)])]).await;
        append_logs(&ingester, &[("a=1", &[(round, "line")])]).await.unwrap();
        let unheard = ctx();
        let everything = SelectRequest { matchers: vec![], range: TimeRange::ALL };
        MetricsReader::select(&*ingester, &unheard, &everything).await.unwrap();
        assert_eq!(unheard.listed.get(Signal::Metrics), before);
        ingester.flush(Which::All).await.unwrap();
        before = world.manifests().latest(&tenant(), Signal::Metrics).await.unwrap().sequence;
        for _life in 0..2 {
            let heard = ctx();
            MetricsReader::select(&*ingester, &heard, &everything).await.unwrap();
            assert_eq!((heard.listed.get(Signal::Metrics), heard.listed.get(Signal::Logs)), (before, 0));
            let heard = ctx();
            let query = test_support::labels_query(vec![], TimeRange::ALL);
            ingester.label_values(&heard, "a", &query).await.unwrap();
            assert_eq!(heard.listed.get(Signal::Logs), round as u64);
            fs.crash();
            drop(ingester);
            ingester = world.start();
            assert_eq!(ingester.disk_id(), disk);
        }
    }
}

#[tokio::test]
async fn an_erased_disk_is_another_disk() {
    let setup = Setup::new();
    let ingester = setup.start();
    append(&ingester, &[("a=1", &[(1000, 1.0)])]).await;
    let disk = ingester.disk_id();
    drop(ingester);
    let ingester = setup.start();
    assert_eq!(ingester.disk_id(), disk);
    ingester.wal.close().await;
    drop(ingester);
    std::fs::remove_dir_all(setup.dir.path().join("wal")).unwrap();
    assert_ne!(setup.start().disk_id(), disk);
}

#[tokio::test]
async fn without_threads_it_is_the_same_ingester() {
    let fs = SimFs::new(1);
    let mut world = world(&fs);
    world.config.wal.threads = Threads::Inline;
    let ingester = world.start();
    append(&ingester, &[("a=1", &[(1000, 1.0)])]).await;
    ingester.flush(Which::All).await.unwrap();
    append(&ingester, &[("a=1", &[(2000, 2.0)])]).await;
    fs.crash();
    drop(ingester);
    let ingester = world.start();
    let expected = [(r#"{a="1"}"#.to_owned(), vec![(1000, 1.0), (2000, 2.0)])];
    assert_eq!(world.read(&ingester).await, expected);
    assert_eq!(head_rows(&ingester, vec![]).await[0].1, [(2000, 2.0)]);
}
