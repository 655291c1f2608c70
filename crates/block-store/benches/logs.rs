//! What a block of logs costs to write, to open, and to search.

#![allow(clippy::expect_used, reason = "a bench fails by panicking")]

use block_store::{
    BlockCacheConfig, BlockObject, BlocksReader, Bucket, BucketConfig, EncodedPage, LogBlockWriter,
    Manifests, S3Config, Ulid,
};
use divan::{Bencher, counter::BytesCount, counter::ItemsCount};
use model::{Labels, Lines, NanoRange, Signal, TenantId};
use runtime::SystemClock;
use service_api::{LogsReader, Needles, ReadContext, StreamSet, StreamsRequest, fetch_pages};
use std::{sync::Arc, time::Duration};
use tokio::runtime::Runtime;

fn main() {
    divan::main();
}

const STREAMS: usize = 1_000;
const LINES: usize = 2_000;

fn pages() -> Vec<(Labels, Vec<EncodedPage>)> {
    let stream = |n: usize| {
        let labels = [("app", format!("app-{}", n / 10)), ("pod", format!("app-{}-{:x}", n / 10, n * 7_919))];
        let mut lines = Lines::default();
        for at in 0..LINES {
            let text = format!("level=info msg=\"request {} served\" duration={}ms", at * n, at * at % 977);
            lines.push((at * 1_000_000 + n * at % 999) as i64, text.as_bytes(), []);
        }
        (Labels::from_pairs(labels), EncodedPage::encode_all(&lines).expect("pages"))
    };
    let mut all: Vec<_> = (0..STREAMS).map(stream).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

fn write(streams: &[(Labels, Vec<EncodedPage>)]) -> BlockObject {
    let mut writer = LogBlockWriter::new();
    for (labels, pages) in streams {
        writer.add(labels, pages.clone()).expect("in order");
    }
    writer.finish(Ulid::from_parts(1, 1), "bench", 0).expect("small").expect("not empty")
}

#[divan::bench(sample_count = 10)]
fn write_block(bencher: Bencher) {
    let streams = pages();
    let count: usize = streams.iter().map(|(_, pages)| pages.len()).sum();
    let pages: usize = streams.iter().flat_map(|(_, pages)| pages).map(|page| page.bytes().len()).sum();
    let index = write(&streams).meta.bytes - pages as u64;
    println!(
        "{count} pages of {} bytes; index {:.1} bytes a page",
        pages / count,
        index as f64 / count as f64
    );
    bencher.counter(ItemsCount::new(count)).bench_local(|| write(&streams));
}

struct Stored {
    runtime: Runtime,
    manifests: Arc<Manifests>,
    _folder: tempfile::TempDir,
}

fn stored() -> Stored {
    let folder = tempfile::TempDir::new().expect("a folder");
    let url = format!("file:{}", folder.path().display());
    let bucket: Bucket = BucketConfig { url }.open(&S3Config::default()).expect("a bucket");
    let manifests =
        Arc::new(Manifests::new(bucket.clone(), Arc::new(SystemClock::new()), Duration::from_secs(600)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let block = write(&pages());
        let tenant = TenantId::anonymous();
        bucket.put(&block.meta.object(&tenant, Signal::Logs), block.parts).await.expect("put");
        manifests.add_block(&tenant, Signal::Logs, &block.meta).await.expect("listed");
    });
    Stored { runtime, manifests, _folder: folder }
}

async fn select(reader: &BlocksReader, ctx: &ReadContext) -> StreamSet {
    let request = StreamsRequest { matchers: vec![], range: NanoRange::ALL };
    reader.select(ctx, &request).await.expect("selected")
}

#[divan::bench]
fn open_and_select_all(bencher: Bencher) {
    let stored = stored();
    let ctx = ReadContext::new(TenantId::anonymous(), 1 << 30);
    bencher.counter(ItemsCount::new(STREAMS)).bench_local(|| {
        let reader = BlocksReader::new(stored.manifests.clone(), &BlockCacheConfig::default());
        stored.runtime.block_on(select(&reader, &ctx)).streams.len()
    });
}

/// One thread reads every page; `found` needs all lines and `absent` the text alone.
#[divan::bench(args = ["found", "absent"])]
fn search(bencher: Bencher, needle: &str) {
    let stored = stored();
    let ctx = ReadContext::new(TenantId::anonymous(), 1 << 30);
    let needles = Needles::new([if needle == "found" { &b"served"[..] } else { b"refused" }]);
    let reader = BlocksReader::new(stored.manifests.clone(), &BlockCacheConfig::default());
    let sources = stored.runtime.block_on(async {
        let set = select(&reader, &ctx).await;
        let pages: Vec<_> = set.streams.iter().flat_map(|stream| &stream.pages).collect();
        fetch_pages(&ctx, &pages).await.expect("fetched")
    });
    let mut out = Lines::default();
    let text: usize = sources
        .iter()
        .map(|source| {
            source.read(&Needles::default(), &mut out).expect("read");
            out.text.len()
        })
        .sum();
    bencher.counter(BytesCount::new(text)).bench_local(|| {
        for source in &sources {
            source.read(&needles, &mut out).expect("read");
        }
    });
}
