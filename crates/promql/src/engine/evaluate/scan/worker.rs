//! One shard of a scan: evaluates its series one after the other, in buffers of its own.

use super::{Chain, RowSink, TOO_MANY_SAMPLES, note_counter, note_quantile, stats::keep_statistics};
use crate::{
    engine::{
        annotations::Annotations,
        evaluate::Evaluator,
        instant,
        kernel::{RangeKernel, remove_stale},
        plan::{Edges, RangeFunction, ScanFunction},
        range::{self, RangeSamples, Teller},
        window::{WindowCache, WindowSpec},
    },
    functions::rate::RateKind,
};
use model::Labels;
use service_api::{Error, Reservation, Result, SampleBuffer, Series};
use std::sync::atomic::Ordering;
use vectors::{Histograms, RowRef, Steps, absent, has_values, is_absent};

pub(super) struct Worker<'e, 'c> {
    evaluator: &'e Evaluator<'e>,
    chain: &'c Chain<'c>,
    steps: Steps,
    kernel: Kernel,
    name_dropped: bool,
    samples: SampleBuffer,
    /// The samples again, where the kernel for plain floats is not enough.
    full: RangeSamples,
    values: Vec<f64>,
    histograms: Histograms,
    held: Reservation,
    held_bytes: usize,
    pub notes: Annotations,
    /// How many samples each step looked at, where that is wanted.
    counts: Option<Vec<u64>>,
    /// The metric that was looked at last, and its type if that is a label: what they say is said once.
    checked: Option<(String, String)>,
}

/// How plain floats are computed.
enum Kernel {
    Newest(WindowCache),
    NewestTime(WindowCache),
    Range(RangeKernel),
    /// Not at all: everything takes the other way.
    None,
}

impl<'e, 'c> Worker<'e, 'c> {
    pub fn new(evaluator: &'e Evaluator<'e>, chain: &'c Chain<'c>, steps: Steps) -> Result<Self> {
        let windows = |range, rate| {
            WindowCache::new(WindowSpec { steps, shift: chain.scan.selector.shift, range, rate })
        };
        let kernel = match (&chain.scan.function, &chain.function) {
            (ScanFunction::Range { range, .. }, Some(function)) => {
                let rate = match function {
                    RangeFunction::Extrapolated(kind) => Some(*kind),
                    _ => None,
                };
                let is_plain = chain.scan.selector.edges == Edges::Open && RangeKernel::knows(function);
                match is_plain {
                    true => Kernel::Range(RangeKernel::new(function.clone(), windows(*range, rate))),
                    false => Kernel::None,
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
            steps,
            kernel,
            name_dropped: !chain.scan.function.keeps_name() || chain.maps.iter().any(|m| !m.keeps_name()),
            samples: SampleBuffer::default(),
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

    pub fn run(&mut self, first: usize, series: &[Series], sink: &mut impl RowSink) -> Result<()> {
        for (at, one) in series.iter().enumerate() {
            self.evaluator.ctx.check()?;
            self.read(one)?;
            self.compute(&one.labels)?;
            self.evaluator.ctx.check()?;
            self.note(&one.labels);
            for map in &self.chain.maps {
                self.evaluator.ctx.check()?;
                map.apply(&self.steps, &mut self.values, &mut self.histograms, &mut self.notes);
            }
            sink.row(RowRef {
                position: first + at,
                labels: &one.labels,
                name_dropped: self.name_dropped,
                values: &self.values,
                histograms: &self.histograms,
            })?;
        }
        Ok(())
    }

    fn read(&mut self, series: &Series) -> Result<()> {
        self.samples.clear();
        series.data.read(self.chain.scan.selector.read, &mut self.samples)?;
        let usage = &self.evaluator.usage;
        let count = (self.samples.timestamps.len() + self.samples.histograms.len()) as u64;
        let total = usage.samples.fetch_add(count, Ordering::Relaxed) + count;
        let limit = self.evaluator.config.max_samples;
        if limit > 0 && total > limit {
            return Err(Error::unprocessable(TOO_MANY_SAMPLES));
        }
        if self.chain.scan.selector.statistics && !self.samples.histograms.is_empty() {
            keep_statistics(&mut self.samples.histograms);
        }
        self.hold(self.samples.timestamps.capacity() * 8 + self.samples.values.capacity() * 8)
    }

    /// Counts what the buffers hold, at their largest.
    fn hold(&mut self, bytes: usize) -> Result<()> {
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

    /// The way for native histograms, starts and edges.
    fn compute_in_full(&mut self, labels: &Labels) -> Result<()> {
        // Before it is taken: there may be many steps, and a histogram at each.
        self.hold(self.held_bytes.max(self.steps.count * 2 * size_of::<f64>()))?;
        let selector = &self.chain.scan.selector;
        let spec = |range| WindowSpec { steps: self.steps, shift: selector.shift, range, rate: None };
        let metric = labels.metric_name().unwrap_or("");
        let with_starts = self.evaluator.config.features.use_start_timestamps;
        let out = (&mut self.values, &mut self.histograms);
        match (&self.chain.scan.function, &self.chain.function) {
            (ScanFunction::Range { range, notes, .. }, Some(function)) => {
                self.full.fill(&self.samples, with_starts);
                let cancel = &self.evaluator.ctx.cancel;
                let mut teller = Teller { notes: &mut self.notes, metric, span: notes.range };
                let spec = spec(*range);
                let samples = &self.full;
                range::compute(
                    function,
                    &spec,
                    selector.edges,
                    samples,
                    &mut teller,
                    &|| cancel.is_cancelled(),
                    out,
                )?;
            }
            (ScanFunction::Interpolated { lookback }, _) => {
                self.full.fill(&self.samples, false);
                let mut teller = Teller { notes: &mut self.notes, metric, span: selector.span };
                instant::interpolated(&spec(*lookback), &self.full, &mut teller, out);
            }
            (ScanFunction::Newest { lookback }, _) => {
                instant::newest(&spec(*lookback), &self.samples, out);
            }
            (ScanFunction::NewestTime { lookback }, _) => {
                instant::newest_time(&spec(*lookback), &self.samples, out);
            }
            (ScanFunction::NewestStart { lookback }, _) if with_starts => {
                instant::newest_start(&spec(*lookback), &self.samples, out);
            }
            _ => {
                self.values.clear();
                self.values.resize(self.steps.count, absent());
                self.histograms = Histograms::default();
            }
        }
        if let ScanFunction::Range { range, .. } = &self.chain.scan.function {
            self.count_in_full(*range);
        } else if let Some(counts) = &mut self.counts {
            let values = self.values.iter().enumerate().filter(|(_, v)| !is_absent(**v));
            values.for_each(|(step, _)| counts[step] += 1);
            self.histograms.iter().for_each(|(step, h)| counts[step] += range::size(h));
        }
        self.hold(self.full.heap_bytes() + self.histograms.heap_bytes())
    }

    /// Adds to the counts what the windows of a series in full hold.
    fn count_in_full(&mut self, range: i64) {
        let Some(counts) = &mut self.counts else { return };
        let spec = WindowSpec { steps: self.steps, shift: self.chain.scan.selector.shift, range, rate: None };
        for (step, count) in counts.iter_mut().enumerate() {
            let end = spec.window_end(step);
            let within = |time: i64| time > end.saturating_sub(range) && time <= end;
            *count += self.full.times.iter().filter(|time| within(**time)).count() as u64;
            let points = self.full.histograms.iter().filter(|point| within(point.time));
            *count += points.map(|point| point.size()).sum::<u64>();
        }
    }

    fn note(&mut self, labels: &Labels) {
        let ScanFunction::Range { notes, .. } = &self.chain.scan.function else { return };
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
