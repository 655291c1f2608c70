//! Reads all lines of streams for their patterns.

use super::{
    Engine,
    pages::{Batch, LinesBuffer, PageTask, alone, fetch, next_batch, positions},
    seen::Seen,
};
use crate::patterns::{Pattern, PatternFinder};
use model::{NanoRange, Nanos};
use service_api::{Error, LogStream, LogsReader, Needles, ReadContext, Result, StreamsRequest};

impl Engine {
    /// The patterns of all lines that are selected, counted by steps of `step` nanoseconds.
    pub async fn patterns(
        &self,
        ctx: &ReadContext,
        reader: &dyn LogsReader,
        request: &StreamsRequest,
        step: i64,
    ) -> Result<Vec<Pattern>> {
        let set = reader.select(ctx, request).await?;
        let tasks = tasks(&set.streams, &request.range);
        let mut scan = Scan { finder: PatternFinder::new(step), seen: Seen::new(&ctx.budget)?, stream: None };
        let mut rest = &tasks[..];
        while !rest.is_empty() {
            let next = next_batch(&set.streams, rest, self.config.batch_bytes);
            rest = &rest[next.len()..];
            let (batch, context) = (fetch(ctx, &set.streams, next).await?, ctx.clone());
            let scanning = move || {
                scan.batch(&context, &batch)?;
                Ok::<_, Error>(scan)
            };
            let scanned = runtime::blocking(scanning).await;
            scan = scanned.map_err(|_| Error::internal("looking for patterns failed"))??;
        }
        Ok(scan.finder.finish())
    }
}

fn tasks(streams: &[LogStream], range: &NanoRange) -> Vec<PageTask> {
    let of_stream = |(stream, found): (usize, &LogStream)| {
        let pages = alone(&found.pages).enumerate().zip(&found.pages);
        let wanted = pages.filter(|(_, page)| page.range.overlaps(range));
        let task =
            |((page, alone), _)| PageTask { stream: stream as u32, page: page as u32, alone, wanted: *range };
        wanted.map(task).collect::<Vec<_>>()
    };
    streams.iter().enumerate().flat_map(of_stream).collect()
}

struct Scan {
    finder: PatternFinder,
    seen: Seen,
    /// The stream of the page before.
    stream: Option<u32>,
}

impl Scan {
    fn batch(&mut self, ctx: &ReadContext, batch: &Batch) -> Result<()> {
        let mut buffer = LinesBuffer::new(ctx)?;
        for (task, page) in &batch.pages {
            ctx.check()?;
            if self.stream.replace(task.stream) != Some(task.stream) {
                self.seen.clear()?;
            }
            page.read(&Needles::default(), &mut buffer.lines)?;
            buffer.count()?;
            let lines = &buffer.lines;
            // The pages that follow have no line before this one's first.
            self.seen.forget_before(lines.timestamps.first().copied().unwrap_or(Nanos::MIN))?;
            for at in positions(lines, task.wanted) {
                let (t, line) = (lines.timestamps[at], lines.line(at));
                let again = self.seen.is_repeat(*task, t, line)?;
                if !again && let Ok(line) = std::str::from_utf8(line) {
                    self.finder.add(t, line);
                }
            }
        }
        Ok(())
    }
}
