//! Functions of ranges in full: with native histograms, start timestamps, and `anchored` or `smoothed`
//! edges. Series of plain floats, which most are, take the way of `kernel`.

mod extended;
mod histograms;
mod instant;
mod pairs;
mod rate;

pub(crate) use extended::{between, with_ends};

use super::{
    annotations::Annotations,
    plan::{Edges, RangeFunction},
    values::Values,
    window::WindowSpec,
};
use crate::functions::{
    over_time::{OverTime, TimeOf, quantile_over_time},
    rate as plain,
};
use ::histogram::FloatHistogram;
use model::{Timestamp, is_stale};
use query_syntax::Span;
use service_api::{Error, Result, SampleBuffer};
use std::sync::Arc;
use vectors::{Histograms, Sample, absent};

/// All samples of one series, without stale markers.
#[derive(Debug, Default)]
pub(crate) struct RangeSamples {
    pub times: Vec<Timestamp>,
    pub values: Vec<f64>,
    /// When each float's counting began, 0 where unknown; or none at all.
    pub starts: Vec<Timestamp>,
    pub histograms: Vec<HistogramPoint>,
}

#[derive(Clone, Debug)]
pub(crate) struct HistogramPoint {
    pub time: Timestamp,
    /// When its counting began; 0 if unknown.
    pub start: Timestamp,
    pub histogram: Arc<FloatHistogram>,
}

/// What a window holds, in time order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window<'a> {
    /// The range itself, open at `start`; with other edges than open, samples may lie outside.
    pub start: Timestamp,
    pub end: Timestamp,
    pub times: &'a [Timestamp],
    pub values: &'a [f64],
    pub starts: &'a [Timestamp],
    pub histograms: &'a [HistogramPoint],
}

/// Where what a function finds is told.
pub(crate) struct Teller<'a> {
    pub notes: &'a mut Annotations,
    /// The metric's name; empty if there is none.
    pub metric: &'a str,
    /// The argument that is a range.
    pub span: Span,
}

impl RangeSamples {
    /// Takes what was read; `with_starts` if start timestamps count.
    pub fn fill(&mut self, samples: &SampleBuffer, with_starts: bool) {
        self.times.clear();
        self.values.clear();
        self.starts.clear();
        self.histograms.clear();
        let starts = if with_starts { &samples.starts.floats[..] } else { &[] };
        for (at, (time, value)) in samples.timestamps.iter().zip(&samples.values).enumerate() {
            if is_stale(*value) {
                continue;
            }
            self.times.push(*time);
            self.values.push(*value);
            if let Some(start) = starts.get(at) {
                self.starts.push(*start);
            }
        }
        let starts = if with_starts { &samples.starts.histograms[..] } else { &[] };
        for (at, sample) in samples.histograms.iter().enumerate() {
            if !is_stale(sample.histogram.sum) {
                let start = starts.get(at).copied().unwrap_or_default();
                let mut histogram = FloatHistogram::from(&sample.histogram);
                // The bounds of one series rarely change: hold them once.
                if let Some(last) = self.histograms.last().map(|point| &point.histogram.custom_values)
                    && **last == *histogram.custom_values
                {
                    histogram.custom_values = Arc::clone(last);
                }
                let histogram = Arc::new(histogram);
                self.histograms.push(HistogramPoint { time: sample.timestamp, start, histogram });
            }
        }
    }

    pub fn heap_bytes(&self) -> usize {
        let floats = (self.times.capacity() + self.values.capacity() + self.starts.capacity()) * 8;
        let one = |point: &HistogramPoint| {
            size_of::<HistogramPoint>() + size_of::<FloatHistogram>() + point.histogram.heap_bytes()
        };
        floats + self.histograms.iter().map(one).sum::<usize>()
    }
}

/// What a histogram counts for among samples: what it takes in units of 16 bytes, as in Prometheus.
pub(crate) fn size(histogram: &FloatHistogram) -> u64 {
    const STRUCT: usize = 168;
    let side = |side: &::histogram::Buckets| 8 * (side.spans.len() + side.counts.len());
    let bytes = side(&histogram.positive) + side(&histogram.negative) + 8 * histogram.custom_values.len();
    ((STRUCT + bytes + 8) / 16) as u64
}

impl HistogramPoint {
    pub fn size(&self) -> u64 {
        size(&self.histogram)
    }
}

impl<'a> Window<'a> {
    /// Whether it has samples of both kinds.
    fn is_mixed(&self) -> bool {
        !self.times.is_empty() && !self.histograms.is_empty()
    }

    fn is_empty(&self) -> bool {
        self.times.is_empty() && self.histograms.is_empty()
    }
}

/// A function over all windows of a series. Fewer values come if the query is cancelled meanwhile, which
/// the caller then finds out. The error is that of a parameter.
pub(crate) fn compute(
    function: &RangeFunction<Values>,
    spec: &WindowSpec,
    edges: Edges,
    samples: &RangeSamples,
    teller: &mut Teller<'_>,
    is_cancelled: &dyn Fn() -> bool,
    (values, histograms): (&mut Vec<f64>, &mut Histograms),
) -> Result<()> {
    values.clear();
    *histograms = Histograms::default();
    let (before, after) = edges.reach();
    let (mut floats, mut points) = ((0, 0), (0, 0));
    for step in 0..spec.steps.count {
        if is_cancelled() {
            break;
        }
        let end = spec.window_end(step);
        let start = end.saturating_sub(spec.range);
        let (first, last) = (start.saturating_sub(before), end.saturating_add(after));
        advance(&mut floats, &samples.times, |time| *time, first, last);
        advance(&mut points, &samples.histograms, |point| point.time, first, last);
        let window = Window {
            start,
            end,
            times: &samples.times[floats.0..floats.1],
            values: &samples.values[floats.0..floats.1],
            starts: samples.starts.get(floats.0..floats.1).unwrap_or_default(),
            histograms: &samples.histograms[points.0..points.1],
        };
        let value =
            if window.is_empty() { None } else { apply(function, step, spec, edges, &window, teller)? };
        values.push(match value {
            Some(Sample::Float(value)) => value,
            Some(Sample::Histogram(histogram)) => {
                histograms.set(step, spec.steps.count, histogram);
                absent()
            }
            None => absent(),
        });
    }
    Ok(())
}

/// Moves the bounds of a window to `first` (left out) and `last` (still in).
fn advance<T>(
    (from, to): &mut (usize, usize),
    entries: &[T],
    time: impl Fn(&T) -> Timestamp,
    first: Timestamp,
    last: Timestamp,
) {
    while entries.get(*to).is_some_and(|entry| time(entry) <= last) {
        *to += 1;
    }
    while *from < *to && time(&entries[*from]) <= first {
        *from += 1;
    }
}

fn apply(
    function: &RangeFunction<Values>,
    step: usize,
    spec: &WindowSpec,
    edges: Edges,
    window: &Window<'_>,
    teller: &mut Teller<'_>,
) -> Result<Option<Sample>> {
    use RangeFunction as F;
    let (times, values) = (window.times, window.values);
    Ok(match function {
        F::Extrapolated(kind) => match edges {
            Edges::Open => rate::extrapolated(*kind, window, teller),
            _ => extended::rate(*kind, window, edges, teller),
        },
        F::InstantRate => instant::change(true, window, teller),
        F::InstantDelta => instant::change(false, window, teller),
        F::Changes => pairs::changes(window, edges).map(Sample::Float),
        F::Resets => pairs::resets(window, edges).map(Sample::Float),
        F::OverTime(OverTime::Sum) => histograms::sum(window, teller),
        F::OverTime(OverTime::Avg) => histograms::mean(window, teller),
        F::OverTime(OverTime::Count) => Some(Sample::Float((times.len() + window.histograms.len()) as f64)),
        F::OverTime(OverTime::Present) => Some(Sample::Float(1.0)),
        F::OverTime(OverTime::First) => histograms::first(window),
        F::OverTime(OverTime::Last) => histograms::last(window),
        F::TimeOf(function @ (TimeOf::First | TimeOf::Last)) => histograms::time_of(*function, window),
        F::OverTime(function) => floats_only(window, 1, teller, || function.apply(values)),
        F::TimeOf(function) => floats_only(window, 1, teller, || function.apply(times, values)),
        F::Quantile(phi) => {
            floats_only(window, 1, teller, || quantile_over_time(phi.at(step), values, &mut Vec::new()))
        }
        F::Derivative => floats_only(window, 2, teller, || plain::deriv(times, values)),
        F::PredictLinear(seconds) => {
            let now = spec.steps.time(step);
            floats_only(window, 2, teller, || plain::predict_linear(times, values, now, seconds.at(step)))
        }
        F::DoubleExponential(smoothing, trend) => {
            let (smoothing, trend) =
                (factor("smoothing", "sf", smoothing.at(step))?, factor("trend", "tf", trend.at(step))?);
            floats_only(window, 2, teller, || plain::double_exponential_smoothing(values, smoothing, trend))
        }
    })
}

/// A factor of double exponential smoothing.
fn factor(name: &str, short: &str, value: f64) -> Result<f64> {
    // As Prometheus has it, NaN is let through.
    if value <= 0.0 || value >= 1.0 {
        let text = format!("invalid {name} factor. Expected: 0 < {short} < 1, got: {value:.6}");
        return Err(Error::unprocessable(text));
    }
    Ok(value)
}

/// A function that looks at floats, `needed` of them or more, and passes over histograms.
fn floats_only(
    window: &Window<'_>,
    needed: usize,
    teller: &mut Teller<'_>,
    function: impl FnOnce() -> Option<f64>,
) -> Option<Sample> {
    if window.is_mixed() {
        teller.notes.ignored_in_range(teller.metric, teller.span);
    }
    if window.values.len() < needed { None } else { function().map(Sample::Float) }
}
