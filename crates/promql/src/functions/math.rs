//! Arithmetic: functions of one number, rounding, clamping.

use std::f64::consts::{LN_2, PI};

/// The function of one number that `name` stands for.
pub fn unary(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "abs" => f64::abs,
        "ceil" => f64::ceil,
        "floor" => f64::floor,
        "exp" => f64::exp,
        "ln" => f64::ln,
        "log2" => f64::log2,
        "log10" => f64::log10,
        "sqrt" => f64::sqrt,
        "sgn" => sgn,
        "sin" => f64::sin,
        "cos" => f64::cos,
        "tan" => f64::tan,
        "asin" => f64::asin,
        "acos" => f64::acos,
        "atan" => f64::atan,
        "sinh" => f64::sinh,
        "cosh" => f64::cosh,
        "tanh" => f64::tanh,
        "asinh" => asinh,
        "acosh" => acosh,
        "atanh" => f64::atanh,
        "deg" => deg,
        "rad" => rad,
        _ => return None,
    })
}

/// -1, 1, or the value itself where it is zero or NaN.
pub fn sgn(v: f64) -> f64 {
    if v < 0.0 {
        -1.0
    } else if v > 0.0 {
        1.0
    } else {
        v
    }
}

/// From here on `v + sqrt(v² ± 1)` is 2v, which may be too large for a number.
const LARGE: f64 = (1u64 << 28) as f64;

fn asinh(v: f64) -> f64 {
    if v.abs() > LARGE { (v.abs().ln() + LN_2).copysign(v) } else { v.asinh() }
}

fn acosh(v: f64) -> f64 {
    if v > LARGE { v.ln() + LN_2 } else { v.acosh() }
}

fn deg(v: f64) -> f64 {
    v * 180.0 / PI
}

fn rad(v: f64) -> f64 {
    v * PI / 180.0
}

/// To the nearest multiple; halves go up. Dividing by the inverse loses fewer bits.
pub fn round(v: f64, to_nearest: f64) -> f64 {
    let inverse = 1.0 / to_nearest;
    (v * inverse + 0.5).floor() / inverse
}

/// `None` where the bounds are crossed: then `clamp` has no result at all.
pub fn clamp(v: f64, min: f64, max: f64) -> Option<f64> {
    if max < min { None } else { Some(maximum(min, minimum(max, v))) }
}

pub fn clamp_min(v: f64, min: f64) -> f64 {
    maximum(min, v)
}

pub fn clamp_max(v: f64, max: f64) -> f64 {
    maximum(f64::NEG_INFINITY, minimum(max, v))
}

/// Go's `math.Max`: +Inf wins, then NaN, and 0 is above -0.
pub fn maximum(a: f64, b: f64) -> f64 {
    if a == f64::INFINITY || b == f64::INFINITY {
        f64::INFINITY
    } else if a.is_nan() || b.is_nan() {
        f64::NAN
    } else if a == 0.0 && b == 0.0 {
        if a.is_sign_negative() { b } else { a }
    } else if a > b {
        a
    } else {
        b
    }
}

/// Go's `math.Min`: -Inf wins, then NaN, and -0 is below 0.
pub fn minimum(a: f64, b: f64) -> f64 {
    -maximum(-a, -b)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INF: f64 = f64::INFINITY;

    #[test]
    fn names_find_their_function() {
        let call = |name: &str, v| unary(name).map(|f| f(v));
        assert_eq!(call("sgn", -3.0), Some(-1.0));
        assert_eq!(call("log2", 8.0), Some(3.0));
        assert_eq!(call("deg", PI), Some(180.0));
        assert_eq!(call("rad", 180.0), Some(PI));
        assert_eq!(call("ln", 0.0), Some(-INF));
        assert!(call("acosh", 0.5).is_some_and(f64::is_nan));
        assert_eq!(call("asinh", -1.7e308), Some(-710.419_984_073_788_1));
        assert_eq!(call("acosh", 1.7e308), Some(710.419_984_073_788_1));
        assert_eq!([call("asinh", INF), call("acosh", INF)], [Some(INF), Some(INF)]);
        assert_eq!(call("rate", 1.0), None);
    }

    #[test]
    fn halves_round_up_and_multiples_may_be_fractions() {
        assert_eq!([round(2.5, 1.0), round(-2.5, 1.0), round(-0.5, 1.0)], [3.0, -2.0, 0.0]);
        assert_eq!([round(5.15, 0.1), round(7.0, 5.0)], [5.2, 5.0]);
        assert!(round(1.0, 0.0).is_nan());
    }

    #[test]
    fn clamps_keep_nan_and_refuse_crossed_bounds() {
        assert_eq!([clamp(-5.0, -2.0, 2.0), clamp(1.0, -2.0, 2.0)], [Some(-2.0), Some(1.0)]);
        assert_eq!(clamp(1.0, 5.0, 0.0), None);
        assert!(clamp_min(f64::NAN, 0.0).is_nan() && clamp_max(f64::NAN, 0.0).is_nan());
        assert!(clamp(1.0, f64::NAN, 2.0).is_some_and(f64::is_nan));
        assert_eq!(clamp_max(9.0, 4.0), 4.0);
    }
}
