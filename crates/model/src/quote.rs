//! Quoted text as Go prints it, which is what Prometheus's users see and compare.

use std::fmt::Write;

/// `text` in double quotes, escaped as by Go's `strconv.Quote`.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        push_escaped(&mut out, c, '"');
    }
    out.push('"');
    out
}

/// A character in single quotes, escaped as by Go's `strconv.QuoteRune`.
pub fn quote_char(c: char) -> String {
    let mut out = String::from("'");
    push_escaped(&mut out, c, '\'');
    out.push('\'');
    out
}

fn push_escaped(out: &mut String, c: char, quote: char) {
    match c {
        '\\' => out.push_str("\\\\"),
        '\x07' => out.push_str("\\a"),
        '\x08' => out.push_str("\\b"),
        '\x0c' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\x0b' => out.push_str("\\v"),
        c if c == quote => out.extend(['\\', c]),
        c if is_printable(c) => out.push(c),
        // Writing to a String cannot fail.
        c if c.is_ascii() => drop(write!(out, "\\x{:02x}", u32::from(c))),
        c if u32::from(c) < 0x10000 => drop(write!(out, "\\u{:04x}", u32::from(c))),
        c => drop(write!(out, "\\U{:08x}", u32::from(c))),
    }
}

/// Letters, marks, numbers, punctuation, symbols and the ASCII space.
fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return matches!(c, ' '..='~');
    }
    // The standard library's table of printable characters is reached through `escape_debug`
    // alone, which escapes marks too, but only at the start of a string.
    let mut text = String::from("a");
    text.push(c);
    text.escape_debug().count() == 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_those_of_go() {
        assert_eq!(quote("a\"b\\c'd"), r#""a\"b\\c'd""#);
        assert_eq!(quote("\0\x07\x08\t\n\x0b\x0c\r\x1b\x7f"), r#""\x00\a\b\t\n\v\f\r\x1b\x7f""#);
        assert_eq!(
            quote("é世\u{301}\u{a0}\u{200b}\u{feff}\u{e0001}"),
            "\"é世\u{301}\\u00a0\\u200b\\ufeff\\U000e0001\""
        );
        assert_eq!(quote_char('\''), r"'\''");
        assert_eq!(quote_char('"'), "'\"'");
        assert_eq!(quote_char('\u{fffd}'), "'\u{fffd}'");
    }
}
