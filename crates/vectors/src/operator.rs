//! Arithmetic and comparison between numbers.

use crate::row::absent;

/// The arithmetic operators between numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Atan2,
}

/// The comparison operators between numbers. Nothing but `!=` holds for NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScalarOp {
    Arithmetic(Arithmetic),
    Comparison(Comparison),
}

impl ScalarOp {
    /// Between two scalars, where a comparison answers 1 or 0.
    #[inline]
    pub fn answer(self, lhs: f64, rhs: f64) -> f64 {
        match self {
            Self::Arithmetic(op) => op.apply(lhs, rhs),
            Self::Comparison(op) => op.answer(true, lhs, rhs, lhs),
        }
    }
}

impl Arithmetic {
    /// `%` has the sign of the left side and is NaN for a zero right side; `^` follows
    /// C99's `pow`. Both are Go's `math.Mod` and `math.Pow`.
    #[inline]
    pub fn apply(self, lhs: f64, rhs: f64) -> f64 {
        match self {
            Self::Add => lhs + rhs,
            Self::Sub => lhs - rhs,
            Self::Mul => lhs * rhs,
            Self::Div => lhs / rhs,
            Self::Mod => lhs % rhs,
            Self::Pow => lhs.powf(rhs),
            Self::Atan2 => lhs.atan2(rhs),
        }
    }
}

impl Comparison {
    #[inline]
    pub fn holds(self, lhs: f64, rhs: f64) -> bool {
        match self {
            Self::Equal => lhs == rhs,
            Self::NotEqual => lhs != rhs,
            Self::Greater => lhs > rhs,
            Self::Less => lhs < rhs,
            Self::GreaterOrEqual => lhs >= rhs,
            Self::LessOrEqual => lhs <= rhs,
        }
    }

    /// With `as_bool` 1 or 0, otherwise `kept` where the comparison holds and no value where
    /// it does not.
    #[inline]
    pub fn answer(self, as_bool: bool, lhs: f64, rhs: f64, kept: f64) -> f64 {
        match (as_bool, self.holds(lhs, rhs)) {
            (true, holds) => f64::from(u8::from(holds)),
            (false, true) => kept,
            (false, false) => absent(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::is_absent;

    const INF: f64 = f64::INFINITY;

    #[test]
    fn modulo_and_power_follow_go() {
        let modulo = |a, b| Arithmetic::Mod.apply(a, b);
        assert_eq!([modulo(-7.0, 3.0), modulo(7.0, -3.0), modulo(7.0, INF)], [-1.0, 1.0, 7.0]);
        assert!(modulo(1.0, 0.0).is_nan() && modulo(INF, 2.0).is_nan());
        let pow = |a, b| Arithmetic::Pow.apply(a, b);
        assert_eq!(
            [pow(f64::NAN, 0.0), pow(1.0, f64::NAN), pow(-1.0, INF), pow(0.0, -1.0)],
            [1.0, 1.0, 1.0, INF]
        );
        assert!(pow(-8.0, 1.0 / 3.0).is_nan());
    }

    #[test]
    fn only_inequality_holds_for_nan() {
        assert!(Comparison::NotEqual.holds(f64::NAN, f64::NAN));
        assert!(!Comparison::Equal.holds(f64::NAN, f64::NAN));
        assert!(!Comparison::LessOrEqual.holds(f64::NAN, 1.0));
    }

    #[test]
    fn a_comparison_filters_or_says_whether_it_holds() {
        let less = |as_bool, l, r| Comparison::Less.answer(as_bool, l, r, 7.0);
        assert_eq!([less(true, 1.0, 2.0), less(true, 2.0, 1.0), less(false, 1.0, 2.0)], [1.0, 0.0, 7.0]);
        assert!(is_absent(less(false, 2.0, 1.0)));
    }
}
