//! Integers and floats as Go's fmt and strconv print them.

use super::Printer;
use model::quote_char;

/// A way to print a float.
#[derive(Clone, Copy)]
pub struct Float {
    /// `e`, `f`, `g` or `x`; hexadecimal and binary floats are printed as `g`.
    style: char,
    upper: bool,
    /// Digits where none are asked for; `None` for as many as it takes.
    precision: Option<usize>,
}

impl Float {
    pub fn of(verb: char) -> Option<Self> {
        let (style, upper, precision) = match verb {
            'v' | 'g' => ('g', false, None),
            'G' => ('g', true, None),
            'e' => ('e', false, Some(6)),
            'E' => ('e', true, Some(6)),
            'f' | 'F' => ('f', false, Some(6)),
            _ => return None,
        };
        Some(Self { style, upper, precision })
    }
}

impl Printer<'_> {
    /// Whether integers know the verb.
    pub fn integer(&mut self, negative: bool, value: u64, verb: char) -> bool {
        let digits = match verb {
            'v' | 'd' => value.to_string(),
            'b' => format!("{value:b}"),
            'o' | 'O' => format!("{value:o}"),
            'x' => format!("{value:x}"),
            'X' => format!("{value:X}"),
            'c' | 'q' | 'U' => {
                self.character(negative, value, verb);
                return true;
            }
            _ => return false,
        };
        self.digits(negative, value, digits, verb);
        true
    }

    fn digits(&mut self, negative: bool, value: u64, mut digits: String, verb: char) {
        let flags = self.flags;
        if flags.precision == Some(0) && value == 0 {
            return self.pad_with_spaces("");
        }
        let signed = negative || flags.plus || flags.space;
        let wanted = match (flags.precision, flags.width) {
            (Some(precision), _) => precision,
            (None, Some(width)) if flags.zero && !flags.minus => width.saturating_sub(usize::from(signed)),
            _ => 0,
        };
        if digits.len() < wanted {
            digits.insert_str(0, &"0".repeat(wanted - digits.len()));
        }
        let prefix = match verb {
            'O' => "0o",
            'b' if flags.sharp => "0b",
            'o' if flags.sharp && !digits.starts_with('0') => "0",
            'x' if flags.sharp => "0x",
            'X' if flags.sharp => "0X",
            _ => "",
        };
        let sign = match (negative, flags.plus, flags.space) {
            (true, ..) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        };
        self.pad_with_spaces(&format!("{sign}{prefix}{digits}"));
    }

    fn character(&mut self, negative: bool, value: u64, verb: char) {
        let known = if negative { None } else { u32::try_from(value).ok().and_then(char::from_u32) };
        let c = known.unwrap_or('\u{fffd}');
        match verb {
            'c' => self.pad(c.encode_utf8(&mut [0; 4])),
            'q' if self.flags.plus => self.pad(&super::ascii(&quote_char(c))),
            'q' => self.pad(&quote_char(c)),
            _ => {
                let bits = if negative { value.wrapping_neg() } else { value };
                let digits = self.flags.precision.unwrap_or(4).max(4);
                let mut text = format!("{bits:X}");
                if text.len() < digits {
                    text.insert_str(0, &"0".repeat(digits - text.len()));
                }
                let shown = known.filter(|c| self.flags.sharp && is_printable(*c));
                let shown = shown.map(|c| format!(" '{c}'")).unwrap_or_default();
                self.pad_with_spaces(&format!("U+{text}{shown}"));
            }
        }
    }

    pub fn float(&mut self, value: f64, float: Float) {
        let flags = self.flags;
        let precision = flags.precision.or(float.precision);
        let sign = match (value.is_sign_negative() && !value.is_nan(), flags.plus, flags.space) {
            (true, ..) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        };
        if !value.is_finite() {
            // Go shows a sign before infinity only if there is one to show.
            let name = if value.is_nan() { "NaN" } else { "Inf" };
            let sign = if sign.is_empty() && value.is_infinite() { "+" } else { sign };
            return self.pad_with_spaces(&format!("{sign}{name}"));
        }
        let mut digits = format_float(value.abs(), float.style, precision);
        if flags.sharp {
            digits = with_point(&digits, float.style, precision);
        }
        if float.upper {
            digits = digits.to_uppercase();
        }
        let width = flags.width.unwrap_or(0);
        if flags.zero && !flags.minus && !sign.is_empty() && width > digits.len() + 1 {
            self.out.push_str(sign);
            self.fill(width - digits.len() - 1, '0');
            self.out.push_str(&digits);
        } else {
            self.pad(&format!("{sign}{digits}"));
        }
    }
}

/// Go's `strconv.FormatFloat` of a number that is not negative.
fn format_float(value: f64, style: char, precision: Option<usize>) -> String {
    match (style, precision) {
        ('f', None) => value.to_string(),
        ('f', Some(precision)) => fixed(value, precision),
        ('e', None) => exponent(&format!("{value:e}")),
        ('e', Some(precision)) => exponent(&scientific(value, precision)),
        (_, precision) => general(value, precision),
    }
}

/// A float has at most so many digits after its point; the rest are zeros.
const MAX_DIGITS: usize = 1100;

fn fixed(value: f64, precision: usize) -> String {
    let mut text = format!("{value:.*}", precision.min(MAX_DIGITS));
    text.push_str(&"0".repeat(precision.saturating_sub(MAX_DIGITS)));
    text
}

fn scientific(value: f64, precision: usize) -> String {
    let text = format!("{value:.*e}", precision.min(MAX_DIGITS));
    match text.split_once('e') {
        Some((digits, exponent)) if precision > MAX_DIGITS => {
            format!("{digits}{}e{exponent}", "0".repeat(precision - MAX_DIGITS))
        }
        _ => text,
    }
}

/// Gives the exponent a sign and at least two digits.
fn exponent(text: &str) -> String {
    let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    format!("{digits}e{sign}{exponent:0>2}")
}

/// `%g`: as short as can be, with an exponent only for what is very large or small.
fn general(value: f64, precision: Option<usize>) -> String {
    let precision = precision.map(|precision| precision.max(1));
    let text = match precision {
        Some(precision) => scientific(value, precision - 1),
        None => format!("{value:e}"),
    };
    let (digits, exp) = text.split_once('e').unwrap_or((&text, "0"));
    let exp: i64 = exp.parse().unwrap_or(0);
    let digits =
        if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits };
    let count = digits.len() - usize::from(digits.contains('.'));
    let limit = match precision {
        None => 6,
        Some(precision) if precision > count && count as i64 > exp => count as i64,
        Some(precision) => precision as i64,
    };
    if exp < -4 || exp >= limit {
        return exponent(&format!("{digits}e{exp}"));
    }
    let after_point = (count as i64 - 1 - exp).max(0);
    match precision {
        None => value.to_string(),
        Some(_) => fixed(value, usize::try_from(after_point).unwrap_or(0)),
    }
}

/// The `#` flag: a decimal point always, and for `%g` all digits.
fn with_point(text: &str, style: char, precision: Option<usize>) -> String {
    let (digits, tail) = match text.split_once('e') {
        Some((digits, _)) => text.split_at(digits.len()),
        None => (text, ""),
    };
    let mut out = digits.to_owned();
    if !digits.contains('.') {
        out.push('.');
    }
    if style == 'g' {
        let significant = digits.trim_start_matches(['0', '.']).chars().filter(char::is_ascii_digit).count();
        let significant = if digits == "0" { 1 } else { significant };
        out.push_str(&"0".repeat(precision.unwrap_or(6).saturating_sub(significant)));
    }
    out + tail
}

fn is_printable(c: char) -> bool {
    matches!(c, '\'' | '\\') || !quote_char(c).starts_with("'\\")
}
