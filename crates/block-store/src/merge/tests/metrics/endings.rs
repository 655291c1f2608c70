//! Merges of metrics that need more memory than there is.

use super::*;

#[tokio::test]
async fn a_series_that_does_not_fit_into_memory_is_refused() {
    let mut setup = Setup::new(Signal::Metrics);
    setup.config.memory = 4 << 20;
    let all = |seed: i64| floats((0..60_000).map(|at| (at * 7 + seed, ((at * at + seed) as f64).sqrt())));
    let mut inputs = Vec::new();
    for number in 0..3 {
        inputs.push(put(&setup.bucket, number, 0, &[(host(1), all(number as i64))]).await);
    }
    let error = setup.merge(&inputs, 10).await.unwrap_err();
    assert!(
        matches!(error, MergeError::TooLarge { what: "the pages of a series, and the new index", .. }),
        "{error}"
    );
    assert!(!setup.is_there(10).await);
    setup.config.memory = 64 << 20;
    assert_eq!(setup.merge(&inputs, 11).await.unwrap().meta.samples, 180_000);
}

#[tokio::test]
async fn a_new_index_that_is_larger_than_thought_is_counted() {
    let mut setup = Setup::new(Signal::Metrics);
    let given: Vec<Given> = (0..4_000).map(|n| (host(n), floats([(n as i64, 1.0)]))).collect();
    let meta = put(&setup.bucket, 1, 0, &given).await;
    let inputs = std::slice::from_ref(&meta);
    let merged = setup.merge(inputs, 10).await.unwrap();
    setup.config.memory = (merged.figures.index_bytes + (1 << 20)) as usize;
    let small = setup.merge(inputs, 11).await.unwrap_err();
    assert!(matches!(small, MergeError::TooLarge { .. }), "{small}");
    // Smaller blocks have smaller indexes.
    setup.config.block_bytes = 2_000;
    let merged = setup.merge_all(inputs, 12).await.unwrap();
    assert_eq!(merged.blocks.iter().map(|block| block.samples).sum::<u64>(), 4_000);
}
