//! Every acknowledged entry is in every answer that is given, whatever fails.

use super::*;
use crate::{Querier, test_support::*};
use futures::FutureExt;
use logql::engine::{Data, Direction, Engine, Query};
use model::{Exemplar, Metadata, Signal};
use service_api::{Code, MetricMetadata};

fn reader(view: &Arc<RingView>, fakes: &[Arc<Fake>]) -> ReplicatedReader {
    ReplicatedReader::new(fixed(view), connect(fakes), QuerierMetrics::default())
}

/// All ways in which `count` members may behave.
fn behaviours(count: usize) -> impl Iterator<Item = Vec<Mode>> {
    const KINDS: [Mode; 3] = [Mode::Answers, Mode::Fails(Code::Internal), Mode::Hangs];
    (0..3usize.pow(count as u32)).map(move |mut number| {
        let mut next = || {
            let kind = KINDS[number % 3];
            number /= 3;
            kind
        };
        (0..count).map(|_| next()).collect()
    })
}

/// All ways in which `quorum` of some replicas may have taken an entry.
fn acknowledgements(replicas: &[u16], quorum: usize) -> Vec<Vec<u16>> {
    let all = (0u32..1 << replicas.len()).filter(|set| set.count_ones() as usize >= quorum);
    let members = |set: u32| replicas.iter().enumerate().filter(move |(at, _)| set >> at & 1 == 1);
    all.map(|set| members(set).map(|(_, member)| *member).collect()).collect()
}

#[tokio::test]
async fn what_was_acknowledged_is_in_every_answer() {
    for (count, factor) in [(1, 1), (3, 1), (2, 2), (3, 3), (4, 3), (5, 3), (5, 5)] {
        let view = ring(count, factor);
        let quorum = view.write_quorum();
        let fakes = fakes(count);
        let mut expected = Vec::new();
        for token in 0..20u64 {
            let series = format!("n={token:02}");
            let replicas = view.replicas(token.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let mut samples = Vec::new();
            for (time, holders) in (1..).zip(acknowledgements(replicas, quorum)) {
                samples.push((time, time as f64));
                holders.iter().for_each(|&at| fakes[usize::from(at)].sample(&series, time, time as f64));
            }
            expected.push((labels(&series), samples));
        }
        let reader = reader(&view, &fakes);
        for behaviour in behaviours(count) {
            fakes.iter().zip(&behaviour).for_each(|(fake, mode)| fake.set(*mode));
            let (ctx, request) = (ctx(), everything());
            let answer = MetricsReader::select(&reader, &ctx, &request).now_or_never();
            let missing = behaviour.iter().filter(|mode| **mode != Mode::Answers).count();
            let failing = behaviour.iter().filter(|mode| matches!(mode, Mode::Fails(_))).count();
            match answer {
                Some(Ok(set)) => {
                    assert!(missing < quorum, "{behaviour:?}");
                    assert_eq!(samples(&set), expected, "{behaviour:?}");
                }
                Some(Err(error)) => {
                    assert!(failing >= quorum, "{behaviour:?}");
                    assert_eq!(error.code, Code::Unavailable);
                    assert!(error.message.contains("(failed)"), "{error}");
                }
                None => assert!(missing >= quorum && failing < quorum, "{behaviour:?}"),
            }
        }
    }
}

#[tokio::test]
async fn errors_of_the_query_end_it_and_nobody_waits_for_the_late() {
    let (view, fakes) = (ring(3, 3), fakes(3));
    let reader = reader(&view, &fakes);
    fakes[0].set(Mode::Fails(Code::Unprocessable));
    fakes[1].set(Mode::Hangs);
    fakes[2].set(Mode::Hangs);
    let error = reader.series(&ctx(), &label_query(Signal::Metrics, &[])).await.unwrap_err();
    assert_eq!(error.code, Code::Unprocessable);
    fakes[0].set(Mode::Answers);
    fakes[1].set(Mode::Answers);
    reader.series(&ctx(), &label_query(Signal::Metrics, &[])).await.unwrap();
    // A member's own timeout is its failure, and the query's once the query has ended.
    fakes[0].set(Mode::Fails(Code::Timeout));
    fakes[2].set(Mode::Answers);
    reader.series(&ctx(), &label_query(Signal::Metrics, &[])).await.unwrap();
    fakes[1].set(Mode::Hangs);
    let ended = ctx();
    ended.cancel.cancel();
    let error = reader.series(&ended, &label_query(Signal::Metrics, &[])).await.unwrap_err();
    assert_eq!(error.code, Code::Timeout);
}

#[tokio::test]
async fn a_ring_without_enough_members_is_no_empty_answer() {
    for view in [ring(0, 1), ring(1, 3)] {
        let error = reader(&view, &fakes(1)).metadata(&ctx(), None).await.unwrap_err();
        assert_eq!(error.code, Code::Unavailable);
    }
    let mut members = ring(3, 3).members().to_vec();
    members[0].health = hash_ring::Health::Unhealthy;
    let fakes = fakes(3);
    let one_away = Arc::new(RingView::new(members.clone(), 3));
    reader(&one_away, &fakes).metadata(&ctx(), None).await.unwrap();
    members[1].health = hash_ring::Health::Unhealthy;
    let two_away = Arc::new(RingView::new(members, 3));
    let reader = reader(&two_away, &fakes);
    let error = reader.metadata(&ctx(), None).await.unwrap_err();
    assert_eq!(error.code, Code::Unavailable);
    assert!(error.message.contains("m0 (no heartbeat)"), "{error}");
    assert_eq!(reader.metrics.short_reads.get(), 1);
}

#[tokio::test]
async fn exemplars_metadata_and_names_of_replicas_come_once() {
    let (view, fakes) = (ring(3, 3), fakes(3));
    let exemplar = |timestamp| Exemplar { labels: labels("trace=t"), timestamp, value: 1.0 };
    for (at, fake) in (0..).zip(&fakes) {
        fake.sample("job=a", 1, 1.0);
        let exemplars = vec![exemplar(1), exemplar(2 + at % 2)];
        *fake.exemplars.lock() = vec![ExemplarSeries { labels: labels("job=a"), exemplars }];
        let metadata = |help: &str| Metadata { help: help.to_owned(), ..Metadata::default() };
        let of = MetricMetadata { metric: "m".to_owned(), metadata: vec![metadata("help")] };
        *fake.metadata.lock() = vec![of];
    }
    let (reader, ctx, query) = (reader(&view, &fakes), ctx(), label_query(Signal::Metrics, &[]));
    let found = reader.exemplars(&ctx, &query).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].exemplars, [exemplar(1), exemplar(2), exemplar(3)]);
    let metadata = reader.metadata(&ctx, None).await.unwrap();
    assert_eq!((metadata.len(), metadata[0].metadata.len()), (1, 1));
    assert_eq!(reader.label_names(&ctx, &query).await.unwrap().value, ["job"]);
    assert_eq!(reader.label_values(&ctx, "job", &query).await.unwrap().value, ["a"]);
    assert_eq!(reader.series(&ctx, &query).await.unwrap().value, [labels("job=a")]);
    let set = MetricsReader::select(&reader, &ctx, &everything()).await.unwrap();
    assert_eq!(set.warnings, ["warned"]);
}

const SECOND: i64 = 1_000_000_000;

/// Three replicas of 90 lines, each without every third line of its own, in pages of its own cut.
fn log_replicas(stored: bool) -> Vec<Arc<Fake>> {
    let fakes = fakes(3);
    for (at, fake) in fakes.iter().enumerate() {
        // Some lines have one time; the same text comes again at other times.
        let line = |n: usize| ((1 + n / 2) as i64 * SECOND, format!("line {}", n % 45));
        let held: Vec<_> = (0..90).filter(|n| n % 3 != at).map(line).collect();
        held.chunks([7, 20, 60][at]).for_each(|lines| fake.page("app=a", lines, stored));
    }
    fakes
}

async fn run(reader: Arc<dyn LogsReader>, text: &str) -> Data {
    let expr = logql::parse(text).unwrap();
    let query = Query {
        expr,
        start: 0,
        end: 100 * SECOND,
        step: 0,
        direction: Direction::Backward,
        limit: 1000,
        interval: 0,
    };
    Engine::default().query(&ctx(), reader, query).await.unwrap().data
}

async fn lines_and_count(reader: &Arc<Querier>) -> (usize, f64) {
    let reader = Arc::clone(reader) as Arc<dyn LogsReader>;
    let Data::Streams(streams) = run(Arc::clone(&reader), r#"{app="a"}"#).await else { panic!("no lines") };
    let lines = streams.iter().map(|stream| stream.entries.len()).sum();
    let Data::Vector(vector) = run(reader, r#"sum(count_over_time({app="a"}[100s]))"#).await else {
        panic!("no vector")
    };
    (lines, vector[0].value)
}

#[tokio::test]
async fn lines_of_replicas_count_once_however_their_pages_are_cut() {
    for stored in [false, true] {
        let (view, fakes) = (ring(3, 3), log_replicas(stored));
        for late in 0..4 {
            for (at, fake) in fakes.iter().enumerate() {
                fake.set(if at == late { Mode::Hangs } else { Mode::Answers });
            }
            let blocks = Arc::new(Fake::default());
            let recent = Arc::new(reader(&view, &fakes));
            let querier = Arc::new(Querier::new(recent, blocks, QuerierMetrics::default()));
            assert_eq!(lines_and_count(&querier).await, (90, 90.0), "without {late}");
        }
    }
}

#[tokio::test]
async fn pages_say_whose_they_are() {
    let (view, fakes) = (ring(3, 3), log_replicas(true));
    fakes[1].set(Mode::Hangs);
    let set = LogsReader::select(&reader(&view, &fakes), &ctx(), &all_streams()).await.unwrap();
    let origins: std::collections::BTreeSet<_> =
        set.streams[0].pages.iter().map(|page| page.origin).collect();
    assert_eq!(origins, [origin("m0"), origin("m2")].into());
}

#[tokio::test]
async fn an_ingester_that_dies_before_its_pages_are_fetched_loses_no_line() {
    for dies in 0..3 {
        for flushes in [false, true] {
            let (view, fakes) = (ring(3, 3), log_replicas(true));
            let (blocks, metrics) = (Arc::new(Fake::default()), QuerierMetrics::default());
            let recent = Arc::new(reader(&view, &fakes));
            let querier = Querier::new(recent, Arc::clone(&blocks) as Arc<dyn Source>, metrics.clone());
            // One of the others is late for the selection, and needed afterwards.
            fakes[(dies + 1) % 3].set(Mode::Hangs);
            let set = LogsReader::select(&querier, &ctx(), &all_streams()).await.unwrap();
            fakes[(dies + 1) % 3].set(Mode::Answers);
            fakes[dies].set(Mode::Fails(Code::Unavailable));
            if flushes {
                // What the head had is in a block by now.
                fakes[(dies + 2) % 3].move_to(&blocks);
            }
            let selected = Arc::new(Selected(set));
            let Data::Streams(streams) = run(selected, r#"{app="a"}"#).await else { panic!("no lines") };
            assert_eq!(streams.iter().map(|stream| stream.entries.len()).sum::<usize>(), 90);
            assert!(metrics.rescued_pages.get() > 0);
        }
    }
}

#[tokio::test]
async fn pages_that_nobody_can_read_any_more_are_an_error() {
    let (view, fakes) = (ring(3, 3), log_replicas(true));
    let blocks = Arc::new(Fake::default());
    let querier = Querier::new(Arc::new(reader(&view, &fakes)), blocks, QuerierMetrics::default());
    let set = LogsReader::select(&querier, &ctx(), &all_streams()).await.unwrap();
    fakes[0].set(Mode::Fails(Code::Unavailable));
    fakes[1].set(Mode::Fails(Code::Unavailable));
    let pages: Vec<_> = set.streams[0].pages.iter().collect();
    let error = service_api::fetch_pages(&ctx(), &pages).await.err().unwrap();
    assert_eq!(error.code, Code::Unavailable);
    fakes[1].set(Mode::Answers);
    assert!(service_api::fetch_pages(&ctx(), &pages).await.is_ok());
}

/// A selection that was made before.
struct Selected(StreamSet);

#[async_trait]
impl LabelsReader for Selected {
    async fn series(&self, _: &ReadContext, _: &LabelQuery) -> Result<Warned<Vec<Labels>>> {
        Ok(Warned::default())
    }

    async fn label_names(&self, _: &ReadContext, _: &LabelQuery) -> Result<Warned<Vec<String>>> {
        Ok(Warned::default())
    }

    async fn label_values(&self, _: &ReadContext, _: &str, _: &LabelQuery) -> Result<Warned<Vec<String>>> {
        Ok(Warned::default())
    }
}

#[async_trait]
impl LogsReader for Selected {
    async fn select(&self, _: &ReadContext, _: &StreamsRequest) -> Result<StreamSet> {
        Ok(self.0.clone())
    }
}
