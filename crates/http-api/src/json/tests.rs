//! Numbers, times and strings to the letter.

use super::*;
use proptest::prelude::*;

fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn floats_are_shortest_with_exponents_only_at_the_ends() {
    for (v, expected) in [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (-17.0, "-17"),
        (0.1, "0.1"),
        (1.234, "1.234"),
        (100_000_000.0, "100000000"),
        (9_007_199_254_740_991.0, "9007199254740991"),
        (9_007_199_254_740_992.0, "9007199254740992"),
        (123_456_789_012_345_680_000.0, "123456789012345680000"),
        (1e20, "100000000000000000000"),
        (999_999_999_999_999_900_000.0, "999999999999999900000"),
        (1e21, "1e+21"),
        (-1.5e21, "-1.5e+21"),
        (1e300, "1e+300"),
        (f64::MAX, "1.7976931348623157e+308"),
        (1e-6, "0.000001"),
        (0.000_001_5, "0.0000015"),
        (9.99e-7, "9.99e-07"),
        (1e-7, "1e-07"),
        (-1e-10, "-1e-10"),
        (5e-324, "5e-324"),
        (f64::INFINITY, "+Inf"),
        (f64::NEG_INFINITY, "-Inf"),
        (f64::NAN, "NaN"),
        (model::stale_nan(), "NaN"),
    ] {
        assert_eq!(text(|out| float(out, v)), expected);
    }
}

#[test]
fn times_have_at_most_three_decimals() {
    for (t, expected) in [
        (0, "0"),
        (1, "0.001"),
        (10, "0.010"),
        (20, "0.020"),
        (100, "0.100"),
        (1001, "1.001"),
        (1010, "1.010"),
        (1_435_781_451_781, "1435781451.781"),
        (1000, "1"),
        (-1, "-0.001"),
        (-1_500, "-1.500"),
        (i64::MIN, "-9223372036854775.808"),
    ] {
        assert_eq!(text(|out| timestamp(out, t)), expected);
    }
}

#[test]
fn control_characters_are_escaped() {
    assert_eq!(text(|out| string(out, "a\"\\\n\r\t\u{1}\u{1f}é😀")), r#""a\"\\\n\r\t\u0001\u001fé😀""#);
}

proptest! {
    #[test]
    fn any_float_reads_back(bits: u64) {
        let v = f64::from_bits(bits);
        let printed = text(|out| float(out, v));
        let back: f64 = printed.parse().unwrap();
        prop_assert!(back.to_bits() == v.to_bits() || v.is_nan() && back.is_nan(), "{v:e} was printed as {printed}");
    }

    #[test]
    fn any_string_reads_back(s: String) {
        let printed = text(|out| string(out, &s));
        prop_assert_eq!(serde_json::from_str::<String>(&printed).unwrap(), s);
    }

    #[test]
    fn any_label_set_reads_back(map in prop::collection::btree_map(".{0,20}", ".{1,20}", 0..5)) {
        let printed = text(|out| labels(out, &Labels::from_pairs(&map)));
        let back: std::collections::BTreeMap<String, String> = serde_json::from_str(&printed).unwrap();
        prop_assert_eq!(back, map);
    }
}
