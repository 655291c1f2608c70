//! Scans: each selected series is decoded once, its function computed for all steps, and
//! its row handed on before the next series is touched.

mod cells;
mod full;
mod source;
mod stats;
mod worker;

use super::Evaluator;
use crate::engine::{
    Features,
    annotations::Annotations,
    labels::{check_distinct, merge_same_labels},
    observe::Observer,
    plan::{Map, RangeFunction, RangeNotes, Scan, ScanFunction, Vector},
    values::Values,
};
use model::Labels;
use query_syntax::Span;
use service_api::{Error, Reservation, Result};
use source::Source;
use std::{ops::Range, sync::atomic::Ordering};
use vectors::{Row, RowRef, Rows, Steps, is_absent, row_bytes, without_metadata};
use worker::Worker;

/// Takes the rows of one shard, in order.
pub(crate) trait RowSink: Send {
    fn row(&mut self, row: RowRef<'_>) -> Result<()>;
}

/// A scan and the maps over it, ready to be run.
pub(crate) struct Chain<'a> {
    scan: &'a Scan,
    function: Option<RangeFunction<Values>>,
    maps: Vec<Map<Values>>,
    /// For the numbers in them.
    held: Vec<Reservation>,
}

impl Evaluator<'_> {
    /// The chain that a vector is, if its rows can be handed on one by one: dropping the
    /// name must not make two of them the same.
    pub(super) fn chain<'p>(&mut self, vector: &'p Vector, steps: &Steps) -> Result<Option<Chain<'p>>> {
        match vector {
            Vector::Scan(scan) => {
                if !self.stays_distinct(scan, scan.function.keeps_name()) {
                    return Ok(None);
                }
                self.chain_of(scan, steps).map(Some)
            }
            Vector::Map { input, map } => {
                let Some(mut chain) = self.chain(input, steps)? else { return Ok(None) };
                if !self.stays_distinct(chain.scan, map.keeps_name()) {
                    return Ok(None);
                }
                let (map, held) = self.prepare(map, steps)?;
                chain.maps.push(map);
                chain.held.push(held);
                Ok(Some(chain))
            }
            _ => Ok(None),
        }
    }

    /// Whether rows of a scan cannot become the same by losing their names, or do not lose them yet.
    fn stays_distinct(&self, scan: &Scan, keeps_name: bool) -> bool {
        keeps_name || scan.selector.one_name || self.config.features.delayed_name_removal
    }

    fn chain_of<'p>(&mut self, scan: &'p Scan, steps: &Steps) -> Result<Chain<'p>> {
        let mut held = self.reserve(0)?;
        let function = match &scan.function {
            ScanFunction::Range { function, .. } => {
                Some(function.try_map(|p| self.kept_scalar(p, steps, &mut held))?)
            }
            _ => None,
        };
        Ok(Chain { scan, function, maps: Vec::new(), held: vec![held] })
    }

    /// A scan whose rows have to be compared without their names.
    pub(super) fn scan_without_names(&mut self, scan: &Scan, steps: &Steps) -> Result<Rows> {
        let chain = self.chain_of(scan, steps)?;
        let rows = self.collect(&chain, steps)?;
        if !matches!(scan.function, ScanFunction::Range { .. }) {
            return merge_same_labels(rows);
        }
        check_distinct(&rows.rows)?;
        Ok(rows)
    }

    /// All rows of a chain that have a value.
    pub(super) fn collect(&mut self, chain: &Chain<'_>, steps: &Steps) -> Result<Rows> {
        let (ctx, delayed) = (self.ctx, self.config.features.delayed_name_removal);
        let sink = || Ok(Collector { rows: Vec::new(), delayed, held: ctx.budget.reserve(0)? });
        let (sinks, _) = self.run(chain, steps, sink)?;
        let mut all = Rows::default();
        for sink in sinks {
            all.rows.extend(sink.rows);
            all.held.push(sink.held);
        }
        Ok(all)
    }

    /// Hands every row of `vector` to sinks, of which each shard has its own; they come
    /// back in the order of the series.
    pub(crate) fn stream<S: RowSink>(
        &mut self,
        vector: &Vector,
        steps: &Steps,
        sink: impl Fn() -> Result<S> + Sync,
    ) -> Result<Vec<S>> {
        if let Some(chain) = self.chain(vector, steps)? {
            let began = self.observer.as_ref().and_then(Observer::begin);
            let (sinks, series) = self.run(&chain, steps, sink)?;
            if let (Some(observer), Some(began)) = (&self.observer, began) {
                observer.end(vector, began, series);
            }
            return Ok(sinks);
        }
        let mut only = sink()?;
        let mut input = self.rows(vector, steps)?;
        // Elsewhere rows come in the order in which they first had a value, and so do the ones that are
        // added up or of equals the first: what a step has must not depend on the steps before it.
        input.rows.sort_by(|a, b| a.labels.cmp(&b.labels));
        for (position, row) in input.rows.iter().enumerate() {
            only.row(RowRef {
                position,
                labels: &row.labels,
                name_dropped: row.name_dropped,
                values: &row.values,
                histograms: &row.histograms,
            })?;
        }
        Ok(vec![only])
    }

    /// The sinks, and how many series there were.
    fn run<S: RowSink>(
        &mut self,
        chain: &Chain<'_>,
        steps: &Steps,
        sink: impl Fn() -> Result<S> + Sync,
    ) -> Result<(Vec<S>, usize)> {
        let source = Source::of(self, chain.scan.selector.input, steps)?;
        let series = source.len();
        self.usage.series.fetch_add(series as u64, Ordering::Relaxed);
        let threads = self.config.threads.min(series / self.config.series_per_thread.max(1)).max(1);
        let shard_size = series.div_ceil(threads).max(1);
        let shard = |part: Range<usize>| {
            let mut worker = Worker::new(self, chain, &source, *steps)?;
            let mut sink = sink()?;
            worker.run(part, &mut sink)?;
            worker.tell_counts();
            self.note_memory();
            Ok((sink, worker.notes))
        };
        let mut shards = (0..series).step_by(shard_size).map(|first| first..(first + shard_size).min(series));
        let first = shards.next().unwrap_or(0..0);
        let done: Vec<Result<(S, Annotations)>> = std::thread::scope(|scope| {
            let shard = &shard;
            let others: Vec<_> = shards.map(|part| scope.spawn(move || shard(part))).collect();
            let mut done = vec![shard(first)];
            done.extend(others.into_iter().map(|other| {
                other
                    .join()
                    .unwrap_or_else(|_| Err(Error::internal("a thread that evaluated the query panicked")))
            }));
            done
        });
        let mut sinks = Vec::with_capacity(done.len());
        for part in done {
            let (sink, notes) = part?;
            self.notes.merge(notes);
            sinks.push(sink);
        }
        Ok((sinks, series))
    }
}

struct Collector {
    rows: Vec<Row>,
    /// Names are not taken off yet.
    delayed: bool,
    held: Reservation,
}

impl RowSink for Collector {
    fn row(&mut self, row: RowRef<'_>) -> Result<()> {
        if !row.has_values() {
            return Ok(());
        }
        self.held.grow(row_bytes(row.labels, row.values.len()) + row.histograms.heap_bytes())?;
        let drops = row.name_dropped && !self.delayed;
        self.rows.push(Row {
            labels: if drops { without_metadata(row.labels) } else { row.labels.clone() },
            name_dropped: row.name_dropped && !drops,
            values: row.values.to_vec(),
            histograms: row.histograms.clone(),
        });
        Ok(())
    }
}

/// Prometheus's text, by which people know what limit it is.
const TOO_MANY_SAMPLES: &str = "query processing would load too many samples into memory in query execution";

/// Says so if a metric does not look like a counter.
pub(super) fn note_counter(labels: &Labels, features: Features, span: Span, notes: &mut Annotations) {
    let name = labels.metric_name().unwrap_or("");
    if name.is_empty() {
        return;
    }
    if features.type_and_unit_labels {
        let metric_type = labels.get("__type__").unwrap_or("");
        if !matches!(metric_type, "counter" | "histogram") {
            notes.possible_non_counter_type(name, metric_type, span);
        }
    } else if !["_total", "_sum", "_count", "_bucket"].iter().any(|end| name.ends_with(end)) {
        notes.possible_non_counter(name, span);
    }
}

/// Says so where a quantile outside of 0 to 1 was asked for and there were samples.
pub(super) fn note_quantile(phi: &Values, row: &[f64], notes: &RangeNotes, to: &mut Annotations) {
    let Some(span) = notes.quantile else { return };
    if phi.iter().all(|phi| (0.0..=1.0).contains(&phi)) {
        return;
    }
    for (step, value) in row.iter().enumerate() {
        if to.is_full() {
            return;
        }
        if !is_absent(*value) && !(0.0..=1.0).contains(&phi.at(step)) {
            to.invalid_quantile(phi.at(step), span);
        }
    }
}
