//! Merges that must not begin, or must end early: nothing is left of them.

use super::*;

const SIGNALS: [Signal; 2] = [Signal::Metrics, Signal::Logs];

#[tokio::test]
async fn without_room_on_disk_it_does_not_begin() {
    for signal in SIGNALS {
        let mut setup = Setup::new(signal);
        let mut meta = setup.put_some(1, 1).await;
        meta.bytes = 1 << 60;
        let error = setup.merge(&[meta.clone()], 100).await.unwrap_err();
        let MergeError::NoRoom { folder, needed, free } = &error else { panic!("{error}") };
        assert_eq!((folder, *needed), (&setup.config.scratch, 1 << 60));
        assert!(*free < 1 << 60 && error.to_string().contains("are free"), "{error}");
        // No more is needed than one block takes.
        setup.config.block_bytes = 1 << 10;
        let error = setup.merge(&[meta], 100).await.unwrap_err();
        assert!(matches!(error, MergeError::Damaged { .. }), "{error}");
    }
}

#[tokio::test]
async fn what_does_not_fit_into_memory_is_refused() {
    for signal in SIGNALS {
        let mut setup = Setup::new(signal);
        let mut inputs = Vec::new();
        for number in 0..8 {
            inputs.push(setup.put_some(number, 500).await);
        }
        setup.config.memory = 2 << 20;
        let error = setup.merge(&inputs, 100).await.unwrap_err();
        assert!(matches!(error, MergeError::TooLarge { limit: 2_097_152, .. }), "{error}");
        setup.merge(&inputs[..2], 101).await.unwrap();
        assert!(!setup.is_there(100).await && setup.is_there(101).await);
    }
}

#[tokio::test]
async fn nothing_is_no_block() {
    for signal in SIGNALS {
        let setup = Setup::new(signal);
        assert!(matches!(setup.merge(&[], 100).await, Err(MergeError::Failed(_))));
        let mut elsewhere = Setup::new(signal);
        elsewhere.config.scratch = elsewhere.folder.path().join("missing");
        let meta = elsewhere.put_some(1, 1).await;
        let error = elsewhere.merge(&[meta], 100).await.unwrap_err();
        assert!(error.to_string().contains("missing"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_it_is_to_stop_wherever_it_waits() {
    for signal in SIGNALS {
        let setup = Setup::new(signal);
        let meta = setup.put_some(1, 1).await;
        setup.stop.cancel();
        assert_eq!(setup.merge(&[meta], 100).await.unwrap_err(), MergeError::Stopped);

        // Reads of the index and the pages of two blocks, of metrics those of timestamps, too; and a write.
        let operations = if signal == Signal::Metrics { 7 } else { 5 };
        for (hangs_at, stop) in (1..=operations).flat_map(|at| [(at, true), (at, false)]) {
            hang(signal, hangs_at, stop).await;
        }
    }
}

/// The bucket hangs at one operation, and then the merge is stopped, or dropped.
async fn hang(signal: Signal, hangs_at: usize, stop: bool) {
    let (setup, store) = Setup::faulty(signal);
    let inputs = [setup.put_some(1, 3).await, setup.put_some(2, 4).await];
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
        assert!(tokio::time::timeout(patience, setup.merge(&inputs, 100)).await.is_err(), "{hangs_at}");
    }
    assert_eq!(std::fs::read_dir(setup.folder.path()).unwrap().count(), 0);
    store.heal();
    assert!(!setup.is_there(100).await, "{hangs_at}");
}

#[tokio::test(start_paused = true)]
async fn blocks_that_were_put_go_again_if_a_later_one_fails() {
    for (signal, fault) in
        SIGNALS.into_iter().flat_map(|signal| [(signal, Fault::Fails), (signal, Fault::Hangs)])
    {
        let (mut setup, store) = Setup::faulty(signal);
        setup.config.block_bytes = 1;
        let meta = setup.put_some(1, 3).await;
        // The second of three blocks fails.
        let last = if signal == Signal::Metrics { 5 } else { 4 };
        let mut operations = 0;
        store.set(move || {
            operations += 1;
            (operations == last).then_some(fault)
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

#[tokio::test]
async fn a_bucket_that_fails_is_no_damage() {
    for signal in SIGNALS {
        let (setup, store) = Setup::faulty(signal);
        let meta = setup.put_some(1, 1).await;
        store.set(|| Some(Fault::Fails));
        tokio::time::pause();
        let error = setup.merge(&[meta], 100).await.unwrap_err();
        assert!(
            matches!(&error, MergeError::Failed(e) if e.code == service_api::Code::Unavailable),
            "{error}"
        );
        tokio::time::resume();
    }
}
