//! What both remote write protocols share: samples, histograms, exemplars, and the bounds
//! on how many of them one request may hold.

use super::wire::{Reader, Value, WireError, zigzag};
use model::{
    Buckets, CounterResetHint, Exemplar, Histogram, HistogramSample, LabelsBuilder, Sample, Span, Timestamp,
    push_start,
};
use service_api::{BatchSeries, LabelSource, Result, SeriesKey, StartTimestamps, WriteBatch};

/// Entries (series, samples, …) that one request may hold: a hundred times what Prometheus
/// sends, and some 30 MiB once decoded.
pub const MAX_ENTRIES: usize = 250_000;

/// Buckets and spans that one native histogram may hold.
const MAX_BUCKETS: usize = 10_000;

struct NoLabels;

impl LabelSource for NoLabels {
    fn pairs(&self, _: usize, _: &mut dyn FnMut(&str, &str)) -> Result<()> {
        Ok(())
    }
}

pub fn empty_batch() -> WriteBatch {
    WriteBatch {
        series: Vec::new(),
        samples: Vec::new(),
        histograms: Vec::new(),
        starts: StartTimestamps::default(),
        exemplars: Vec::new(),
        metadata: Vec::new(),
        labels: Box::new(NoLabels),
    }
}

pub fn check_count(batch: &WriteBatch) -> Result<(), WireError> {
    let entries = batch.series.len()
        + batch.samples.len()
        + batch.histograms.len()
        + batch.exemplars.len()
        + batch.metadata.len();
    if entries > MAX_ENTRIES { Err(WireError::TooMany(MAX_ENTRIES)) } else { Ok(()) }
}

/// Where the next series' entries begin in the batch's vectors.
#[derive(Clone, Copy)]
pub struct Mark {
    samples: u32,
    histograms: u32,
    exemplars: u32,
}

pub fn mark(batch: &WriteBatch) -> Mark {
    Mark {
        samples: batch.samples.len() as u32,
        histograms: batch.histograms.len() as u32,
        exemplars: batch.exemplars.len() as u32,
    }
}

/// The series whose entries were pushed since `start`.
pub fn series(key: SeriesKey, start: Mark, batch: &WriteBatch) -> BatchSeries {
    let end = mark(batch);
    BatchSeries {
        key,
        samples: start.samples..end.samples,
        histograms: start.histograms..end.histograms,
        exemplars: start.exemplars..end.exemplars,
    }
}

/// Appends a sample.
#[inline]
pub fn push_sample(batch: &mut WriteBatch, sample: Sample, start: Timestamp) {
    push_start(&mut batch.starts.floats, batch.samples.len(), start);
    batch.samples.push(sample);
}

/// Appends a histogram.
pub fn push_histogram(batch: &mut WriteBatch, histogram: HistogramSample, start: Timestamp) {
    push_start(&mut batch.starts.histograms, batch.histograms.len(), start);
    batch.histograms.push(histogram);
}

/// Gives all entries since `mark` that have no start this one.
pub fn default_start(batch: &mut WriteBatch, mark: Mark, start: Timestamp) {
    let WriteBatch { samples, histograms, starts, .. } = batch;
    let columns = [
        (&mut starts.floats, mark.samples, samples.len()),
        (&mut starts.histograms, mark.histograms, histograms.len()),
    ];
    for (column, from, end) in columns.into_iter().filter(|(_, from, end)| (*from as usize) < *end) {
        column.resize(end, 0);
        column[from as usize..].iter_mut().filter(|known| **known == 0).for_each(|unknown| *unknown = start);
    }
}

/// Both protocols agree on these fields; `other` reads what else there is.
#[inline]
pub fn sample<'a>(
    message: &'a [u8],
    mut other: impl FnMut(u32, Value<'a>) -> Result<(), WireError>,
) -> Result<Sample, WireError> {
    let mut sample = Sample::default();
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.field()? {
        match field {
            1 => sample.value = value.double(1)?,
            2 => sample.timestamp = value.varint(2)? as i64,
            _ => other(field, value)?,
        }
    }
    Ok(sample)
}

/// Both protocols agree on an exemplar but for its labels, which `label` reads.
pub fn exemplar<'a>(
    message: &'a [u8],
    mut label: impl FnMut(u32, Value<'a>, &mut LabelsBuilder) -> Result<(), WireError>,
) -> Result<Exemplar, WireError> {
    let mut labels = LabelsBuilder::new();
    let (mut value, mut timestamp) = (0.0, 0);
    let mut reader = Reader::new(message);
    while let Some((field, v)) = reader.field()? {
        match field {
            2 => value = v.double(2)?,
            3 => timestamp = v.varint(3)? as i64,
            _ => label(field, v, &mut labels)?,
        }
    }
    Ok(Exemplar { labels: labels.build(), timestamp, value })
}

/// Both protocols number a histogram's fields alike; `other` reads what else there is.
pub fn histogram<'a>(
    message: &'a [u8],
    mut other: impl FnMut(u32, Value<'a>) -> Result<(), WireError>,
) -> Result<HistogramSample, WireError> {
    let mut raw = RawHistogram::default();
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.field()? {
        raw.set(field, value)?;
        other(field, value)?;
    }
    raw.finish()
}

#[derive(Default)]
struct RawHistogram {
    timestamp: i64,
    hint: u64,
    schema: i32,
    zero_threshold: f64,
    sum: f64,
    count_int: Option<u64>,
    count_float: Option<f64>,
    zero_int: u64,
    zero_float: f64,
    spans: [Vec<Span>; 2],
    deltas: [Vec<i64>; 2],
    counts: [Vec<f64>; 2],
    custom_values: Vec<f64>,
}

const NEGATIVE: usize = 0;
const POSITIVE: usize = 1;

impl RawHistogram {
    fn set(&mut self, field: u32, value: Value<'_>) -> Result<(), WireError> {
        match field {
            1 => self.count_int = Some(value.varint(1)?),
            2 => self.count_float = Some(value.double(2)?),
            3 => self.sum = value.double(3)?,
            4 => self.schema = zigzag(value.varint(4)?) as i32,
            5 => self.zero_threshold = value.double(5)?,
            6 => self.zero_int = value.varint(6)?,
            7 => self.zero_float = value.double(7)?,
            8 => push_span(&mut self.spans[NEGATIVE], value.bytes(8)?)?,
            9 => value.varints(9, |v| self.deltas[NEGATIVE].push(zigzag(v)))?,
            10 => value.doubles(10, |v| self.counts[NEGATIVE].push(v))?,
            11 => push_span(&mut self.spans[POSITIVE], value.bytes(11)?)?,
            12 => value.varints(12, |v| self.deltas[POSITIVE].push(zigzag(v)))?,
            13 => value.doubles(13, |v| self.counts[POSITIVE].push(v))?,
            14 => self.hint = value.varint(14)?,
            15 => self.timestamp = value.varint(15)? as i64,
            16 => value.doubles(16, |v| self.custom_values.push(v))?,
            _ => {}
        }
        Ok(())
    }

    fn finish(self) -> Result<HistogramSample, WireError> {
        let fail = |why| Err(WireError::Histogram(why));
        for side in [NEGATIVE, POSITIVE] {
            let buckets: usize = self.spans[side].iter().map(|s| s.length as usize).sum();
            let given =
                if self.count_float.is_some() { self.counts[side].len() } else { self.deltas[side].len() };
            if buckets > MAX_BUCKETS || self.spans[side].len() > MAX_BUCKETS {
                return fail("too many buckets");
            }
            if buckets != given {
                return fail("spans and buckets do not agree");
            }
        }
        if self.custom_values.len() > MAX_BUCKETS {
            return fail("too many custom bucket bounds");
        }
        let [negative_spans, positive_spans] = self.spans;
        let [negative_deltas, positive_deltas] = self.deltas;
        let [negative_counts, positive_counts] = self.counts;
        let buckets = match self.count_float {
            Some(count) => Buckets::Float {
                count,
                zero_count: self.zero_float,
                positive: positive_counts,
                negative: negative_counts,
            },
            None => Buckets::Integer {
                count: self.count_int.unwrap_or(0),
                zero_count: self.zero_int,
                positive: positive_deltas,
                negative: negative_deltas,
            },
        };
        let histogram = Histogram {
            counter_reset_hint: match self.hint {
                1 => CounterResetHint::Reset,
                2 => CounterResetHint::NotReset,
                3 => CounterResetHint::Gauge,
                _ => CounterResetHint::Unknown,
            },
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            sum: self.sum,
            positive_spans,
            negative_spans,
            buckets,
            custom_values: self.custom_values,
        };
        Ok(HistogramSample { timestamp: self.timestamp, histogram })
    }
}

fn push_span(spans: &mut Vec<Span>, message: &[u8]) -> Result<(), WireError> {
    let mut span = Span::default();
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.field()? {
        match field {
            1 => span.offset = zigzag(value.varint(1)?) as i32,
            2 => {
                span.length =
                    u32::try_from(value.varint(2)?).map_err(|_| WireError::Histogram("span too long"))?
            }
            _ => {}
        }
    }
    spans.push(span);
    Ok(())
}
