//! Bounds bit for bit.

use super::*;

#[test]
fn bounds_are_those_of_prometheus() {
    let cases = [
        (-1, -1, 0.25),
        (0, -1, 1.0),
        (1, -1, 4.0),
        (512, -1, f64::MAX),
        (513, -1, f64::INFINITY),
        (64, -4, f64::MAX),
        (65, -4, f64::INFINITY),
        (-1, 0, 0.5),
        (0, 0, 1.0),
        (1024, 0, f64::MAX),
        (1025, 0, f64::INFINITY),
        (-1, 2, 0.8408964152537144),
        (0, 2, 1.0),
        (1, 2, 1.189207115002721),
        (3, 1, 2.82842712474619),
        (4096, 2, f64::MAX),
        (4097, 2, f64::INFINITY),
        (1, 8, 1.0027112750502025),
        (-1, 8, 0.9972960560854698),
        (262_144, 8, f64::MAX),
        (-1022, 0, f64::MIN_POSITIVE),
        (-1074, 0, 5e-324),
        (-1075, 0, 0.0),
        (-2147, 1, 5e-324),
        (i32::MIN, -4, 0.0),
        (i32::MAX, 8, f64::INFINITY),
    ];
    for (index, schema, bound) in cases {
        assert_eq!(exponential(index, schema).to_bits(), f64::to_bits(bound), "{index} of schema {schema}");
    }
}

#[test]
fn powers_are_near_the_formula() {
    for (at, power) in POWERS.into_iter().enumerate() {
        let formula = (at as f64 / 256.0 - 1.0).exp2();
        assert!((power - formula).abs() < 1e-15, "{at}");
    }
}

#[test]
fn a_bound_of_a_schema_is_one_of_each_finer_schema() {
    for schema in -4..8 {
        for index in -60..60 {
            assert_eq!(exponential(index, schema), exponential(index * 2, schema + 1));
        }
    }
}

#[test]
fn custom_bounds_end_at_infinity() {
    let bounds: Vec<_> = (-2..4).map(|index| custom(index, &[1.0, 2.5])).collect();
    assert_eq!(bounds, [f64::NEG_INFINITY, f64::NEG_INFINITY, 1.0, 2.5, f64::INFINITY, f64::INFINITY]);
}
