//! Starts against the plain list of them: in runs, in pages, in sealed chunks, cut by time.

use super::*;
use crate::{OpenChunk, SealedChunk};
use model::TimeRange;
use proptest::prelude::*;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn page(starts: &[Timestamp]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_starts(starts, &mut out);
    out
}

/// They are in blocks and on the wire.
#[test]
fn golden_bytes() {
    assert_eq!(page(&[0, 0, 0]), []);
    assert_eq!(hex(&page(&[1_000; 100])), GOLDEN_EQUAL);
    let restart = [[1_000; 50], [61_000; 50]].concat();
    assert_eq!(hex(&page(&restart)), GOLDEN_RESTART);
}

const GOLDEN_EQUAL: &str = "0100d00f00";
const GOLDEN_RESTART: &str = "0100d00f0131c0a907";

#[test]
fn starts_that_stay_cost_next_to_nothing() {
    let now = 1_700_000_000_000;
    assert!(page(&[now; 120]).len() <= 12);
    let mut restarts = vec![now; 8_192];
    restarts[4_000..].fill(now + 60_000_000);
    restarts[6_000..7_000].fill(0);
    assert!(page(&restarts).len() <= 60, "{}", page(&restarts).len());
    let each: Vec<i64> = (0..8_192).map(|n| now + 15_000 * n).collect();
    assert!(page(&each).len() <= 32);
    let mut runs = StartRuns::default();
    each.iter().for_each(|start| runs.push(start + 15_000, *start));
    assert!(runs.heap_bytes() <= 16 * 8_192);
}

#[test]
fn a_page_of_starts_that_is_damaged_is_told() {
    let page = page(&[5, 6, 7, 800]);
    for cut in 1..page.len() {
        assert!(decode_starts(&page[..cut], 4, 0, &mut Vec::new()).is_err(), "{cut}");
    }
    assert!(decode_starts(&[9, 9], 1, 0, &mut Vec::new()).is_err());
}

fn start() -> impl Strategy<Value = Timestamp> {
    prop_oneof![3 => Just(0), 3 => Just(1_000), 2 => 0i64..2_000, 1 => any::<i64>()]
}

proptest! {
    #[test]
    fn every_start_comes_back(
        entries in prop::collection::vec((1i64..50, start(), 1usize..9), 1..60),
        before in 0usize..3, known in any::<bool>(), from in 0i64..1_500, to in 0i64..3_000,
    ) {
        let (mut t, mut samples, mut runs, mut open) = (0, Vec::new(), StartRuns::default(), OpenChunk::new());
        for (gap, start, times) in entries {
            for _ in 0..times {
                t += gap;
                samples.push((t, start));
                runs.push(t, start);
                prop_assert!(open.append(t, 1.0));
            }
        }
        // Behind entries of which something may be known.
        let column = if known { vec![7; before] } else { vec![] };
        let expected = |samples: &[(i64, i64)], known_at_all: bool| {
            let mut all = column.clone();
            if known_at_all || !all.is_empty() {
                all.resize(before, 0);
                all.extend(samples.iter().map(|(_, start)| *start));
            }
            all
        };
        let any = samples.iter().any(|(_, start)| *start != 0);
        let (timestamps, starts): (Vec<_>, Vec<_>) = samples.iter().copied().unzip();

        let mut out = column.clone();
        runs.fill(&timestamps, before, &mut out);
        prop_assert_eq!(&out, &expected(&samples, any));

        let page = page(&starts);
        prop_assert!(page.len() <= 24 + 11 * starts.len());
        let mut out = column.clone();
        decode_starts(&page, starts.len(), before, &mut out).unwrap();
        prop_assert_eq!(&out, &expected(&samples, any));

        let sealed = open.seal(&runs).unwrap();
        prop_assert_eq!(sealed.pages().2, &page[..]);
        let range = TimeRange::new(from, from + to);
        let inside: Vec<_> = samples.iter().copied().filter(|(t, _)| range.contains(*t)).collect();
        let (mut times, mut values, mut out) = (vec![0; before], vec![0.0; before], column.clone());
        sealed.decode(range, &mut times, &mut values, &mut out).unwrap();
        prop_assert_eq!(times.len(), before + inside.len());
        prop_assert!(out.is_empty() || out.len() == times.len());
        prop_assert!(!out.is_empty() || inside.iter().all(|(_, start)| *start == 0));
        for ((_, start), got) in inside.iter().zip(out.iter().skip(before)) {
            prop_assert_eq!(start, got);
        }
        prop_assert_eq!(&out[..before.min(out.len())], &expected(&[], !out.is_empty())[..before.min(out.len())]);
    }

    #[test]
    fn a_chunk_without_starts_has_the_bytes_it_always_had(values in prop::collection::vec(0i64..9, 1..50)) {
        let times: Vec<i64> = (0..values.len() as i64).collect();
        let values: Vec<f64> = values.into_iter().map(|v| v as f64).collect();
        let plain = SealedChunk::encode(&times, &values, &[]).unwrap();
        let unknown = SealedChunk::encode(&times, &values, &vec![0; times.len()]).unwrap();
        prop_assert_eq!(&plain, &unknown);
        let known = SealedChunk::encode(&times, &values, &vec![5; times.len()]).unwrap();
        prop_assert_ne!(&plain, &known);
        prop_assert_eq!((plain.pages().0, plain.pages().1), (known.pages().0, known.pages().1));
        let (mut page_of_times, mut page_of_values) = (vec![], vec![]);
        crate::encode_timestamps(&times, &mut page_of_times);
        crate::encode_values(&values, &mut page_of_values);
        prop_assert_eq!(plain.pages(), (&page_of_times[..], &page_of_values[..], &[][..]));
    }
}

#[test]
fn a_sealed_chunk_takes_as_many_starts_as_samples_or_none() {
    assert!(SealedChunk::encode(&[1, 2], &[1.0, 2.0], &[1]).is_none());
    assert!(size_of::<SealedChunk>() <= 40);
}
