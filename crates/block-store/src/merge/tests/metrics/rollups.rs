//! Rollups of blocks against figures of what a plain model says that the blocks have together.

use super::*;
use crate::rollup::FiguresMaker;
use ::model::stale_nan;

const DAY: i64 = 86_400_000;
/// The day that is rolled up ends here.
const END: i64 = 19_700 * DAY;

impl Setup {
    async fn roll_up(&self, inputs: &[BlockMeta], number: u64) -> Result<Merged, MergeError> {
        let next = AtomicU64::new(number);
        let new_id = || id(next.fetch_add(1, SeqCst));
        let merge = Merge {
            bucket: &self.bucket,
            tenant: &tenant(),
            signal: self.signal,
            inputs,
            omissions: &self.omissions,
            config: &self.config,
            new_id: &new_id,
            stop: &self.stop,
        };
        let made = Box::pin(roll_up(merge, END - DAY, END)).await;
        if let Ok(Merged { figures, .. }) = &made {
            let all = figures.index_bytes + figures.read_ahead_limit + figures.open_peak;
            assert!(all <= self.config.memory as u64, "{figures:?}");
        }
        made
    }
}

fn bits(samples: &SampleBuffer) -> Vec<(i64, u64)> {
    samples.timestamps.iter().copied().zip(samples.values.iter().map(|value| value.to_bits())).collect()
}

/// Three replicas of blocks of two hours, of which each lacks something, from the evening before to the morning
/// after; samples lie on the ends of buckets, too.
async fn days(bucket: &Bucket) -> (Vec<BlockMeta>, Vec<Given>) {
    let (mut metas, mut all) = (Vec::new(), Vec::new());
    for window in -1..14i64 {
        for replica in 0..3i64 {
            let of_series = |series: i64| {
                let start = END - DAY + window * 7_200_000;
                let kept = move |at: &i64| (at * 7 + replica + series) % 11 != 0;
                let value = move |at: i64| match (at + window) % 13 {
                    0 => stale_nan(),
                    1 => f64::NAN,
                    at => (at * 31 % 17) as f64 / 3.0 + window as f64 - series as f64,
                };
                let one = move |at: i64| (start + at * 60_000 + series % 2, value(at));
                (host(series as usize), floats((0..120).filter(kept).map(one)))
            };
            let given: Vec<Given> = (0..5).map(of_series).collect();
            metas.push(put(bucket, (window + 1) as u64 * 3 + replica as u64, 0, &given).await);
            all.extend(given);
        }
    }
    (metas, all)
}

#[tokio::test]
async fn figures_are_of_all_samples_of_the_day_and_of_no_others() {
    let mut setup = Setup::new(Signal::Metrics);
    let (metas, all) = days(&setup.bucket).await;
    let merged = setup.merge(&metas[3..20], 500).await.unwrap().meta;
    let partly = [&metas[..3], &[merged], &metas[20..]].concat();
    let mut expected = Vec::new();
    for (labels, (of_series, _)) in model(&all) {
        let of_day = of_series.range(END - DAY + 1..=END);
        let given = floats(of_day.map(|(time, (bits, _))| (*time, f64::from_bits(*bits))));
        let mut figures = SampleBuffer::default();
        FiguresMaker::default().make(&given.timestamps, &given.values, &mut figures);
        assert_eq!(
            given.timestamps.last().unwrap() - END,
            -(labels.get("host").unwrap().ends_with(['1', '3']) as i64) * 59_999
        );
        expected.push((labels, bits(&figures)));
    }
    for (inputs, number) in [(&metas, 100), (&partly, 200)] {
        let made = setup.roll_up(inputs, number).await.unwrap();
        assert_eq!(made.blocks.len(), 1);
        let MergeFigures { samples, repeats, omitted, .. } = made.figures;
        assert!(repeats > 0 && omitted > 0 && samples > repeats + omitted);
        assert!(made.blocks[0].source.starts_with("rollup of "), "{}", made.blocks[0].source);
        let found = read(&setup, &made.blocks[0], &[]).await;
        let found: Vec<_> = found.into_iter().map(|(labels, figures)| (labels, bits(&figures))).collect();
        assert_eq!(found, expected);
    }
    assert_eq!(
        setup.object(&BlockMeta { id: id(100), ..metas[0].clone() }).await,
        setup.object(&BlockMeta { id: id(200), ..metas[0].clone() }).await
    );
    // Several blocks, if one would be too large.
    setup.config.block_bytes = 1;
    let made = setup.roll_up(&metas, 300).await.unwrap();
    assert_eq!(made.blocks.len(), 5);
    assert_eq!(read_all(&setup, &made.blocks, &[]).await.len(), 5);
}

#[tokio::test]
async fn a_page_has_one_figure_of_one_resolution() {
    let setup = Setup::new(Signal::Metrics);
    let (metas, _) = days(&setup.bucket).await;
    let made = setup.roll_up(&metas, 100).await.unwrap();
    let (reader, ctx) = setup.reader(&made.blocks);
    let request = SelectRequest { matchers: vec![], range: TimeRange::ALL };
    let mut eras = Vec::new();
    for series in MetricsReader::select(&*reader, &ctx, &request).await.unwrap().series {
        let mut each = |chunk: service_api::EncodedChunk<'_>| {
            assert_eq!(chunk.range().start >> 48, chunk.range().end >> 48);
            eras.push(chunk.range().start >> 48);
        };
        assert!(series.data.encoded(TimeRange::ALL, &mut each).unwrap());
    }
    assert_eq!(eras, (0..5).flat_map(|_| (0..11).chain(16..27)).collect::<Vec<_>>());
}

#[tokio::test]
async fn of_histograms_nothing_is_rolled_up_and_of_nothing_nothing() {
    let mut setup = Setup::new(Signal::Metrics);
    let with = |time: i64| {
        let mut samples = floats([(time - 3_600_000, 1.0)]);
        samples.histograms.push(HistogramSample { timestamp: time, histogram: histogram(3, false) });
        samples
    };
    let first = (host(0), floats([(END - 7, 1.0)]));
    let within = put(&setup.bucket, 1, 0, &[first.clone(), (host(1), with(END))]).await;
    setup.config.block_bytes = 1;
    assert_eq!(setup.roll_up(&[within], 100).await.unwrap_err(), MergeError::Histograms);
    assert!(!setup.is_there(100).await, "the first block had gone up");
    let behind = put(&setup.bucket, 2, 0, &[first, (host(1), with(END + 1))]).await;
    assert_eq!(setup.roll_up(std::slice::from_ref(&behind), 200).await.unwrap().blocks.len(), 2);

    let around = put(&setup.bucket, 3, 0, &[(host(1), floats([(END - DAY, 1.0), (END + 1, 2.0)]))]).await;
    assert_eq!(setup.roll_up(&[around], 300).await.unwrap().blocks, []);
    let omit: Arc<dyn service_api::Omit> = Arc::new(Vec::new());
    setup.omissions.insert(behind.id, omit);
    assert!(matches!(setup.roll_up(&[behind], 400).await.unwrap_err(), MergeError::Failed(_)));
}
