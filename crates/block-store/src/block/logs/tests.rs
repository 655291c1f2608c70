//! Tests of blocks of logs: what was written is found again, by any matchers, whole or by range.

mod counting;

use super::*;
use crate::{
    BlockCacheConfig, BlocksReader, Bucket, EncodedPage, Manifests, Ulid,
    block::{BlockObject, section::Section},
};
use bytes::Bytes;
use counting::Counting;
use model::{Labels, Lines, MatchOp, Matcher, NanoRange, Signal, TenantId, TimeRange};
use proptest::prelude::*;
use runtime::ManualClock;
use service_api::{
    Code, LabelQuery, LabelsReader, LogsReader, MetricsReader, Needles, ReadContext, Result, SelectRequest,
    StreamSet, StreamsRequest, fetch_pages,
};
use std::{sync::Arc, time::Duration};

/// A stream, and the lines of each of its pages.
type Given = (Labels, Vec<Lines>);

fn lines(all: &[(i64, &str)]) -> Lines {
    let mut lines = Lines::default();
    for (timestamp, text) in all {
        let level = text.split_once("level=").map(|(_, level)| ("level", level));
        lines.push(*timestamp, text.as_bytes(), level);
    }
    lines
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::from_pairs(pairs.iter().copied())
}

fn some_streams() -> Vec<Given> {
    vec![
        (
            labels(&[("app", "api"), ("pod", "api-1")]),
            vec![
                lines(&[(1_000_000, "GET /"), (2_500_000, "GET /metrics"), (2_500_000, "level=warn")]),
                lines(&[(3_000_000, "POST /"), (9_000_000, "two\nlines")]),
            ],
        ),
        (labels(&[("app", "api"), ("pod", "api-2")]), vec![lines(&[(5_000_000, "")])]),
        (
            labels(&[("app", "db"), ("ünï", "çødé")]),
            vec![
                lines(&[(-7, "recovered level=info")]),
                lines(&[(-7, "recovered level=info"), (4, "ready")]),
            ],
        ),
    ]
}

fn written(given: &[Given]) -> BlockObject {
    let mut writer = LogBlockWriter::new();
    for (labels, pages) in given {
        writer.add(labels, pages.iter().map(|lines| EncodedPage::encode(lines).unwrap()).collect()).unwrap();
    }
    writer.finish(Ulid::from_parts(1_700_000_000_000, 1), "test", 5).unwrap().unwrap()
}

async fn stored(block: BlockObject) -> (BlocksReader, Arc<Counting>) {
    let store = Arc::new(Counting::default());
    let bucket = Bucket::new(store.clone(), "");
    let manifests = Manifests::new(bucket.clone(), Arc::new(ManualClock::at(0)), Duration::from_secs(1));
    let tenant = TenantId::anonymous();
    bucket.put(&block.meta.object(&tenant, Signal::Logs), block.parts).await.unwrap();
    manifests.add_block(&tenant, Signal::Logs, &block.meta).await.unwrap();
    manifests.latest(&tenant, Signal::Logs).await.unwrap();
    store.gets();
    (BlocksReader::new(Arc::new(manifests), &BlockCacheConfig::default()), store)
}

async fn reader_of(block: BlockObject) -> BlocksReader {
    stored(block).await.0
}

fn context() -> ReadContext {
    ReadContext::new(TenantId::anonymous(), 1 << 30)
}

async fn select(reader: &BlocksReader, matchers: &[Matcher], range: NanoRange) -> Result<StreamSet> {
    let request = StreamsRequest { matchers: matchers.to_vec(), range };
    LogsReader::select(reader, &context(), &request).await
}

/// The pages of streams that match, as far as they may have lines in the range.
async fn found(reader: &BlocksReader, matchers: &[Matcher], range: NanoRange) -> Result<Vec<Given>> {
    let set = select(reader, matchers, range).await?;
    let mut all = Vec::new();
    for stream in set.streams {
        let pages: Vec<_> = stream.pages.iter().collect();
        let mut found = Vec::new();
        for (page, source) in pages.iter().zip(fetch_pages(&context(), &pages).await?) {
            let mut lines = Lines::default();
            assert!(source.read(&Needles::default(), &mut lines)?);
            let texts: usize = (0..lines.len()).map(|at| lines.span(at).len()).sum();
            assert_eq!((page.lines as usize, page.text_bytes), (lines.len(), texts as u64));
            assert_eq!(page.range, range_of(&lines));
            found.push(lines);
        }
        all.push((stream.labels, found));
    }
    Ok(all)
}

fn range_of(lines: &Lines) -> NanoRange {
    NanoRange::new(lines.timestamps[0], lines.timestamps[lines.len() - 1])
}

/// What a selection must give, without any index.
fn expected(given: &[Given], matchers: &[Matcher], range: NanoRange) -> Vec<Given> {
    let matching = given.iter().filter(|(labels, _)| matchers.iter().all(|m| m.matches_labels(labels)));
    let overlaps = |lines: &&Lines| range_of(lines).overlaps(&range);
    let pages = matching
        .map(|(labels, pages)| (labels.clone(), pages.iter().filter(overlaps).cloned().collect::<Vec<_>>()));
    pages.filter(|(_, pages)| !pages.is_empty()).collect()
}

#[tokio::test]
async fn streams_are_found_by_labels_and_pages_by_time() {
    let reader = reader_of(written(&some_streams())).await;
    let api = Matcher::equal("app", "api");
    let not_first = Matcher::new(MatchOp::NotRegex, "pod", ".*1").unwrap();
    for matchers in [vec![], vec![api.clone()], vec![api, not_first.clone()], vec![not_first]] {
        for (start, end) in [
            (i64::MIN, i64::MAX),
            (2_500_000, 2_500_000),
            (2_500_001, 2_999_999),
            (9_000_000, 1 << 40),
            (5, 4),
        ] {
            let range = NanoRange::new(start, end);
            let want =
                if range.is_empty() { Vec::new() } else { expected(&some_streams(), &matchers, range) };
            assert_eq!(found(&reader, &matchers, range).await.unwrap(), want, "{matchers:?} {range:?}");
        }
    }
}

#[tokio::test]
async fn the_manifest_and_the_pages_say_how_much_there_is() {
    let block = written(&some_streams());
    let meta = &block.meta;
    assert_eq!((meta.series, meta.samples, meta.text_bytes), (3, 9, 87));
    assert_eq!((meta.min_time, meta.max_time), (-1, 9));
    assert_eq!(meta.bytes, block.parts.iter().map(|part| part.len() as u64).sum::<u64>());
    let reader = reader_of(block).await;
    let streams = select(&reader, &[], NanoRange::ALL).await.unwrap().streams;
    let pages: Vec<_> = streams.iter().flat_map(|s| &s.pages).map(|p| (p.lines, p.text_bytes)).collect();
    assert_eq!(pages, [(3, 27), (2, 15), (1, 0), (1, 20), (2, 25)]);
    assert!(streams.iter().flat_map(|s| &s.pages).all(|page| page.stored_bytes > page.lines.into()));
}

#[tokio::test]
async fn labels_of_logs_are_no_labels_of_metrics() {
    let reader = reader_of(written(&some_streams())).await;
    let query = |signal, matchers: &[Matcher]| LabelQuery {
        signal,
        matcher_sets: vec![matchers.to_vec()],
        range: TimeRange::ALL,
    };
    let (logs, metrics) = (query(Signal::Logs, &[]), query(Signal::Metrics, &[]));
    let ctx = context();
    assert_eq!(reader.label_names(&ctx, &logs).await.unwrap().value, ["app", "pod", "ünï"]);
    assert_eq!(reader.label_values(&ctx, "app", &logs).await.unwrap().value, ["api", "db"]);
    let db = query(Signal::Logs, &[Matcher::equal("app", "db")]);
    let series = reader.series(&ctx, &db).await.unwrap().value;
    assert_eq!(series[0].to_string(), r#"{app="db", "ünï"="çødé"}"#);
    assert_eq!(series.len(), 1);
    assert!(reader.series(&ctx, &metrics).await.unwrap().value.is_empty());
    let request = SelectRequest { matchers: vec![], range: TimeRange::ALL };
    assert!(MetricsReader::select(&reader, &ctx, &request).await.unwrap().series.is_empty());
}

#[tokio::test]
async fn pages_come_in_the_order_in_which_they_are_asked_for() {
    let reader = reader_of(written(&some_streams())).await;
    let set = select(&reader, &[], NanoRange::ALL).await.unwrap();
    let pages: Vec<_> = set.streams.iter().flat_map(|stream| &stream.pages).collect();
    let asked = [pages[4], pages[0], pages[4], pages[2]];
    let mut texts = Vec::new();
    for source in fetch_pages(&context(), &asked).await.unwrap() {
        let mut lines = Lines::default();
        source.read(&Needles::default(), &mut lines).unwrap();
        texts.push(String::from_utf8(lines.line(lines.len() - 1).to_vec()).unwrap());
    }
    assert_eq!(texts, ["ready", "level=warn", "ready", ""]);
}

/// So many labels that the index is not in what is read first, and pages that lie apart.
fn many_streams() -> Vec<Given> {
    let text = |n: u64| {
        (0..6_000u64).map(move |i| format!("{:x} ", (n * 7_919 + i).wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    };
    let stream = |n: u64| {
        let id: String =
            (0..40).map(|i| format!("{:x}", (n << 8 | i).wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
        let long = if n.is_multiple_of(500) { text(n).collect() } else { n.to_string() };
        (labels(&[("id", &id), ("n", &format!("{n:04}"))]), vec![lines(&[(n as i64, &long)])])
    };
    let mut all: Vec<Given> = (0..1_000).map(stream).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

#[tokio::test]
async fn a_cold_read_is_three_round_trips() {
    let (reader, store) = stored(written(&some_streams())).await;
    let all = found(&reader, &[], NanoRange::ALL).await.unwrap();
    assert_eq!(all, some_streams());
    // The index with the end, and then each stream's pages.
    assert_eq!(store.gets(), 1 + 3);
    found(&reader, &[], NanoRange::ALL).await.unwrap();
    assert_eq!(store.gets(), 0);

    let given = many_streams();
    let (reader, store) = stored(written(&given)).await;
    let wanted = Matcher::new(MatchOp::Regex, "n", "0000|0500").unwrap();
    let set = select(&reader, &[wanted], NanoRange::ALL).await.unwrap();
    assert_eq!(store.gets(), 2);
    let pages: Vec<_> = set.streams.iter().flat_map(|stream| &stream.pages).collect();
    fetch_pages(&context(), &pages).await.unwrap();
    assert!(store.gets() <= 2);
    let set = select(&reader, &[], NanoRange::ALL).await.unwrap();
    let pages: Vec<_> = set.streams.iter().flat_map(|stream| &stream.pages).collect();
    assert_eq!(fetch_pages(&context(), &pages).await.unwrap().len(), given.len());
    assert!(store.gets() <= 3, "what lies side by side is read in one go");
}

#[tokio::test]
async fn what_a_query_holds_is_counted() {
    let reader = reader_of(written(&some_streams())).await;
    let request = StreamsRequest { matchers: vec![], range: NanoRange::ALL };
    let poor = ReadContext::new(TenantId::anonymous(), 100);
    assert_eq!(LogsReader::select(&reader, &poor, &request).await.err().unwrap().code, Code::Unprocessable);
    assert_eq!(poor.budget.used(), 0);
    let ctx = context();
    let set = LogsReader::select(&reader, &ctx, &request).await.unwrap();
    let selected = ctx.budget.used();
    assert!(selected > 0);
    let pages: Vec<_> = set.streams[0].pages.iter().collect();
    let fetched = fetch_pages(&ctx, &pages).await.unwrap();
    let stored: u64 = pages.iter().map(|page| page.stored_bytes).sum();
    assert_eq!(ctx.budget.used(), selected + stored);
    let poor = ReadContext::new(TenantId::anonymous(), stored - 1);
    assert_eq!(fetch_pages(&poor, &pages).await.err().unwrap().code, Code::Unprocessable);
    drop((fetched, set));
    assert_eq!((ctx.budget.used(), poor.budget.used()), (0, 0));
    ctx.cancel.cancel();
    assert_eq!(LogsReader::select(&reader, &ctx, &request).await.err().unwrap().code, Code::Canceled);
}

#[test]
fn streams_out_of_order_are_refused() {
    let mut writer = LogBlockWriter::new();
    let page = || vec![EncodedPage::encode(&lines(&[(1, "a")])).unwrap()];
    writer.add(&labels(&[("b", "1")]), page()).unwrap();
    assert!(writer.add(&labels(&[("a", "1")]), page()).is_err());
    assert!(writer.add(&labels(&[("b", "1")]), page()).is_err());
    writer.add(&labels(&[("c", "1")]), vec![]).unwrap();
    let meta = writer.finish(Ulid::nil(), "", 0).unwrap().unwrap().meta;
    assert_eq!((meta.series, meta.samples), (1, 1), "what is refused or empty leaves nothing");
    assert!(LogBlockWriter::new().finish(Ulid::nil(), "", 0).unwrap().is_none());
}

fn with_bytes(mut block: BlockObject, bytes: Vec<u8>) -> BlockObject {
    block.meta.bytes = bytes.len() as u64;
    block.parts = vec![Bytes::from(bytes)];
    block
}

/// A block that version 1 wrote: it must be readable for ever.
#[tokio::test]
async fn golden_bytes() {
    let golden = include_bytes!("tests/v1.block").to_vec();
    let reader = reader_of(with_bytes(written(&some_streams()), golden)).await;
    assert_eq!(found(&reader, &[], NanoRange::ALL).await.unwrap(), some_streams());
}

#[tokio::test]
async fn a_flipped_byte_is_an_error_or_changes_nothing() {
    let block = written(&some_streams());
    let bytes: Vec<u8> = block.parts.concat();
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        let reader = reader_of(with_bytes(block.clone(), flipped)).await;
        match found(&reader, &[], NanoRange::ALL).await {
            Ok(found) => assert!(at < MAGIC.len() && found == some_streams(), "byte {at}"),
            Err(e) => assert_eq!(e.code, Code::Internal, "byte {at}: {e}"),
        }
    }
}

/// The block with other sections, as if a writer had been wrong, or newer than this.
fn with_sections(block: &BlockObject, change: impl FnOnce(&mut Vec<(u32, Vec<u8>)>)) -> BlockObject {
    let bytes: Vec<u8> = block.parts.concat();
    let mut footer = LogsFooter::decode(&bytes, bytes.len() as u64).unwrap();
    let start = footer.index_range().start;
    let raw = |(number, section): &(u32, Section)| (*number, section.find(&bytes, 0).unwrap());
    let mut sections: Vec<_> = footer.sections.iter().map(raw).collect();
    change(&mut sections);
    let mut changed = bytes[..start as usize].to_vec();
    footer.sections.clear();
    for (number, raw) in sections {
        let (place, packed) = Section::compress(&raw, changed.len() as u64).unwrap();
        footer.sections.push((number, place));
        changed.extend_from_slice(&packed);
    }
    changed.extend_from_slice(&footer.encode());
    with_bytes(block.clone(), changed)
}

#[tokio::test]
async fn sections_that_are_not_known_are_left_alone_and_none_may_be_missing() {
    let block = written(&some_streams());
    let more = with_sections(&block, |sections| {
        sections.insert(0, (77, vec![7; 100]));
        sections.push((78, vec![]));
    });
    assert_eq!(found(&reader_of(more).await, &[], NanoRange::ALL).await.unwrap(), some_streams());
    for missing in 0..4 {
        let less = with_sections(&block, |sections| drop(sections.remove(missing)));
        assert!(found(&reader_of(less).await, &[], NanoRange::ALL).await.is_err());
    }
}

fn any_stream() -> impl Strategy<Value = (Labels, Vec<Lines>)> {
    let labels =
        prop::collection::btree_map("[abc]", "[xyz]{1,2}", 1..4).prop_map(|p| Labels::from_pairs(&p));
    let line = (0i64..50, "[a-z\n]{0,5}");
    let page = prop::collection::vec(line, 1..6).prop_map(|mut all| {
        all.sort();
        let all: Vec<_> = all.iter().map(|(time, text)| (time * 700_000, text.as_str())).collect();
        lines(&all)
    });
    (labels, prop::collection::vec(page, 1..4)).prop_map(|(labels, mut pages)| {
        pages.sort_by_key(|page| (range_of(page).start, range_of(page).end));
        (labels, pages)
    })
}

fn any_matcher() -> impl Strategy<Value = Matcher> {
    let op = prop::sample::select(vec![MatchOp::Equal, MatchOp::NotEqual, MatchOp::Regex, MatchOp::NotRegex]);
    let value = prop::sample::select(vec!["x", "", "x.*", ".+", "y|zz", "x|"]);
    (op, "[abcd]", value).prop_map(|(op, name, value)| Matcher::new(op, &name, value).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_block_answers_any_selection(
        streams in prop::collection::vec(any_stream(), 1..20),
        selections in prop::collection::vec((prop::collection::vec(any_matcher(), 0..3), 0i64..50, 0i64..50), 1..6),
    ) {
        let mut given = streams;
        given.sort_by(|a, b| a.0.cmp(&b.0));
        given.dedup_by(|a, b| a.0 == b.0);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let reader = reader_of(written(&given)).await;
            for (matchers, start, end) in selections {
                let range = NanoRange::new(start.min(end) * 700_000, start.max(end) * 700_000);
                assert_eq!(found(&reader, &matchers, range).await.unwrap(), expected(&given, &matchers, range), "{matchers:?}");
            }
        });
    }

    #[test]
    fn a_broken_index_is_an_error_not_a_panic(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), section in 0usize..4,
    ) {
        let broken = with_sections(&written(&some_streams()), |sections| {
            let raw = &mut sections[section].1;
            for (at, with) in flips {
                let at = at.index(raw.len());
                raw[at] ^= with;
            }
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let reader = reader_of(broken).await;
            if let Ok(set) = select(&reader, &[Matcher::new(MatchOp::Regex, "app", "a.*").unwrap()], NanoRange::ALL).await {
                let pages: Vec<_> = set.streams.iter().flat_map(|stream| &stream.pages).collect();
                let _ = fetch_pages(&context(), &pages).await;
            }
        });
    }
}
