//! What is read of what was loaded.

use super::*;
use crate::script::{Command, parse};
use histogram::CounterResetHint::{self, NotReset, Unknown};

/// All of the series `m`, of a script that only loads.
fn read(script: &str, seed: u64, range: TimeRange) -> SampleBuffer {
    let mut memory = Memory::new(seed);
    for command in parse(script).unwrap() {
        let Command::Load(load) = command else { panic!() };
        memory.load(&load).unwrap();
    }
    let (labels, stored) = memory.series.iter().find(|(l, _)| l.metric_name() == Some("m")).unwrap();
    let chunks = memory.chunks(labels, stored);
    let selected = Selected { range, chunks, has_starts: stored.has_starts };
    let mut out = SampleBuffer::default();
    selected.read(TimeRange::new(Timestamp::MIN, Timestamp::MAX), &mut out).unwrap();
    out
}

fn hints(out: &SampleBuffer) -> Vec<(Timestamp, CounterResetHint)> {
    out.histograms.iter().map(|h| (h.timestamp, h.histogram.counter_reset_hint)).collect()
}

#[test]
fn floats_and_histograms_are_read_apart() {
    let all = TimeRange::new(0, 10_000);
    for seed in 0..9 {
        let out = read("load 1s\n  m 1 {{count:1}}x1 2 stale _ 3\n", seed, all);
        assert_eq!(out.timestamps, [0, 3000, 4000, 6000]);
        assert!(out.values[0] == 1.0 && is_stale(out.values[2]));
        assert_eq!(hints(&out), [(1000, Unknown), (2000, NotReset)]);
        assert!(out.starts.floats.is_empty() && out.starts.histograms.is_empty());
    }
    let out = read("load 1s\n  m 1 {{count:1}}x1 2 stale _ 3\n", 0, TimeRange::new(2000, 4000));
    assert_eq!((&out.timestamps[..], out.histograms.len()), (&[3000, 4000][..], 1));
}

#[test]
fn histograms_end_with_a_stale_histogram() {
    let out = read("load 1s\n  m {{count:1}} stale {{count:2}}x1\n", 0, TimeRange::new(0, 10_000));
    assert!(out.values.is_empty() && is_stale(out.histograms[1].histogram.sum));
    assert_eq!(hints(&out), [(0, Unknown), (1000, Unknown), (2000, Unknown), (3000, NotReset)]);
}

#[test]
fn start_timestamps_come_with_every_sample_or_none() {
    let out = read("load 1s\n  m@st _ -500ms _ 1s\n  m 1 {{}} 2 3\n", 3, TimeRange::new(0, 10_000));
    assert_eq!(out.starts.floats, [0, 0, 4000]);
    assert_eq!(out.starts.histograms, [500]);
}

#[test]
fn of_two_lines_the_last_counts_and_loads_go_on() {
    let script = "load 1s\n  m 1 2\n  m 3 _ {{}}\n\nload 5s\n  m _ {{}}\n";
    let out = read(script, 0, TimeRange::new(0, 10_000));
    assert_eq!((&out.timestamps[..], &out.values[..]), (&[0][..], &[3.0][..]));
    assert_eq!(hints(&out), [(2000, Unknown), (5000, NotReset)]);
}

#[test]
fn nothing_is_loaded_before_what_is_there() {
    let mut memory = Memory::default();
    for (text, loads) in [("load 1s\n  m 1 2\n", true), ("load 1s\n  m _ 2\n", false)] {
        let Some(Command::Load(load)) = parse(text).unwrap().pop() else { panic!() };
        assert_eq!(memory.load(&load).is_ok(), loads);
    }
}

#[test]
fn classic_histograms_are_loaded_as_native_ones_too() {
    let script = "load_with_nhcb 1s\n  m_bucket{le=\"1\"} 1 2\n  m_bucket{le=\"+Inf\"} 2 3\n";
    let out = read(script, 0, TimeRange::new(0, 10_000));
    assert_eq!(hints(&out), [(0, Unknown), (1000, NotReset)]);
    assert_eq!(out.histograms[1].histogram.custom_values, [1.0]);
}
