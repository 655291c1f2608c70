//! Computes figures of samples, as the functions of PromQL compute them over the same samples.

use super::era::shift;
use model::{Timestamp, is_stale};
use service_api::{Aggregate, RESOLUTIONS, SampleBuffer};
use vectors::add_compensated;

/// Makes figures of series after series.
#[derive(Default)]
pub(crate) struct FiguresMaker {
    /// Of one resolution; reused.
    buckets: Vec<Bucket>,
}

/// All figures of one bucket of time.
#[derive(Clone, Copy)]
struct Bucket {
    end: Timestamp,
    count: u32,
    sum: f64,
    /// What additions to the sum have lost.
    error: f64,
    min: f64,
    max: f64,
    first: f64,
    last: f64,
    first_time: Timestamp,
    last_time: Timestamp,
    resets: u32,
    dropped: f64,
    latest: f64,
}

impl FiguresMaker {
    /// Appends the figures of all buckets of samples in time order, era after era.
    pub fn make(&mut self, times: &[Timestamp], values: &[f64], out: &mut SampleBuffer) {
        for (number, resolution) in RESOLUTIONS.into_iter().enumerate() {
            self.buckets.clear();
            let mut from = 0;
            while let Some(time) = times.get(from) {
                let end = end_of(*time, resolution);
                let to = from + times[from..].partition_point(|time| *time <= end);
                self.buckets.push(Bucket::of(end, &times[from..to], &values[from..to]));
                from = to;
            }
            for aggregate in Aggregate::ALL {
                let shift = shift(number, aggregate);
                for bucket in &self.buckets {
                    if let Some(figure) = bucket.figure(aggregate) {
                        out.timestamps.push(bucket.end + shift);
                        out.values.push(figure);
                    }
                }
            }
        }
    }

    pub fn heap_bytes(&self) -> usize {
        self.buckets.capacity() * size_of::<Bucket>()
    }
}

/// The end of the bucket that has a sample of this time.
fn end_of(time: Timestamp, resolution: i64) -> Timestamp {
    ((time - 1).div_euclid(resolution) + 1) * resolution
}

impl Bucket {
    /// Of at least one sample.
    fn of(end: Timestamp, times: &[Timestamp], values: &[f64]) -> Self {
        let mut bucket = Self {
            end,
            count: 0,
            sum: 0.0,
            error: 0.0,
            min: f64::NAN,
            max: f64::NAN,
            first: f64::NAN,
            last: f64::NAN,
            first_time: 0,
            last_time: 0,
            resets: 0,
            dropped: 0.0,
            latest: values.last().copied().unwrap_or(f64::NAN),
        };
        for (time, value) in times.iter().zip(values) {
            if !is_stale(*value) {
                bucket.add(*time, *value);
            }
        }
        bucket
    }

    #[inline]
    fn add(&mut self, time: Timestamp, value: f64) {
        if self.count == 0 {
            (self.first, self.first_time) = (value, time);
        } else if value < self.last {
            self.resets += 1;
            self.dropped += self.last;
        }
        self.count += 1;
        add_compensated(&mut self.sum, &mut self.error, value);
        // NaN only where there is nothing else.
        if value < self.min || self.min.is_nan() {
            self.min = value;
        }
        if value > self.max || self.max.is_nan() {
            self.max = value;
        }
        (self.last, self.last_time) = (value, time);
    }

    /// None if there is no such.
    fn figure(&self, aggregate: Aggregate) -> Option<f64> {
        if aggregate == Aggregate::Latest {
            return Some(self.latest);
        }
        (self.count > 0).then(|| match aggregate {
            Aggregate::Count => f64::from(self.count),
            // What additions lose on the way to infinity says nothing.
            Aggregate::Sum if self.sum.is_infinite() => self.sum,
            Aggregate::Sum => self.sum + self.error,
            Aggregate::Min => self.min,
            Aggregate::Max => self.max,
            Aggregate::First => self.first,
            Aggregate::Last => self.last,
            Aggregate::FirstTime => self.first_time as f64,
            Aggregate::LastTime => self.last_time as f64,
            Aggregate::Resets => f64::from(self.resets),
            Aggregate::Dropped => self.dropped,
            Aggregate::Latest => self.latest,
        })
    }
}

#[cfg(test)]
mod tests;
