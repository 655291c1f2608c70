//! Merges of blocks of logs.

mod omissions;
mod properties;

use super::*;
use crate::{EncodedPage, LogBlockWriter};
use ::model::{Lines, NanoRange};
use service_api::{LineSource, LogsReader, Needles, StreamsRequest, fetch_pages};

/// A stream, and the lines of each of its pages.
type Given = (Labels, Vec<Lines>);

fn lines(all: &[(i64, &str)]) -> Lines {
    let mut lines = Lines::default();
    all.iter().for_each(|(time, text)| lines.push(*time, text.as_bytes(), []));
    lines
}

/// Puts a block into a bucket; pages are normalized.
async fn put(bucket: &Bucket, number: u64, level: u8, streams: &[Given]) -> BlockMeta {
    let mut writer = LogBlockWriter::new();
    for (labels, pages) in streams {
        let pages = pages.iter().map(|lines| EncodedPage::encode(lines).unwrap()).collect();
        writer.add(labels, pages).unwrap();
    }
    let mut block = writer.finish(id(number), "ingester-0/1:2", 5).unwrap().unwrap();
    block.meta.level = level;
    bucket.put(&block.meta.object(&tenant(), Signal::Logs), block.parts).await.unwrap();
    block.meta
}

/// The pages of a block, as queries find them.
async fn read(setup: &Setup, meta: &BlockMeta, matchers: &[Matcher]) -> Vec<Given> {
    let (reader, ctx) = setup.reader(std::slice::from_ref(meta));
    let request = StreamsRequest { matchers: matchers.to_vec(), range: NanoRange::ALL };
    let mut all = Vec::new();
    for stream in LogsReader::select(&*reader, &ctx, &request).await.unwrap().streams {
        let sources = fetch_pages(&ctx, &stream.pages.iter().collect::<Vec<_>>()).await.unwrap();
        let read = |source: Arc<dyn LineSource>| {
            let mut lines = Lines::default();
            assert!(source.read(&Needles::default(), &mut lines).unwrap());
            lines
        };
        all.push((stream.labels, sources.into_iter().map(read).collect()));
    }
    all
}

pub async fn put_some(bucket: &Bucket, number: u64, count: usize) -> BlockMeta {
    let labels = |n: usize| Labels::from_pairs([("pod", format!("pod-{n:04}"))]);
    let one = |n: usize| (labels(n), vec![lines(&[(n as i64, "a line"), (n as i64 + 1, "another")])]);
    put(bucket, number, 0, &(0..count).map(one).collect::<Vec<_>>()).await
}

pub async fn replicas(bucket: &Bucket) -> Vec<BlockMeta> {
    let mut inputs = Vec::new();
    for number in 0..3u64 {
        let stream = |stream: u64| {
            let page = |page: u64| {
                let mut lines = Lines::default();
                for at in 0..20 {
                    let text = format!("line {at} of page {page} of stream {stream}");
                    let time = (page * 15 + at) as i64 * 1_000;
                    lines.push(time, text.as_bytes(), (at == 3).then_some(("trace", "abc")));
                }
                lines
            };
            let labels = [("app", "api".to_owned()), ("pod", format!("pod-{stream}"))];
            (Labels::from_pairs(labels), (number..number + 5).map(page).collect())
        };
        inputs.push(put(bucket, number, 0, &(0..6).map(stream).collect::<Vec<Given>>()).await);
    }
    inputs
}

#[tokio::test]
async fn pages_that_do_not_fit_into_memory_together_are_refused() {
    let mut setup = Setup::new(Signal::Logs);
    setup.config.memory = 2 << 20;
    // Pages of one stream that all overlap must be open together.
    let page = || lines(&[(0, &"x".repeat(100_000)), (9, "end")]);
    let overlapping = vec![(Labels::from_pairs([("a", "b")]), (0..30).map(|_| page()).collect())];
    let meta = put(&setup.bucket, 9, 0, &overlapping).await;
    let error = setup.merge(&[meta], 102).await.unwrap_err();
    assert!(matches!(error, MergeError::TooLarge { what: "pages that overlap", .. }), "{error}");
    assert!(!setup.is_there(102).await);
}
