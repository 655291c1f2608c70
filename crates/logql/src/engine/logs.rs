//! Queries for lines: pages from the near end on, until nothing better can come.
//!
//! The range is walked in slices, each selected on its own, so that a query that stops early
//! selects little. Every page is scanned by itself: what two pages of a stream both have is
//! found among the lines that are kept.

mod results;
mod scan;
mod top;

use super::{Answer, Data, Direction, EngineConfig, Query, Stats, pages};
use crate::{ast::LogQuery, pipeline::Pipeline};
use model::{NanoRange, Nanos};
use pages::{Batch, PageTask};
use results::Results;
use scan::{Scanned, Scanner, SliceJob};
use service_api::{Error, LogStream, LogsReader, PageData, ReadContext, Result, StreamsRequest};
use std::{
    cmp::Reverse,
    collections::HashMap,
    sync::{Arc, atomic::AtomicUsize},
};
use top::Top;

/// The first slice of time. The others double.
const FIRST_SLICE: Nanos = 3_600_000_000_000;
/// Slices grow no more once one has so many pages.
const MANY_PAGES: usize = 50_000;
/// Bytes of text in the first batch of a slice. The others double.
const FIRST_BATCH: u64 = 512 << 10;

/// A query for lines on its way.
struct Walk<'a> {
    ctx: &'a ReadContext,
    config: &'a EngineConfig,
    direction: Direction,
    /// One for each thread.
    scanners: Vec<Scanner>,
    /// What is kept but may still be followed by something nearer.
    pending: Top,
    results: Results,
    barren: Barren,
    stats: Stats,
}

pub(super) async fn evaluate(
    ctx: &ReadContext,
    reader: &dyn LogsReader,
    config: &EngineConfig,
    logs: &LogQuery,
    query: &Query,
) -> Result<Answer> {
    let pipeline = Arc::new(Pipeline::new(&logs.stages)?);
    let scanners = (0..config.shards()).map(|_| Scanner::new(ctx, Arc::clone(&pipeline), query.end));
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    // With an interval it is not known which lines will be in the answer.
    let keep = if query.interval > 0 { usize::MAX } else { limit };
    let mut walk = Walk {
        ctx,
        config,
        direction: query.direction,
        scanners: scanners.collect::<Result<_>>()?,
        pending: Top::new(&ctx.budget, query.direction, keep)?,
        results: Results::new(ctx, query.direction, limit, query.interval)?,
        barren: Barren::default(),
        stats: Stats::default(),
    };
    let mut warnings: Vec<String> = Vec::new();
    let mut slices = Slices::new(query);
    while let Some((range, later)) = slices.next() {
        if walk.results.is_full() {
            break;
        }
        let request = StreamsRequest { matchers: logs.matchers.clone(), range };
        let set = reader.select(ctx, &request).await?;
        let pages: usize = set.streams.iter().map(|stream| stream.pages.len()).sum();
        if pages < MANY_PAGES {
            slices.grow();
        }
        for warning in set.warnings {
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
        walk.slice(set.streams, range, later).await?;
    }
    let Walk { results, pending, mut stats, .. } = walk;
    stats.duplicates += pending.duplicates;
    let data = Data::Streams(results.into_streams());
    stats.entries = data.entries() as u64;
    Ok(Answer { data, stats, warnings })
}

impl Walk<'_> {
    /// All lines of one slice of time that may be in the answer.
    async fn slice(
        &mut self,
        streams: Vec<LogStream>,
        range: NanoRange,
        later: Option<NanoRange>,
    ) -> Result<()> {
        let tasks = self.tasks(&streams, range);
        let _tasks = self.ctx.budget.reserve(tasks.len() * size_of::<PageTask>())?;
        let job = Arc::new(SliceJob { ctx: self.ctx.clone(), streams, later, direction: self.direction });
        let mut size = FIRST_BATCH.min(self.config.batch_bytes);
        let (mut next, mut ahead) = (0, None);
        while next < tasks.len() && !self.results.is_full() {
            let batch = match ahead.take() {
                Some(batch) => batch,
                None => {
                    pages::fetch(
                        self.ctx,
                        &job.streams,
                        pages::next_batch(&job.streams, &tasks[next..], size),
                    )
                    .await?
                }
            };
            // The first batch is often enough: only behind it the next one is fetched meanwhile.
            let is_first = next == 0;
            next += batch.pages.len();
            size = size.saturating_mul(2).min(self.config.batch_bytes);
            let following = pages::next_batch(&job.streams, &tasks[next..], size);
            let ctx = self.ctx;
            let fetch_ahead = async {
                if is_first || following.is_empty() {
                    return Ok(None);
                }
                pages::fetch(ctx, &job.streams, following).await.map(Some)
            };
            let (scanned, fetched) = tokio::join!(self.scan(&job, batch), fetch_ahead);
            ahead = fetched?;
            self.take_in(scanned?)?;
            self.settle(
                following.first().map(|task| self.direction.near_end(task.page(&job.streams).range)),
            )?;
        }
        self.settle(None)
    }

    /// The pages of streams in the order in which a query meets them.
    fn tasks(&mut self, streams: &[LogStream], wanted: NanoRange) -> Vec<PageTask> {
        let mut tasks = Vec::new();
        for (stream, of) in (0..).zip(streams) {
            self.stats.pages_selected += of.pages.len() as u64;
            let pages = (0..).zip(&of.pages).zip(pages::alone(&of.pages));
            let fertile = pages.filter(|((_, page), _)| !self.barren.contains(&page.data));
            tasks.extend(fertile.map(|((page, _), alone)| PageTask { stream, page, alone, wanted }));
        }
        self.stats.streams += streams.len() as u64;
        let range = |task: &PageTask| task.page(streams).range;
        match self.direction {
            Direction::Forward => tasks.sort_by_key(|task| range(task).start),
            Direction::Backward => tasks.sort_by_key(|task| Reverse(range(task).end)),
        }
        tasks
    }

    /// Scans a batch on as many threads as there are scanners.
    async fn scan(&mut self, job: &Arc<SliceJob>, batch: Batch) -> Result<Vec<Scanned>> {
        let threads = self.scanners.len().min(batch.pages.len());
        let (batch, next) = (Arc::new(batch), Arc::new(AtomicUsize::new(0)));
        let mut running = Vec::with_capacity(threads);
        for mut scanner in self.scanners.drain(..threads) {
            let (job, batch, next, top) =
                (Arc::clone(job), Arc::clone(&batch), Arc::clone(&next), self.pending.like()?);
            running.push(runtime::blocking(move || {
                let scanned = scanner.scan(&job, &batch, &next, top);
                (scanner, scanned)
            }));
        }
        let mut all = Vec::with_capacity(threads);
        for task in running {
            let (scanner, scanned) =
                task.await.map_err(|e| Error::internal(format!("the scan of a page failed: {e}")))?;
            self.scanners.push(scanner);
            all.push(scanned);
        }
        all.into_iter().collect()
    }

    fn take_in(&mut self, scanned: Vec<Scanned>) -> Result<()> {
        for one in scanned {
            self.stats.add(&one.stats);
            self.barren.extend(one.barren);
            self.pending.merge(one.top)?;
        }
        Ok(())
    }

    /// Puts into the answer what nothing from `edge` on can come before; everything without one.
    fn settle(&mut self, edge: Option<Nanos>) -> Result<()> {
        self.pending.settle()?;
        let ready = self.pending.drain(edge)?;
        let added = self.results.add(ready)?;
        self.pending.lower_limit(added);
        Ok(())
    }
}

/// Slices of a query's range, from its near end to its far end.
struct Slices {
    direction: Direction,
    rest: Option<NanoRange>,
    length: Nanos,
}

impl Slices {
    fn new(query: &Query) -> Self {
        let range = NanoRange::new(query.start, query.end.saturating_sub(1));
        let rest = (query.start < query.end).then_some(range);
        Self { direction: query.direction, rest, length: FIRST_SLICE }
    }

    fn grow(&mut self) {
        self.length = self.length.saturating_mul(2);
    }

    /// A slice, and what is left behind it.
    fn next(&mut self) -> Option<(NanoRange, Option<NanoRange>)> {
        let rest = self.rest?;
        let (slice, later) = match self.direction {
            Direction::Forward => {
                let end = rest.start.saturating_add(self.length - 1).min(rest.end);
                (NanoRange::new(rest.start, end), NanoRange::new(end.saturating_add(1), rest.end))
            }
            Direction::Backward => {
                let start = rest.end.saturating_sub(self.length - 1).max(rest.start);
                (NanoRange::new(start, rest.end), NanoRange::new(rest.start, start.saturating_sub(1)))
            }
        };
        self.rest = (slice != rest).then_some(later);
        Some((slice, self.rest))
    }
}

/// Pages that reach into several slices, and are known to have no line for those still to come.
#[derive(Default)]
struct Barren(HashMap<(usize, u64), PageData>);

impl Barren {
    /// As long as the page is kept here, no other can be in its place.
    fn key(data: &PageData) -> (usize, u64) {
        match data {
            PageData::Here(lines) => (Arc::as_ptr(lines).cast::<()>() as usize, 0),
            PageData::Stored(store, number) => (Arc::as_ptr(store).cast::<()>() as usize, *number),
        }
    }

    fn contains(&self, data: &PageData) -> bool {
        self.0.contains_key(&Self::key(data))
    }

    fn extend(&mut self, pages: Vec<PageData>) {
        self.0.extend(pages.into_iter().map(|data| (Self::key(&data), data)));
    }
}
