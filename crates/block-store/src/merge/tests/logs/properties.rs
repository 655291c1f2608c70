//! Merges of random blocks against a set of lines for each stream.

use super::*;
use crate::merge::logs::PageShape;
use proptest::prelude::*;
use std::collections::{BTreeMap, HashSet};

/// Metadata of a line.
pub type Pairs = Vec<(String, String)>;
/// For each stream its lines by time; of one time in the order in which they come out.
pub type Model = BTreeMap<Labels, BTreeMap<i64, Vec<(Vec<u8>, Pairs)>>>;

fn labels_of(stream: usize) -> Labels {
    let all: [&[(&str, &str)]; 4] = [
        &[("app", "api")],
        &[("app", "api"), ("pod", "1")],
        &[("app", "api"), ("pod", "2")],
        &[("app", "db"), ("zone", "a"), ("änd", "ß")],
    ];
    Labels::from_pairs(all[stream].iter().copied())
}

fn a_line() -> impl Strategy<Value = (i64, String, Option<&'static str>)> {
    let text = prop_oneof![
        4 => "[ab]{0,2}",
        1 => prop::sample::select(vec!["two\nlines".to_owned(), "x".repeat(90), "long ".repeat(70)]),
    ];
    (-20i64..20, text, prop::option::weighted(0.2, prop::sample::select(vec!["u", "v", ""])))
}

fn a_page() -> impl Strategy<Value = Lines> {
    prop::collection::vec(a_line(), 1..12).prop_map(|all| {
        let mut lines = Lines::default();
        for (time, text, value) in all {
            lines.push(time, text.as_bytes(), value.map(|value| ("k", value)));
        }
        lines.normalize();
        lines
    })
}

/// The streams of a block with their pages.
fn a_block() -> impl Strategy<Value = Vec<Given>> {
    let streams = prop::collection::btree_map(0..4usize, prop::collection::vec(a_page(), 1..5), 1..4);
    streams.prop_map(|streams| {
        let mut all: Vec<_> = streams.into_iter().map(|(stream, pages)| (labels_of(stream), pages)).collect();
        all.sort_by(|a: &Given, b| a.0.cmp(&b.0));
        all
    })
}

/// Blocks, the numbers of those that are replicas of the first, and the bytes of a page of the output.
pub fn blocks() -> impl Strategy<Value = (Vec<Vec<Given>>, usize, u64)> {
    let blocks = (prop::collection::vec(a_block(), 1..5), 0..3usize).prop_map(|(mut blocks, replicas)| {
        let first = blocks[0].clone();
        blocks.extend(std::iter::repeat_n(first, replicas));
        blocks
    });
    (
        blocks,
        prop::sample::select(vec![1usize, 40, 300, 10_000]),
        prop::sample::select(vec![1u64, 200, 1 << 20]),
    )
}

pub fn model<'g>(given: impl Iterator<Item = &'g Given>) -> Model {
    let mut all = Model::new();
    for (labels, pages) in given {
        let mut pages: Vec<_> = pages.iter().collect();
        pages.sort_by_key(|page| (page.timestamps[0], page.timestamps[page.len() - 1]));
        for page in pages {
            for at in 0..page.len() {
                let same_time =
                    all.entry(labels.clone()).or_default().entry(page.timestamps[at]).or_default();
                if !same_time.iter().any(|(text, _)| text == page.line(at)) {
                    let pairs = page.metadata(at).map(|(name, value)| (name.to_owned(), value.to_owned()));
                    same_time.push((page.line(at).to_vec(), pairs.collect()));
                }
            }
        }
    }
    all
}

/// What lies in a block, as it lies there.
pub fn stored(streams: &[Given]) -> Vec<(Labels, i64, Vec<u8>, Pairs)> {
    let mut all = Vec::new();
    for (labels, pages) in streams {
        for page in pages {
            for at in 0..page.len() {
                let pairs = page.metadata(at).map(|(name, value)| (name.to_owned(), value.to_owned()));
                all.push((labels.clone(), page.timestamps[at], page.line(at).to_vec(), pairs.collect()));
            }
        }
    }
    all
}

pub fn flat(model: Model) -> Vec<(Labels, i64, Vec<u8>, Pairs)> {
    let mut all = Vec::new();
    for (labels, times) in model {
        for (time, lines) in times {
            all.extend(lines.into_iter().map(|(text, pairs)| (labels.clone(), time, text, pairs)));
        }
    }
    all
}

async fn check(blocks: Vec<Vec<Given>>, page_bytes: usize, max_run: u64) {
    let lines = PageShape { bytes: page_bytes, zstd_level: 1 };
    let tuning = Tuning { lines, max_run, ..Tuning::MERGED };
    let mut setup = Setup { tuning, ..Setup::new(Signal::Logs) };
    let mut inputs = Vec::new();
    for (number, block) in blocks.iter().enumerate() {
        inputs.push(put(&setup.bucket, number as u64, 0, block).await);
    }
    let merged = setup.merge(&inputs, 100).await.unwrap();
    let found = read(&setup, &merged.meta, &[]).await;
    let mut order: Vec<_> = (0..blocks.len()).collect();
    order.sort_by_key(|number| (inputs[*number].min_time, inputs[*number].id));
    let wanted = flat(model(order.iter().flat_map(|number| &blocks[*number])));
    assert_eq!(stored(&found), wanted);
    for (_, pages) in &found {
        for pair in pages.windows(2) {
            let (end, start) = (pair[0].timestamps[pair[0].len() - 1], pair[1].timestamps[0]);
            assert!(end <= start, "pages overlap");
        }
    }

    // What the manifest is told.
    let text: usize = wanted.iter().map(|(_, _, text, _)| text.len()).sum();
    let count = |meta: &BlockMeta| (meta.series as usize, meta.samples as usize, meta.text_bytes as usize);
    assert_eq!(count(&merged.meta), (found.len(), wanted.len(), text));
    assert_eq!(merged.meta.min_time, inputs.iter().map(|meta| meta.min_time).min().unwrap());
    assert_eq!(merged.meta.max_time, inputs.iter().map(|meta| meta.max_time).max().unwrap());
    assert_eq!((merged.meta.level, merged.meta.created, merged.meta.id), (1, 1_700_000_000_100, id(100)));
    let sources: Vec<_> = merged.meta.sources.iter().map(|source| source.id).collect();
    assert_eq!(sources, (0..inputs.len() as u64).map(id).collect::<Vec<_>>());
    assert_eq!(merged.figures.samples, inputs.iter().map(|meta| meta.samples).sum::<u64>());

    // It is found by labels.
    let api = Matcher::equal("app", "api");
    let of_api = read(&setup, &merged.meta, std::slice::from_ref(&api)).await;
    assert_eq!(
        of_api,
        found.iter().filter(|(labels, _)| api.matches_labels(labels)).cloned().collect::<Vec<_>>()
    );

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

    // Small blocks have the same, one behind the other.
    setup.config.block_bytes = 1;
    let small = setup.merge_all(&inputs, 200).await.unwrap();
    assert_eq!((small.blocks.len(), small.figures.samples), (found.len(), merged.figures.samples));
    for (number, (block, stream)) in small.blocks.iter().zip(&found).enumerate() {
        assert_eq!((block.id, block.series), (id(200 + number as u64), 1));
        assert_eq!(&read(&setup, block, &[]).await, std::slice::from_ref(stream));
    }
    setup.config.block_bytes = u64::MAX;

    // In steps the same lines come out; of metadata and of one time it depends on who was first.
    let (left, right) = inputs.split_at(inputs.len() / 2);
    if !left.is_empty() {
        let left = setup.merge(left, 103).await.unwrap().meta;
        let mut rest = right.to_vec();
        rest.push(left);
        let steps = setup.merge(&rest, 104).await.unwrap();
        let set = |all: Vec<(Labels, i64, Vec<u8>, Pairs)>| {
            let lines = all.len();
            let set: HashSet<_> =
                all.into_iter().map(|(labels, time, text, _)| (labels, time, text)).collect();
            assert_eq!(set.len(), lines, "a line is there twice");
            set
        };
        assert_eq!(set(stored(&read(&setup, &steps.meta, &[]).await)), set(wanted));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]
    #[test]
    fn a_merge_holds_every_line_once((blocks, page_bytes, max_run) in blocks()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check(blocks, page_bytes, max_run));
    }
}

#[tokio::test]
async fn full_pages_that_stand_alone_are_taken_over_as_they_are() {
    let mut setup = Setup::new(Signal::Logs);
    setup.tuning.lines.bytes = 2_000;
    let labels = labels_of(0);
    let page = |start: i64, count: i64| {
        let mut lines = Lines::default();
        (start..start + count).for_each(|time| lines.push(time, format!("{:050}", time * 7).as_bytes(), []));
        lines
    };
    let pages = vec![page(0, 30), page(30, 30), page(60, 5), page(100, 30)];
    let old = put(&setup.bucket, 1, 1, &[(labels.clone(), pages)]).await;
    let others = [page(130, 30), page(45, 1)];
    let fresh = put(&setup.bucket, 2, 0, &[(labels.clone(), others.to_vec())]).await;
    let merged = setup.merge(&[old.clone(), fresh.clone()], 3).await.unwrap();
    // The first and the last of `old`: the second has company, the third is small, and no merge has made
    // the fresh ones.
    assert_eq!((merged.figures.pages_taken_over, merged.figures.repeats), (2, 1));
    let starts: Vec<_> = read(&setup, &merged.meta, &[]).await[0]
        .1
        .iter()
        .map(|page| (page.timestamps[0], page.len()))
        .collect();
    assert_eq!(starts, [(0, 30), (30, 35), (100, 30), (130, 30)]);
    assert_eq!(merged.meta.source, format!("merge of 2 blocks, {} to {}", old.id, fresh.id));
    assert_eq!(merged.meta.origin(), 0);
    // One that ends with the time at which the next begins may share a line with it.
    let touching = put(&setup.bucket, 4, 1, &[(labels, vec![page(0, 30), page(29, 30)])]).await;
    let merged = setup.merge(&[touching], 5).await.unwrap();
    assert_eq!((merged.figures.pages_taken_over, merged.figures.repeats, merged.meta.samples), (0, 1, 59));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_blocks_are_read_ahead_within_the_budget() {
    let mut setup = Setup::new(Signal::Logs);
    let mut random = Random(1);
    let mut inputs = Vec::new();
    // Text that does not compress, so that pages are large; one is larger than what may be read ahead.
    let mut text = |len: usize| (0..len).map(|_| (33 + random.below(90)) as u8 as char).collect::<String>();
    for number in 0..12 {
        let stream = |stream: usize, text: &mut dyn FnMut(usize) -> String| {
            let page = |page: i64, text: &mut dyn FnMut(usize) -> String| {
                let len = if number == 5 && page == 7 { 400_000 } else { 500 };
                lines(&[(page * 10 + number, &text(len)), (page * 10 + 20, &text(30_000))])
            };
            (labels_of(stream), (0..20).map(|at| page(at, text)).collect())
        };
        let streams: Vec<_> = (0..4).map(|at| stream(at, &mut text)).collect();
        inputs.push(put(&setup.bucket, number as u64, 0, &streams).await);
    }
    setup.config.memory = 12 << 20;
    let merged = setup.merge(&inputs, 100).await.unwrap();
    let figures = merged.figures;
    assert_eq!((merged.meta.samples, figures.repeats), (12 * 4 * 20 * 2, 0));
    assert!(figures.read_ahead_peak > figures.read_ahead_limit / 2, "{figures:?}");
    let bytes: u64 = inputs.iter().map(|meta| meta.bytes).sum();
    assert!(bytes > 3 * figures.read_ahead_limit, "nothing was shown: {bytes} {figures:?}");
    // The same comes out with one thread and all memory.
    setup.config.memory = 1 << 30;
    let again = setup.merge(&inputs, 101).await.unwrap();
    assert_eq!(setup.object(&again.meta).await, setup.object(&merged.meta).await);
}
