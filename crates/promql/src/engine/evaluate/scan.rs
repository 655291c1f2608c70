//! Scans: each selected series is decoded once, its function computed for all steps, and
//! its row handed on before the next series is touched.

use super::Evaluator;
use crate::engine::{
    annotations::Annotations,
    kernel::{RangeKernel, remove_stale},
    labels::{check_distinct, merge_same_labels},
    plan::{Map, RangeFunction, RangeNotes, Scan, ScanFunction, Vector},
    values::Values,
    window::{WindowCache, WindowSpec},
};
use model::{Labels, is_stale};
use service_api::{Error, Reservation, Result, SampleBuffer, Series};
use std::sync::atomic::Ordering;
use vectors::{Row, RowRef, Rows, Steps, absent, has_values, is_absent, row_bytes, without_metadata};

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

/// Fewer series are not worth a thread.
const MIN_SERIES_PER_THREAD: usize = 48;

impl Evaluator<'_> {
    /// The chain that a vector is, if its rows can be handed on one by one: dropping the
    /// name must not make two of them the same.
    pub(super) fn chain<'p>(&mut self, vector: &'p Vector, steps: &Steps) -> Result<Option<Chain<'p>>> {
        match vector {
            Vector::Scan(scan) => {
                if !scan.selector.one_name && !scan.function.keeps_name() {
                    return Ok(None);
                }
                self.chain_of(scan, steps).map(Some)
            }
            Vector::Map { input, map } => {
                let Some(mut chain) = self.chain(input, steps)? else { return Ok(None) };
                if !chain.scan.selector.one_name && !map.keeps_name() {
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
        let ctx = self.ctx;
        let sinks =
            self.run(chain, steps, || Ok(Collector { rows: Vec::new(), held: ctx.budget.reserve(0)? }))?;
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
            return self.run(&chain, steps, sink);
        }
        let mut only = sink()?;
        let mut input = self.rows(vector, steps)?;
        // Elsewhere rows come in the order in which they first had a value, and so do the ones that are
        // added up or of equals the first: what a step has must not depend on the steps before it.
        input.rows.sort_by(|a, b| a.labels.cmp(&b.labels));
        for (position, row) in input.rows.iter().enumerate() {
            only.row(RowRef { position, labels: &row.labels, name_dropped: false, values: &row.values })?;
        }
        Ok(vec![only])
    }

    fn run<S: RowSink>(
        &mut self,
        chain: &Chain<'_>,
        steps: &Steps,
        sink: impl Fn() -> Result<S> + Sync,
    ) -> Result<Vec<S>> {
        let series = self.inputs.get(chain.scan.selector.select).map_or(&[][..], |input| &input.series);
        self.usage.series.fetch_add(series.len() as u64, Ordering::Relaxed);
        let threads = self.config.threads.min(series.len() / MIN_SERIES_PER_THREAD).max(1);
        let shard_size = series.len().div_ceil(threads).max(1);
        let shard = |(index, part): (usize, &[Series])| {
            let mut worker = Worker::new(self, chain, *steps)?;
            let mut sink = sink()?;
            worker.run(index * shard_size, part, &mut sink)?;
            self.note_memory();
            Ok((sink, worker.notes))
        };
        let mut shards = series.chunks(shard_size).enumerate();
        let first = shards.next().unwrap_or((0, &[]));
        let done: Vec<Result<(S, Annotations)>> = std::thread::scope(|scope| {
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
        Ok(sinks)
    }
}

struct Collector {
    rows: Vec<Row>,
    held: Reservation,
}

impl RowSink for Collector {
    fn row(&mut self, row: RowRef<'_>) -> Result<()> {
        if !has_values(row.values) {
            return Ok(());
        }
        self.held.grow(row_bytes(row.labels, row.values.len()))?;
        let labels = if row.name_dropped { without_metadata(row.labels) } else { row.labels.clone() };
        self.rows.push(Row { labels, values: row.values.to_vec() });
        Ok(())
    }
}

/// Evaluates one shard's series, one after the other, in buffers of its own.
struct Worker<'e, 'c> {
    evaluator: &'e Evaluator<'e>,
    chain: &'c Chain<'c>,
    steps: Steps,
    kernel: Kernel,
    name_dropped: bool,
    samples: SampleBuffer,
    values: Vec<f64>,
    held: Reservation,
    held_bytes: usize,
    notes: Annotations,
    /// The metric name whose ending was looked at last.
    checked_name: String,
}

enum Kernel {
    Newest(WindowCache),
    NewestTime(WindowCache),
    Range(RangeKernel),
}

impl<'e, 'c> Worker<'e, 'c> {
    fn new(evaluator: &'e Evaluator<'e>, chain: &'c Chain<'c>, steps: Steps) -> Result<Self> {
        let windows = |range, rate| {
            WindowCache::new(WindowSpec { steps, shift: chain.scan.selector.shift, range, rate })
        };
        let kernel = match (&chain.scan.function, &chain.function) {
            (ScanFunction::Range { range, .. }, Some(function)) => {
                let rate = match function {
                    RangeFunction::Extrapolated(kind) => Some(*kind),
                    _ => None,
                };
                Kernel::Range(RangeKernel::new(function.clone(), windows(*range, rate)))
            }
            (ScanFunction::NewestTime { lookback }, _) => Kernel::NewestTime(windows(*lookback, None)),
            (ScanFunction::Newest { lookback }, _) => Kernel::Newest(windows(*lookback, None)),
            (ScanFunction::Range { .. }, None) => {
                return Err(Error::internal("a range function was not prepared"));
            }
        };
        Ok(Self {
            evaluator,
            chain,
            steps,
            kernel,
            name_dropped: !chain.scan.function.keeps_name() || chain.maps.iter().any(|m| !m.keeps_name()),
            samples: SampleBuffer::default(),
            values: Vec::with_capacity(steps.count),
            held: evaluator.ctx.budget.reserve(steps.count * size_of::<f64>())?,
            held_bytes: 0,
            notes: Annotations::default(),
            checked_name: String::new(),
        })
    }

    fn run(&mut self, first: usize, series: &[Series], sink: &mut impl RowSink) -> Result<()> {
        for (at, one) in series.iter().enumerate() {
            self.evaluator.ctx.check()?;
            self.read(one)?;
            self.compute();
            self.evaluator.ctx.check()?;
            self.note(&one.labels);
            for map in &self.chain.maps {
                map.apply(&self.steps, &mut self.values);
            }
            sink.row(RowRef {
                position: first + at,
                labels: &one.labels,
                name_dropped: self.name_dropped,
                values: &self.values,
            })?;
        }
        Ok(())
    }

    fn read(&mut self, series: &Series) -> Result<()> {
        self.samples.clear();
        series.data.read(self.chain.scan.selector.read, &mut self.samples)?;
        check_floats(&self.samples, &series.labels)?;
        let usage = &self.evaluator.usage;
        let count = self.samples.timestamps.len() as u64;
        let total = usage.samples.fetch_add(count, Ordering::Relaxed) + count;
        let limit = self.evaluator.config.max_samples;
        if limit > 0 && total > limit {
            return Err(Error::unprocessable(TOO_MANY_SAMPLES));
        }
        let capacity = self.samples.timestamps.capacity() * 8 + self.samples.values.capacity() * 8;
        if capacity > self.held_bytes {
            self.held.grow(capacity - self.held_bytes)?;
            self.held_bytes = capacity;
        }
        Ok(())
    }

    fn compute(&mut self) {
        let (times, values) = (&mut self.samples.timestamps, &mut self.samples.values);
        match &mut self.kernel {
            Kernel::Newest(windows) => {
                self.values.clear();
                // A stale marker is picked like a value, and then stands for none.
                let picked = windows.windows(times).bounds.iter();
                let pick =
                    |(from, to): &(u32, u32)| if from == to { absent() } else { values[*to as usize - 1] };
                self.values.extend(picked.map(pick));
            }
            Kernel::NewestTime(windows) => {
                self.values.clear();
                let picked = windows.windows(times).bounds.iter().map(|(from, to)| match to.checked_sub(1) {
                    Some(at) if from < to && !is_absent(values[at as usize]) => {
                        times[at as usize] as f64 / 1000.0
                    }
                    _ => absent(),
                });
                self.values.extend(picked);
            }
            Kernel::Range(kernel) => {
                remove_stale(times, values);
                let cancel = &self.evaluator.ctx.cancel;
                kernel.compute(times, values, &|| cancel.is_cancelled(), &mut self.values);
            }
        }
    }

    fn note(&mut self, labels: &Labels) {
        let ScanFunction::Range { notes, .. } = &self.chain.scan.function else { return };
        if let Some(RangeFunction::Quantile(phi)) = &self.chain.function {
            note_quantile(phi, &self.values, notes, &mut self.notes);
        }
        let Some(span) = notes.counter else { return };
        let name = labels.metric_name().unwrap_or("");
        if name != self.checked_name && has_values(&self.values) {
            name.clone_into(&mut self.checked_name);
            note_counter_name(name, span, &mut self.notes);
        }
    }
}

/// Prometheus's text, by which people know what limit it is.
const TOO_MANY_SAMPLES: &str = "query processing would load too many samples into memory in query execution";

/// An error if there are native histograms. A stale one only ends the series.
pub(super) fn check_floats(samples: &SampleBuffer, labels: &Labels) -> Result<()> {
    if samples.histograms.iter().all(|h| is_stale(h.histogram.sum)) {
        return Ok(());
    }
    Err(Error::unprocessable(format!(
        "native histograms are not supported by this version's PromQL engine: series {labels}"
    )))
}

/// Says so if a metric's name is not that of a counter.
pub(super) fn note_counter_name(name: &str, span: query_syntax::Span, notes: &mut Annotations) {
    let counter = ["_total", "_sum", "_count", "_bucket"].iter().any(|end| name.ends_with(end));
    if !name.is_empty() && !counter {
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
        if !is_absent(*value) && !(0.0..=1.0).contains(&phi.at(step)) {
            to.invalid_quantile(phi.at(step), span);
        }
    }
}
