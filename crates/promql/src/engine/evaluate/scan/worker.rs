//! One shard of a scan: evaluates its series one after the other, in buffers of its own.

use super::{
    Chain, RowSink, TOO_MANY_SAMPLES, cells::Pieces, note_counter, note_quantile, source::Source,
    stats::keep_statistics,
};
use crate::{
    engine::{
        annotations::Annotations,
        evaluate::Evaluator,
        kernel::{CellKernel, RangeKernel, remove_stale},
        plan::{Edges, Figures, RangeFunction, ScanFunction},
        range::RangeSamples,
        window::{WindowCache, WindowSpec},
    },
    functions::{over_time::OverTime, rate::RateKind},
};
use model::Labels;
use service_api::{Error, Reservation, Result, SampleBuffer};
use std::{ops::Range, sync::atomic::Ordering};
use vectors::{Histograms, RowRef, Steps, absent, has_values, is_absent};

pub(super) struct Worker<'e, 'c> {
    pub evaluator: &'e Evaluator<'e>,
    pub chain: &'c Chain<'c>,
    source: &'c Source<'c>,
    pub steps: Steps,
    kernel: Kernel,
    name_dropped: bool,
    pub samples: SampleBuffer,
    /// Where samples are not all that is read.
    pieces: Option<Pieces<'c>>,
    /// The samples again, where the kernel for plain floats is not enough.
    pub full: RangeSamples,
    pub values: Vec<f64>,
    pub histograms: Histograms,
    held: Reservation,
    pub held_bytes: usize,
    pub notes: Annotations,
    /// How many samples each step looked at, where that is wanted.
    pub counts: Option<Vec<u64>>,
    /// The metric that was looked at last, and its type if that is a label: what they say is said once.
    checked: Option<(String, String)>,
}

/// How plain floats are computed.
enum Kernel {
    Newest(WindowCache),
    NewestTime(WindowCache),
    Range(RangeKernel),
    Cells(CellKernel),
    /// Not at all: everything takes the other way.
    None,
}

impl<'e, 'c> Worker<'e, 'c> {
    pub fn new(
        evaluator: &'e Evaluator<'e>,
        chain: &'c Chain<'c>,
        source: &'c Source<'c>,
        steps: Steps,
    ) -> Result<Self> {
        let windows = |range, rate| {
            WindowCache::new(WindowSpec { steps, shift: chain.scan.selector.shift, range, rate })
        };
        let pieces = match source {
            Source::Samples(_) => None,
            Source::Joined(joined) => Some(Pieces::new(joined)),
        };
        let figures = pieces.as_ref().map(Pieces::figures);
        let kernel = match (&chain.scan.function, &chain.function) {
            (ScanFunction::Range { range, .. }, Some(function)) => {
                let rate = match function {
                    RangeFunction::Extrapolated(kind) => Some(*kind),
                    _ => None,
                };
                let is_plain = chain.scan.selector.edges == Edges::Open && RangeKernel::knows(function);
                let function = match figures {
                    // Counts of buckets are added up.
                    Some(Figures::Counts) => RangeFunction::OverTime(OverTime::Sum),
                    _ => function.clone(),
                };
                match figures.and_then(|figures| CellKernel::new(figures, || windows(*range, None))) {
                    Some(kernel) => Kernel::Cells(kernel),
                    None if is_plain => Kernel::Range(RangeKernel::new(function, windows(*range, rate))),
                    None => Kernel::None,
                }
            }
            (ScanFunction::NewestTime { lookback }, _) => Kernel::NewestTime(windows(*lookback, None)),
            (ScanFunction::Newest { lookback }, _) => Kernel::Newest(windows(*lookback, None)),
            (ScanFunction::NewestStart { .. } | ScanFunction::Interpolated { .. }, _) => Kernel::None,
            (ScanFunction::Range { .. }, None) => {
                return Err(Error::internal("a range function was not prepared"));
            }
        };
        Ok(Self {
            evaluator,
            chain,
            source,
            steps,
            kernel,
            name_dropped: !chain.scan.function.keeps_name() || chain.maps.iter().any(|m| !m.keeps_name()),
            samples: SampleBuffer::default(),
            pieces,
            full: RangeSamples::default(),
            values: Vec::with_capacity(steps.count),
            histograms: Histograms::default(),
            held: evaluator.ctx.budget.reserve(steps.count * size_of::<f64>())?,
            held_bytes: 0,
            notes: Annotations::default(),
            counts: evaluator.counts_samples().then(|| vec![0; steps.count]),
            checked: None,
        })
    }

    /// Hands on what was counted.
    pub fn tell_counts(&self) {
        if let Some(counts) = &self.counts {
            self.evaluator.count_samples(&self.steps, counts);
        }
    }

    /// Of these series.
    pub fn run(&mut self, part: Range<usize>, sink: &mut impl RowSink) -> Result<()> {
        for at in part {
            let labels = self.source.labels(at);
            self.evaluator.ctx.check()?;
            self.read(at)?;
            self.compute(labels)?;
            self.evaluator.ctx.check()?;
            self.note(labels);
            for map in &self.chain.maps {
                self.evaluator.ctx.check()?;
                map.apply(&self.steps, &mut self.values, &mut self.histograms, &mut self.notes);
            }
            sink.row(RowRef {
                position: at,
                labels,
                name_dropped: self.name_dropped,
                values: &self.values,
                histograms: &self.histograms,
            })?;
        }
        Ok(())
    }

    fn read(&mut self, at: usize) -> Result<()> {
        self.samples.clear();
        let usage = &self.evaluator.usage;
        if let Source::Samples(series) = self.source {
            series[at].data.read(self.chain.scan.selector.read, &mut self.samples)?;
        }
        let mut count = (self.samples.timestamps.len() + self.samples.histograms.len()) as u64;
        let mut bytes = 0;
        if let Some(pieces) = &mut self.pieces {
            let Some(read) = pieces.read(at)? else {
                usage.needs_samples.store(true, Ordering::Relaxed);
                return Err(Error::internal("rollups do not do for this query"));
            };
            (count, bytes) = (read, pieces.heap_bytes());
            if !matches!(self.kernel, Kernel::Cells(_)) {
                pieces.only_figure(&mut self.samples);
            }
        }
        let total = usage.samples.fetch_add(count, Ordering::Relaxed) + count;
        let limit = self.evaluator.config.max_samples;
        if limit > 0 && total > limit {
            return Err(Error::unprocessable(TOO_MANY_SAMPLES));
        }
        if self.chain.scan.selector.statistics && !self.samples.histograms.is_empty() {
            keep_statistics(&mut self.samples.histograms);
        }
        self.hold(bytes + self.samples.timestamps.capacity() * 8 + self.samples.values.capacity() * 8)
    }

    /// Counts what the buffers hold, at their largest.
    pub fn hold(&mut self, bytes: usize) -> Result<()> {
        if bytes > self.held_bytes {
            self.held.grow(bytes - self.held_bytes)?;
            self.held_bytes = bytes;
        }
        Ok(())
    }

    fn compute(&mut self, labels: &Labels) -> Result<()> {
        if matches!(self.kernel, Kernel::None) || !self.samples.histograms.is_empty() || self.starts_count() {
            return self.compute_in_full(labels);
        }
        self.histograms = Histograms::default();
        let (times, values) = (&mut self.samples.timestamps, &mut self.samples.values);
        match &mut self.kernel {
            Kernel::Newest(windows) => {
                self.values.clear();
                if let Some(counts) = &mut self.counts {
                    count_newest(counts, &windows.windows(times).bounds, values);
                }
                // A stale marker is picked like a value, and then stands for none.
                let picked = windows.windows(times).bounds.iter();
                let pick =
                    |(from, to): &(u32, u32)| if from == to { absent() } else { values[*to as usize - 1] };
                self.values.extend(picked.map(pick));
            }
            Kernel::NewestTime(windows) => {
                self.values.clear();
                if let Some(counts) = &mut self.counts {
                    count_newest(counts, &windows.windows(times).bounds, values);
                }
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
                if let Some(counts) = &mut self.counts {
                    kernel.count(times, counts);
                }
                let cancel = &self.evaluator.ctx.cancel;
                kernel.compute(times, values, &|| cancel.is_cancelled(), &mut self.values);
            }
            Kernel::Cells(kernel) => {
                let Some(pieces) = &self.pieces else { return Ok(()) };
                if let Some(counts) = &mut self.counts {
                    kernel.count(&pieces.cells.times, counts);
                }
                let cancel = &self.evaluator.ctx.cancel;
                kernel.compute(&pieces.cells, &|| cancel.is_cancelled(), &mut self.values);
            }
            Kernel::None => {}
        }
        Ok(())
    }

    /// Whether the samples' start timestamps matter to the function.
    fn starts_count(&self) -> bool {
        let function_looks = matches!(
            self.chain.function,
            Some(
                RangeFunction::Extrapolated(RateKind::Rate | RateKind::Increase)
                    | RangeFunction::InstantRate
                    | RangeFunction::Resets
            )
        );
        function_looks
            && self.evaluator.config.features.use_start_timestamps
            && !self.samples.starts.floats.is_empty()
    }

    fn note(&mut self, labels: &Labels) {
        let ScanFunction::Range { notes, .. } = &self.chain.scan.function else { return };
        let several = matches!(&self.kernel, Kernel::Cells(kernel) if kernel.has_several_resets);
        if let Some(pieces) = self.pieces.as_ref().filter(|pieces| pieces.is_inexact(several)) {
            self.notes.inexact_rollups(pieces.resolution.unwrap_or_default(), notes.range);
        }
        if let Some(RangeFunction::Quantile(phi)) = &self.chain.function {
            note_quantile(phi, &self.values, notes, &mut self.notes);
        }
        let Some(span) = notes.counter else { return };
        let (name, metric_type) = (labels.metric_name().unwrap_or(""), labels.get("__type__").unwrap_or(""));
        let is_checked = self.checked.as_ref().is_some_and(|(n, t)| n == name && t == metric_type);
        if !is_checked && has_values(&self.values) {
            self.checked = Some((name.to_owned(), metric_type.to_owned()));
            note_counter(labels, self.evaluator.config.features, span, &mut self.notes);
        }
    }
}

fn count_newest(counts: &mut [u64], bounds: &[(u32, u32)], values: &[f64]) {
    for (count, (from, to)) in counts.iter_mut().zip(bounds) {
        *count += u64::from(from < to && !is_absent(values[*to as usize - 1]));
    }
}
