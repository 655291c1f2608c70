//! Merges of blocks of logs.

mod damage;
mod endings;
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
    let (reader, ctx) = setup.reader(meta);
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
