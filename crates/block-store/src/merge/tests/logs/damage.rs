//! Inputs that are damaged: the error names the block, or the right answer comes out.

use super::*;
use crate::blocks::tests::faulty::Fault;

async fn replicas(bucket: &Bucket) -> Vec<BlockMeta> {
    let mut inputs = Vec::new();
    for number in 0..3u64 {
        let stream = |stream: u64| {
            let page = |page: u64| {
                let mut lines = Lines::default();
                for at in 0..20 {
                    let text = format!("line {at} of page {page} of stream {stream}");
                    let time = (page * 15 + at) as i64 * 1_000;
                    lines.push(time, text.as_bytes(), (at == 3).then_some(("trace", "abc")));
                }
                lines
            };
            let labels = [("app", "api".to_owned()), ("pod", format!("pod-{stream}"))];
            (Labels::from_pairs(labels), (number..number + 5).map(page).collect())
        };
        inputs.push(put(bucket, number, 0, &(0..6).map(stream).collect::<Vec<Given>>()).await);
    }
    inputs
}

#[tokio::test]
async fn a_flipped_bit_is_found_or_is_no_matter() {
    let setup = Setup::new(Signal::Logs);
    let inputs = replicas(&setup.bucket).await;
    let merged = setup.merge(&inputs, 100).await.unwrap();
    let right = setup.object(&merged.meta).await;
    let (mut random, mut named) = (Random(7), 0);
    for round in 0..300 {
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
    assert!(named > 280, "{named}");
}

#[tokio::test]
async fn what_is_cut_short_or_gone_is_named() {
    let setup = Setup::new(Signal::Logs);
    let inputs = replicas(&setup.bucket).await;
    let sound = setup.object(&inputs[1]).await;
    for len in [0, 1, 100, sound.len() / 2, sound.len() - 1] {
        setup.put_bytes(&inputs[1], sound.slice(..len)).await;
        let error = setup.merge(&inputs, 100).await.unwrap_err();
        assert!(
            matches!(error, MergeError::Damaged { block, .. } if block == inputs[1].id),
            "{len}: {error}"
        );
    }
    setup.bucket.delete(&inputs[1].object(&tenant(), Signal::Logs)).await.unwrap();
    assert_eq!(setup.merge(&inputs, 100).await.unwrap_err(), MergeError::Missing { block: inputs[1].id });
    // The others can be merged without it.
    let merged = setup.merge(&[inputs[0].clone(), inputs[2].clone()], 100).await.unwrap();
    assert_eq!(merged.meta.level, 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_damaged_on_the_way_is_read_again() {
    for fault in Fault::ALL {
        let (setup, store) = Setup::faulty(Signal::Logs);
        let inputs = replicas(&setup.bucket).await;
        let mut operations = 0;
        store.set(move || {
            operations += 1;
            // Never what is read again, and never when the new block is put.
            (operations % 4 == 1 && operations < 9).then_some(fault)
        });
        let merged = setup.merge(&inputs, 100).await.unwrap();
        assert_eq!(merged.meta.samples, 6 * 7 * 20, "{fault:?}");
    }
}
