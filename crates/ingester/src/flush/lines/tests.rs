//! Pages that are joined on their way into a block.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn page(lines: &[(Nanos, usize)]) -> EncodedPage {
    let mut all = Lines::default();
    for &(t, len) in lines {
        all.push(t, format!("{t:010}").repeat(len / 10 + 1).as_bytes(), []);
    }
    all.normalize();
    EncodedPage::encode(&all).unwrap()
}

fn lines(pages: &[EncodedPage]) -> BTreeSet<(Nanos, Vec<u8>)> {
    let (mut all, mut lines) = (BTreeSet::new(), Lines::default());
    for page in pages {
        page.read(&Needles::default(), &mut lines).unwrap();
        all.extend((0..lines.len()).map(|at| (lines.timestamps[at], lines.line(at).to_vec())));
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn joined_pages_hold_the_same_lines_and_do_not_overlap(
        pages in prop::collection::vec(prop::collection::vec((0i64..100, prop::sample::select(vec![10usize, 20_000])), 1..20), 0..12)
    ) {
        let pages: Vec<_> = pages.iter().map(|lines| page(lines)).collect();
        let joined = join_pages(&pages).unwrap();
        prop_assert_eq!(lines(&joined), lines(&pages));
        let total: u64 = joined.iter().map(|page| u64::from(page.lines())).sum();
        prop_assert_eq!(total, lines(&pages).len() as u64, "a line is there twice");
        // Two of one time may be divided by the end of a page.
        prop_assert!(joined.windows(2).all(|pair| pair[0].range().end <= pair[1].range().start));
    }
}

#[test]
fn small_pages_become_one() {
    let pages: Vec<_> = (0..10).map(|t| page(&[(t, 10_000)])).collect();
    let joined = join_pages(&pages).unwrap();
    assert_eq!(joined.iter().map(EncodedPage::lines).collect::<Vec<_>>(), [10]);
}

#[test]
fn good_pages_are_taken_as_they_are() {
    let pages = [page(&[(1, 200_000), (2, 10)]), page(&[(3, 200_000)]), page(&[(4, 200_000)])];
    let joined = join_pages(&[pages[2].clone(), pages[0].clone(), pages[1].clone()]).unwrap();
    let address = |pages: &[EncodedPage]| pages.iter().map(|p| p.bytes().as_ptr()).collect::<Vec<_>>();
    assert_eq!(address(&joined), address(&pages));
}

/// Pages that overlap all others, of lines without text.
fn overlapping(count: i64, lines_a_page: i64, value: &str) -> Vec<EncodedPage> {
    let page = |n: i64| {
        let mut lines = Lines::default();
        for at in 0..lines_a_page {
            let t = (if at + 1 == lines_a_page { 1_000_000_000 } else { at }) * 1000 + n;
            lines.push(t, b"", (!value.is_empty()).then_some(("k", value)));
        }
        EncodedPage::encode(&lines).unwrap()
    };
    (0..count).map(page).collect()
}

#[test]
fn what_is_joined_at_once_is_bounded_whatever_the_lines_are_made_of() {
    let much_metadata = overlapping(60, 2, &"v".repeat(512 << 10));
    let short_lines = overlapping(50, 60_000, "");
    for pages in [much_metadata, short_lines] {
        let joined = join_pages(&pages).unwrap();
        let count = |pages: &[EncodedPage]| pages.iter().map(|page| u64::from(page.lines())).sum::<u64>();
        assert_eq!(count(&joined), count(&pages));
        let beside = joined.windows(2).filter(|pair| pair[0].range().end > pair[1].range().start).count();
        assert!(beside > 0, "{} pages were held at once", pages.len());
    }
}

#[test]
fn pages_that_are_full_of_short_lines_are_taken_as_they_are() {
    let short = |n: i64| {
        let mut lines = Lines::default();
        (0..60_000).for_each(|t| lines.push(n * 60_000 + t, b"", []));
        EncodedPage::encode(&lines).unwrap()
    };
    let pages: Vec<_> = (0..3).map(short).collect();
    let address = |pages: &[EncodedPage]| pages.iter().map(|p| p.bytes().as_ptr()).collect::<Vec<_>>();
    assert_eq!(address(&join_pages(&pages).unwrap()), address(&pages));
}
