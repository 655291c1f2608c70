//! Merges of random blocks against a model.

use super::*;
use ::model::stale_nan;
use proptest::prelude::*;

/// A series of a block: floats and histograms by time, and whether starts are known.
pub type Drawn = (BTreeMap<i64, (u8, i64)>, BTreeMap<i64, (u8, i64)>, bool);

fn value(kind: u8, time: i64) -> f64 {
    match kind {
        0 => stale_nan(),
        1 => f64::from_bits(0x7ff8_0000_0000_0000 | time as u64 & 0xff),
        2 => -0.0,
        3 => 0.1 + time as f64 * std::f64::consts::PI,
        4 => f64::INFINITY,
        5..8 => time as f64 / 10.0,
        _ => 7.0,
    }
}

pub fn samples((drawn, others, has_starts): &Drawn) -> SampleBuffer {
    let mut samples = floats(drawn.iter().map(|(time, (kind, _))| (*time, value(*kind, *time))));
    for (timestamp, (kind, _)) in others {
        let histogram = histogram(u64::from(*kind), *kind % 2 == 0);
        samples.histograms.push(HistogramSample { timestamp: *timestamp, histogram });
    }
    if *has_starts {
        samples.starts.floats = drawn.values().map(|(_, start)| *start).collect();
        samples.starts.histograms = others.values().map(|(_, start)| *start).collect();
    }
    samples
}

fn entries_of(most: usize) -> impl Strategy<Value = BTreeMap<i64, (u8, i64)>> {
    prop::collection::btree_map(-30i64..60, (0u8..12, prop::sample::select(vec![0, 0, -5, 7])), 0..most)
}

fn a_block() -> impl Strategy<Value = BTreeMap<usize, Drawn>> {
    let series = (entries_of(40), prop_oneof![2 => entries_of(1), 1 => entries_of(12)], any::<bool>());
    prop::collection::btree_map(0..5usize, series, 1..5).prop_filter("a block has something", |block| {
        block.values().any(|(a, b, _)| !a.is_empty() || !b.is_empty())
    })
}

/// Blocks, and replicas of the first with some samples missing: one in so many, or none if 0.
pub fn blocks() -> impl Strategy<Value = Vec<BTreeMap<usize, Drawn>>> {
    (prop::collection::vec(a_block(), 1..5), prop::collection::vec(0..5i64, 0..3)).prop_map(
        |(mut blocks, missing)| {
            for missing in missing {
                let mut replica = blocks[0].clone();
                let stays = |time: &i64| missing == 0 || time.rem_euclid(missing + 3) > 0;
                for (floats, histograms, _) in replica.values_mut() {
                    floats.retain(|time, _| stays(time));
                    histograms.retain(|time, _| stays(time));
                }
                if replica.values().any(|(a, b, _)| !a.is_empty() || !b.is_empty()) {
                    blocks.push(replica);
                }
            }
            blocks
        },
    )
}

pub fn shapes() -> impl Strategy<Value = PageShape> {
    let limits = prop::sample::select(vec![(1, 1), (7, 3), (8_192, 256)]);
    (prop::sample::select(vec![1i64, 10, 25, 1_000]), limits).prop_map(|(span, (floats, histograms))| {
        PageShape { span, limits: PageLimits { floats, histograms } }
    })
}

async fn check(blocks: Vec<BTreeMap<usize, Drawn>>, samples_shape: PageShape, max_run: u64) {
    let tuning = Tuning { samples: samples_shape, max_run, ..Tuning::MERGED };
    let mut setup = Setup { tuning, ..Setup::new(Signal::Metrics) };
    let (mut inputs, mut given) = (Vec::new(), Vec::new());
    for (number, block) in blocks.iter().enumerate() {
        let series: Vec<Given> =
            block.iter().map(|(host_number, drawn)| (host(*host_number), samples(drawn))).collect();
        inputs.push(put(&setup.bucket, number as u64, 0, &series).await);
        given.push(series);
    }
    let mut order: Vec<_> = (0..blocks.len()).collect();
    order.sort_by_key(|number| (inputs[*number].min_time, inputs[*number].id));
    let mut wanted = model(order.iter().flat_map(|number| &given[*number]));
    wanted.retain(|_, (floats, histograms)| !floats.is_empty() || !histograms.is_empty());

    let merged = setup.merge(&inputs, 100).await.unwrap();
    let found = read(&setup, &merged.meta, &[]).await;
    assert_eq!(model(&found), wanted);
    assert_eq!(model(&read_all(&setup, &inputs, &[]).await), wanted, "reads of all find something else");

    // What the manifest is told.
    assert_eq!((merged.meta.series, merged.meta.samples), (wanted.len() as u64, entries(&wanted)));
    assert_eq!(merged.meta.min_time, inputs.iter().map(|meta| meta.min_time).min().unwrap());
    assert_eq!(merged.meta.max_time, inputs.iter().map(|meta| meta.max_time).max().unwrap());
    assert_eq!((merged.meta.level, merged.meta.created, merged.meta.id), (1, 1_700_000_000_100, id(100)));
    let sources: Vec<_> = merged.meta.sources.iter().map(|source| source.id).collect();
    assert_eq!(sources, (0..inputs.len() as u64).map(id).collect::<Vec<_>>());
    let all: u64 = inputs.iter().map(|meta| meta.samples).sum();
    assert_eq!((merged.figures.samples, merged.figures.repeats), (all, all - merged.meta.samples));

    // It is found by labels.
    let first = Matcher::equal("host", "host-0001");
    let of_first = read(&setup, &merged.meta, std::slice::from_ref(&first)).await;
    assert_eq!(of_first.len(), found.iter().filter(|(labels, _)| first.matches_labels(labels)).count());

    // The order of the inputs is no matter, nor is one that is named twice.
    let bytes = setup.object(&merged.meta).await;
    let mut other_way: Vec<_> = inputs.iter().rev().cloned().collect();
    other_way.push(inputs[0].clone());
    let again = setup.merge(&other_way, 101).await.unwrap();
    assert_eq!(setup.object(&again.meta).await, bytes);

    // A merge of what was merged changes nothing.
    let alone = setup.merge(std::slice::from_ref(&merged.meta), 102).await.unwrap();
    assert_eq!(setup.object(&alone.meta).await, bytes);
    assert_eq!((alone.meta.level, alone.figures.repeats), (2, 0));

    small_blocks(&mut setup, &inputs, &found).await;
    in_steps(&setup, &inputs, &wanted).await;
}

/// Small blocks have the same, one behind the other.
async fn small_blocks(setup: &mut Setup, inputs: &[BlockMeta], found: &[Given]) {
    setup.config.block_bytes = 1;
    let small = setup.merge_all(inputs, 200).await.unwrap();
    assert_eq!(small.blocks.len(), found.len());
    for (number, (block, series)) in small.blocks.iter().zip(found).enumerate() {
        assert_eq!((block.id, block.series), (id(200 + number as u64), 1));
        assert_eq!(model(&read(setup, block, &[]).await), model([series]));
    }
    let bytes = setup.objects(&small.blocks).await;
    let again = setup.merge_all(&small.blocks, 300).await.unwrap();
    assert_eq!(setup.objects(&again.blocks).await, bytes);
    setup.config.block_bytes = u64::MAX;
}

/// In steps that keep the order of the inputs the same comes out.
async fn in_steps(setup: &Setup, inputs: &[BlockMeta], wanted: &Model) {
    let mut ordered = inputs.to_vec();
    in_merge_order(&mut ordered);
    let (left, right) = ordered.split_at(ordered.len() / 2);
    if !left.is_empty() {
        // Its first time is the first of all, and its id is first of those with that time.
        let left = setup.merge(left, 103).await.unwrap().meta;
        let right = setup.merge(right, 104).await.unwrap().meta;
        let steps = setup.merge(&[right, left], 105).await.unwrap();
        assert_eq!(&model(&read(setup, &steps.meta, &[]).await), wanted);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]
    #[test]
    fn a_merge_holds_every_entry_once(
        blocks in blocks(),
        shape in shapes(),
        max_run in prop::sample::select(vec![1u64, 200, 1 << 20]),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check(blocks, shape, max_run));
    }
}
