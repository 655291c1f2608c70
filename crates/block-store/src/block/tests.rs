//! Tests of blocks: what was written is found again, by any matchers, whole or by range.

use super::*;
use crate::{BlockCacheConfig, BlocksReader, Bucket, Manifests, Ulid};
use model::{
    Buckets, CounterResetHint, Histogram, HistogramSample, Labels, MatchOp, Matcher, Signal, Span, TenantId,
    TimeRange, stale_nan,
};
use object_store::memory::InMemory;
use proptest::prelude::*;
use runtime::ManualClock;
use service_api::{
    Code, EncodedChunk, LabelQuery, LabelsReader, MetricsReader, ReadContext, SampleBuffer, SelectRequest,
    SeriesData,
};
use std::{sync::Arc, time::Duration};

#[derive(Clone, Debug)]
struct Given {
    labels: Labels,
    timestamps: Vec<i64>,
    values: Vec<f64>,
    histograms: Vec<HistogramSample>,
}

fn float_series(labels: Labels, samples: impl IntoIterator<Item = (i64, f64)>) -> Given {
    let (timestamps, values) = samples.into_iter().unzip();
    Given { labels, timestamps, values, histograms: Vec::new() }
}

fn histogram(timestamp: i64, count: u64) -> HistogramSample {
    let histogram = Histogram {
        counter_reset_hint: CounterResetHint::Gauge,
        schema: 1,
        zero_threshold: 0.5,
        sum: count as f64,
        positive_spans: vec![Span { offset: 0, length: 2 }],
        negative_spans: vec![],
        buckets: Buckets::Integer { count, zero_count: 0, positive: vec![count as i64, 0], negative: vec![] },
        custom_values: vec![],
    };
    HistogramSample { timestamp, histogram }
}

fn written(given: &[Given]) -> BlockObject {
    let mut writer = BlockWriter::new();
    for one in given {
        writer.add(&one.labels, &one.timestamps, &one.values, &one.histograms).unwrap();
    }
    writer.finish(Ulid::from_parts(1_700_000_000_000, 1), "test", 5).unwrap().unwrap()
}

async fn reader_of(block: BlockObject) -> BlocksReader {
    let bucket = Bucket::new(Arc::new(InMemory::new()), "");
    let manifests = Manifests::new(bucket.clone(), Arc::new(ManualClock::at(0)), Duration::from_secs(1));
    bucket.put(&block.meta.object(&TenantId::anonymous(), Signal::Metrics), block.parts).await.unwrap();
    manifests.add_block(&TenantId::anonymous(), Signal::Metrics, &block.meta).await.unwrap();
    BlocksReader::new(Arc::new(manifests), &BlockCacheConfig::default())
}

fn context() -> ReadContext {
    ReadContext::new(TenantId::anonymous(), 1 << 30)
}

/// Floats as bits, so that a NaN is equal to itself.
type Found = Vec<(Labels, Vec<(i64, u64)>, Vec<HistogramSample>)>;

async fn select(reader: &BlocksReader, matchers: &[Matcher], range: TimeRange) -> Found {
    let request = SelectRequest { matchers: matchers.to_vec(), range };
    let set = reader.select(&context(), &request).await.unwrap();
    let mut out = SampleBuffer::default();
    let read = |series: service_api::Series| {
        out.clear();
        series.data.read(range, &mut out).unwrap();
        assert_eq!(out.timestamps.len(), out.values.len());
        let floats: Vec<_> = out.timestamps.iter().zip(&out.values).map(|(t, v)| (*t, v.to_bits())).collect();
        assert_eq!(encoded(&*series.data, range), (floats.clone(), out.histograms.clone()));
        (series.labels, floats, out.histograms.clone())
    };
    set.series
        .into_iter()
        .map(read)
        .filter(|(_, floats, hist)| !floats.is_empty() || !hist.is_empty())
        .collect()
}

/// The same from the encoded chunks, which in one block do not overlap.
fn encoded(data: &dyn SeriesData, range: TimeRange) -> (Vec<(i64, u64)>, Vec<HistogramSample>) {
    let (mut times, mut values, mut histograms) = (Vec::new(), Vec::new(), Vec::new());
    let each = &mut |chunk: EncodedChunk<'_>| match chunk {
        EncodedChunk::Floats { count, timestamps, values: page, .. } => {
            chunk::decode_timestamps(timestamps, count as usize, &mut times).unwrap();
            chunk::decode_values(page, count as usize, &mut values).unwrap();
        }
        EncodedChunk::Histograms { count, data, .. } => {
            chunk::decode_histograms(data, count as usize, &mut histograms).unwrap();
        }
    };
    assert!(data.encoded(range, each).unwrap());
    let floats = times.into_iter().zip(values).filter(|(t, _)| range.contains(*t));
    histograms.retain(|h: &HistogramSample| range.contains(h.timestamp));
    (floats.map(|(t, v)| (t, v.to_bits())).collect(), histograms)
}

/// What a selection must give, without any index.
fn expected(given: &[Given], matchers: &[Matcher], range: TimeRange) -> Found {
    let matching = given.iter().filter(|g| matchers.iter().all(|m| m.matches_labels(&g.labels)));
    let found = matching.map(|g| {
        let floats = g.timestamps.iter().zip(&g.values).filter(|(t, _)| range.contains(**t));
        let histograms = g.histograms.iter().filter(|h| range.contains(h.timestamp)).cloned().collect();
        (g.labels.clone(), floats.map(|(t, v)| (*t, v.to_bits())).collect(), histograms)
    });
    found.filter(|(_, floats, hist): &(_, Vec<_>, Vec<_>)| !floats.is_empty() || !hist.is_empty()).collect()
}

fn some_series() -> Vec<Given> {
    let labels = |pairs: &[(&str, &str)]| Labels::from_pairs(pairs.iter().copied());
    let mut mixed =
        float_series(labels(&[("__name__", "latency"), ("job", "api")]), (0..5).map(|t| (t * 10, t as f64)));
    mixed.histograms = (5..10).map(|t| histogram(t * 10, t as u64)).collect();
    vec![
        float_series(
            labels(&[("__name__", "cpu"), ("job", "api"), ("mode", "idle")]),
            (0..100).map(|t| (t, t as f64 / 4.0)),
        ),
        float_series(
            labels(&[("__name__", "cpu"), ("job", "db"), ("mode", "user")]),
            (0..100).map(|t| (t, 7.0)),
        ),
        mixed,
        float_series(labels(&[("__name__", "up"), ("job", "api")]), [(5, 1.0), (50, stale_nan())]),
        float_series(labels(&[("job", "nameless"), ("ünï", "çødé")]), [(-7, -0.0)]),
    ]
}

fn matcher_of(op: MatchOp, name: &str, value: &str) -> Matcher {
    Matcher::new(op, name, value).unwrap()
}

#[tokio::test]
async fn every_kind_of_matcher_finds_what_it_should() {
    use MatchOp::{Equal, NotEqual, NotRegex, Regex};
    let given = some_series();
    let reader = reader_of(written(&given)).await;
    let cases: &[&[(MatchOp, &str, &str)]] = &[
        &[],
        &[(Equal, "__name__", "cpu")],
        &[(Equal, "__name__", "none")],
        &[(Equal, "none", "cpu")],
        &[(Equal, "mode", "")],
        &[(NotEqual, "mode", "")],
        &[(NotEqual, "mode", "idle")],
        &[(NotEqual, "none", "x")],
        &[(Regex, "__name__", "cpu|up"), (Equal, "job", "api")],
        &[(Regex, "__name__", ".+")],
        &[(Regex, "mode", ".*")],
        &[(Regex, "mode", "|user")],
        &[(NotRegex, "job", "a.*")],
        &[(NotRegex, "mode", ".+"), (NotEqual, "job", "nameless")],
        &[(Equal, "ünï", "çødé")],
    ];
    for case in cases {
        let matchers: Vec<_> = case.iter().map(|(op, name, value)| matcher_of(*op, name, value)).collect();
        for range in
            [TimeRange::ALL, TimeRange::new(20, 60), TimeRange::new(1_000, 2_000), TimeRange::new(5, 5)]
        {
            let want = expected(&given, &matchers, range);
            assert_eq!(select(&reader, &matchers, range).await, want, "{case:?} {range:?}");
        }
    }
}

#[tokio::test]
async fn label_names_and_values_and_series_are_listed() {
    let reader = reader_of(written(&some_series())).await;
    let query = |sets: &[Vec<Matcher>]| LabelQuery {
        signal: Signal::Metrics,
        matcher_sets: sets.to_vec(),
        range: TimeRange::ALL,
    };
    let ctx = context();
    let api = vec![Matcher::equal("job", "api")];
    assert_eq!(
        reader.label_names(&ctx, &query(&[])).await.unwrap().value,
        ["__name__", "job", "mode", "ünï"]
    );
    let cpu = vec![Matcher::equal("__name__", "cpu")];
    assert_eq!(reader.label_names(&ctx, &query(&[cpu])).await.unwrap().value, ["__name__", "job", "mode"]);
    let names = reader.label_values(&ctx, "__name__", &query(&[])).await.unwrap().value;
    assert_eq!(names, ["cpu", "latency", "up"]);
    assert_eq!(
        reader.label_values(&ctx, "mode", &query(std::slice::from_ref(&api))).await.unwrap().value,
        ["idle"]
    );
    assert!(reader.label_values(&ctx, "none", &query(&[])).await.unwrap().value.is_empty());
    let user = vec![Matcher::equal("mode", "user")];
    let series = reader.series(&ctx, &query(&[api, user])).await.unwrap().value;
    let shown: Vec<_> = series.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            r#"{__name__="cpu", job="api", mode="idle"}"#,
            r#"{__name__="cpu", job="db", mode="user"}"#,
            r#"{__name__="latency", job="api"}"#,
            r#"{__name__="up", job="api"}"#
        ]
    );
    let outside =
        LabelQuery { signal: Signal::Metrics, matcher_sets: vec![], range: TimeRange::new(1_000, 2_000) };
    assert!(reader.series(&ctx, &outside).await.unwrap().value.is_empty());
}

#[tokio::test]
async fn questions_about_labels_keep_to_the_bounds_of_their_query() {
    let reader = reader_of(written(&some_series())).await;
    let query = LabelQuery { signal: Signal::Metrics, matcher_sets: vec![vec![]], range: TimeRange::ALL };
    let poor = ReadContext::new(TenantId::anonymous(), 10);
    assert_eq!(reader.series(&poor, &query).await.unwrap_err().code, Code::Unprocessable);
    assert_eq!(reader.label_names(&poor, &query).await.unwrap_err().code, Code::Unprocessable);
    assert_eq!(reader.label_values(&poor, "job", &query).await.unwrap_err().code, Code::Unprocessable);
    assert_eq!(poor.budget.used(), 0);
    let gone = context();
    gone.cancel.cancel();
    assert_eq!(reader.series(&gone, &query).await.unwrap_err().code, Code::Canceled);
    assert_eq!(reader.label_names(&gone, &query).await.unwrap_err().code, Code::Canceled);
    assert_eq!(reader.label_values(&gone, "job", &query).await.unwrap_err().code, Code::Canceled);
}

#[tokio::test]
async fn long_series_are_split_into_pages_and_come_back_whole() {
    let given: Vec<_> = (0..20)
        .map(|n| {
            let labels = Labels::from_pairs([("__name__", format!("m{n:02}"))]);
            let start = n % 3;
            float_series(labels, (0..20_000).map(|t| (start + t * 15, ((t * n) % 1_000) as f64 / 10.0)))
        })
        .collect();
    let reader = reader_of(written(&given)).await;
    for range in [TimeRange::ALL, TimeRange::new(122_000, 124_000)] {
        assert_eq!(select(&reader, &[], range).await, expected(&given, &[], range));
    }
}

#[test]
fn timestamps_are_stored_once() {
    let with = |shift: &dyn Fn(usize) -> i64| {
        let series = |n: usize| {
            let times = (0..480).map(|t| (t * 15_000 + (t * t) % 37 + shift(n), 1.0));
            float_series(Labels::from_pairs([("n", format!("{n:03}"))]), times)
        };
        written(&(0..100).map(series).collect::<Vec<_>>()).meta.bytes
    };
    assert!(with(&|_| 0) * 10 < with(&|n| n as i64));
}

#[tokio::test]
async fn a_query_over_its_memory_budget_is_refused() {
    let reader = reader_of(written(&some_series())).await;
    let ctx = ReadContext::new(TenantId::anonymous(), 100);
    let request = SelectRequest { matchers: vec![], range: TimeRange::ALL };
    assert_eq!(reader.select(&ctx, &request).await.err().unwrap().code, Code::Unprocessable);
    assert_eq!(ctx.budget.used(), 0);
    let ctx = context();
    let set = reader.select(&ctx, &request).await.unwrap();
    assert!(ctx.budget.used() > 0);
    drop(set);
    assert_eq!(ctx.budget.used(), 0);
}

#[test]
fn series_out_of_order_are_refused() {
    let mut writer = BlockWriter::new();
    let (a, b) = (Labels::from_pairs([("a", "1")]), Labels::from_pairs([("b", "1")]));
    writer.add(&b, &[1], &[1.0], &[]).unwrap();
    assert!(writer.add(&a, &[1], &[1.0], &[]).is_err());
    assert!(writer.add(&b, &[1], &[1.0], &[]).is_err());
    let c = Labels::from_pairs([("c", "1")]);
    assert!(writer.add(&c, &[2, 1], &[1.0, 1.0], &[]).is_err());
    assert!(writer.add(&c, &[1], &[], &[]).is_err());
    assert!(BlockWriter::new().finish(Ulid::nil(), "", 0).unwrap().is_none());
}

/// A block that version 1 wrote: it must be readable for ever.
#[tokio::test]
async fn golden_bytes() {
    let golden = include_bytes!("tests/v1.block");
    let mut block = written(&some_series());
    block.meta.bytes = golden.len() as u64;
    block.parts = vec![bytes::Bytes::from_static(golden)];
    let reader = reader_of(block).await;
    assert_eq!(select(&reader, &[], TimeRange::ALL).await, expected(&some_series(), &[], TimeRange::ALL));
}

/// Pages and footer do not pass through zstd: they are written the same for ever.
#[test]
fn pages_are_written_as_in_the_golden_block() {
    let written: Vec<u8> = written(&some_series()).parts.concat();
    let golden: &[u8] = include_bytes!("tests/v1.block");
    let pages = super::footer::Footer::decode(
        &written[written.len() - super::footer::FOOTER_LEN..],
        written.len() as u64,
    )
    .unwrap()
    .index_range()
    .start as usize;
    assert_eq!(&written[..pages], &golden[..pages]);
}

fn label_set() -> impl Strategy<Value = Labels> {
    let pair = ("[abc]", "[xyz]{1,2}");
    prop::collection::btree_map(pair.0, pair.1, 1..4).prop_map(|pairs| Labels::from_pairs(&pairs))
}

fn any_matcher() -> impl Strategy<Value = Matcher> {
    let op = prop::sample::select(vec![MatchOp::Equal, MatchOp::NotEqual, MatchOp::Regex, MatchOp::NotRegex]);
    let value = prop_oneof![
        "[xyz]{0,2}",
        prop::sample::select(vec!["x.*", ".*", ".+", "[xy]+", "x|yy|", "x|zz"]).prop_map(str::to_owned)
    ];
    (op, "[abcd]", value).prop_map(|(op, name, value)| matcher_of(op, &name, &value))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_block_answers_any_selection(
        series in prop::collection::btree_map(label_set(), prop::collection::btree_map(0i64..50, any::<f64>(), 0..20), 1..30),
        selections in prop::collection::vec((prop::collection::vec(any_matcher(), 0..4), 0i64..50, 0i64..50), 1..8),
    ) {
        let given: Vec<_> = series.into_iter().map(|(labels, samples)| float_series(labels, samples)).collect();
        prop_assume!(given.iter().any(|g| !g.timestamps.is_empty()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let reader = reader_of(written(&given)).await;
            for (matchers, start, end) in selections {
                let range = TimeRange::new(start, end);
                assert_eq!(select(&reader, &matchers, range).await, expected(&given, &matchers, range), "{matchers:?}");
            }
        });
    }

    #[test]
    fn a_broken_index_is_an_error_not_a_panic(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), section in 0usize..5,
    ) {
        let block: Vec<u8> = written(&some_series()).parts.concat();
        let mut footer = super::footer::Footer::decode(&block[block.len() - super::footer::FOOTER_LEN..], block.len() as u64).unwrap();
        let start = footer.index_range().start;
        let place = footer.sections[section];
        let mut raw = place.decompress(&block[place.offset as usize..][..place.stored as usize]).unwrap();
        for (at, with) in flips {
            let at = at.index(raw.len());
            raw[at] ^= with;
        }
        // Behind the checksum, as if a writer had been wrong.
        let (changed, packed) = super::section::Section::compress(&raw, block.len() as u64).unwrap();
        footer.sections[section] = changed;
        let bytes = [&block[start as usize..], &packed].concat();
        if let Ok(index) = super::index::MetricsIndex::decode(&footer, &bytes, start) {
            let _ = index.plan(&context(), &[matcher_of(MatchOp::Regex, "job", "a.*")], TimeRange::ALL);
            let _ = index.plan(&context(), &[], TimeRange::new(0, 20));
        }
    }
}
