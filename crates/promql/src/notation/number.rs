//! Numbers, alone and at the start of what else there is.

/// Takes a decimal number off the start; `x` repeats, so there are no hexadecimal ones.
pub fn take(rest: &mut &str) -> Option<f64> {
    let sign = usize::from(rest.starts_with(['+', '-']));
    let body = &rest[sign..];
    let lower = body.get(..3).unwrap_or("").to_ascii_lowercase();
    let len = if lower == "inf" || lower == "nan" { 3 } else { decimal_len(body.as_bytes()) };
    let value: f64 = rest[..sign + len].parse().ok()?;
    *rest = &rest[sign + len..];
    Some(value)
}

fn decimal_len(bytes: &[u8]) -> usize {
    let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut len = digits(0);
    if bytes.get(len) == Some(&b'.') {
        len += 1 + digits(len + 1);
    }
    if matches!(bytes.get(len), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(len + 1), Some(b'+' | b'-')));
        let exponent = digits(len + 1 + sign);
        if exponent > 0 {
            len += 1 + sign + exponent;
        }
    }
    len
}

/// A text that is nothing but a number, hexadecimal ones included.
pub fn number(text: &str) -> Option<f64> {
    let (sign, body) = match text.strip_prefix('-') {
        Some(body) => (-1.0, body),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if let Some(hex) = body.strip_prefix("0x").or_else(|| body.strip_prefix("0X")) {
        return i64::from_str_radix(hex, 16).ok().map(|n| sign * n as f64);
    }
    text.parse().ok()
}
