//! Merges that leave lines out, against a model that they are taken out of first.

use super::{
    properties::{blocks, flat, model, stored},
    *,
};
use crate::merge::logs::PageShape;
use proptest::prelude::*;
use service_api::{Cut, LineRun, LineTest, Omit};

/// Lines of an app of some range of time, in milliseconds; if told so, those that begin with `a` alone.
#[derive(Clone, Debug)]
struct Range {
    app: &'static str,
    range: (i64, i64),
    begins_with_a: bool,
}

struct BeginsWithA;

impl LineTest for BeginsWithA {
    fn of_stream(&self, _: &Labels) -> Box<dyn LineRun> {
        Box::new(Self)
    }
}

impl LineRun for BeginsWithA {
    fn matches(&mut self, lines: &Lines, at: usize) -> bool {
        lines.line(at).starts_with(b"a")
    }
}

impl Omit for Range {
    fn of(&self, labels: &Labels) -> Cut {
        let mut cut = Cut::default();
        if labels.get("app") == Some(self.app) {
            let test = self.begins_with_a.then(|| Arc::new(BeginsWithA) as Arc<dyn LineTest>);
            cut.add(::model::TimeRange::new(self.range.0, self.range.1), test);
        }
        cut
    }
}

impl Range {
    fn take_out(&self, (labels, pages): &Given) -> Given {
        let goes = |lines: &Lines, at: usize| {
            let time = lines.timestamps[at].div_euclid(1_000_000);
            labels.get("app") == Some(self.app)
                && (self.range.0..=self.range.1).contains(&time)
                && (!self.begins_with_a || lines.line(at).starts_with(b"a"))
        };
        let left = |page: &Lines| {
            let mut left = Lines::default();
            (0..page.len()).filter(|at| !goes(page, *at)).for_each(|at| left.push_from(page, at));
            left
        };
        (labels.clone(), pages.iter().map(left).filter(|page| !page.is_empty()).collect())
    }
}

fn a_range() -> impl Strategy<Value = Range> {
    let times = prop_oneof![
        4 => (-24i64..20, 0i64..16).prop_map(|(from, length)| (from, from + length)),
        1 => Just((i64::MIN, i64::MAX)),
    ];
    let app = prop::sample::select(vec!["api", "db"]);
    (app, times, any::<bool>()).prop_map(|(app, range, begins_with_a)| Range { app, range, begins_with_a })
}

/// The same blocks with times that lie further apart.
fn in_millis(mut blocks: Vec<Vec<Given>>) -> Vec<Vec<Given>> {
    let pages = blocks.iter_mut().flatten().flat_map(|(_, pages)| pages);
    pages.for_each(|page| page.timestamps.iter_mut().for_each(|time| *time *= 500_000));
    blocks
}

async fn check(blocks: Vec<Vec<Given>>, omits: Vec<Option<Range>>, page_bytes: usize) {
    let lines = PageShape { bytes: page_bytes, zstd_level: 1 };
    let mut setup = Setup { tuning: Tuning { lines, ..Tuning::MERGED }, ..Setup::new(Signal::Logs) };
    let (mut inputs, mut given) = (Vec::new(), Vec::new());
    for (number, block) in blocks.iter().enumerate() {
        // Some pages may be taken over.
        let meta = put(&setup.bucket, number as u64, (number % 2) as u8, block).await;
        let omit = omits.get(number).cloned().flatten();
        given.push(match &omit {
            Some(omit) => block.iter().map(|stream| omit.take_out(stream)).collect(),
            None => block.clone(),
        });
        if let Some(omit) = omit {
            setup.omissions.insert(meta.id, Arc::new(omit));
        }
        inputs.push(meta);
    }
    let mut order: Vec<_> = (0..blocks.len()).collect();
    order.sort_by_key(|number| (inputs[*number].min_time, inputs[*number].id));
    let wanted = flat(model(order.iter().flat_map(|number| &given[*number])));
    let merged = setup.merge_all(&inputs, 100).await.unwrap();
    let mut found = Vec::new();
    for meta in &merged.blocks {
        found.extend(stored(&read(&setup, meta, &[]).await));
    }
    // Of pages that overlap in one block it depends on all of their lines whose metadata a repeat has.
    let plain = |all: &[(Labels, i64, Vec<u8>, _)]| {
        let mut plain: Vec<_> =
            all.iter().map(|(labels, time, text, _)| (labels.clone(), *time, text.clone())).collect();
        plain.sort();
        plain
    };
    assert!(plain(&found) == plain(&wanted), "other lines are left than should be");
    let written: u64 = merged.blocks.iter().map(|block| block.samples).sum();
    let all: u64 = inputs.iter().map(|meta| meta.samples).sum();
    let left: usize = given.iter().flatten().flat_map(|(_, pages)| pages).map(Lines::len).sum();
    assert_eq!(merged.figures.omitted, all - left as u64);
    assert_eq!((written, merged.figures.samples), (wanted.len() as u64, all));
    let streams: std::collections::BTreeSet<_> = wanted.iter().map(|(labels, ..)| labels).collect();
    assert_eq!(merged.blocks.iter().map(|block| block.series).sum::<u64>(), streams.len() as u64);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]
    #[test]
    fn lines_that_are_to_be_left_out_of_an_input_are_and_no_others(
        (blocks, page_bytes, _) in blocks(),
        omits in prop::collection::vec(prop::option::weighted(0.7, a_range()), 1..6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check(in_millis(blocks), omits, page_bytes));
    }
}
