//! `changes` and `resets`: what happens from one sample to the next, floats and histograms among each other.

use super::{HistogramPoint, Window, rate::begins_anew};
use crate::engine::plan::Edges;
use model::Timestamp;

#[derive(Clone, Copy)]
enum Entry<'a> {
    Float { time: Timestamp, start: Timestamp, value: f64 },
    Histogram(&'a HistogramPoint),
}

impl Entry<'_> {
    fn time(&self) -> Timestamp {
        match self {
            Self::Float { time, .. } => *time,
            Self::Histogram(point) => point.time,
        }
    }

    /// Time and start, as `begins_anew` takes them.
    fn times(&self) -> (Timestamp, Timestamp) {
        match self {
            Self::Float { time, start, .. } => (*start, *time),
            Self::Histogram(point) => (point.start, point.time),
        }
    }
}

pub(super) fn changes(window: &Window<'_>, edges: Edges) -> Option<f64> {
    count(window, edges, |before, now| match (before, now) {
        (Entry::Float { value: a, .. }, Entry::Float { value: b, .. }) => {
            a != b && !(a.is_nan() && b.is_nan())
        }
        (Entry::Histogram(a), Entry::Histogram(b)) => !b.histogram.equals(&a.histogram),
        _ => true,
    })
}

pub(super) fn resets(window: &Window<'_>, edges: Edges) -> Option<f64> {
    count(window, edges, |before, now| match (before, now) {
        (Entry::Float { value: a, .. }, Entry::Float { value: b, .. }) => {
            b < a || begins_anew(before.times(), now.times())
        }
        (Entry::Histogram(a), Entry::Histogram(b)) => {
            begins_anew(before.times(), now.times()) || b.histogram.is_reset_after(&a.histogram)
        }
        _ => true,
    })
}

fn count(window: &Window<'_>, edges: Edges, counts: impl Fn(&Entry<'_>, &Entry<'_>) -> bool) -> Option<f64> {
    let mut entries = entries(window);
    if let Edges::Anchored { .. } = edges {
        // Of what lies before the range only the last one is the anchor.
        let inside = entries.iter().position(|entry| entry.time() > window.start)?;
        entries.drain(..inside.saturating_sub(1));
    }
    entries.first()?;
    Some(entries.windows(2).filter(|pair| counts(&pair[0], &pair[1])).count() as f64)
}

/// All samples in time order; of equals the histogram comes first.
fn entries<'a>(window: &Window<'a>) -> Vec<Entry<'a>> {
    let mut entries = Vec::with_capacity(window.times.len() + window.histograms.len());
    let mut points = window.histograms.iter().peekable();
    for (at, (time, value)) in window.times.iter().zip(window.values).enumerate() {
        while let Some(point) = points.next_if(|point| point.time <= *time) {
            entries.push(Entry::Histogram(point));
        }
        let start = window.starts.get(at).copied().unwrap_or_default();
        entries.push(Entry::Float { time: *time, start, value: *value });
    }
    entries.extend(points.map(Entry::Histogram));
    entries
}
