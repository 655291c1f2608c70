//! From data points to samples.

use super::{
    exponential,
    labels::{Extra, Point, PointLabels, Resource, exemplar_attributes},
    range_in,
};
use crate::{
    otlp::attributes::{for_each, identifier},
    write::{
        entries,
        wire::{Reader, Value, WireError},
    },
};
use model::{Exemplar, HistogramSample, LabelsBuilder, Sample, Timestamp, stale_nan};
use service_api::WriteBatch;

/// Buckets or quantiles of one data point.
pub const MAX_BUCKETS: usize = 10_000;

/// What kind of data a metric has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Gauge,
    Sum,
    Histogram,
    ExponentialHistogram,
    Summary,
}

impl Shape {
    pub fn has_temporality(self) -> bool {
        !matches!(self, Self::Gauge | Self::Summary)
    }
}

/// The series and samples of a request so far.
pub struct Points<'a> {
    body: &'a [u8],
    pub batch: WriteBatch,
    pub labels: PointLabels,
    pub scratch: Vec<u8>,
    exemplars: Vec<Exemplar>,
    /// When the point's counting began; 0 if that is not known. As in Prometheus, of gauges, too.
    start: Timestamp,
    /// The oldest and the newest time of the resource's points.
    times: Option<(Timestamp, Timestamp)>,
}

impl<'a> Points<'a> {
    pub fn new(body: &'a [u8]) -> Self {
        Self {
            body,
            batch: entries::empty_batch(),
            labels: PointLabels::default(),
            scratch: Vec::new(),
            exemplars: Vec::new(),
            start: 0,
            times: None,
        }
    }

    pub fn finish(self) -> (WriteBatch, PointLabels) {
        (self.batch, self.labels)
    }

    pub fn begin_resource(&mut self, resource: Resource) {
        self.labels.add_resource(resource);
        self.times = None;
    }

    pub fn times(&self) -> Option<(Timestamp, Timestamp)> {
        self.times
    }

    /// Reads all points of a metric. What comes back is how many were left out, and why.
    pub fn read(
        &mut self,
        shape: Shape,
        data: &'a [u8],
        name: String,
    ) -> Result<Option<(u64, String)>, WireError> {
        let mut left_out = None;
        match shape {
            Shape::Gauge | Shape::Sum => {
                let name = self.labels.add_name(name);
                for_each(data, 1, |point| self.number(point, name))?;
            }
            Shape::Histogram => {
                let names = ["_sum", "_count", "_bucket"].map(|part| format!("{name}{part}"));
                let names = names.map(|name| self.labels.add_name(name));
                for_each(data, 1, |point| self.histogram(point, names))?;
            }
            Shape::Summary => {
                let names = ["_sum", "_count", ""].map(|part| format!("{name}{part}"));
                let names = names.map(|name| self.labels.add_name(name));
                for_each(data, 1, |point| self.summary(point, names))?;
            }
            Shape::ExponentialHistogram => {
                let name = self.labels.add_name(name);
                for_each(data, 1, |point| {
                    if let Some(reason) = self.exponential(point, name)? {
                        let count = left_out.as_ref().map_or(0, |(count, _)| *count);
                        left_out = Some((count + 1, reason));
                    }
                    Ok(())
                })?;
            }
        }
        Ok(left_out)
    }

    /// Begins a point.
    fn point(&mut self, message: &'a [u8], attributes: u32) -> Result<Point, WireError> {
        self.start = 0;
        self.exemplars.clear();
        Point::read(message, range_in(self.body, message), attributes, &mut self.scratch)
    }

    fn saw(&mut self, t: Timestamp) {
        let (oldest, newest) = self.times.unwrap_or((t, t));
        self.times = Some((oldest.min(t), newest.max(t)));
    }

    /// A series with one sample, and those of the waiting exemplars that are at most `bound`.
    fn push(
        &mut self,
        name: u32,
        point: &Point,
        extra: Extra,
        sample: Sample,
        bound: f64,
    ) -> Result<(), WireError> {
        let start = entries::mark(&self.batch);
        entries::push_sample(&mut self.batch, sample, self.start);
        let count = self.exemplars.iter().take_while(|e| e.value <= bound || bound == f64::INFINITY).count();
        self.batch.exemplars.extend(self.exemplars.drain(..count));
        let key = self.labels.add_series(name, point, extra);
        let series = entries::series(key, start, &self.batch);
        self.batch.series.push(series);
        entries::check_count(&self.batch)
    }

    fn number(&mut self, message: &'a [u8], name: u32) -> Result<(), WireError> {
        let point = self.point(message, 7)?;
        let (mut timestamp, mut value, mut flags) = (0, 0.0, 0);
        let mut reader = Reader::new(message);
        while let Some((field, v)) = reader.field()? {
            match field {
                2 => self.start = millis(v, 2)?,
                3 => timestamp = millis(v, 3)?,
                4 => value = v.double(4)?,
                5 => self.exemplar(v.bytes(5)?)?,
                6 => value = v.fixed64(6)? as i64 as f64,
                8 => flags = v.varint(8)?,
                _ => {}
            }
        }
        self.saw(timestamp);
        let sample = Sample { timestamp, value: recorded(value, flags) };
        self.push(name, &point, Extra::None, sample, f64::INFINITY)
    }

    /// `names` are those of sum, count and buckets.
    fn histogram(&mut self, message: &'a [u8], names: [u32; 3]) -> Result<(), WireError> {
        let point = self.point(message, 9)?;
        let (mut timestamp, mut count, mut sum, mut flags) = (0, 0, None, 0);
        let (mut counts, mut bounds) = (Vec::new(), Vec::new());
        let mut reader = Reader::new(message);
        while let Some((field, v)) = reader.field()? {
            match field {
                2 => self.start = millis(v, 2)?,
                3 => timestamp = millis(v, 3)?,
                4 => count = v.fixed64(4)?,
                5 => sum = Some(v.double(5)?),
                // The bits of fixed64 counts travel as those of doubles.
                6 => v.doubles(6, |bits| counts.push(bits.to_bits()))?,
                7 => v.doubles(7, |bound| bounds.push(bound))?,
                8 => self.exemplar(v.bytes(8)?)?,
                10 => flags = v.varint(10)?,
                _ => {}
            }
            if counts.len().max(bounds.len()) > MAX_BUCKETS {
                return Err(WireError::Histogram("too many buckets"));
            }
        }
        self.saw(timestamp);
        let sample = |value: f64| Sample { timestamp, value: recorded(value, flags) };
        if let Some(sum) = sum {
            self.push(names[0], &point, Extra::None, sample(sum), f64::NEG_INFINITY)?;
        }
        self.push(names[1], &point, Extra::None, sample(count as f64), f64::NEG_INFINITY)?;
        let mut below = 0_u64;
        for (bound, bucket) in bounds.iter().zip(&counts) {
            below = below.saturating_add(*bucket);
            self.push(names[2], &point, Extra::Le(*bound), sample(below as f64), *bound)?;
        }
        self.push(names[2], &point, Extra::Le(f64::INFINITY), sample(count as f64), f64::INFINITY)
    }

    /// `names` are those of sum, count and quantiles.
    fn summary(&mut self, message: &'a [u8], names: [u32; 3]) -> Result<(), WireError> {
        let point = self.point(message, 7)?;
        let (mut timestamp, mut count, mut sum, mut flags) = (0, 0, 0.0, 0);
        let mut quantiles = Vec::new();
        let mut reader = Reader::new(message);
        while let Some((field, v)) = reader.field()? {
            match field {
                2 => self.start = millis(v, 2)?,
                3 => timestamp = millis(v, 3)?,
                4 => count = v.fixed64(4)?,
                5 => sum = v.double(5)?,
                6 => quantiles.push(read_quantile(v.bytes(6)?)?),
                8 => flags = v.varint(8)?,
                _ => {}
            }
            if quantiles.len() > MAX_BUCKETS {
                return Err(WireError::TooMany(MAX_BUCKETS));
            }
        }
        self.saw(timestamp);
        let sample = |value: f64| Sample { timestamp, value: recorded(value, flags) };
        self.push(names[0], &point, Extra::None, sample(sum), f64::INFINITY)?;
        self.push(names[1], &point, Extra::None, sample(count as f64), f64::INFINITY)?;
        for (quantile, value) in quantiles {
            self.push(names[2], &point, Extra::Quantile(quantile), sample(value), f64::INFINITY)?;
        }
        Ok(())
    }

    /// A point that cannot be a native histogram gives the reason.
    fn exponential(&mut self, message: &'a [u8], name: u32) -> Result<Option<String>, WireError> {
        let point = self.point(message, 1)?;
        for_each(message, 11, |exemplar| self.exemplar(exemplar))?;
        let (start, time, histogram) = exponential::read(message)?;
        let timestamp = (time / 1_000_000) as i64;
        self.start = (start / 1_000_000) as i64;
        self.saw(timestamp);
        let histogram = match histogram {
            Ok(histogram) => histogram,
            Err(reason) => return Ok(Some(reason)),
        };
        let start = entries::mark(&self.batch);
        entries::push_histogram(&mut self.batch, HistogramSample { timestamp, histogram }, self.start);
        self.batch.exemplars.append(&mut self.exemplars);
        let key = self.labels.add_series(name, &point, Extra::None);
        let series = entries::series(key, start, &self.batch);
        self.batch.series.push(series);
        entries::check_count(&self.batch)?;
        Ok(None)
    }

    /// Puts an exemplar with those that wait for their series.
    fn exemplar(&mut self, message: &[u8]) -> Result<(), WireError> {
        let mut exemplar = Exemplar { labels: model::Labels::empty(), timestamp: 0, value: 0.0 };
        let mut labels = LabelsBuilder::new();
        let mut reader = Reader::new(message);
        while let Some((field, v)) = reader.field()? {
            match field {
                2 => exemplar.timestamp = millis(v, 2)?,
                3 => exemplar.value = v.double(3)?,
                4 => drop(labels.set("span_id", &identifier(v, 4)?)),
                5 => drop(labels.set("trace_id", &identifier(v, 5)?)),
                6 => exemplar.value = v.fixed64(6)? as i64 as f64,
                _ => {}
            }
        }
        // The trace comes first; other attributes go along as far as there is room.
        let characters = |labels: &model::Labels| -> usize {
            labels.iter().map(|(n, v)| n.chars().count() + v.chars().count()).sum()
        };
        exemplar.labels = labels.build();
        let mut room = 128_usize.saturating_sub(characters(&exemplar.labels));
        let mut fits = true;
        exemplar_attributes(message, &mut |name, value| {
            let needed = name.chars().count() + value.chars().count();
            fits &= needed <= room;
            if fits {
                room -= needed;
                labels.set(name, value);
            }
        })?;
        if fits {
            exemplar.labels = labels.build();
        }
        self.exemplars.push(exemplar);
        if self.exemplars.len() > entries::MAX_ENTRIES {
            return Err(WireError::TooMany(entries::MAX_ENTRIES));
        }
        Ok(())
    }
}

fn read_quantile(message: &[u8]) -> Result<(f64, f64), WireError> {
    let (mut quantile, mut value) = (0.0, 0.0);
    let mut reader = Reader::new(message);
    while let Some((field, v)) = reader.field()? {
        match field {
            1 => quantile = v.double(1)?,
            2 => value = v.double(2)?,
            _ => {}
        }
    }
    Ok((quantile, value))
}

/// Nanoseconds as milliseconds.
fn millis(value: Value<'_>, field: u32) -> Result<Timestamp, WireError> {
    Ok((value.fixed64(field)? / 1_000_000) as i64)
}

/// The stale marker where the flags say that nothing was recorded.
fn recorded(value: f64, flags: u64) -> f64 {
    if flags & 1 == 1 { stale_nan() } else { value }
}
