//! Scans pages for samples: one scanner for each shard, which takes its pages one by one.

use super::{
    accumulate::{Accumulator, Kind},
    windows::Windows,
};
use crate::{
    engine::{
        Stats,
        pages::{Batch, LinesBuffer, Pace, PageTask, next_candidate, positions},
        seen::Seen,
    },
    pipeline::{ERROR_LABEL, PRESERVE_ERROR_LABEL, SampleExtractor, SampleRun},
};
use model::{Labels, Lines, Nanos};
use service_api::{Error, LineSource, LogStream, Needles, ReadContext, Result};
use std::{ops::Range, sync::Arc};

/// What all shards of a range aggregation share.
pub(super) struct RangeJob {
    pub ctx: ReadContext,
    pub streams: Vec<LogStream>,
    pub windows: Windows,
    pub kind: Kind,
    pub extractor: Arc<SampleExtractor>,
    /// The time of the query.
    pub now: Nanos,
}

/// What a shard found.
pub(super) struct Scanned {
    pub found: Accumulator,
    pub stats: Stats,
}

pub(super) struct RangeScanner {
    job: Arc<RangeJob>,
    run: SampleRun,
    needles: Needles,
    buffer: LinesBuffer,
    found: Accumulator,
    seen: Seen,
    pace: Pace,
    /// The stream of the page before.
    stream: Option<u32>,
    stats: Stats,
}

impl RangeScanner {
    pub fn new(job: Arc<RangeJob>) -> Result<Self> {
        let ctx = &job.ctx;
        Ok(Self {
            run: SampleRun::new(Arc::clone(&job.extractor), u32::MAX as usize).at(job.now),
            needles: job.extractor.pipeline().needles(),
            buffer: LinesBuffer::new(ctx)?,
            found: Accumulator::new(ctx, job.kind, job.windows.count())?,
            seen: Seen::new(&ctx.budget)?,
            pace: Pace::new(job.extractor.pipeline()),
            stream: None,
            stats: Stats::default(),
            job,
        })
    }

    pub fn finish(self) -> Scanned {
        Scanned { found: self.found, stats: self.stats }
    }

    /// Takes all pages of a batch. Pages must come in the order of streams, and of their first
    /// lines.
    pub fn scan(&mut self, batch: &Batch) -> Result<()> {
        for (task, source) in &batch.pages {
            self.job.ctx.check()?;
            self.begin(*task)?;
            self.page(*task, &**source)?;
        }
        Ok(())
    }

    /// Counts a page of which all lines are in the windows of the same steps, unread.
    pub fn count_unread(&mut self, task: PageTask) -> Result<()> {
        self.begin(task)?;
        let job = Arc::clone(&self.job);
        let page = task.page(&job.streams);
        // Any line tells what series all lines are of.
        if let Some((series, _)) = self.process(page.range.start, b"", [])? {
            let steps = job.windows.of(page.range.start);
            self.found.add(series, steps, u64::from(page.lines), page.text_bytes);
            self.stats.lines_after_filter += u64::from(page.lines);
        }
        Ok(())
    }

    fn begin(&mut self, task: PageTask) -> Result<()> {
        if self.stream != Some(task.stream) {
            self.stream = Some(task.stream);
            self.run.for_stream(&self.job.streams[task.stream as usize].labels);
            self.seen.clear()?;
        }
        Ok(())
    }

    fn page(&mut self, task: PageTask, source: &dyn LineSource) -> Result<()> {
        let job = Arc::clone(&self.job);
        let page = task.page(&job.streams);
        self.stats.read(page);
        self.seen.forget_before(page.range.start)?;
        // Taken out, so that lines can be borrowed while this changes.
        let mut lines = std::mem::take(&mut self.buffer.lines);
        let outcome = source.read(&self.needles, &mut lines).and_then(|may_match| {
            if may_match {
                self.stats.metadata_bytes += lines.metadata.text.len() as u64;
                self.lines(task, &lines)?;
            }
            Ok(())
        });
        self.buffer.lines = lines;
        self.buffer.count()?;
        outcome
    }

    /// The series and the value of a line, if it has one.
    fn process<'m>(
        &mut self,
        time: Nanos,
        line: &[u8],
        metadata: impl IntoIterator<Item = (&'m str, &'m str)>,
    ) -> Result<Option<(usize, f64)>> {
        let sample = self.run.process(time, line, metadata);
        let Some(sample) = sample? else {
            return Ok(None);
        };
        let series = sample.series.0 as usize;
        if series == self.found.len() {
            let labels = self.run.series(sample.series).clone();
            check_series(&labels)?;
            self.found.start(labels)?;
        }
        Ok(Some((series, sample.value)))
    }

    fn lines(&mut self, task: PageTask, lines: &Lines) -> Result<()> {
        let job = Arc::clone(&self.job);
        let all = positions(lines, task.wanted);
        let alone = positions(lines, task.alone);
        let mut at = all.start;
        while at < all.end {
            let (steps, until) = job.windows.pane(lines.timestamps[at]);
            let end = at + lines.timestamps[at..all.end].partition_point(|time| *time <= until);
            if !steps.is_empty() {
                self.pane(task, lines, at..end, steps, &alone)?;
            }
            at = end;
        }
        Ok(())
    }

    /// Lines that are in the windows of the same steps.
    fn pane(
        &mut self,
        task: PageTask,
        lines: &Lines,
        among: Range<usize>,
        steps: Range<usize>,
        alone: &Range<usize>,
    ) -> Result<()> {
        let job = Arc::clone(&self.job);
        let pipeline = job.extractor.pipeline();
        let is_plain = pipeline.is_noop() && lines.metadata.is_empty() && !matches!(job.kind, Kind::Of(_));
        let mut at = among.start;
        while let Some(candidate) = next_candidate(pipeline, lines, at..among.end) {
            at = candidate + 1;
            let (time, line) = (lines.timestamps[candidate], lines.line(candidate));
            self.pace.line(&job.ctx, line.len())?;
            if !alone.contains(&candidate) && self.seen.is_repeat(task, time, line)? {
                self.stats.duplicates += 1;
                continue;
            }
            let Some((series, value)) = self.process(time, line, lines.metadata(candidate))? else {
                continue;
            };
            if matches!(job.kind, Kind::Of(_)) {
                self.found.sample(series, time, value)?;
                self.stats.lines_after_filter += 1;
                continue;
            }
            let (mut count, mut bytes) = (1, value as u64);
            if is_plain && alone.contains(&candidate) {
                // All that follow here are of the same series, and nowhere else.
                let end = among.end.min(alone.end);
                count = (end - candidate) as u64;
                bytes = (lines.span(end - 1).end - lines.span(candidate).start) as u64 - (count - 1);
                at = end;
            }
            self.found.add(series, steps.clone(), count, bytes);
            self.stats.lines_after_filter += count;
        }
        Ok(())
    }
}

/// Loki's answer to a series with an error, which is wrong more often than wanted.
fn check_series(labels: &Labels) -> Result<()> {
    let Some(error) = labels.get(ERROR_LABEL).filter(|_| labels.get(PRESERVE_ERROR_LABEL) != Some("true"))
    else {
        return Ok(());
    };
    Err(Error::bad_request(format!(
        "pipeline error: '{error}' for series: '{labels}'.\n\
         Use a label filter to intentionally skip this error. (e.g | __error__!=\"{error}\").\n\
         To skip all potential errors you can match empty errors.(e.g __error__=\"\")\n\
         The label filter can also be specified after unwrap. (e.g | unwrap latency | __error__=\"\" )\n"
    )))
}
