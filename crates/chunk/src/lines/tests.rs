//! Tests of pages of lines: they come back as they were, and broken ones are errors.

use super::*;
use proptest::prelude::*;

fn encoded(lines: &Lines) -> Vec<u8> {
    let mut page = Vec::new();
    encode_lines(lines, 1, &mut page).unwrap();
    page
}

fn decoded(page: &[u8]) -> Result<Lines, Corrupt> {
    let mut lines = Lines::default();
    LinePage::parse(page)?.read(&mut lines)?;
    Ok(lines)
}

type Line<'a> = (i64, &'a [u8], &'a [(&'a str, &'a str)]);

fn lines(all: &[Line<'_>]) -> Lines {
    let mut lines = Lines::default();
    for (timestamp, line, metadata) in all {
        lines.push(*timestamp, line, metadata.iter().copied());
    }
    lines
}

fn some_lines() -> Lines {
    lines(&[
        (1_000_000_000, b"level=info msg=\"started\"", &[]),
        (1_000_500_000, b"level=info msg=\"started\"", &[("trace_id", "0af7"), ("user", "")]),
        (1_000_500_000, b"", &[]),
        (1_002_000_000, "ünï\u{fffd}".as_bytes(), &[("trace_id", "0af7")]),
    ])
}

fn lines_with_newlines() -> Lines {
    lines(&[(-5, b"panic:\n  at main\n", &[]), (-5, b"\n", &[]), (7, b"", &[])])
}

#[test]
fn the_header_says_what_is_in_the_page() {
    let page = encoded(&some_lines());
    let page = LinePage::parse(&page).unwrap();
    assert_eq!((page.lines(), page.text_bytes()), (4, 56));
    assert_eq!(page.range(), NanoRange::new(1_000_000_000, 1_002_000_000));
}

#[test]
fn the_text_is_read_without_the_rest() {
    let lines = some_lines();
    let page = encoded(&lines);
    let page = LinePage::parse(&page).unwrap();
    let mut found = Lines::default();
    found.text.extend_from_slice(b"what was there before");
    page.text(&mut found.text).unwrap();
    assert_eq!(found.text, lines.text);
    found.timestamps.push(3);
    page.rest(&mut found).unwrap();
    assert_eq!(found, lines);
    // Of another page's text the lines are not these.
    found.text.push(b'\n');
    assert!(page.rest(&mut found).is_err());
}

#[test]
fn times_cost_what_is_in_them() {
    let bytes_a_line = |time: &dyn Fn(u64) -> u64| {
        let mut lines = Lines::default();
        (0..2_000).for_each(|n| lines.push(time(n) as i64, b"", []));
        let page = encoded(&lines);
        assert_eq!(decoded(&page).unwrap(), lines);
        page.len() as f64 / 2_000.0
    };
    let random = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44;
    let at = 1_700_000_000_000_000_000;
    assert!(bytes_a_line(&|n| at + n * 15_000_000_000) < 0.1, "regular");
    assert!(bytes_a_line(&|n| at + n * 1_000_000_000 + random(n) % 8 * 1_000_000) < 0.9, "milliseconds");
    assert!(bytes_a_line(&|n| at + n * 1_000_000 + random(n % 50) % 1_000_000) < 0.2, "a pattern");
    assert!(bytes_a_line(&|n| at + n * 1_000_000 + random(n) % 1_000_000) < 2.8, "nanoseconds");
}

#[test]
fn metadata_that_repeats_costs_little_and_none_costs_nothing() {
    let page = |metadata: &[(&str, &str)]| {
        let mut lines = Lines::default();
        (0..1_000).for_each(|n| lines.push(n, b"x", metadata.iter().copied()));
        encoded(&lines).len()
    };
    assert!(page(&[("pod", "api-7"), ("zone", "eu")]) < page(&[]) + 60);
}

#[test]
fn what_makes_no_page_is_refused() {
    let refused = |lines: &Lines| encode_lines(lines, 1, &mut Vec::new()).is_err();
    assert!(refused(&Lines::default()));
    assert!(refused(&lines(&[(2, b"", &[]), (1, b"", &[])])));
    assert!(refused(&lines(&[(1, &vec![b'x'; MAX_PAGE_TEXT], &[])])));
    assert!(refused(&lines(&[(1, b"", &[("k", &"v".repeat(MAX_PAGE_TEXT))])])));
    let mut many = Lines::default();
    (0..=MAX_PAGE_LINES as i64).for_each(|n| many.push(n, b"", []));
    assert!(refused(&many));
}

#[test]
fn the_ends_of_time_are_kept() {
    let all = lines(&[(i64::MIN, b"a", &[]), (0, b"b", &[]), (i64::MAX, b"c", &[])]);
    assert_eq!(decoded(&encoded(&all)).unwrap(), all);
}

/// What version 1 wrote, written down: it must be readable for ever.
#[test]
fn golden_bytes() {
    for (golden, lines) in [(PLAIN_LINES, some_lines()), (WITH_NEWLINES, lines_with_newlines())] {
        let golden: Vec<u8> =
            golden.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
        assert_eq!(decoded(&golden), Ok(lines));
    }
}

const PLAIN_LINES: &str = "
    01 04 3c 80 a8 d6 b9 07 80 89 7a 33 28 b5 2f fd 20 3c 55 01 00 34 02 6c 65 76 65 6c 3d 69 6e 66
    6f 20 6d 73 67 3d 22 73 74 61 72 74 65 64 22 0a 0a c3 bc 6e c3 af ef bf bd 0a 01 00 f1 32 c7 a0
    c2 1e 00 03 00 00 82 01 00 01 1c 25 28 b5 2f fd 20 1c e1 00 00 02 08 04 04 00 74 72 61 63 65 5f
    69 64 30 61 66 37 75 73 65 72 00 02 00 01 00 01 00";
const WITH_NEWLINES: &str = "
    01 03 15 09 0c 1e 28 b5 2f fd 20 15 a9 00 00 70 61 6e 69 63 3a 0a 20 20 61 74 20 6d 61 69 6e 0a
    0a 0a 0a 0a 0c 00 02 00 00 08 01 05 22 00 3f 00 00";

fn any_lines() -> impl Strategy<Value = Lines> {
    let text = prop_oneof![
        "[a-c \n]{0,12}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..20),
        "[a-z]{3}".prop_map(|word| word.repeat(300).into_bytes())
    ];
    let pairs = prop::collection::vec(("[ab]{0,2}", "[xyz]{0,3}"), 0..3);
    let step = prop_oneof![
        Just(0u64),
        0u64..1_000_000_000,
        (0u64..9).prop_map(|n| n * 1_000_000),
        any::<u32>().prop_map(u64::from)
    ];
    (any::<i32>(), prop::collection::vec((step, text, pairs, any::<bool>()), 1..200)).prop_map(
        |(start, all)| {
            let (mut lines, mut time) = (Lines::default(), i64::from(start));
            for (step, text, pairs, with) in all {
                time += step as i64;
                let pairs =
                    pairs.iter().filter(|_| with).map(|(name, value)| (name.as_str(), value.as_str()));
                lines.push(time, &text, pairs);
            }
            lines
        },
    )
}

proptest! {
    #[test]
    fn any_lines_come_back(lines in any_lines(), level in 1i32..4) {
        let mut page = b"before".to_vec();
        encode_lines(&lines, level, &mut page).unwrap();
        prop_assert_eq!(decoded(&page[6..]).unwrap(), lines);
    }

    #[test]
    fn a_broken_page_is_no_panic(
        lines in any_lines(), flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), cut in any::<prop::sample::Index>(),
    ) {
        let mut page = encoded(&lines);
        let cut = cut.index(page.len());
        prop_assert!(decoded(&page[..cut]).is_err());
        for (at, with) in flips {
            let at = at.index(page.len());
            page[at] ^= with;
        }
        if let Ok(found) = decoded(&page) {
            prop_assert!((0..found.len()).all(|at| found.line(at).len() <= found.text.len()));
            prop_assert!((0..found.len()).all(|at| found.metadata(at).count() <= found.metadata.pairs.len()));
        }
    }

    #[test]
    fn any_bytes_are_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decoded(&[&[PLAIN], bytes.as_slice()].concat());
    }
}
