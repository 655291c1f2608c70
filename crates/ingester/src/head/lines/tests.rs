//! Lines on their way into a head, beside those who sweep it and make streams.

use super::*;
use crate::head::{Resolved, slab::PAGE};
use model::{Labels, Lines, TenantId};
use service_api::{Needles, PageData, SeriesKey};
use std::{cell::Cell, sync::mpsc, time::Duration};

type NoPairs = [(&'static str, &'static str); 0];

fn log_head() -> LogHead {
    let memory = Arc::new(LogMemory::new(Default::default(), 1 << 30, 1 << 30));
    LogHead::new(TenantId::anonymous(), 1000, BesideStreams::new(memory))
}

fn name(head: &LogHead, numbers: Range<u32>) -> Resolved {
    let named = numbers
        .zip(0..)
        .map(|(n, at)| (at, SeriesKey(u128::from(n)), Labels::from_pairs([("a", n.to_string())])));
    head.resolve_named(named.collect(), 0, |_, _, _| panic!("over the limit"))
}

fn run(resolved: &Resolved, lines: Range<u32>) -> [Run; 1] {
    [Run { stream: resolved.series[0].1, lines }]
}

fn text(at: u32) -> (Nanos, &'static [u8], NoPairs) {
    (i64::from(at), b"text", [])
}

/// How many lines each stream has.
fn found(head: &LogHead) -> Vec<(String, usize)> {
    let ctx = ReadContext::new(TenantId::anonymous(), u64::MAX);
    let streams = head.select(&ctx, &[], &NanoRange::ALL).unwrap();
    let count = |stream: LogStream| {
        let mut lines = Lines::default();
        let read = stream.pages.iter().map(|page| {
            let PageData::Here(source) = &page.data else { panic!("a page that is elsewhere") };
            assert!(source.read(&Needles::default(), &mut lines).unwrap());
            lines.len()
        });
        let count = read.sum();
        (stream.labels.to_string(), count)
    };
    streams.into_iter().map(count).collect()
}

#[test]
fn lines_for_a_stream_that_was_just_condemned_are_kept() {
    let head = log_head();
    let in_flight = name(&head, 1..2);
    assert_eq!((head.sweep(), head.sweep()), (0, 1));
    assert_eq!(head.apply_lines(&run(&in_flight, 0..3), Duration::ZERO, text).lines, 3);
    // Once more, and somebody else has its labels by then.
    drop(in_flight);
    let other = name(&head, 2..3);
    assert_eq!((head.sweep(), head.sweep()), (0, 1));
    let successor = name(&head, 2..3);
    assert_ne!(successor.series, other.series);
    assert_eq!(head.apply_lines(&run(&successor, 0..1), Duration::ZERO, text).lines, 1);
    assert_eq!(head.apply_lines(&run(&other, 1..3), Duration::ZERO, text).lines, 2);
    drop((successor, other));
    head.sweep();
    head.sweep();
    assert_eq!(found(&head), [(r#"{a="1"}"#.into(), 3), (r#"{a="2"}"#.into(), 3)]);
}

#[test]
fn new_streams_do_not_wait_for_the_end_of_a_long_record() {
    let head = log_head();
    // All slots that lie behind one lock.
    let resolved = name(&head, 0..PAGE as u32);
    std::thread::scope(|scope| {
        let (sender, made) = mpsc::channel();
        let (head, begun) = (&head, Cell::new(false));
        let line = |at| {
            if !begun.replace(true) {
                let sender = sender.clone();
                scope.spawn(move || sender.send(name(head, 500..501).series.len()));
                assert_eq!(made.recv_timeout(Duration::from_secs(5)), Ok(1));
            }
            text(at)
        };
        assert_eq!(head.apply_lines(&run(&resolved, 0..5), Duration::ZERO, line).lines, 5);
    });
}

#[test]
fn what_a_window_takes_beside_its_lines_is_counted_too() {
    let head = log_head();
    let resolved = name(&head, 0..1);
    let count = 1000u32;
    let line = |at: u32| (i64::from(at) * 1000 * NANOS_A_MILLI, &b"text"[..], NoPairs::default());
    head.apply_lines(&run(&resolved, 0..count), Duration::ZERO, line);
    let windows = head.beside.memory.windows(head.block_ms);
    assert_eq!(windows.len(), count as usize);
    let held: i64 = windows.iter().map(|(_, bytes)| bytes.held()).sum();
    assert!(held > 300 * i64::from(count), "{held} bytes");
}
