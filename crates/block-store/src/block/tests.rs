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
    SeriesData, StartTimestamps,
};
use std::{sync::Arc, time::Duration};

#[derive(Clone, Debug)]
struct Given {
    labels: Labels,
    timestamps: Vec<i64>,
    values: Vec<f64>,
    histograms: Vec<HistogramSample>,
    starts: StartTimestamps,
}

impl Given {
    fn samples(&self) -> SampleBuffer {
        let Self { timestamps, values, histograms, starts, .. } = self.clone();
        SampleBuffer { timestamps, values, histograms, starts }
    }
}

fn float_series(labels: Labels, samples: impl IntoIterator<Item = (i64, f64)>) -> Given {
    let (timestamps, values) = samples.into_iter().unzip();
    Given { labels, timestamps, values, histograms: Vec::new(), starts: StartTimestamps::default() }
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
        writer.add(&one.labels, &one.samples()).unwrap();
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

/// Floats as bits, so that a NaN is equal to itself. Each float and each histogram with its start.
type Entries = (Vec<(i64, u64, i64)>, Vec<(HistogramSample, i64)>);
type Found = Vec<(Labels, Entries)>;

/// Those of a buffer in a range.
fn entries(samples: &SampleBuffer, range: TimeRange) -> Entries {
    let SampleBuffer { timestamps, values, histograms, starts } = samples;
    assert_eq!(timestamps.len(), values.len());
    let known = |starts: &[i64], entries: usize| {
        assert!(starts.is_empty() || starts.len() == entries);
        if starts.is_empty() { vec![0; entries] } else { starts.to_vec() }
    };
    let floats = timestamps.iter().zip(values).zip(known(&starts.floats, timestamps.len()));
    let histograms = histograms.iter().cloned().zip(known(&starts.histograms, histograms.len()));
    let floats = floats.map(|((t, v), start)| (*t, v.to_bits(), start));
    (
        floats.filter(|(t, ..)| range.contains(*t)).collect(),
        histograms.filter(|(h, _)| range.contains(h.timestamp)).collect(),
    )
}

async fn select(reader: &BlocksReader, matchers: &[Matcher], range: TimeRange) -> Found {
    let request = SelectRequest { matchers: matchers.to_vec(), range };
    let set = reader.select(&context(), &request).await.unwrap();
    let mut out = SampleBuffer::default();
    let read = |series: service_api::Series| {
        out.clear();
        series.data.read(range, &mut out).unwrap();
        let found = entries(&out, TimeRange::ALL);
        assert_eq!(encoded(&*series.data, range), found);
        (series.labels, found)
    };
    set.series
        .into_iter()
        .map(read)
        .filter(|(_, (floats, hist))| !floats.is_empty() || !hist.is_empty())
        .collect()
}

/// The same from the encoded chunks, which in one block do not overlap.
fn encoded(data: &dyn SeriesData, range: TimeRange) -> Entries {
    let mut out = SampleBuffer::default();
    let each = &mut |chunk: EncodedChunk<'_>| match chunk {
        EncodedChunk::Floats { count, timestamps, values, starts, .. } => {
            let (count, before) = (count as usize, out.timestamps.len());
            chunk::decode_timestamps(timestamps, count, &mut out.timestamps).unwrap();
            chunk::decode_values(values, count, &mut out.values).unwrap();
            chunk::decode_starts(starts, count, before, &mut out.starts.floats).unwrap();
        }
        EncodedChunk::Histograms { count, data, starts, .. } => {
            let (count, before) = (count as usize, out.histograms.len());
            chunk::decode_histograms(data, count, &mut out.histograms).unwrap();
            chunk::decode_starts(starts, count, before, &mut out.starts.histograms).unwrap();
        }
    };
    assert!(data.encoded(range, each).unwrap());
    entries(&out, range)
}

/// What a selection must give, without any index.
fn expected(given: &[Given], matchers: &[Matcher], range: TimeRange) -> Found {
    let matching = given.iter().filter(|g| matchers.iter().all(|m| m.matches_labels(&g.labels)));
    let found = matching.map(|g| (g.labels.clone(), entries(&g.samples(), range)));
    found.filter(|(_, (floats, hist))| !floats.is_empty() || !hist.is_empty()).collect()
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

/// The same with starts: of all samples, of some, of none.
fn started_series() -> Vec<Given> {
    let mut given = some_series();
    given[0].starts.floats = vec![1; 100];
    given[1].starts.floats = [vec![1; 60], vec![61; 40]].concat();
    given[2].starts = StartTimestamps { floats: vec![0, 0, 15, 15, 0], histograms: vec![0, 55, 55, 55, 85] };
    given[4].starts.floats = vec![-9];
    given
}

fn matcher_of(op: MatchOp, name: &str, value: &str) -> Matcher {
    Matcher::new(op, name, value).unwrap()
}

#[tokio::test]
async fn every_kind_of_matcher_finds_what_it_should() {
    for given in [some_series(), started_series()] {
        finds_what_it_should(&given).await;
    }
}

async fn finds_what_it_should(given: &[Given]) {
    use MatchOp::{Equal, NotEqual, NotRegex, Regex};
    let reader = reader_of(written(given)).await;
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
            let want = expected(given, &matchers, range);
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
            let samples = (0..20_000).map(|t| (start + t * 15, ((t * n) % 1_000) as f64 / 10.0));
            let mut given = float_series(labels, samples);
            if n % 4 == 0 {
                // Two pages of three have any.
                given.starts.floats = (0..20_000).map(|t| if t < 9_000 { 0 } else { t / 3_000 }).collect();
            }
            given
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
    let samples = |times: &[i64], values: &[f64]| SampleBuffer {
        timestamps: times.to_vec(),
        values: values.to_vec(),
        ..SampleBuffer::default()
    };
    writer.add(&b, &samples(&[1], &[1.0])).unwrap();
    assert!(writer.add(&a, &samples(&[1], &[1.0])).is_err());
    assert!(writer.add(&b, &samples(&[1], &[1.0])).is_err());
    let c = Labels::from_pairs([("c", "1")]);
    assert!(writer.add(&c, &samples(&[2, 1], &[1.0, 1.0])).is_err());
    assert!(writer.add(&c, &samples(&[1], &[])).is_err());
    let mut uneven = samples(&[1], &[1.0]);
    uneven.starts.floats = vec![1, 1];
    assert!(writer.add(&c, &uneven).is_err());
    assert!(BlockWriter::new().finish(Ulid::nil(), "", 0).unwrap().is_none());
}

type Golden = (fn() -> Vec<Given>, &'static [u8]);

/// Blocks that version 1 wrote, without starts and with: they must be readable for ever.
const GOLDEN: [Golden; 2] = [
    (some_series, include_bytes!("tests/v1.block")),
    (started_series, include_bytes!("tests/v1-starts.block")),
];

#[tokio::test]
async fn golden_bytes() {
    for (given, golden) in GOLDEN {
        let given = given();
        let mut block = written(&given);
        block.meta.bytes = golden.len() as u64;
        block.parts = vec![bytes::Bytes::from_static(golden)];
        let reader = reader_of(block).await;
        assert_eq!(select(&reader, &[], TimeRange::ALL).await, expected(&given, &[], TimeRange::ALL));
    }
}

fn footer_of(block: &[u8]) -> super::footer::Footer {
    let footer = &block[block.len() - super::footer::FOOTER_LEN..];
    super::footer::Footer::decode(footer, block.len() as u64).unwrap()
}

/// Pages and footer do not pass through zstd: they are written the same for ever. What does is the same before it.
#[test]
fn blocks_are_written_as_the_golden_ones() {
    for (given, golden) in GOLDEN {
        let written: Vec<u8> = written(&given()).parts.concat();
        let (ours, theirs) = (footer_of(&written), footer_of(golden));
        let pages = ours.index_range().start as usize;
        assert_eq!(&written[..pages], &golden[..pages]);
        for (section, other) in ours.sections.iter().zip(&theirs.sections) {
            assert_eq!(section.find(&written, 0).unwrap(), other.find(golden, 0).unwrap());
        }
    }
}

/// Whoever does not know of starts finds pages by how long those before them are.
#[test]
fn starts_lie_behind_all_pages_of_values() {
    let pages = |given: &[Given]| {
        let block = written(given).parts.concat();
        let footer = footer_of(&block);
        let vectors = super::times::decode(&footer.sections[1].find(&block, 0).unwrap(), u64::MAX).unwrap();
        let of_times: usize = vectors.iter().map(|page| page.len as usize).sum();
        block[..footer.index_range().start as usize - of_times].to_vec()
    };
    assert_eq!(pages(&some_series()), pages(&started_series()));
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
        series in prop::collection::btree_map(label_set(), (prop::collection::btree_map(0i64..50, (any::<f64>(), 0i64..3), 0..20), any::<bool>()), 1..30),
        selections in prop::collection::vec((prop::collection::vec(any_matcher(), 0..4), 0i64..50, 0i64..50), 1..8),
    ) {
        let given = series.into_iter().map(|(labels, (samples, known))| {
            let starts = samples.values().map(|(_, start)| *start).filter(|_| known).collect();
            let mut given = float_series(labels, samples.into_iter().map(|(t, (v, _))| (t, v)));
            given.starts.floats = starts;
            given
        });
        let given: Vec<_> = given.collect();
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
        let block: Vec<u8> = written(&started_series()).parts.concat();
        let mut footer = footer_of(&block);
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
