//! What is left out, to the millisecond and to the line.

use super::*;
use crate::StartTimestamps;
use model::{Buckets, CounterResetHint, Histogram, HistogramSample};

fn range(start: i64, end: i64) -> TimeRange {
    TimeRange::new(start, end)
}

fn sketch(timestamp: i64) -> HistogramSample {
    let buckets = Buckets::Float { count: 0.0, zero_count: 0.0, positive: Vec::new(), negative: Vec::new() };
    let histogram = Histogram {
        counter_reset_hint: CounterResetHint::Unknown,
        schema: 0,
        zero_threshold: 0.0,
        sum: 0.0,
        positive_spans: Vec::new(),
        negative_spans: Vec::new(),
        buckets,
        custom_values: Vec::new(),
    };
    HistogramSample { timestamp, histogram }
}

#[test]
fn samples_are_taken_out_with_their_starts_and_what_was_there_before_stays() {
    let mut cut = Cut::default();
    cut.add(range(20, 30), None);
    cut.add(range(50, 50), None);
    let mut samples = SampleBuffer {
        timestamps: vec![25, 10, 20, 25, 30, 40, 50],
        values: vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        histograms: vec![sketch(30), sketch(49), sketch(50)],
        starts: StartTimestamps { floats: vec![7, 1, 2, 3, 4, 5, 6], histograms: Vec::new() },
    };
    assert_eq!(cut.take_out(&mut samples, (1, 1)), 5);
    assert_eq!((samples.timestamps, samples.values), (vec![25, 10, 40], vec![0.0, 1.0, 5.0]));
    assert_eq!(samples.starts.floats, [7, 1, 5]);
    assert_eq!(samples.histograms.iter().map(|h| h.timestamp).collect::<Vec<_>>(), [30, 49]);
}

/// Matches lines with a text of the stream's name.
struct Named;

impl LineTest for Named {
    fn of_stream(&self, labels: &Labels) -> Box<dyn LineRun> {
        Box::new(Name(labels.get("app").unwrap_or_default().to_owned()))
    }
}

struct Name(String);

impl LineRun for Name {
    fn matches(&mut self, lines: &Lines, at: usize) -> bool {
        lines.line(at) == self.0.as_bytes()
    }
}

#[test]
fn lines_are_taken_out_by_their_milliseconds_and_by_what_they_say() {
    let mut cut = Cut::default();
    cut.add(range(2, 2), None);
    cut.add(range(3, 9), Some(Arc::new(Named)));
    assert!(cut.touches(range(9, 20)) && !cut.touches(range(10, 20)) && !cut.touches(range(0, 1)));
    assert!(cut.covers(range(2, 2)) && !cut.covers(range(2, 3)) && !cut.covers(range(4, 5)));
    let mut lines = Lines::default();
    for (time, text) in [
        (1_999_999, "a"),
        (2_000_000, "a"),
        (2_999_999, "b"),
        (3_000_000, "a"),
        (3_000_000, "b"),
        (9_999_999, "a"),
        (10_000_000, "a"),
    ] {
        lines.push(time, text.as_bytes(), [("k", text)]);
    }
    let mut of_a = cut.of_stream(&Labels::from_pairs([("app", "a")]));
    assert_eq!(of_a.take_out(&mut lines), 4);
    let left: Vec<_> = (0..lines.len()).map(|at| (lines.timestamps[at], lines.line(at))).collect();
    assert_eq!(left, [(1_999_999, b"a".as_slice()), (3_000_000, b"b"), (10_000_000, b"a")]);
    assert_eq!(lines.metadata(1).collect::<Vec<_>>(), [("k", "b")]);
    assert_eq!(of_a.take_out(&mut lines), 0);
}
