//! One stream against a list of what it was given.

use super::*;
use model::Lines;
use proptest::prelude::*;
use service_api::{LogPage, MemoryBudget, Needles, PageData};
use std::collections::BTreeSet;

/// Lines by time and text.
type Model = BTreeSet<(i64, Vec<u8>)>;

/// Nanoseconds that a window holds here.
const WINDOW: i64 = 1000;

#[derive(Clone, Debug)]
enum Step {
    /// Times, and the length of each line in bytes.
    Append(Vec<(i64, usize)>),
    /// A reader that keeps what it has found.
    Read,
    ReadersGo,
    Idle,
    Flush(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let line = (0i64..3 * WINDOW, prop::sample::select(vec![0usize, 3, 20, 20, 90_000]));
    prop_oneof![
        8 => prop::collection::vec(line, 1..30).prop_map(Step::Append),
        3 => Just(Step::Read),
        1 => Just(Step::ReadersGo),
        1 => Just(Step::Idle),
        1 => (0i64..3).prop_map(Step::Flush),
    ]
}

fn text(t: i64, len: usize) -> Vec<u8> {
    let number = format!("{t} ").into_bytes();
    number.into_iter().cycle().take(len).collect()
}

fn lines_of(page: &LogPage) -> Lines {
    let PageData::Here(source) = &page.data else { panic!("a page that is elsewhere") };
    let mut lines = Lines::default();
    assert!(source.read(&Needles::default(), &mut lines).unwrap());
    assert!(lines.timestamps.is_sorted());
    lines
}

fn read(stream: &mut Stream, range: &NanoRange) -> Vec<LogPage> {
    let reservation = Arc::new(MemoryBudget::new(u64::MAX).reserve(0).unwrap());
    stream.pages(range).into_iter().map(|page| page.into_log_page(&reservation)).collect()
}

fn all_of(pages: &[LogPage]) -> Model {
    let mut all = BTreeSet::new();
    for page in pages {
        let lines = lines_of(page);
        all.extend((0..lines.len()).map(|at| (lines.timestamps[at], lines.line(at).to_vec())));
    }
    all
}

fn held(stream: &Stream) -> WindowBytes {
    let mut bytes = WindowBytes::default();
    for window in &stream.windows {
        bytes.open += WINDOW_BYTES + window.open.heap_bytes() as i64;
        bytes.sealed += window.sealed.iter().map(held_bytes).sum::<usize>() as i64;
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn reads_give_what_was_appended(
        steps in prop::collection::vec(step(), 1..40),
        range in (-10i64..3 * WINDOW, 0i64..3 * WINDOW),
    ) {
        let mut stream = Stream::default();
        let (mut model, mut bytes) = (BTreeSet::new(), WindowBytes::default());
        let mut readers: Vec<(Vec<LogPage>, Model)> = Vec::new();
        let mut now = Duration::ZERO;
        for step in steps {
            now += Duration::from_secs(1);
            match step {
                Step::Append(lines) => for (t, len) in lines {
                    let text = text(t, len);
                    let line = (t, &text[..], [("k", "v")].into_iter().take(len % 2));
                    stream.append(t.div_euclid(WINDOW), now, [line].into_iter(), &mut bytes);
                    model.insert((t, text));
                },
                Step::Read => {
                    let pages = read(&mut stream, &NanoRange::ALL);
                    prop_assert_eq!(&all_of(&pages), &model);
                    readers.push((pages, model.clone()));
                }
                Step::ReadersGo => readers.clear(),
                Step::Idle => {
                    stream.seal_idle(now, |_, change| {
                        bytes.open += change.open;
                        bytes.sealed += change.sealed;
                    });
                    prop_assert!(!stream.is_idle(now));
                    prop_assert_eq!(held(&stream).open, WINDOW_BYTES * stream.windows.len() as i64);
                }
                Step::Flush(window) => {
                    let pages = stream.seal_window(window, &mut bytes).unwrap();
                    stream.drop_pages(window, &pages, &mut bytes);
                    model.retain(|(t, _)| t.div_euclid(WINDOW) != window);
                }
            }
            let held = held(&stream);
            prop_assert_eq!((bytes.open, bytes.sealed), (held.open, held.sealed));
            for window in &stream.windows {
                prop_assert!(!window.open.is_full());
            }
        }
        prop_assert_eq!(stream.is_empty(), model.is_empty());
        for (pages, seen) in readers {
            prop_assert_eq!(all_of(&pages), seen, "a reader's pages have changed");
        }
        let range = NanoRange::new(range.0, range.0 + range.1);
        let found: BTreeSet<_> = all_of(&read(&mut stream, &range)).into_iter().filter(|l| range.contains(l.0)).collect();
        model.retain(|(t, _)| range.contains(*t));
        prop_assert_eq!(found, model);
    }
}

#[test]
fn a_piece_goes_on_once_its_readers_have_gone() {
    let mut stream = Stream::default();
    let mut bytes = WindowBytes::default();
    let mut append = |stream: &mut Stream, t: i64| {
        stream.append(0, Duration::ZERO, [(t, &b"text"[..], [])].into_iter(), &mut bytes);
    };
    append(&mut stream, 1);
    let reader = read(&mut stream, &NanoRange::ALL);
    append(&mut stream, 2);
    assert_eq!(read(&mut stream, &NanoRange::ALL).len(), 2);
    assert_eq!(lines_of(&reader[0]).timestamps, [1]);
    for t in 3..100 {
        append(&mut stream, t);
        read(&mut stream, &NanoRange::ALL);
    }
    drop(reader);
    assert_eq!(read(&mut stream, &NanoRange::ALL).len(), 2);
}

#[test]
fn lines_that_come_twice_are_sealed_once_and_in_order() {
    let mut stream = Stream::default();
    let mut bytes = WindowBytes::default();
    let lines = [(5, &b"b"[..], []), (3, b"a", []), (5, b"b", []), (5, b"a", [])];
    stream.append(0, Duration::ZERO, lines.into_iter(), &mut bytes);
    let pages = stream.seal_window(0, &mut bytes).unwrap();
    assert_eq!((pages.len(), pages[0].lines(), pages[0].text_bytes()), (1, 3, 3));
    assert_eq!(pages[0].range(), NanoRange::new(3, 5));
}
