//! From OTLP's metrics to series, as Prometheus maps them with its default settings.
//!
//! <https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/>

mod exponential;
mod labels;
mod names;
mod points;

use super::attributes::{for_each, last};
use crate::write::{
    entries,
    wire::{Reader, WireError},
};
use labels::{Extra, Resource, TARGET_INFO};
use model::{Metadata, MetricType, Sample};
use names::{Suffix, metric_name, unit_name};
use points::{Points, Shape};
use service_api::{MetadataEntry, Result, WriteBatch};
use std::ops::Range;

/// Reasons for which points were left out that are kept word for word.
const KEPT_REASONS: usize = 8;

/// Milliseconds between samples of `target_info`: half of the time that queries look back by default.
const TARGET_STEP: i64 = 150_000;

/// Samples of `target_info` for one resource in one request.
const MAX_TARGET_SAMPLES: usize = 64;

/// The series of a request, and what cannot be one.
pub struct Metrics {
    pub batch: WriteBatch,
    /// Data points that were left out.
    pub left_out: u64,
    /// Why, of the first few.
    pub reasons: Vec<String>,
}

/// Reads an `ExportMetricsServiceRequest`.
pub fn parse(body: Vec<u8>) -> Result<Metrics> {
    let mut request = Request { body: &body, points: Points::new(&body), left_out: 0, reasons: Vec::new() };
    let read = for_each(&body, 1, |resource| request.resource(resource));
    read.map_err(|e| crate::write::decode::wire_error("metrics", e))?;
    let Request { points, left_out, reasons, .. } = request;
    let (mut batch, mut labels) = points.finish();
    labels.body = body;
    batch.labels = Box::new(labels);
    Ok(Metrics { batch, left_out, reasons })
}

struct Request<'a> {
    body: &'a [u8],
    points: Points<'a>,
    left_out: u64,
    reasons: Vec<String>,
}

/// A metric's fields that all its points share.
#[derive(Default)]
struct Metric<'a> {
    name: &'a [u8],
    description: &'a [u8],
    unit: &'a [u8],
    data: Option<(Shape, &'a [u8])>,
}

impl<'a> Request<'a> {
    fn resource(&mut self, message: &'a [u8]) -> Result<(), WireError> {
        let resource = last(message, 1)?;
        let resource = Resource::read(resource, range_in(self.body, resource))?;
        let tells = resource.tells;
        self.points.begin_resource(resource);
        for_each(message, 2, |scope| for_each(scope, 2, |metric| self.metric(metric)))?;
        match self.points.times() {
            Some((oldest, newest)) if tells => self.target_info(oldest, newest),
            _ => Ok(()),
        }
    }

    fn metric(&mut self, message: &'a [u8]) -> Result<(), WireError> {
        let metric = read_metric(message)?;
        let Some((shape, data)) = metric.data else { return Ok(()) };
        let (mut temporality, mut monotonic) = (0, false);
        let mut reader = Reader::new(data);
        while let Some((field, value)) = reader.field()? {
            match field {
                2 => temporality = value.varint(2)?,
                3 => monotonic = value.varint(3)? != 0,
                _ => {}
            }
        }
        let text = |bytes| String::from_utf8_lossy(bytes);
        let (name, unit) = (text(metric.name), text(metric.unit));
        // Prometheus keeps no deltas by default, and cannot tell what "unspecified" would be.
        const CUMULATIVE: u64 = 2;
        if shape.has_temporality() && temporality != CUMULATIVE {
            return self.leave_out(
                data,
                format!("invalid temporality and type combination for metric {}", model::quote(&name)),
            );
        }
        let suffix = match shape {
            Shape::Sum if monotonic => Suffix::Total,
            Shape::Gauge => Suffix::Ratio,
            _ => Suffix::None,
        };
        let Some(prometheus_name) = metric_name(&name, &unit, suffix) else {
            return self
                .leave_out(data, format!("metric {} cannot be given a valid name", model::quote(&name)));
        };
        let metric_type = match shape {
            Shape::Sum if monotonic => MetricType::Counter,
            Shape::Gauge | Shape::Sum => MetricType::Gauge,
            Shape::Histogram | Shape::ExponentialHistogram => MetricType::Histogram,
            Shape::Summary => MetricType::Summary,
        };
        self.points.batch.metadata.push(MetadataEntry {
            metric: prometheus_name.clone(),
            metadata: Metadata {
                metric_type,
                help: text(metric.description).into_owned(),
                unit: unit_name(&unit),
            },
        });
        if let Some((points, reason)) = self.points.read(shape, data, prometheus_name)? {
            self.note(points, reason);
        }
        Ok(())
    }

    /// Counts all points of a metric as left out.
    fn leave_out(&mut self, data: &[u8], reason: String) -> Result<(), WireError> {
        let mut points = 0;
        for_each(data, 1, |_| {
            points += 1;
            Ok(())
        })?;
        self.note(points, reason);
        Ok(())
    }

    fn note(&mut self, points: u64, reason: String) {
        self.left_out += points;
        if self.reasons.len() < KEPT_REASONS {
            self.reasons.push(reason);
        }
    }

    /// `target_info` is 1 for as long as there were points.
    fn target_info(&mut self, oldest: i64, newest: i64) -> Result<(), WireError> {
        let start = entries::mark(&self.points.batch);
        let steps = (oldest..newest).step_by(TARGET_STEP as usize).take(MAX_TARGET_SAMPLES);
        for timestamp in steps.chain([newest]) {
            entries::push_sample(&mut self.points.batch, Sample { timestamp, value: 1.0 }, 0);
        }
        let name = self.points.labels.add_name(TARGET_INFO.to_owned());
        let point = self.points.labels.target(self.body, &mut self.points.scratch)?;
        let key = self.points.labels.add_series(name, &point, Extra::Target);
        let series = entries::series(key, start, &self.points.batch);
        self.points.batch.series.push(series);
        entries::check_count(&self.points.batch)
    }
}

fn read_metric(message: &[u8]) -> Result<Metric<'_>, WireError> {
    let mut metric = Metric::default();
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.field()? {
        let shape = match field {
            1 => {
                metric.name = value.bytes(1)?;
                continue;
            }
            2 => {
                metric.description = value.bytes(2)?;
                continue;
            }
            3 => {
                metric.unit = value.bytes(3)?;
                continue;
            }
            5 => Shape::Gauge,
            7 => Shape::Sum,
            9 => Shape::Histogram,
            10 => Shape::ExponentialHistogram,
            11 => Shape::Summary,
            _ => continue,
        };
        metric.data = Some((shape, value.bytes(field)?));
    }
    Ok(metric)
}

/// Where `part` lies in `whole`, of which it is a piece.
fn range_in(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
    if start <= whole.len() { start..(start + part.len()).min(whole.len()) } else { 0..0 }
}
