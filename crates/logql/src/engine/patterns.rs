//! Reads all lines of streams for their patterns.

use super::{
    Engine,
    pages::{Batch, LinesBuffer, PageTask, alone, fetch, next_batch, positions},
};
use crate::patterns::{Pattern, PatternFinder};
use model::{NanoRange, Nanos};
use service_api::{Error, LogStream, LogsReader, Needles, ReadContext, Result, StreamsRequest};
use std::collections::HashSet;

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
        let mut scan = Scan { finder: PatternFinder::new(step), seen: HashSet::new() };
        let mut rest = &tasks[..];
        while !rest.is_empty() {
            let next = next_batch(&set.streams, rest, self.config.batch_bytes);
            rest = &rest[next.len()..];
            let (batch, context) = (fetch(ctx, &set.streams, next).await?, ctx.clone());
            let scanning = move || {
                scan.batch(&context, &batch)?;
                Ok::<_, Error>(scan)
            };
            let scanned = tokio::task::spawn_blocking(scanning).await;
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
    /// Lines that may come again from another page of their stream.
    seen: HashSet<(u32, Nanos, u128)>,
}

/// Lines that are remembered; beyond, some may be counted twice.
const MAX_SEEN: usize = 1_000_000;

impl Scan {
    fn batch(&mut self, ctx: &ReadContext, batch: &Batch) -> Result<()> {
        let mut buffer = LinesBuffer::new(ctx)?;
        for (task, page) in &batch.pages {
            ctx.check()?;
            page.read(&Needles::default(), &mut buffer.lines)?;
            buffer.count()?;
            let lines = &buffer.lines;
            for at in positions(lines, task.wanted) {
                let (t, line) = (lines.timestamps[at], lines.line(at));
                let again = task.identity(t, line).is_some_and(|id| !self.seen.insert((task.stream, t, id)));
                if !again && let Ok(line) = std::str::from_utf8(line) {
                    self.finder.add(t, line);
                }
            }
            if self.seen.len() > MAX_SEEN {
                self.seen.clear();
            }
        }
        Ok(())
    }
}
