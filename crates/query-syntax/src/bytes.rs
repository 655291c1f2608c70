//! Sizes such as `10MiB`, by the rules of the Go package `humanize`, which Loki reads them with.

use model::quote;

/// A text that is no size; the message is that of `humanize`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBytes {
    #[error("strconv.ParseFloat: parsing {}: invalid syntax", quote(.0))]
    Number(String),
    #[error("unhandled size name: {0}")]
    Unit(String),
    #[error("too large: {0}")]
    TooLarge(String),
}

/// What a size is written in, in small letters; `k` is 1000 and `ki` is 1024.
const UNITS: [(&str, u64); 13] = [
    ("", 1),
    ("k", 1000),
    ("ki", 1 << 10),
    ("m", 1_000_000),
    ("mi", 1 << 20),
    ("g", 1_000_000_000),
    ("gi", 1 << 30),
    ("t", 1_000_000_000_000),
    ("ti", 1 << 40),
    ("p", 1_000_000_000_000_000),
    ("pi", 1 << 50),
    ("e", 1_000_000_000_000_000_000),
    ("ei", 1 << 60),
];

/// The bytes of a size such as `5KB`, `1.5 GiB` or `1,024`. The unit's letters may be of any
/// case, and its `B` may be left out.
pub fn parse_bytes(text: &str) -> Result<u64, InvalidBytes> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ',').unwrap_or(text.len());
    let number = text[..end].replace(',', "");
    let value: f64 = number.parse().map_err(|_| InvalidBytes::Number(number.clone()))?;
    let unit = text[end..].trim().to_lowercase();
    let name = unit.strip_suffix('b').unwrap_or(&unit);
    let (_, factor) =
        UNITS.iter().find(|(known, _)| *known == name).ok_or_else(|| InvalidBytes::Unit(unit.clone()))?;
    let bytes = value * *factor as f64;
    if bytes >= u64::MAX as f64 {
        return Err(InvalidBytes::TooLarge(text.to_owned()));
    }
    Ok(bytes as u64)
}

/// So many bytes in the decimal unit that suits, with at most one digit behind the point:
/// `82MB`, `1.5kB`.
pub fn format_bytes(bytes: u64) -> String {
    const NAMES: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 10 {
        return format!("{bytes}B");
    }
    let exponent = (bytes.ilog10() / 3) as usize;
    let unit = 1000_f64.powi(exponent as i32);
    let value = (bytes as f64 / unit * 10.0 + 0.5).floor() / 10.0;
    let digits = usize::from(value < 10.0);
    format!("{value:.digits$}{}", NAMES[exponent])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_worth_what_humanize_says() {
        for (text, bytes) in [
            ("42", 42),
            ("42B", 42),
            ("1,024", 1024),
            ("5KB", 5000),
            ("5 kib", 5120),
            ("1.5GiB", 1_610_612_736),
            ("2m", 2_000_000),
            ("1EiB", 1 << 60),
            (".5k", 500),
        ] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn bad_sizes_say_why() {
        for (text, reason) in [
            ("", r#"strconv.ParseFloat: parsing "": invalid syntax"#),
            ("-1", r#"strconv.ParseFloat: parsing "": invalid syntax"#),
            ("1.2.3kb", r#"strconv.ParseFloat: parsing "1.2.3": invalid syntax"#),
            ("10 ZB", "unhandled size name: zb"),
            ("10bb", "unhandled size name: bb"),
            ("17EiB", "too large: 17EiB"),
        ] {
            assert_eq!(parse_bytes(text).unwrap_err().to_string(), reason);
        }
    }

    #[test]
    fn printing_takes_the_decimal_unit_that_suits() {
        for (bytes, text) in [
            (0, "0B"),
            (9, "9B"),
            (10, "10B"),
            (999, "999B"),
            (1000, "1.0kB"),
            (82_854_982, "83MB"),
            (10_485_760, "10MB"),
            (u64::MAX, "18EB"),
        ] {
            assert_eq!(format_bytes(bytes), text);
        }
    }
}
