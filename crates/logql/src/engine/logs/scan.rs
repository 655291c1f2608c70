//! Scans pages for lines: one scanner for each thread, with buffers and caches of its own.

use super::top::{Found, Top};
use crate::{
    engine::{
        Direction, Stats,
        pages::{Batch, LinesBuffer, Pace, PageTask, next_candidate, positions},
    },
    pipeline::{Pipeline, PipelineRun},
};
use model::{NanoRange, Nanos};
use service_api::{LineSource, LogStream, Needles, PageData, ReadContext, Result};
use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// What all scanners of one slice of time look for.
pub(super) struct SliceJob {
    pub ctx: ReadContext,
    pub streams: Vec<LogStream>,
    /// What other slices will be of.
    pub later: Option<NanoRange>,
    pub direction: Direction,
}

/// What one scanner found in its pages of a batch.
pub(super) struct Scanned {
    pub top: Top,
    pub stats: Stats,
    /// Pages without a line for a later slice, into which they reach.
    pub barren: Vec<PageData>,
}

/// Label sets that a scanner keeps by their ids before it forgets them all, and bytes of them.
const MAX_LABEL_SETS: usize = 4096;
const MAX_LABEL_BYTES: usize = 1 << 20;

pub(super) struct Scanner {
    run: PipelineRun,
    needles: Needles,
    buffer: LinesBuffer,
    picked: Vec<u32>,
    pace: Pace,
}

impl Scanner {
    pub fn new(ctx: &ReadContext, pipeline: Arc<Pipeline>, now: Nanos) -> Result<Self> {
        let (needles, pace) = (pipeline.needles(), Pace::new(&pipeline));
        let run = PipelineRun::new(pipeline, MAX_LABEL_SETS).at(now);
        Ok(Self { run, needles, buffer: LinesBuffer::new(ctx)?, picked: Vec::new(), pace })
    }

    /// Takes page after page of a batch, of which other scanners take theirs, until none is left
    /// or nothing better can come.
    pub fn scan(&mut self, job: &SliceJob, batch: &Batch, next: &AtomicUsize, top: Top) -> Result<Scanned> {
        let mut scanned = Scanned { top, stats: Stats::default(), barren: Vec::new() };
        while let Some((task, source)) = batch.pages.get(next.fetch_add(1, Ordering::Relaxed)) {
            job.ctx.check()?;
            let range = task.page(&job.streams).range;
            if scanned.top.wants(job.direction.near_end(range)) {
                self.page(job, *task, &**source, &mut scanned)?;
            }
        }
        scanned.top.settle()?;
        Ok(scanned)
    }

    fn page(
        &mut self,
        job: &SliceJob,
        task: PageTask,
        source: &dyn LineSource,
        scanned: &mut Scanned,
    ) -> Result<()> {
        let page = task.page(&job.streams);
        scanned.stats.read(page);
        let may_match = source.read(&self.needles, &mut self.buffer.lines)?;
        self.buffer.count()?;
        if may_match {
            scanned.stats.metadata_bytes += self.buffer.lines.metadata.text.len() as u64;
            self.pick(positions(&self.buffer.lines, task.wanted));
            self.keep(job, task, scanned)?;
        }
        let reaches = |later: &NanoRange| later.overlaps(&page.range);
        if let Some(later) = job.later.filter(reaches)
            && !(may_match && self.has_candidate(positions(&self.buffer.lines, later)))
        {
            scanned.barren.push(page.data.clone());
        }
        Ok(())
    }

    /// Notes the lines at those positions that the pipeline may keep.
    fn pick(&mut self, positions: Range<usize>) {
        self.picked.clear();
        let lines = &self.buffer.lines;
        let mut at = positions.start;
        while let Some(candidate) = next_candidate(self.run.pipeline(), lines, at..positions.end) {
            self.picked.push(candidate as u32);
            at = candidate + 1;
        }
    }

    fn has_candidate(&self, positions: Range<usize>) -> bool {
        next_candidate(self.run.pipeline(), &self.buffer.lines, positions).is_some()
    }

    /// Runs the picked lines through the pipeline, nearest first.
    fn keep(&mut self, job: &SliceJob, task: PageTask, scanned: &mut Scanned) -> Result<()> {
        self.run.for_stream(&job.streams[task.stream as usize].labels);
        let picked = std::mem::take(&mut self.picked);
        let count = picked.len();
        for nth in 0..count {
            let at = match job.direction {
                Direction::Forward => picked[nth],
                Direction::Backward => picked[count - 1 - nth],
            };
            if !scanned.top.wants(self.buffer.lines.timestamps[at as usize]) {
                break;
            }
            self.pace.line(&job.ctx, self.buffer.lines.span(at as usize).len())?;
            if let Some(found) = self.process(task, at)? {
                scanned.stats.lines_after_filter += 1;
                scanned.top.push(found)?;
            }
        }
        self.picked = picked;
        Ok(())
    }

    fn process(&mut self, task: PageTask, at: u32) -> Result<Option<Found>> {
        let known = self.run.label_sets();
        if known.len() >= MAX_LABEL_SETS || known.bytes() >= MAX_LABEL_BYTES {
            self.run.clear_label_sets();
        }
        let lines = &self.buffer.lines;
        let position = at as usize;
        let (timestamp, stored) = (lines.timestamps[position], lines.line(position));
        let Some(mut kept) = self.run.process(timestamp, stored, lines.metadata(position)) else {
            return Ok(None);
        };
        let line = kept.line.to_owned();
        let set = kept.label_set()?;
        let labels = self.run.label_sets().get(set).clone();
        let identity = task.identity(timestamp, stored);
        Ok(Some(Found { timestamp, stream: task.stream, page: task.page, at, identity, labels, line }))
    }
}

impl Direction {
    /// The end of a range that a query meets first.
    pub(super) fn near_end(self, range: NanoRange) -> Nanos {
        match self {
            Self::Forward => range.start,
            Self::Backward => range.end,
        }
    }
}
