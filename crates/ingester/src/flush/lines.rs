//! Pages of lines on their way into a block.

use super::block::{Flush, labelled};
use crate::head::{Head, Stream, WindowBytes};
use block_store::{BlockObject, EncodedPage, LOG_PAGE_BYTES, LogBlockWriter, Ulid};
use chunk::MAX_PAGE_LINES;
use model::{Labels, Lines, Nanos, TimeRange, Timestamp};
use service_api::{LineSource, Needles, Result};

/// Pages side by side become one if all of them have no more text than this.
const ONE_PAGE: u64 = LOG_PAGE_BYTES as u64 * 3 / 4;
/// And no more lines than this.
const ONE_PAGE_LINES: u64 = MAX_PAGE_LINES as u64 * 3 / 4;
/// Pages that overlap are read together, up to so much text; those behind stay beside them, and
/// readers merge.
const MAX_JOINED: u64 = 64 * LOG_PAGE_BYTES as u64;
/// Bytes of lines in memory, with all that belongs to them, that are joined at once: metadata, and how
/// short lines are, is not told by a page that has not been read.
const MAX_HELD: usize = 2 * MAX_JOINED as usize;

pub struct LinesJob {
    start: Timestamp,
    streams: Vec<(Labels, u32, Vec<EncodedPage>)>,
}

impl Flush for Stream {
    type Job = LinesJob;

    fn snapshot(head: &Head<Self>, window: TimeRange) -> Result<LinesJob> {
        let start = window.start;
        let mut streams = Vec::new();
        head.slab.for_each(|reference, stream| {
            if stream.has_window(start) {
                streams.push(reference);
            }
        });
        let mut sealed = Vec::with_capacity(streams.len());
        // One at a time, so that the applier never waits for more than one page.
        for reference in streams {
            let mut bytes = WindowBytes::default();
            let pages = head.slab.with(reference, |stream| stream.seal_window(start, &mut bytes));
            head.beside.memory.note(start, &bytes);
            let pages = pages.transpose()?;
            sealed.extend(pages.filter(|pages| !pages.is_empty()).map(|pages| (reference, pages)));
        }
        Ok(LinesJob { start, streams: labelled(head, sealed) })
    }

    fn encode(job: &LinesJob, id: Ulid, source: &str, created: i64) -> Result<Option<BlockObject>> {
        let mut writer = LogBlockWriter::new();
        for (labels, _, pages) in &job.streams {
            writer.add(labels, join_pages(pages)?)?;
        }
        writer.finish(id, source, created)
    }

    fn drop_from(job: &LinesJob, head: &Head<Self>) {
        for (_, reference, pages) in &job.streams {
            let mut bytes = WindowBytes::default();
            head.slab.with(*reference, |stream| stream.drop_pages(job.start, pages, &mut bytes));
            head.beside.memory.note(job.start, &bytes);
        }
    }
}

/// Pages of one stream in time order, with those decoded and made anew that overlap others or are small.
/// The others are taken as they are.
fn join_pages(pages: &[EncodedPage]) -> Result<Vec<EncodedPage>> {
    let mut pages = pages.to_vec();
    pages.sort_by_key(|page| (page.range().start, page.range().end));
    let (mut out, mut group) = (Vec::with_capacity(pages.len()), Group::default());
    for page in pages {
        if !group.takes(&page) {
            std::mem::take(&mut group).finish(&mut out)?;
        }
        group.add(page);
    }
    group.finish(&mut out)?;
    Ok(out)
}

/// Pages that become others together.
#[derive(Default)]
struct Group {
    pages: Vec<EncodedPage>,
    text_bytes: u64,
    lines: u64,
    end: Nanos,
}

impl Group {
    fn takes(&self, page: &EncodedPage) -> bool {
        let text_bytes = self.text_bytes + page.text_bytes();
        let lines = self.lines + u64::from(page.lines());
        let fits = match page.range().start <= self.end {
            true => text_bytes <= MAX_JOINED,
            false => text_bytes <= ONE_PAGE && lines <= ONE_PAGE_LINES,
        };
        self.pages.is_empty() || fits
    }

    fn add(&mut self, page: EncodedPage) {
        self.end = if self.pages.is_empty() { page.range().end } else { self.end.max(page.range().end) };
        self.text_bytes += page.text_bytes();
        self.lines += u64::from(page.lines());
        self.pages.push(page);
    }

    fn finish(self, out: &mut Vec<EncodedPage>) -> Result<()> {
        if self.pages.len() < 2 {
            out.extend(self.pages);
            return Ok(());
        }
        let (mut all, mut lines) = (Lines::default(), Lines::default());
        for page in &self.pages {
            page.read(&Needles::default(), &mut lines)?;
            if !all.is_empty() && held_bytes(&all) + held_bytes(&lines) > MAX_HELD {
                end_joined(&mut all, out)?;
            }
            (0..lines.len()).for_each(|at| all.push_from(&lines, at));
        }
        end_joined(&mut all, out)
    }
}

/// Takes what has been joined so far; what follows stays beside it.
fn end_joined(all: &mut Lines, out: &mut Vec<EncodedPage>) -> Result<()> {
    all.normalize();
    out.extend(EncodedPage::encode_all(all)?);
    all.clear();
    Ok(())
}

fn held_bytes(lines: &Lines) -> usize {
    lines.text.len() + 16 * lines.len() + lines.metadata.text.len() + 8 * lines.metadata.pairs.len()
}

#[cfg(test)]
mod tests;
