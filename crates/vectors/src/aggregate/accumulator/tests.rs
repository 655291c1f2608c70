//! Parts of a group come to the same as the whole.

use super::*;
use proptest::prelude::*;

const KINDS: [Kind; 9] = [
    Kind::Sum,
    Kind::Avg,
    Kind::Min,
    Kind::Max,
    Kind::Count,
    Kind::Group,
    Kind::Stddev,
    Kind::Stdvar,
    Kind::Quantile,
];

fn of(kind: Kind, values: &[f64]) -> Accumulator {
    let mut whole = Accumulator::new(kind, 1);
    values.iter().for_each(|v| whole.add(&[*v]));
    whole
}

fn finish(accumulator: Accumulator) -> f64 {
    accumulator.finish(Some(&|_| 0.5))[0]
}

proptest! {
    #[test]
    fn two_parts_make_the_whole(values in prop::collection::vec(-1e6..1e6, 0..40), cut in 0usize..40) {
        let cut = cut.min(values.len());
        for kind in KINDS {
            let whole = finish(of(kind, &values));
            let mut parts = of(kind, &values[..cut]);
            parts.merge(of(kind, &values[cut..]));
            let parts = finish(parts);
            prop_assert_eq!(is_absent(parts), values.is_empty(), "{:?}", kind);
            prop_assert!(values.is_empty() || (whole - parts).abs() <= 1e-9 * whole.abs().max(1.0), "{:?}", kind);
        }
    }
}

#[test]
fn a_step_without_a_value_changes_nothing() {
    for kind in KINDS {
        assert_eq!(finish(of(kind, &[3.0, absent(), 5.0])), finish(of(kind, &[3.0, 5.0])), "{kind:?}");
        assert!(is_absent(finish(of(kind, &[absent()]))), "{kind:?}");
    }
}

#[test]
fn means_do_not_overflow_and_extremes_pass_over_nan() {
    let most = f64::MAX;
    assert!((finish(of(Kind::Avg, &[most, most, most])) / most - 1.0).abs() < 1e-15);
    let mut parts = of(Kind::Avg, &[most, most]);
    parts.merge(of(Kind::Avg, &[most, most]));
    assert!((finish(parts) / most - 1.0).abs() < 1e-15);
    assert_eq!(finish(of(Kind::Avg, &[1.0, f64::INFINITY])), f64::INFINITY);
    assert_eq!(finish(of(Kind::Max, &[f64::NAN, 1.0])), 1.0);
    assert!(finish(of(Kind::Min, &[f64::NAN])).is_nan());
    assert!(finish(of(Kind::Stddev, &[f64::INFINITY])).is_nan());
    assert_eq!(finish(of(Kind::Sum, &[1.0, 1e100, 1.0, -1e100])), 2.0);
}
