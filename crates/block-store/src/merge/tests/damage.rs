//! Inputs that are damaged: the error names the block, or the right answer comes out.

use super::*;

const SIGNALS: [Signal; 2] = [Signal::Metrics, Signal::Logs];

#[tokio::test]
async fn a_flipped_bit_is_found_or_is_no_matter() {
    for signal in SIGNALS {
        let setup = Setup::new(signal);
        let inputs = setup.replicas().await;
        let merged = setup.merge(&inputs, 100).await.unwrap();
        let right = setup.object(&merged.meta).await;
        let (mut random, mut named) = (Random(7), 0);
        for round in 0..400 {
            let hit = &inputs[random.below(3) as usize];
            let sound = setup.object(hit).await;
            let mut damaged = sound.to_vec();
            // Most of it is pages: the index and the footer get their share.
            let from = if round % 2 == 0 { 0 } else { damaged.len() as u64 / 2 };
            let at = (from + random.below(damaged.len() as u64 - from)) as usize;
            damaged[at] ^= 1 << random.below(8);
            setup.put_bytes(hit, damaged).await;
            match setup.merge(&inputs, 101).await {
                Ok(merged) => assert_eq!(setup.object(&merged.meta).await, right, "byte {at}"),
                Err(MergeError::Damaged { block, .. }) if block == hit.id => named += 1,
                Err(other) => panic!("byte {at} of {}: {other}", hit.id),
            }
            setup.put_bytes(hit, sound).await;
        }
        // Nothing reads the first bytes of an object.
        assert!(named > 380, "{named}");
    }
}

#[tokio::test]
async fn what_is_cut_short_or_gone_is_named() {
    for signal in SIGNALS {
        let setup = Setup::new(signal);
        let inputs = setup.replicas().await;
        let sound = setup.object(&inputs[1]).await;
        let lengths = (0..sound.len()).step_by(97).chain([1, sound.len() / 2, sound.len() - 1]);
        for len in lengths {
            setup.put_bytes(&inputs[1], sound.slice(..len)).await;
            let error = setup.merge(&inputs, 100).await.unwrap_err();
            assert!(
                matches!(error, MergeError::Damaged { block, .. } if block == inputs[1].id),
                "{len}: {error}"
            );
        }
        setup.bucket.delete(&inputs[1].object(&tenant(), signal)).await.unwrap();
        let error = setup.merge(&inputs, 100).await.unwrap_err();
        assert_eq!(error, MergeError::Missing { block: inputs[1].id });
        // The others can be merged without it.
        let merged = setup.merge(&[inputs[0].clone(), inputs[2].clone()], 100).await.unwrap();
        assert_eq!(merged.meta.level, 1);
    }
}

#[tokio::test]
async fn a_block_of_the_other_signal_is_damaged() {
    let setup = Setup::new(Signal::Metrics);
    let inputs = setup.replicas().await;
    let logs = Setup::with(Signal::Logs, setup.bucket.clone());
    let other = logs.replicas().await;
    setup.put_bytes(&inputs[2], logs.object(&other[2]).await).await;
    let hit = BlockMeta { bytes: other[2].bytes, ..inputs[2].clone() };
    let error = setup.merge(&[inputs[0].clone(), hit.clone()], 100).await.unwrap_err();
    assert!(matches!(error, MergeError::Damaged { block, .. } if block == hit.id), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_was_damaged_on_the_way_is_read_again() {
    for (signal, fault) in SIGNALS.into_iter().flat_map(|signal| Fault::ALL.map(|fault| (signal, fault))) {
        let (setup, store) = Setup::faulty(signal);
        let inputs = setup.replicas().await;
        let right = setup.merge(&inputs, 100).await.unwrap();
        let mut operations = 0;
        store.set(move || {
            operations += 1;
            // Never what is read again, and never when the new block is put.
            (operations % 4 == 1 && operations < 9).then_some(fault)
        });
        let merged = setup.merge(&inputs, 100).await.unwrap();
        assert_eq!(merged.meta.samples, right.meta.samples, "{fault:?}");
    }
}
