//! Merges that leave something out, against a model that it is taken out of first.

use super::{
    properties::{Drawn, blocks, samples, shapes},
    *,
};
use proptest::prelude::*;
use service_api::{Cut, Omit};

/// Of some hosts some ranges of time.
#[derive(Clone, Debug)]
struct Ranges {
    hosts: usize,
    ranges: Vec<(i64, i64)>,
}

impl Omit for Ranges {
    fn of(&self, labels: &Labels) -> Cut {
        let mut cut = Cut::default();
        if (0..self.hosts).any(|number| *labels == host(number)) {
            self.ranges.iter().for_each(|(from, to)| cut.add(TimeRange::new(*from, *to), None));
        }
        cut
    }
}

impl Ranges {
    fn take_out(&self, (labels, samples): &Given) -> Given {
        let goes = |time: i64| {
            *labels < host(self.hosts) && self.ranges.iter().any(|(a, b)| (*a..=*b).contains(&time))
        };
        let (mut left, starts) = (SampleBuffer::default(), &samples.starts);
        for (at, time) in samples.timestamps.iter().enumerate().filter(|(_, time)| !goes(**time)) {
            left.timestamps.push(*time);
            left.values.push(samples.values[at]);
            left.starts.floats.extend(starts.floats.get(at));
        }
        for (at, sample) in samples.histograms.iter().enumerate().filter(|(_, s)| !goes(s.timestamp)) {
            left.histograms.push(sample.clone());
            left.starts.histograms.extend(starts.histograms.get(at));
        }
        (labels.clone(), left)
    }
}

fn ranges() -> impl Strategy<Value = Ranges> {
    let range = prop_oneof![
        4 => (-40i64..60, 0i64..40).prop_map(|(from, length)| (from, from + length)),
        1 => Just((i64::MIN, i64::MAX)),
    ];
    (0..6usize, prop::collection::vec(range, 1..3)).prop_map(|(hosts, ranges)| Ranges { hosts, ranges })
}

async fn check(blocks: Vec<BTreeMap<usize, Drawn>>, omits: Vec<Option<Ranges>>, shape: PageShape) {
    let tuning = Tuning { samples: shape, ..Tuning::MERGED };
    let mut setup = Setup { tuning, ..Setup::new(Signal::Metrics) };
    let (mut inputs, mut given) = (Vec::new(), Vec::new());
    for (number, block) in blocks.iter().enumerate() {
        let series: Vec<Given> =
            block.iter().map(|(number, drawn)| (host(*number), samples(drawn))).collect();
        let meta = put(&setup.bucket, number as u64, 0, &series).await;
        let omit = omits.get(number).cloned().flatten();
        given.push(match &omit {
            Some(omit) => series.iter().map(|series| omit.take_out(series)).collect(),
            None => series,
        });
        if let Some(omit) = omit {
            setup.omissions.insert(meta.id, Arc::new(omit));
        }
        inputs.push(meta);
    }
    let mut order: Vec<_> = (0..blocks.len()).collect();
    order.sort_by_key(|number| (inputs[*number].min_time, inputs[*number].id));
    let mut wanted = model(order.iter().flat_map(|number| &given[*number]));
    wanted.retain(|_, (floats, histograms)| !floats.is_empty() || !histograms.is_empty());

    let merged = setup.merge_all(&inputs, 100).await.unwrap();
    assert_eq!(model(&read_all(&setup, &merged.blocks, &[]).await), wanted);
    let written: u64 = merged.blocks.iter().map(|block| block.samples).sum();
    let series: u64 = merged.blocks.iter().map(|block| block.series).sum();
    assert_eq!((written, series), (entries(&wanted), wanted.len() as u64));
    let count = |series: &Given| (series.1.timestamps.len() + series.1.histograms.len()) as u64;
    let left: u64 = given.iter().flatten().map(count).sum();
    let all: u64 = inputs.iter().map(|meta| meta.samples).sum();
    // A page that is the same as another one, which is left out too, may count as its repeat.
    assert!(merged.figures.omitted <= all - left, "{:?}", merged.figures);
    assert_eq!(merged.figures.omitted + merged.figures.repeats, all - written);
    let told = merged.blocks.iter().all(|block| block.sources.is_empty());
    assert!(told || setup.omissions.is_empty(), "what it was made of is not all that it holds");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]
    #[test]
    fn what_is_to_be_left_out_of_an_input_is_and_nothing_else(
        blocks in blocks(),
        omits in prop::collection::vec(prop::option::weighted(0.7, ranges()), 1..6),
        shape in shapes(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check(blocks, omits, shape));
    }
}

/// The bytes of two replicas are the same, and one of them is to stay.
#[tokio::test]
async fn what_goes_from_one_replica_stays_if_the_other_keeps_it() {
    let mut setup = Setup::new(Signal::Metrics);
    let samples = floats((0..100).map(|at| (at, at as f64)));
    let mut inputs = Vec::new();
    for number in 0..2 {
        inputs.push(put(&setup.bucket, number, 0, &[(host(0), samples.clone())]).await);
    }
    let all = Ranges { hosts: 1, ranges: vec![(0, 50)] };
    setup.omissions.insert(inputs[0].id, Arc::new(all.clone()));
    let merged = setup.merge(&inputs, 100).await.unwrap();
    assert_eq!((merged.meta.samples, merged.figures.omitted), (100, 51));
    setup.omissions.insert(inputs[1].id, Arc::new(all));
    let merged = setup.merge(&inputs, 200).await.unwrap();
    assert_eq!((merged.meta.samples, merged.meta.min_time), (49, 51));
}
