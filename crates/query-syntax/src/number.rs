//! Numbers: how far one reaches in the text, and what it is worth.

use crate::Cursor;
use model::quote;
use std::borrow::Cow;

/// Reads over a number. What it took is the text of the token even where it answers
/// `false`, so that an error can show it.
///
/// The rules are those of Prometheus's lexer, down to what it lets through for the number
/// parser to refuse.
pub fn scan_number(cursor: &mut Cursor<'_>) -> bool {
    let hex = cursor.accept(|c| c == '0') && cursor.accept(|c| matches!(c, 'x' | 'X'));
    if hex {
        cursor.accept(|c| c == '_');
    }
    let is_digit = |c: char| if hex { c.is_ascii_hexdigit() } else { c.is_ascii_digit() };
    let is_mark = |c: char| matches!(c, '.' | '_' | 'e' | 'E');
    cursor.accept(|c| c == '.');
    cursor.accept(is_digit);
    let (mut dot, mut exponent) = (false, false);
    loop {
        match cursor.peek() {
            Some('.') => {
                cursor.bump();
                // A hexadecimal number has no fraction.
                if dot || cursor.accept(|c| matches!(c, '_' | '.')) || hex {
                    return false;
                }
                dot = true;
            }
            Some('e' | 'E') => {
                cursor.bump();
                if exponent {
                    return false;
                }
                cursor.accept(|c| matches!(c, '+' | '-'));
                if cursor.accept(is_mark) || cursor.peek().is_none() {
                    return false;
                }
                exponent = true;
            }
            Some('_') => {
                cursor.bump();
                if cursor.accept(is_mark) || cursor.peek().is_none() {
                    return false;
                }
            }
            Some(c) if is_digit(c) => cursor.accept_while(is_digit),
            next => return !cursor.token().is_empty() && !next.is_some_and(is_word),
        }
    }
}

/// Reads over the rest of a duration, where `scan_number` has stopped at its first unit.
/// Units that do not exist are found when the duration is parsed.
pub fn scan_duration(cursor: &mut Cursor<'_>) -> bool {
    if !cursor.accept(|c| "smhdwy".contains(c)) {
        return false;
    }
    cursor.accept(|c| c == 's');
    while cursor.accept(|c| c.is_ascii_digit()) {
        cursor.accept_while(|c| c.is_ascii_digit());
        if !cursor.accept(|c| "smhdw".contains(c)) {
            return false;
        }
        cursor.accept(|c| c == 's');
    }
    // The character that spoils it belongs to what an error shows.
    !cursor.accept(is_word)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The value of a number: decimal, octal (`0755`), hexadecimal, with underscores between
/// digits, with exponent, `inf` or `nan`. Errors read as those of Go, which Prometheus shows.
pub fn parse_number(text: &str) -> Result<f64, String> {
    let error =
        |reason| format!("error parsing number: strconv.ParseFloat: parsing {}: {reason}", quote(text));
    let plain = without_underscores(text).ok_or_else(|| error("invalid syntax"))?;
    let lower = plain.to_ascii_lowercase();
    if let Some(digits) = lower.strip_prefix("0x") {
        return i64::from_str_radix(digits, 16).map(|n| n as f64).map_err(|_| error("invalid syntax"));
    }
    let octal = lower.strip_prefix('0').and_then(|digits| i64::from_str_radix(digits, 8).ok());
    match (octal, lower.parse::<f64>()) {
        (Some(number), _) => Ok(number as f64),
        (None, Ok(number)) if number.is_infinite() && lower != "inf" => Err(error("value out of range")),
        (None, Ok(number)) => Ok(number),
        (None, Err(_)) => Err(error("invalid syntax")),
    }
}

/// The value of a decimal number with underscores between digits, of `inf` or of `nan`: what
/// Go's `strconv.ParseFloat` takes, but for hexadecimal, with its errors.
pub fn parse_float(text: &str) -> Result<f64, String> {
    let error = |reason| format!("strconv.ParseFloat: parsing {}: {reason}", quote(text));
    let plain = without_underscores(text).ok_or_else(|| error("invalid syntax"))?;
    match plain.parse::<f64>() {
        Ok(number) if number.is_infinite() && plain.bytes().any(|b| b.is_ascii_digit()) => {
            Err(error("value out of range"))
        }
        Ok(number) => Ok(number),
        Err(_) => Err(error("invalid syntax")),
    }
}

/// `None` where an underscore does not stand between digits or behind a base prefix.
fn without_underscores(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('_') {
        return Some(Cow::Borrowed(text));
    }
    let bytes = text.as_bytes();
    let hex = bytes.len() > 2 && bytes[0] == b'0' && matches!(bytes[1], b'x' | b'X');
    let is_digit = |at: usize| {
        let byte = bytes.get(at)?;
        (byte.is_ascii_digit() || (hex && (byte.is_ascii_hexdigit() || at == 1))).then_some(())
    };
    for at in bytes.iter().enumerate().filter(|(_, b)| **b == b'_').map(|(at, _)| at) {
        is_digit(at.checked_sub(1)?)?;
        is_digit(at + 1)?;
    }
    Some(Cow::Owned(text.replace('_', "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_worth_what_go_says() {
        let numbers = [
            ("1", 1.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("5e-3", 0.005),
            ("0xc", 12.0),
            ("0X_1f", 31.0),
            ("0755", 493.0),
            ("08", 8.0),
            ("1_000_000.5", 1_000_000.5),
            ("Inf", f64::INFINITY),
            ("9223372036854775808", 9_223_372_036_854_775_808.0),
        ];
        for (text, value) in numbers {
            assert_eq!(parse_number(text), Ok(value), "{text}");
        }
        assert!(parse_number("NaN").unwrap().is_nan());
    }

    #[test]
    fn numbers_that_are_none_are_refused_in_go_words() {
        for text in ["0x", "0xfffffffffffffffff", "1__0", "1_.5", ".5.5", ""] {
            let error = parse_number(text).unwrap_err();
            assert_eq!(
                error,
                format!("error parsing number: strconv.ParseFloat: parsing \"{text}\": invalid syntax")
            );
        }
        let error = parse_number("1e999").unwrap_err();
        assert_eq!(error, "error parsing number: strconv.ParseFloat: parsing \"1e999\": value out of range");
    }

    #[test]
    fn values_of_labels_are_worth_what_go_says() {
        for (text, value) in [("1_000", 1000.0), ("-1.5e3", -1500.0), ("+Inf", f64::INFINITY), ("5.", 5.0)] {
            assert_eq!(parse_float(text), Ok(value), "{text}");
        }
        for (text, reason) in [
            ("", "invalid syntax"),
            ("1__0", "invalid syntax"),
            ("_1", "invalid syntax"),
            ("0x10", "invalid syntax"),
            (" 1", "invalid syntax"),
            ("1e999", "value out of range"),
        ] {
            assert_eq!(parse_float(text), Err(format!("strconv.ParseFloat: parsing \"{text}\": {reason}")));
        }
    }

    #[test]
    fn a_number_ends_where_a_word_could_not_go_on() {
        for (text, good) in [
            ("5", true),
            ("5)", true),
            ("1e5+", true),
            ("5m", false),
            ("1..2", false),
            ("1e", false),
            ("1_", false),
            ("0x1.8", false),
        ] {
            let mut cursor = Cursor::new(text);
            assert_eq!(scan_number(&mut cursor), good, "{text}");
        }
    }
}
