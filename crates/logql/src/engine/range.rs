//! Range aggregations: every page is read once, and its lines counted or kept for all the
//! windows that they are in.

mod accumulate;
mod functions;
mod scan;
mod slide;
mod windows;

use super::{
    EngineConfig, Stats,
    pages::{self, PageTask},
};
use crate::{
    ast::{Grouping, MetricExpr, RangeAggregation, RangeOp, VectorOp},
    pipeline::{Pipeline, SampleExtractor, SampleValue, SeriesGrouping},
};
use accumulate::{Kind, finish};
use functions::Function;
use model::{Labels, LabelsBuilder, MatchOp, Matcher};
use scan::{RangeJob, RangeScanner, Scanned};
use service_api::{Error, LogsReader, ReadContext, Result, StreamsRequest};
use std::sync::Arc;
use vectors::{Row, Rows, Steps, absent, is_absent, row_bytes};
use windows::Windows;

/// A range aggregation of a query, and what may be done early.
#[derive(Clone, Copy)]
pub(super) struct Leaf<'a> {
    pub aggregation: &'a RangeAggregation,
    /// Of the sum around it: labels that it drops need not be told apart at all.
    pub outer: Option<&'a Grouping>,
}

impl Leaf<'_> {
    fn extractor(&self) -> Result<SampleExtractor> {
        let RangeAggregation { op, logs, grouping, .. } = &self.aggregation;
        let value = match &logs.unwrap {
            Some(unwrap) => SampleValue::Unwrap(unwrap.clone()),
            None if matches!(op, RangeOp::Bytes | RangeOp::BytesRate) => SampleValue::Bytes,
            None => SampleValue::One,
        };
        let grouping = match self.outer.or(grouping.as_ref()) {
            _ if *op == RangeOp::Absent => SeriesGrouping::NoLabels,
            Some(grouping) => grouping.into(),
            None => SeriesGrouping::All,
        };
        SampleExtractor::new(&logs.query.stages, value, grouping)
    }

    /// Whether what is known of a stream's pages unread is enough to count their lines: all lines
    /// are wanted, and their structured metadata, which is not known, cannot change the series.
    fn is_countable(&self, kind: Kind, pipeline: &Pipeline, stream: &Labels) -> bool {
        let grouping = self.outer.or(self.aggregation.grouping.as_ref());
        let has_all = |by: &Grouping| !by.without && by.labels.iter().all(|name| stream.get(name).is_some());
        let is_known = kind == Kind::Absent || grouping.is_some_and(has_all);
        pipeline.is_noop() && self.aggregation.logs.unwrap.is_none() && is_known
    }
}

/// The range aggregations of an expression, from left to right.
pub(super) fn leaves(expr: &MetricExpr) -> Vec<Leaf<'_>> {
    let mut found = Vec::new();
    collect(expr, None, &mut found);
    found
}

fn collect<'a>(expr: &'a MetricExpr, outer: Option<&'a Grouping>, found: &mut Vec<Leaf<'a>>) {
    match expr {
        MetricExpr::Range(aggregation) => {
            use RangeOp::{Bytes, BytesRate, Count, Rate, Sum};
            let adds_up = matches!(aggregation.op, Bytes | BytesRate | Count | Rate | Sum);
            let outer = outer.filter(|_| adds_up && aggregation.grouping.is_none());
            found.push(Leaf { aggregation, outer });
        }
        MetricExpr::Aggregate(sum) if sum.op == VectorOp::Sum => {
            collect(&sum.expr, Some(&sum.grouping), found)
        }
        other => other.children().into_iter().for_each(|child| collect(child, None, found)),
    }
}

/// A thread of its own is for at least this part of the text that is fetched at once.
const MIN_SHARD: u64 = 16;

/// The rows of one range aggregation, sorted by labels.
pub(super) async fn evaluate(
    ctx: &ReadContext,
    reader: &dyn LogsReader,
    config: &EngineConfig,
    leaf: Leaf<'_>,
    steps: Steps,
) -> Result<(Rows, Stats, Vec<String>)> {
    let aggregation = leaf.aggregation;
    let windows = Windows::new(steps, aggregation.logs.range, aggregation.logs.offset);
    let kind = kind(aggregation);
    let extractor = Arc::new(leaf.extractor()?);
    let matchers = aggregation.logs.query.matchers.clone();
    let set = reader.select(ctx, &StreamsRequest { matchers, range: windows.extent() }).await?;
    let mut stats = Stats { streams: set.streams.len() as u64, ..Stats::default() };
    let wanted = windows.extent();
    let (mut unread, mut tasks) = (Vec::new(), Vec::new());
    for (stream, of) in (0..).zip(&set.streams) {
        stats.pages_selected += of.pages.len() as u64;
        let is_countable = leaf.is_countable(kind, extractor.pipeline(), &of.labels);
        for ((number, page), alone) in (0..).zip(&of.pages).zip(pages::alone(&of.pages)) {
            let task = PageTask { stream, page: number, alone, wanted };
            if !windows.touch(page.range) {
                continue;
            }
            // A page in memory, ours or an ingester's, may be one that is still written, with repeats in it.
            let is_final = page.stored_bytes > 0 && !page.is_cut;
            let is_alone = alone.contains(page.range.start) && alone.contains(page.range.end);
            if is_countable && is_final && is_alone && windows.pane(page.range.start).1 >= page.range.end {
                unread.push(task);
            } else {
                tasks.push(task);
            }
        }
    }
    let _tasks = ctx.budget.reserve((tasks.len() + unread.len()) * size_of::<PageTask>())?;
    let text: u64 = tasks.iter().map(|task| task.page(&set.streams).text_bytes).sum();
    let worth = text * MIN_SHARD / config.batch_bytes.max(1);
    let shards = config.shards().min(worth as usize).max(1);
    let job = Arc::new(RangeJob {
        ctx: ctx.clone(),
        streams: set.streams,
        windows,
        kind,
        extractor,
        now: steps.last_time(),
    });
    let batch_bytes = config.batch_bytes / shards as u64;
    let shards = pages::split(&job.streams, tasks, text.div_ceil(shards as u64));
    let mut counter = RangeScanner::new(Arc::clone(&job))?;
    unread.into_iter().try_for_each(|task| counter.count_unread(task))?;
    let running = shards.into_iter().map(|tasks| shard(&job, tasks, batch_bytes));
    let mut all = futures::future::try_join_all(running).await?;
    all.push(counter.finish());
    let mut found = Vec::new();
    for scanned in all {
        stats.add(&scanned.stats);
        found.push(scanned.found);
    }
    let compute = {
        let job = Arc::clone(&job);
        move || finish(&job.ctx, found, &job.windows)
    };
    let rows = runtime::blocking(compute).await.map_err(lost)??;
    let rows = if kind == Kind::Absent { invert(ctx, rows, aggregation, steps)? } else { rows };
    Ok((rows, stats, set.warnings))
}

/// Reads the pages of one shard, and fetches some while it computes others.
async fn shard(job: &Arc<RangeJob>, tasks: Vec<PageTask>, batch_bytes: u64) -> Result<Scanned> {
    let mut scanner = RangeScanner::new(Arc::clone(job))?;
    let mut next = 0;
    let mut ahead = None;
    while next < tasks.len() {
        let batch = match ahead.take() {
            Some(batch) => batch,
            None => {
                let first = pages::next_batch(&job.streams, &tasks[next..], batch_bytes);
                pages::fetch(&job.ctx, &job.streams, first).await?
            }
        };
        next += batch.pages.len();
        let following = pages::next_batch(&job.streams, &tasks[next..], batch_bytes);
        let fetch_ahead = async {
            if following.is_empty() {
                return Ok(None);
            }
            pages::fetch(&job.ctx, &job.streams, following).await.map(Some)
        };
        let scan = runtime::blocking(move || scanner.scan(&batch).map(|()| scanner));
        let (scanned, fetched) = tokio::join!(scan, fetch_ahead);
        scanner = scanned.map_err(lost)??;
        ahead = fetched?;
    }
    Ok(scanner.finish())
}

fn lost(error: runtime::Lost) -> Error {
    Error::internal(format!("the evaluation of the query failed: {error}"))
}

fn kind(aggregation: &RangeAggregation) -> Kind {
    match aggregation.op {
        RangeOp::Count => Kind::Count,
        RangeOp::Rate if aggregation.logs.unwrap.is_some() => Kind::Of(Function::PerSecond),
        RangeOp::Rate => Kind::Rate,
        RangeOp::Bytes => Kind::Bytes,
        RangeOp::BytesRate => Kind::BytesRate,
        RangeOp::Absent => Kind::Absent,
        RangeOp::RateCounter => Kind::Of(Function::CounterRate),
        RangeOp::Avg => Kind::Of(Function::Avg),
        RangeOp::Sum => Kind::Of(Function::Sum),
        RangeOp::Min => Kind::Of(Function::Min),
        RangeOp::Max => Kind::Of(Function::Max),
        RangeOp::Stdvar => Kind::Of(Function::Stdvar),
        RangeOp::Stddev => Kind::Of(Function::Stddev),
        RangeOp::Quantile => Kind::Of(Function::Quantile(aggregation.param.unwrap_or(f64::NAN))),
        RangeOp::First => Kind::Of(Function::First),
        RangeOp::Last => Kind::Of(Function::Last),
    }
}

/// `absent_over_time`: 1 where nothing is.
fn invert(ctx: &ReadContext, counts: Rows, aggregation: &RangeAggregation, steps: Steps) -> Result<Rows> {
    let labels = absent_labels(&aggregation.logs.query.matchers);
    let held = vec![ctx.budget.reserve(row_bytes(&labels, steps.count))?];
    let is_there = |step: usize| counts.rows.iter().any(|row| !is_absent(row.values[step]));
    let values = (0..steps.count).map(|step| if is_there(step) { absent() } else { 1.0 }).collect();
    Ok(Rows { rows: vec![Row::floats(labels, values)], held })
}

/// What can be said of the labels of a stream that is not there.
fn absent_labels(matchers: &[Matcher]) -> Labels {
    let mut labels = LabelsBuilder::new();
    for matcher in matchers {
        let is_only = matchers.iter().filter(|other| other.name == matcher.name).count() == 1;
        if is_only && matcher.op == MatchOp::Equal {
            labels.set(&matcher.name, &matcher.value);
        }
    }
    labels.build()
}
