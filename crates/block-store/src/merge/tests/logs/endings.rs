//! Merges that must not begin, or must end early: nothing is left of them.

use super::*;
use crate::blocks::tests::faulty::Fault;

fn streams(count: usize) -> Vec<Given> {
    let labels = |n: usize| Labels::from_pairs([("pod", format!("pod-{n:04}"))]);
    (0..count).map(|n| (labels(n), vec![lines(&[(n as i64, "a line"), (n as i64 + 1, "another")])])).collect()
}

#[tokio::test]
async fn without_room_on_disk_it_does_not_begin() {
    let setup = Setup::new(Signal::Logs);
    let mut meta = put(&setup.bucket, 1, 0, &streams(1)).await;
    meta.bytes = 1 << 60;
    let error = setup.merge(&[meta], 100).await.unwrap_err();
    let MergeError::NoRoom { folder, needed, free } = &error else { panic!("{error}") };
    assert_eq!((folder, *needed), (&setup.config.scratch, 1 << 60));
    assert!(*free < 1 << 60 && error.to_string().contains("are free"), "{error}");
}

#[tokio::test]
async fn what_does_not_fit_into_memory_is_refused() {
    let mut setup = Setup::new(Signal::Logs);
    let mut inputs = Vec::new();
    for number in 0..8 {
        inputs.push(put(&setup.bucket, number, 0, &streams(500)).await);
    }
    setup.config.memory = 2 << 20;
    let error = setup.merge(&inputs, 100).await.unwrap_err();
    assert!(matches!(error, MergeError::TooLarge { limit: 2_097_152, .. }), "{error}");
    setup.merge(&inputs[..2], 101).await.unwrap();

    // Pages of one stream that all overlap must be open together.
    let page = || lines(&[(0, &"x".repeat(100_000)), (9, "end")]);
    let overlapping = vec![(Labels::from_pairs([("a", "b")]), (0..30).map(|_| page()).collect())];
    let meta = put(&setup.bucket, 9, 0, &overlapping).await;
    let error = setup.merge(&[meta], 102).await.unwrap_err();
    assert!(matches!(error, MergeError::TooLarge { what: "pages that overlap", .. }), "{error}");
    assert!(!setup.is_there(100).await && setup.is_there(101).await && !setup.is_there(102).await);
}

#[tokio::test]
async fn nothing_is_no_block() {
    let setup = Setup::new(Signal::Logs);
    assert!(matches!(setup.merge(&[], 100).await, Err(MergeError::Failed(_))));
    let mut elsewhere = Setup::new(Signal::Logs);
    elsewhere.config.scratch = elsewhere.folder.path().join("missing");
    let meta = put(&elsewhere.bucket, 1, 0, &streams(1)).await;
    let error = elsewhere.merge(&[meta], 100).await.unwrap_err();
    assert!(error.to_string().contains("missing"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_it_is_to_stop_wherever_it_waits() {
    let setup = Setup::new(Signal::Logs);
    let meta = put(&setup.bucket, 1, 0, &streams(1)).await;
    setup.stop.cancel();
    assert_eq!(setup.merge(&[meta], 100).await.unwrap_err(), MergeError::Stopped);

    // A read for each index and for the pages of each, and a write: the bucket hangs at one of them.
    for (hangs_at, stop) in (1..=5).flat_map(|at| [(at, true), (at, false)]) {
        let (setup, store) = Setup::faulty(Signal::Logs);
        let inputs =
            [put(&setup.bucket, 1, 0, &streams(3)).await, put(&setup.bucket, 2, 0, &streams(4)).await];
        let mut operations = 0;
        store.set(move || {
            operations += 1;
            (operations >= hangs_at).then_some(Fault::Hangs)
        });
        let patience = Duration::from_secs(5);
        if stop {
            let later = async {
                tokio::time::sleep(patience).await;
                setup.stop.cancel();
            };
            let (ended, ()) = tokio::join!(setup.merge(&inputs, 100), later);
            assert_eq!(ended.unwrap_err(), MergeError::Stopped, "{hangs_at}");
        } else {
            assert!(tokio::time::timeout(patience, setup.merge(&inputs, 100)).await.is_err());
        }
        assert_eq!(std::fs::read_dir(setup.folder.path()).unwrap().count(), 0);
        store.heal();
        assert!(!setup.is_there(100).await, "{hangs_at}");
    }
}

#[tokio::test]
async fn a_bucket_that_fails_is_no_damage() {
    let (setup, store) = Setup::faulty(Signal::Logs);
    let meta = put(&setup.bucket, 1, 0, &streams(1)).await;
    store.set(|| Some(Fault::Fails));
    tokio::time::pause();
    let error = setup.merge(&[meta], 100).await.unwrap_err();
    assert!(matches!(&error, MergeError::Failed(e) if e.code == service_api::Code::Unavailable), "{error}");
}

#[tokio::test(start_paused = true)]
async fn blocks_that_were_put_go_again_if_a_later_one_fails() {
    for fault in [Fault::Fails, Fault::Hangs] {
        let (mut setup, store) = Setup::faulty(Signal::Logs);
        setup.config.block_bytes = 1;
        let meta = put(&setup.bucket, 1, 0, &streams(3)).await;
        let mut operations = 0;
        store.set(move || {
            operations += 1;
            // The index, the pages, and three blocks.
            (operations == 5).then_some(fault)
        });
        let merging = setup.merge_all(std::slice::from_ref(&meta), 100);
        let ended = tokio::time::timeout(Duration::from_secs(5), merging).await;
        assert!(!matches!(ended, Ok(Ok(_))), "{ended:?}");
        assert!(!setup.is_there(100).await && !setup.is_there(101).await && setup.is_there(1).await);
        let merged = setup.merge_all(&[meta], 110).await.unwrap();
        assert_eq!(merged.blocks.len(), 3);
        assert!(setup.is_there(110).await && setup.is_there(112).await);
    }
}
