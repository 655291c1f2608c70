//! Deleted lines are not seen, however their pages are read and counted.

use super::*;
use crate::{
    Querier, QuerierMetrics, ReplicatedReader,
    test_support::*,
    without::{Without, tests::hidden},
};
use block_store::{BlocksInRange, Deletion, EncodedPage};
use futures::FutureExt;
use logql::engine::{Answer, Data, Direction, Engine, Query};
use model::{NANOS_A_MILLI, NanoRange, Signal, TimeRange};
use runtime::ManualClock;
use service_api::{Code, LogPage, LogStream, LogsReader, Source, fetch_pages};
use std::sync::atomic::{AtomicUsize, Ordering};

const SECOND: i64 = 1000 * NANOS_A_MILLI;

/// Line `n` is of second `n`; each other is of level debug.
fn line(n: i64) -> (i64, String) {
    (n * SECOND, format!("level={} n={n}", if n % 2 == 0 { "debug" } else { "info" }))
}

/// Ten lines a page: those of the first page, of the second, and so on.
fn pages(of: &Fake, stream: &str, count: i64, stored: bool) {
    for page in 0..count {
        let lines: Vec<_> = (page * 10..page * 10 + 10).map(line).collect();
        of.page(stream, &lines, stored);
    }
}

/// Deletes debug lines of the seconds from 15 to 34, and everything of those from 40 to 49.
fn deletions() -> Vec<Deletion> {
    vec![
        deletion("{app=\"a\"} | logfmt | level=\"debug\"", 15_000, 34_999),
        deletion("{app=\"a\"}", 40_000, 49_999),
    ]
}

fn is_deleted(n: i64) -> bool {
    (15..35).contains(&n) && n % 2 == 0 || (40..50).contains(&n)
}

async fn run(reader: Arc<dyn LogsReader>, text: &str) -> Answer {
    let (expr, direction) = (logql::parse(text).unwrap(), Direction::Backward);
    let query = Query { expr, start: 0, end: 100 * SECOND, step: 0, direction, limit: 1000, interval: 0 };
    Engine::default().query(&ctx(), reader, query).await.unwrap()
}

fn lines_of(answer: Answer) -> Vec<String> {
    let Data::Streams(streams) = answer.data else { panic!("no lines") };
    let mut all: Vec<_> = streams.into_iter().flat_map(|stream| stream.entries).collect();
    all.sort();
    all.into_iter().map(|(_, line)| line).collect()
}

#[tokio::test]
async fn lines_are_counted_as_they_are_read_one_by_one() {
    for stored in [false, true] {
        let source = Arc::new(Fake::default());
        pages(&source, "app=a", 7, stored);
        let hidden = hidden(Signal::Logs, &deletions(), TimeRange::ALL);
        let reader = Arc::new(Without::new(Arc::clone(&source) as Arc<dyn Source>, hidden));
        let seen: Vec<String> = (0..70).filter(|n| !is_deleted(*n)).map(|n| line(n).1).collect();
        let answer = run(reader.clone(), r#"{app="a"}"#).await;
        assert_eq!(lines_of(answer), seen);
        let debug: Vec<String> = seen.iter().filter(|line| line.contains("debug")).cloned().collect();
        assert_eq!(lines_of(run(reader.clone(), r#"{app="a"} |= "debug""#).await), debug);
        let bytes: usize = seen.iter().map(String::len).sum();
        for (query, expected) in [
            (r#"sum(count_over_time({app="a"}[101s]))"#, seen.len()),
            (r#"sum(bytes_over_time({app="a"}[101s]))"#, bytes),
            (r#"sum(count_over_time({app="a"} |= "debug" [101s]))"#, debug.len()),
        ] {
            let answer = run(reader.clone(), query).await;
            let Data::Vector(vector) = answer.data else { panic!("no vector") };
            assert_eq!(vector[0].value, expected as f64, "{query}, stored: {stored}");
            // Of seven pages one is gone, and three lack lines; the others can be counted unread.
            let read = if stored && !query.contains("debug") { 3 } else { 6 };
            assert_eq!((answer.stats.pages_selected, answer.stats.pages_read), (6, read), "{query}");
        }
    }
}

/// Encoded pages, and how often some were fetched.
struct Encoded {
    pages: Vec<EncodedPage>,
    fetches: AtomicUsize,
}

#[async_trait]
impl PageStore for Encoded {
    async fn fetch(&self, _: &ReadContext, pages: &[u64]) -> Result<Vec<Arc<dyn LineSource>>> {
        self.fetches.fetch_add(1, Ordering::Relaxed);
        Ok(pages
            .iter()
            .map(|page| Arc::new(self.pages[*page as usize].clone()) as Arc<dyn LineSource>)
            .collect())
    }
}

fn encoded(from: i64) -> EncodedPage {
    let mut lines = Lines::default();
    (from..from + 10).map(line).for_each(|(time, text)| lines.push(time, text.as_bytes(), []));
    EncodedPage::encode(&lines).unwrap()
}

#[tokio::test]
async fn only_pages_that_lack_lines_are_changed_and_a_store_is_still_asked_once() {
    let pages: Vec<_> = (0..6).map(|page| encoded(page * 10)).collect();
    let store = Arc::new(Encoded { pages: pages.clone(), fetches: AtomicUsize::new(0) });
    let named = |data: PageData, page: &EncodedPage| LogPage { data, ..page.to_log_page() };
    let in_store = |number: usize| {
        named(PageData::Stored(Arc::clone(&store) as Arc<dyn PageStore>, number as u64), &pages[number])
    };
    let here = |number: usize| named(PageData::Here(Arc::new(pages[number].clone())), &pages[number]);
    let stream = |text: &str, pages| LogStream { labels: labels(text), pages };
    let streams = vec![
        // Two pages of another store, and both are gone.
        stream("app=a,b=1", vec![here(4)]),
        stream("app=a,b=2", vec![here(0), here(1), in_store(2), in_store(3), in_store(4), in_store(5)]),
        stream("app=b", vec![here(1), in_store(0), in_store(1)]),
    ];
    let set = StreamSet { streams, warnings: vec!["w".to_owned()] };
    let (ctx, hidden) = (ctx(), hidden(Signal::Logs, &deletions(), TimeRange::ALL));
    let set = hidden.streams(&ctx, set).await.unwrap();
    assert_eq!(set.warnings, ["w"]);
    let cut = |stream: &LogStream| stream.pages.iter().map(|page| page.is_cut).collect::<Vec<_>>();
    assert_eq!(
        set.streams.iter().map(|stream| (stream.labels.clone(), cut(stream))).collect::<Vec<_>>(),
        [
            (labels("app=a,b=2"), vec![false, true, true, true, false]),
            (labels("app=b"), vec![false, false, false]),
        ]
    );
    assert!(ctx.budget.used() > 0);
    let all: Vec<&LogPage> = set.streams.iter().flat_map(|stream| &stream.pages).collect();
    let sources = fetch_pages(&ctx, &all).await.unwrap();
    assert_eq!(store.fetches.load(Ordering::Relaxed), 1);
    let mut buffer = Lines::default();
    for (page, source) in all.iter().zip(sources) {
        assert_eq!(source.encoded().is_none(), page.is_cut);
        assert!(source.read(&Needles::default(), &mut buffer).unwrap());
        let all = page.range.start / SECOND..=page.range.end / SECOND;
        let left: Vec<i64> = all.filter(|n| !page.is_cut || !is_deleted(*n)).map(|n| n * SECOND).collect();
        assert_eq!(buffer.timestamps, left);
        assert!(!source.read(&Needles::new([&b"nowhere"[..]]), &mut buffer).unwrap());
    }
    drop(set);
    assert_eq!(ctx.budget.used(), 0);
}

#[tokio::test]
async fn lines_are_not_seen_either_where_pages_are_read_elsewhere() {
    let (view, fakes, blocks) = (ring(3, 3), fakes(3), Arc::new(Fake::default()));
    fakes.iter().for_each(|fake| pages(fake, "app=a", 7, true));
    let metrics = QuerierMetrics::default();
    let recent = Arc::new(ReplicatedReader::new(fixed(&view), connect(&fakes), metrics.clone()));
    let list = Arc::new(|_, _, _| {
        async { Ok(BlocksInRange { deletions: deletions(), ..BlocksInRange::default() }) }.boxed()
    });
    let recent = Arc::new(Without::of_heads(recent, list, Arc::new(ManualClock::at(0))));
    let querier = Querier::new(recent, blocks, metrics.clone());
    let set = LogsReader::select(&querier, &ctx(), &all_streams()).await.unwrap();
    // Two were asked; one of them dies, and the third has its lines, too.
    fakes[0].set(Mode::Fails(Code::Unavailable));
    let all: Vec<&LogPage> = set.streams[0].pages.iter().collect();
    let (mut seen, mut buffer) = (Vec::new(), Lines::default());
    for source in fetch_pages(&ctx(), &all).await.unwrap() {
        source.read(&Needles::default(), &mut buffer).unwrap();
        seen.extend(buffer.timestamps.iter().map(|time| time / SECOND));
    }
    assert!(metrics.rescued_pages.get() > 0);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, (0..70).filter(|n| !is_deleted(*n)).collect::<Vec<_>>());
    let first = NanoRange::new(0, 9 * SECOND);
    assert!(all.iter().any(|page| page.range == first && !page.is_cut));
}
