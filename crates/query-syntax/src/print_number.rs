//! Numbers as Go prints them.

use std::fmt::{self, Display, Formatter};

/// Without an exponent, as short as it can be: `strconv.FormatFloat(v, 'f', -1, 64)`.
pub struct PlainNumber(pub f64);

/// With an exponent where the number is very large or small: `%v`.
pub struct ShortNumber(pub f64);

impl Display for PlainNumber {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0.is_infinite() {
            return f.write_str(if self.0 > 0.0 { "+Inf" } else { "-Inf" });
        }
        write!(f, "{}", self.0)
    }
}

impl Display for ShortNumber {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let size = self.0.abs();
        if !size.is_finite() || size == 0.0 || (1e-4..1e6).contains(&size) {
            return write!(f, "{}", PlainNumber(self.0));
        }
        // Go writes the sign of an exponent, and at least two digits.
        let text = format!("{:e}", self.0);
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        match exponent.strip_prefix('-') {
            Some(exponent) => write!(f, "{digits}e-{exponent:0>2}"),
            None => write!(f, "{digits}e+{exponent:0>2}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_look_as_in_go() {
        for (value, plain, short) in [
            (1.0, "1", "1"),
            (0.5, "0.5", "0.5"),
            (-0.0, "-0", "-0"),
            (123_456.5, "123456.5", "123456.5"),
            (1_234_567.0, "1234567", "1.234567e+06"),
            (1e20, "100000000000000000000", "1e+20"),
            (1.5e21, "1500000000000000000000", "1.5e+21"),
            (-2.5e-5, "-0.000025", "-2.5e-05"),
            (f64::INFINITY, "+Inf", "+Inf"),
            (f64::NEG_INFINITY, "-Inf", "-Inf"),
            (f64::NAN, "NaN", "NaN"),
        ] {
            assert_eq!(
                (PlainNumber(value).to_string().as_str(), ShortNumber(value).to_string().as_str()),
                (plain, short)
            );
        }
    }
}
