//! Reads of heads and of blocks: what is asked arrives, what is answered comes back, and all of it ends.

use super::{
    fake::{Fake, Numbers, Open, Plain, Silent, encoded, labels, one_line, page},
    net::{ADDRESS, DISK, Net, Settings},
};
use crate::ServerConfig;
use block_store::{BlockMeta, Ulid};
use model::{Lines, MatchOp, Matcher, MetricType, NanoRange, Signal, TenantId, TimeRange};
use service_api::{
    Code, HeadChange, HeadChanges, HeadVersion, LabelQuery, LabelsReader, Limits, LogStream, LogsReader,
    MetricsReader, Needles, PageData, ReadContext, SampleBuffer, SelectRequest, Series, Source, StreamSet,
    StreamsRequest, fetch_pages,
};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

fn context() -> ReadContext {
    ReadContext::new(TenantId::new("team-1").unwrap(), 1 << 30)
}

fn matchers() -> Vec<Matcher> {
    [(MatchOp::Equal, "a"), (MatchOp::NotEqual, "b"), (MatchOp::Regex, "c.*|d"), (MatchOp::NotRegex, "e+")]
        .map(|(op, value)| Matcher::new(op, "job", value).unwrap())
        .into()
}

fn select_request() -> SelectRequest {
    SelectRequest { matchers: matchers(), range: TimeRange::new(-5, 2) }
}

fn label_query(signal: Signal) -> LabelQuery {
    LabelQuery { signal, matcher_sets: vec![matchers(), vec![]], range: TimeRange::ALL }
}

fn times(series: &Series) -> Vec<i64> {
    let mut out = SampleBuffer::default();
    series.data.read(TimeRange::ALL, &mut out).unwrap();
    out.timestamps
}

async fn select(source: &dyn Source, ctx: &ReadContext) -> service_api::Result<service_api::SeriesSet> {
    MetricsReader::select(source, ctx, &select_request()).await
}

#[tokio::test]
async fn series_come_with_what_the_process_had_listed() {
    let net = Net::new(Settings::default());
    net.fake.sequence.store(40, Ordering::Relaxed);
    *net.fake.series.lock() =
        (0..30_000).map(|n| Series { labels: labels(n), data: Arc::new(Plain(vec![-9, 1, 2, 3])) }).collect();
    let (ctx, ingester) = (context(), net.pool.ingester(ADDRESS));
    let set = select(&*ingester, &ctx).await.unwrap();
    assert_eq!(net.fake.was_asked::<SelectRequest>(), select_request());
    assert_eq!((set.series.len(), &set.warnings[..]), (30_000, &["a warning".to_owned()][..]));
    assert_eq!((&set.series[7].labels, times(&set.series[7])), (&labels(7), vec![1, 2]));
    // Taken after the read, of the signal that was read.
    assert_eq!((ctx.listed.get(Signal::Metrics), ctx.listed.get(Signal::Logs)), (40, 0));
    assert!(ctx.budget.used() > 30_000 * 30, "{}", ctx.budget.used());
    drop(set);
    assert_eq!(ctx.budget.used(), 0);
    let poor = ReadContext::new(ctx.tenant.clone(), 10_000);
    assert_eq!(select(&*ingester, &poor).await.err().map(|e| e.code), Some(Code::Unprocessable));
}

#[tokio::test]
async fn a_reader_that_wants_the_data_of_another_disk_is_refused() {
    let net = Net::new(Settings::default());
    let lost = net.pool.ingester_on(ADDRESS, "01ERASED");
    assert_eq!(select(&*lost, &context()).await.err().map(|e| e.code), Some(Code::Unavailable));
    let request = StreamsRequest { matchers: vec![], range: NanoRange::ALL };
    let streams = LogsReader::select(&*lost, &context(), &request).await;
    assert_eq!(streams.err().map(|e| e.code), Some(Code::Unavailable));
    assert!(select(&*net.pool.ingester_on(ADDRESS, DISK), &context()).await.is_ok());
}

#[tokio::test]
async fn labels_exemplars_and_metadata_come_back() {
    let net = Net::new(Settings::default());
    *net.fake.series.lock() = vec![Series { labels: labels(1), data: Arc::new(Plain(vec![])) }];
    *net.fake.names.lock() = (0..60_000).map(|n| format!("name-{n:07}")).collect();
    let (ctx, ingester) = (context(), net.pool.ingester(ADDRESS));
    let query = label_query(Signal::Logs);
    let series = ingester.series(&ctx, &query).await.unwrap();
    assert_eq!((series.value, series.warnings), (vec![labels(1)], vec!["a warning".to_owned()]));
    assert_eq!(net.fake.was_asked::<LabelQuery>(), query);
    assert_eq!(ctx.listed.get(Signal::Logs), 1);
    let names = ingester.label_names(&ctx, &query).await.unwrap();
    assert_eq!(names.value, *net.fake.names.lock());
    let values = ingester.label_values(&ctx, "job", &query).await.unwrap();
    assert_eq!(values.value.len(), 60_000);
    assert_eq!(net.fake.was_asked::<(String, LabelQuery)>(), ("job".to_owned(), query));
    let query = label_query(Signal::Metrics);
    let exemplars = ingester.exemplars(&ctx, &query).await.unwrap();
    assert_eq!((&exemplars[0].labels, exemplars[0].exemplars[0].value), (&labels(1), 2.5));
    for metric in [None, Some("up")] {
        let metadata = ingester.metadata(&ctx, metric).await.unwrap();
        assert_eq!(net.fake.was_asked::<Option<String>>().as_deref(), metric);
        let types: Vec<_> = metadata[0].metadata.iter().map(|m| m.metric_type).collect();
        assert_eq!(types, [MetricType::Counter, MetricType::StateSet, MetricType::Unknown]);
    }
}

#[tokio::test]
async fn what_has_changed_comes_with_the_list_that_tells_the_rest() {
    let net = Net::new(Settings::default());
    let (ctx, ingester) = (context(), net.pool.ingester_on(ADDRESS, DISK));
    let version = HeadVersion { life: (7 << 100) | 9, sequence: u64::MAX };
    for (since, earliest) in [(None, Some(-5)), (Some(version), None), (Some(version), Some(0))] {
        *net.fake.change.lock() = HeadChange { earliest, version };
        let change = ingester.head_changes(&ctx, Signal::Logs, since).await.unwrap();
        assert_eq!(net.fake.was_asked::<(Signal, Option<HeadVersion>)>(), (Signal::Logs, since));
        assert_eq!(change, HeadChange { earliest, version });
    }
    assert_eq!((ctx.listed.get(Signal::Logs), ctx.listed.get(Signal::Metrics)), (1, 0));
    let lost = net.pool.ingester_on(ADDRESS, "01ERASED").head_changes(&ctx, Signal::Logs, None).await;
    assert_eq!(lost.err().map(|e| e.code), Some(Code::Unavailable));
}

#[tokio::test]
async fn a_querier_reads_the_blocks_that_it_is_given() {
    let net = Net::new(Settings::default());
    let block = BlockMeta {
        id: Ulid::from_parts(1, 2),
        min_time: -1,
        max_time: i64::MAX,
        series: 3,
        samples: 4,
        text_bytes: 5,
        bytes: 6,
        level: 7,
        source: "ingester-1".into(),
        created: 8,
        sources: Vec::new(),
        damaged: None,
        cleared: Vec::new(),
        rules: 0,
    };
    let blocks = vec![block];
    let source = net.pool.blocks(ADDRESS, Signal::Metrics, blocks.clone());
    let ctx = context();
    let set = select(&*source, &ctx).await.unwrap();
    assert_eq!(set.series[0].labels, labels(99));
    assert_eq!(net.fake.blocks.lock().take(), Some((Signal::Metrics, blocks)));
    assert_eq!(ctx.listed.get(Signal::Metrics), 0);
}

async fn select_streams(net: &Net, ctx: &ReadContext) -> service_api::Result<StreamSet> {
    let request = StreamsRequest { matchers: matchers(), range: NanoRange::new(-1, 1) };
    LogsReader::select(&*net.pool.ingester(ADDRESS), ctx, &request).await
}

/// One stream for each kind of page, and one with more pages than fit in a message.
fn fill(fake: &Fake) {
    let stored = |number| page(PageData::Stored(Arc::new(Numbers), number));
    let pages = [
        vec![
            page(PageData::Here(Arc::new(encoded("sealed")))),
            page(PageData::Here(Arc::new(Open(one_line("open"))))),
        ],
        vec![],
        (0..22_000).map(stored).collect(),
    ];
    let streams = pages.into_iter().enumerate().map(|(n, pages)| LogStream { labels: labels(n), pages });
    *fake.streams.lock() = streams.collect();
}

#[tokio::test]
async fn pages_are_fetched_from_a_selection_that_stays_open() {
    let net = Net::new(Settings::default());
    fill(&net.fake);
    let ctx = context();
    let set = select_streams(&net, &ctx).await.unwrap();
    let request = net.fake.was_asked::<StreamsRequest>();
    assert_eq!((request.matchers, request.range), (matchers(), NanoRange::new(-1, 1)));
    assert_eq!(ctx.listed.get(Signal::Logs), 1);
    let counts: Vec<_> = set.streams.iter().map(|s| (s.labels.clone(), s.pages.len())).collect();
    assert_eq!(counts, [(labels(0), 2), (labels(1), 0), (labels(2), 22_000)]);
    let known = &set.streams[2].pages[3];
    assert_eq!((known.range, known.lines, known.text_bytes), (NanoRange::new(5, 6), 1, 4));
    assert_eq!((known.stored_bytes, known.origin), (3, 7));

    let wanted = [&set.streams[2].pages[21_999], &set.streams[0].pages[1], &set.streams[0].pages[0], known];
    let fetched = fetch_pages(&ctx, &wanted).await.unwrap();
    let mut lines = Lines::default();
    for (source, text) in fetched.iter().zip(["21999", "open", "sealed", "3"]) {
        assert!(source.read(&Needles::default(), &mut lines).unwrap());
        assert_eq!(lines, one_line(text));
        assert!(source.encoded().is_some());
    }
    let many: Vec<_> = set.streams[2].pages[..2_000].iter().collect();
    assert_eq!(fetch_pages(&ctx, &many).await.unwrap().len(), 2_000);

    let far = net.fake.context.lock().take().unwrap();
    assert!(!far.cancel.is_cancelled());
    drop((set, fetched));
    far.cancel.cancelled().await;
    assert_eq!(ctx.budget.used(), 0);
}

#[tokio::test]
async fn a_fetch_that_is_given_up_does_not_mix_with_the_next_one() {
    let net = Net::new(Settings::default());
    fill(&net.fake);
    let ctx = context();
    let set = select_streams(&net, &ctx).await.unwrap();
    let pages = &set.streams[2].pages;
    for polls in [1, 2, 5, 20] {
        let wanted: Vec<_> = pages[..100].iter().collect();
        let mut fetch = Box::pin(fetch_pages(&ctx, &wanted));
        for _ in 0..polls {
            if futures::poll!(&mut fetch).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(fetch);
        let fetched = fetch_pages(&ctx, &[&pages[777]]).await.unwrap();
        let mut lines = Lines::default();
        fetched[0].read(&Needles::default(), &mut lines).unwrap();
        assert_eq!(lines.line(0), b"777");
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_says_nothing_is_waited_for_if_it_lives_and_soon_given_up_if_not() {
    let net = Net::new(Settings::default());
    let pages = vec![page(PageData::Stored(Arc::new(Silent), 1))];
    *net.fake.streams.lock() = vec![LogStream { labels: labels(1), pages }];
    let ctx = context();
    let set = select_streams(&net, &ctx).await.unwrap();
    let pages = [&set.streams[0].pages[0]];
    let busy = tokio::time::timeout(Duration::from_secs(40), fetch_pages(&ctx, &pages)).await;
    assert!(busy.is_err(), "a peer that lives was given up");
    net.fake.not_ready.store(true, Ordering::Relaxed);
    let start = tokio::time::Instant::now();
    let silent = fetch_pages(&ctx, &pages).await.err().map(|e| e.code);
    assert_eq!(silent, Some(Code::Unavailable));
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
}

#[tokio::test]
async fn selections_are_few_and_end_when_they_are_not_used() {
    let server = ServerConfig { max_selections: 1, selection_idle: 60, ..ServerConfig::default() };
    let net = Net::new(Settings { server, ..Settings::default() });
    fill(&net.fake);
    let ctx = context();
    let set = select_streams(&net, &ctx).await.unwrap();
    let second = select_streams(&net, &ctx).await.err().map(|e| e.code);
    assert_eq!(second, Some(Code::Unavailable));
    let far = net.fake.context.lock().take().unwrap();
    tokio::time::pause();
    far.cancel.cancelled().await;
    let late = fetch_pages(&ctx, &[&set.streams[0].pages[0]]).await.err().map(|e| e.code);
    assert_eq!(late, Some(Code::Unavailable));
    select_streams(&net, &ctx).await.unwrap();
}

#[tokio::test]
async fn a_query_that_is_canceled_is_canceled_there_too() {
    let net = Net::new(Settings::default());
    net.fake.hangs.store(true, Ordering::Relaxed);
    let (ctx, ingester) = (context(), net.pool.ingester(ADDRESS));
    let waiting = tokio::spawn({
        let ctx = ctx.clone();
        async move { select(&*ingester, &ctx).await.err().map(|e| e.code) }
    });
    let far = loop {
        if let Some(far) = net.fake.context.lock().take() {
            break far;
        }
        tokio::task::yield_now().await;
    };
    assert!(!far.cancel.is_cancelled());
    ctx.cancel.cancel();
    assert_eq!(waiting.await.unwrap(), Some(Code::Canceled));
    far.cancel.cancelled().await;
}

#[tokio::test(start_paused = true)]
async fn a_query_takes_no_longer_than_its_tenant_may() {
    let limits = Limits { query_timeout: 7, ..Limits::default() };
    let net = Net::new(Settings { limits, ..Settings::default() });
    net.fake.hangs.store(true, Ordering::Relaxed);
    let start = tokio::time::Instant::now();
    let ended = select(&*net.pool.ingester(ADDRESS), &context()).await.err().map(|e| e.code);
    assert_eq!(ended, Some(Code::Timeout));
    assert_eq!(start.elapsed().as_secs(), Duration::from_secs(7).as_secs());
}

#[tokio::test]
async fn an_answer_that_is_cut_short_is_never_taken_for_whole() {
    let net = Net::new(Settings::default());
    fill(&net.fake);
    let ctx = context();
    let set = select_streams(&net, &ctx).await.unwrap();
    net.cut.cancel();
    let pages: Vec<_> = set.streams[2].pages.iter().collect();
    assert_eq!(fetch_pages(&ctx, &pages).await.err().map(|e| e.code), Some(Code::Unavailable));

    // More than the connection's buffers hold, so that the first part is there and the rest is not.
    let net = Net::new(Settings::default());
    let large = || Plain((0..200_000).map(|n| n * n).collect());
    *net.fake.series.lock() =
        (0..40).map(|n| Series { labels: labels(n), data: Arc::new(large()) }).collect();
    let (cut, fake) = (net.cut.clone(), Arc::clone(&net.fake));
    tokio::spawn(async move {
        while fake.context.lock().is_none() {
            tokio::task::yield_now().await;
        }
        cut.cancel();
    });
    let request = SelectRequest { matchers: vec![], range: TimeRange::ALL };
    let cut = MetricsReader::select(&*net.pool.ingester(ADDRESS), &ctx, &request).await;
    assert_eq!(cut.err().map(|e| e.code), Some(Code::Unavailable));
}
