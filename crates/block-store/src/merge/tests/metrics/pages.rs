//! Which pages are taken over, and what is read for it.

use super::*;

const SPAN: i64 = 1_000;

fn setup() -> Setup {
    let mut setup = Setup::new(Signal::Metrics);
    setup.tuning.samples = PageShape { span: SPAN, limits: PageLimits { floats: 100, histograms: 4 } };
    setup
}

/// A sample every 10 ms.
fn scrapes(times: std::ops::Range<i64>) -> SampleBuffer {
    floats(times.step_by(10).map(|time| (time, (time * time % 977) as f64)))
}

fn without(samples: &SampleBuffer, missing: impl Fn(i64) -> bool) -> SampleBuffer {
    let all = samples.timestamps.iter().zip(&samples.values);
    floats(all.filter(|(time, _)| !missing(**time)).map(|(time, value)| (*time, *value)))
}

#[tokio::test]
async fn replicas_are_dropped_unread_and_what_lacks_samples_adds_nothing() {
    let setup = setup();
    let all = scrapes(0..1_000);
    let mut inputs = Vec::new();
    // The one that lacks some is the first, and the two others are the same.
    for (number, samples) in
        [without(&all, |time| time % 70 == 60), all.clone(), all.clone()].iter().enumerate()
    {
        let series: Vec<_> = (0..3).map(|n| (host(n), samples.clone())).collect();
        inputs.push(put(&setup.bucket, number as u64, 0, &series).await);
    }
    let replicas = setup.merge(&inputs[1..], 10).await.unwrap();
    assert_eq!(
        (replicas.figures.pages, replicas.figures.pages_taken_over, replicas.figures.repeats),
        (3, 3, 300)
    );
    assert_eq!(setup.object(&replicas.meta).await, setup.object(&inputs[1]).await);
    let merged = setup.merge(&inputs, 11).await.unwrap();
    assert_eq!((merged.figures.pages, merged.figures.pages_taken_over), (3, 3));
    assert_eq!(setup.object(&merged.meta).await, setup.object(&inputs[1]).await);
}

#[tokio::test]
async fn pages_are_of_one_stretch_of_time_so_that_series_share_its_vectors() {
    let setup = setup();
    // One series begins later, and one lacks a scrape: neither has to do with the third stretch.
    let all = scrapes(0..3_000);
    let given = [
        (host(0), all.clone()),
        (host(1), scrapes(500..3_000)),
        (host(2), without(&all, |time| time == 1_200)),
    ];
    let fresh = put(&setup.bucket, 1, 0, &given).await;
    let merged = setup.merge(&[fresh], 10).await.unwrap();
    assert_eq!((merged.figures.pages, merged.figures.pages_taken_over), (9, 0));
    assert_eq!(model(&read(&setup, &merged.meta, &[]).await), model(&given));
    let stored = stored::Stored::new(&setup.bucket, &tenant(), Signal::Metrics, &merged.meta);
    let (_, table) = stored.tables::<crate::block::MetricsFooter>().await.unwrap();
    assert!(table.vector(4).is_some() && table.vector(5).is_none(), "three, and two that differ");
    let again = setup.merge(&[merged.meta], 11).await.unwrap();
    assert_eq!(again.figures.pages_taken_over, 9);
}

#[tokio::test]
async fn pages_that_follow_each_other_are_taken_over_if_they_are_full() {
    let setup = setup();
    let page = |from: i64, count: i64| -> Vec<HistogramSample> {
        let at =
            |timestamp: i64| HistogramSample { timestamp, histogram: histogram(timestamp as u64, false) };
        (from..from + count).map(at).collect()
    };
    let series = |histograms: Vec<HistogramSample>| {
        vec![(host(1), SampleBuffer { histograms, ..SampleBuffer::default() })]
    };
    let mut inputs = Vec::new();
    for (number, histograms) in [page(0, 4), page(4, 4), page(8, 3)].into_iter().enumerate() {
        inputs.push(put(&setup.bucket, number as u64, 0, &series(histograms)).await);
    }
    let merged = setup.merge(&inputs, 10).await.unwrap();
    assert_eq!((merged.figures.pages, merged.figures.pages_taken_over), (3, 3));
    let more = put(&setup.bucket, 5, 0, &series(page(11, 3))).await;
    let merged = setup.merge(&[merged.meta, more], 11).await.unwrap();
    assert_eq!((merged.figures.pages, merged.figures.pages_taken_over, merged.meta.samples), (4, 0, 14));
}

/// Every series has timestamps of its own, so that vectors are as many as pages.
async fn jittered(setup: &Setup, replicas: u64, series: usize, samples: i64) -> Vec<BlockMeta> {
    let mut inputs = Vec::new();
    for replica in 0..replicas {
        let mut random = Random(3);
        let one = |n: usize| {
            let at = |k: i64| k * 1_000 + random.below(900) as i64;
            let times: Vec<_> = (0..samples).map(at).collect();
            (host(n), floats(times.into_iter().map(|time| (time, (time % 7) as f64))))
        };
        let given: Vec<Given> = (0..series).map(one).collect();
        inputs.push(put(&setup.bucket, replica, 0, &given).await);
    }
    inputs
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vectors_that_do_not_fit_into_memory_are_read_in_runs() {
    let mut setup = Setup::new(Signal::Metrics);
    let inputs = jittered(&setup, 3, 2_000, 500).await;
    let bytes: u64 = inputs.iter().map(|meta| meta.bytes).sum();
    setup.config.memory = 6 << 20;
    let merged = setup.merge(&inputs, 10).await.unwrap();
    assert!(merged.figures.open_peak < bytes / 3, "{:?} of {bytes}", merged.figures);
    assert_eq!((merged.meta.samples, merged.figures.pages_taken_over), (1_000_000, 2_000));
    assert!(merged.meta.bytes < inputs[0].bytes + 100);
    // The same comes out with all memory.
    setup.config.memory = 1 << 30;
    let again = setup.merge(&inputs, 11).await.unwrap();
    assert_eq!(setup.object(&again.meta).await, setup.object(&merged.meta).await);
}

#[tokio::test]
async fn vectors_that_are_needed_again_and_again_are_read_once() {
    let (setup, store) = Setup::faulty(Signal::Metrics);
    let mut given: Vec<Given> = Vec::new();
    for name in 0..20 {
        for target in 0..50i64 {
            let labels = [("__name__", format!("m{name:02}")), ("target", format!("{target:03}"))];
            let samples = (0..400).map(|k| (k * 1_000 + target + k * target % 17, 1.0));
            given.push((Labels::from_pairs(labels), floats(samples)));
        }
    }
    let inputs = [put(&setup.bucket, 1, 0, &given).await, put(&setup.bucket, 2, 0, &given).await];
    store.gets();
    let merged = setup.merge(&inputs, 10).await.unwrap();
    assert_eq!(setup.object(&merged.meta).await, setup.object(&inputs[0]).await);
    assert_eq!(store.gets(), 2 * 3 + 2, "index, values and vectors of each, and what is compared here");
}
