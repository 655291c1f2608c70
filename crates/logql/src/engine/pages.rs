//! Pages on their way: in which batches they are fetched, and where several may hold one line.

use crate::pipeline::Pipeline;
use model::{Lines, NanoRange, Nanos};
use service_api::{LineSource, LogPage, LogStream, ReadContext, Reservation, Result, fetch_pages};
use std::{ops::Range, sync::Arc};
use xxhash_rust::xxh3::xxh3_128;

/// A page that is to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageTask {
    /// Where its stream is among those selected, and where it is among the stream's pages.
    pub stream: u32,
    pub page: u32,
    /// A line outside of this may be in another of the stream's pages, too.
    pub alone: NanoRange,
    /// Lines of these times are wanted.
    pub wanted: NanoRange,
}

/// Pages that are in memory.
pub(crate) struct Batch {
    pub pages: Vec<(PageTask, Arc<dyn LineSource>)>,
    _held: Reservation,
}

impl PageTask {
    pub fn page<'a>(&self, streams: &'a [LogStream]) -> &'a LogPage {
        &streams[self.stream as usize].pages[self.page as usize]
    }

    /// What stands for a line when it is looked for in other pages: nothing if it can be in no other.
    pub fn identity(&self, time: Nanos, line: &[u8]) -> Option<u128> {
        (!self.alone.contains(time)).then(|| xxh3_128(line))
    }
}

/// For each page of a stream, which are in the order of their first lines, the times at which no
/// other page has lines.
pub(crate) fn alone(pages: &[LogPage]) -> impl Iterator<Item = NanoRange> {
    let mut before: Option<Nanos> = None;
    pages.iter().enumerate().map(move |(at, page)| {
        let start = before.map_or(Nanos::MIN, |end| end.saturating_add(1));
        let end = pages.get(at + 1).map_or(Nanos::MAX, |next| next.range.start.saturating_sub(1));
        before = Some(before.map_or(page.range.end, |end| end.max(page.range.end)));
        NanoRange::new(start, end)
    })
}

/// The first of `tasks`, so many that they have about that many bytes of text: at least one.
pub(crate) fn next_batch<'a>(streams: &[LogStream], tasks: &'a [PageTask], bytes: u64) -> &'a [PageTask] {
    let mut sum = 0;
    let fit = tasks.iter().take_while(|task| {
        sum += task.page(streams).text_bytes;
        sum <= bytes
    });
    &tasks[..fit.count().max(1).min(tasks.len())]
}

/// Cuts tasks, which are in the order of streams and pages, into parts of about so many bytes of
/// text. Where a part ends within a stream, pages that reach over that time are in both parts, for
/// different times: so each part has all the pages that may hold one of its lines.
pub(crate) fn split(streams: &[LogStream], tasks: Vec<PageTask>, bytes: u64) -> Vec<Vec<PageTask>> {
    let mut parts = Vec::new();
    let mut part: Vec<PageTask> = Vec::new();
    let mut sum = 0;
    for task in tasks {
        if sum >= bytes && !part.is_empty() {
            let cut = task.page(streams).range.start;
            let same_stream = part.iter().take_while(|other| other.stream != task.stream).count();
            let behind = part[same_stream..].iter().filter(|other| other.page(streams).range.end >= cut);
            let reaching: Vec<_> = behind
                .map(|&other| {
                    let wanted = NanoRange::new(other.wanted.start.max(cut), other.wanted.end);
                    PageTask { wanted, ..other }
                })
                .collect();
            for other in &mut part[same_stream..] {
                other.wanted.end = other.wanted.end.min(cut.saturating_sub(1));
            }
            parts.push(std::mem::replace(&mut part, reaching));
            sum = 0;
        }
        sum += task.page(streams).text_bytes;
        part.push(task);
    }
    parts.push(part);
    parts
}

/// The lines of a range of time.
pub(crate) fn positions(lines: &Lines, range: NanoRange) -> Range<usize> {
    let start = lines.timestamps.partition_point(|time| *time < range.start);
    start..lines.timestamps.partition_point(|time| *time <= range.end).max(start)
}

/// The first of the lines that the pipeline may keep.
pub(crate) fn next_candidate(pipeline: &Pipeline, lines: &Lines, among: Range<usize>) -> Option<usize> {
    if among.is_empty() {
        return None;
    }
    let text = &lines.text[..=lines.ends[among.end - 1] as usize];
    let offset = pipeline.next_candidate(text, lines.span(among.start).start)?;
    // Mostly it is the very next line, or far from it.
    let is_next = offset <= lines.ends[among.start] as usize;
    Some(if is_next { among.start } else { lines.line_at(offset) })
}

/// Brings pages into memory, and counts them against the budget as long as they are there.
pub(crate) async fn fetch(ctx: &ReadContext, streams: &[LogStream], tasks: &[PageTask]) -> Result<Batch> {
    ctx.check()?;
    let pages: Vec<&LogPage> = tasks.iter().map(|task| task.page(streams)).collect();
    let stored: u64 = pages.iter().map(|page| page.stored_bytes).sum();
    let held = ctx.budget.reserve(stored as usize)?;
    let sources = fetch_pages(ctx, &pages).await?;
    Ok(Batch { pages: tasks.iter().copied().zip(sources).collect(), _held: held })
}

/// How often a scan asks whether its query should go on: more often the more is done to each line.
pub(crate) struct Pace {
    /// Of lines, about: so many from one question to the next.
    stride: usize,
    left: usize,
}

/// What counts as much as one line that goes through one stage.
const LINE_BYTES: usize = 256;
const STRIDE: usize = 128;

impl Pace {
    pub fn new(pipeline: &Pipeline) -> Self {
        Self { stride: STRIDE / pipeline.weight().max(1), left: 0 }
    }

    /// Called for each line; an error if the query should stop.
    #[inline]
    pub fn line(&mut self, ctx: &ReadContext, bytes: usize) -> Result<()> {
        let cost = 1 + bytes / LINE_BYTES;
        if self.left >= cost {
            self.left -= cost;
            return Ok(());
        }
        self.left = self.stride;
        ctx.check()
    }
}

/// Lines that pages are read into, one after the other, counted at their largest.
pub(crate) struct LinesBuffer {
    pub lines: Lines,
    held: Reservation,
    counted: usize,
}

impl LinesBuffer {
    pub fn new(ctx: &ReadContext) -> Result<Self> {
        Ok(Self { lines: Lines::default(), held: ctx.budget.reserve(0)?, counted: 0 })
    }

    /// Counts what the last page made the buffer grow by.
    pub fn count(&mut self) -> Result<()> {
        let bytes = self.lines.heap_bytes();
        if bytes > self.counted {
            self.held.grow(bytes - self.counted)?;
            self.counted = bytes;
        }
        Ok(())
    }
}
