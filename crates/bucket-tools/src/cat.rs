//! `cat`: the samples or lines of a block as text, while they are read.

mod text;

use crate::{Tools, human};
use anyhow::{Context, Result, anyhow};
use block_store::{BlockCacheConfig, BlockMeta, BlockScan, BlocksReader};
use model::{Lines, Matcher, NanoRange, Signal};
use service_api::{
    LogsReader, MemoryBudget, Needles, ReadContext, SampleBuffer, StreamsRequest, fetch_pages,
};
use std::{
    io::{self, ErrorKind, Write},
    sync::Arc,
};

/// Pages of lines that are fetched together.
const PAGES_AT_ONCE: usize = 16;
/// Of what is read of a block. A block whose index alone is larger cannot be printed.
const MOST_MEMORY: u64 = 8 << 30;

#[derive(Clone, Debug, Default)]
pub struct CatOptions {
    pub tenant: String,
    pub signal: Option<Signal>,
    /// A block's id, or the beginning of one.
    pub block: String,
    /// A selector: only these series or streams.
    pub matching: Option<String>,
    /// Seconds since 1970, or RFC 3339.
    pub start: Option<String>,
    pub end: Option<String>,
}

/// Prints until all is printed, or nobody reads any more.
pub async fn cat(tools: &Tools, options: &CatOptions, out: &mut dyn Write) -> Result<()> {
    let range =
        human::parse_range(options.start.as_deref(), options.end.as_deref()).map_err(|e| anyhow!(e))?;
    let tenant = tools.tenant(&options.tenant).await?;
    let (signal, meta) = tools.find(&tenant, options.signal, &options.block).await?;
    let matchers = matchers(signal, options.matching.as_deref())?;
    let mut ctx = ReadContext::new(tenant, 0);
    ctx.budget = MemoryBudget::new(MOST_MEMORY);
    let printed = match signal {
        Signal::Metrics => samples(tools, &ctx, &meta, &matchers, range, out).await,
        Signal::Logs => lines(tools, &ctx, meta, matchers, range, out).await,
    };
    match printed.and_then(|()| Ok(out.flush()?)) {
        Err(error) if is_closed(&error) => Ok(()),
        done => done,
    }
}

/// Whether the reader of what we print is gone, such as `head` that has seen enough.
fn is_closed(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == ErrorKind::BrokenPipe)
}

fn matchers(signal: Signal, selector: Option<&str>) -> Result<Vec<Matcher>> {
    let Some(selector) = selector else { return Ok(Vec::new()) };
    match signal {
        Signal::Metrics => promql::parse_metric_selector(selector).map_err(|e| anyhow!("{e}")),
        Signal::Logs => logql::parse_matchers(selector).map_err(|e| anyhow!("{e}")),
    }
    .with_context(|| format!("--match {selector}"))
}

async fn samples(
    tools: &Tools,
    ctx: &ReadContext,
    meta: &BlockMeta,
    matchers: &[Matcher],
    range: NanoRange,
    out: &mut dyn Write,
) -> Result<()> {
    let range = range.millis();
    let mut scan = BlockScan::open(ctx, tools.manifests.bucket(), meta, matchers, range).await?;
    let mut samples = SampleBuffer::default();
    while let Some(series) = scan.next(ctx).await? {
        for one in series {
            samples.clear();
            one.data.read(range, &mut samples)?;
            text::samples(&one.labels, &samples, out)?;
        }
    }
    Ok(writeln!(out, "# EOF")?)
}

async fn lines(
    tools: &Tools,
    ctx: &ReadContext,
    meta: BlockMeta,
    matchers: Vec<Matcher>,
    range: NanoRange,
    out: &mut dyn Write,
) -> Result<()> {
    let caches = BlockCacheConfig { page_bytes: 0, ..BlockCacheConfig::default() };
    let block = BlocksReader::new(Arc::clone(&tools.manifests), &caches).only(vec![meta]);
    let selected = LogsReader::select(&*block, ctx, &StreamsRequest { matchers, range }).await?;
    let mut lines = Lines::default();
    for stream in selected.streams {
        for pages in stream.pages.chunks(PAGES_AT_ONCE) {
            let pages: Vec<_> = pages.iter().collect();
            for page in fetch_pages(ctx, &pages).await? {
                page.read(&Needles::default(), &mut lines)?;
                text::lines(&stream.labels, &lines, range, out)?;
            }
        }
    }
    Ok(())
}
