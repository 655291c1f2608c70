//! String literals: in double quotes, single quotes or backticks, with Go's escapes.

use crate::{Cursor, Span, SyntaxError};
use model::{quote, quote_char};

/// Reads over a string whose opening quote has just been read.
pub fn scan_string(cursor: &mut Cursor<'_>, open: char) -> Result<(), SyntaxError> {
    let raw = open == '`';
    loop {
        let problem = match cursor.bump() {
            Some(c) if c == open => return Ok(()),
            Some('\u{fffd}') => "invalid UTF-8 rune".to_owned(),
            Some('\\') if !raw => match scan_escape(cursor, open) {
                Ok(_) => continue,
                Err(problem) => problem,
            },
            None if raw => "unterminated raw string".to_owned(),
            Some('\n') | None if !raw => "unterminated quoted string".to_owned(),
            _ => continue,
        };
        return Err(SyntaxError::new(cursor.span_to_end(), problem));
    }
}

/// What an escape stands for.
enum Escape {
    Char(char),
    Byte(u8),
}

/// Reads an escape whose backslash has just been read.
fn scan_escape(cursor: &mut Cursor<'_>, open: char) -> Result<Escape, String> {
    let unterminated = || "escape sequence not terminated".to_owned();
    let (digits, radix) = match cursor.peek().ok_or_else(unterminated)? {
        '0'..='7' => (3, 8),
        'x' => (2, 16),
        'u' => (4, 16),
        'U' => (8, 16),
        c => {
            cursor.bump();
            return simple_escape(c, open)
                .map(Escape::Char)
                .ok_or_else(|| format!("unknown escape sequence {}", code_point(c)));
        }
    };
    if radix == 16 {
        cursor.bump();
    }
    let mut code = 0_u32;
    for _ in 0..digits {
        let c = cursor.bump().ok_or_else(unterminated)?;
        let digit = c
            .to_digit(radix)
            .ok_or_else(|| format!("illegal character {} in escape sequence", code_point(c)))?;
        // Eight hexadecimal digits fill the number, no more.
        code = code.wrapping_mul(radix).wrapping_add(digit);
    }
    let invalid = || "escape sequence is an invalid Unicode code point".to_owned();
    if digits < 4 {
        u8::try_from(code).map(Escape::Byte).map_err(|_| invalid())
    } else {
        char::from_u32(code).map(Escape::Char).ok_or_else(invalid)
    }
}

fn simple_escape(c: char, open: char) -> Option<char> {
    Some(match c {
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        '\\' => '\\',
        c if c == open => c,
        _ => return None,
    })
}

/// As Go's `%#U`.
fn code_point(c: char) -> String {
    let quoted = quote_char(c);
    let printable = !quoted.starts_with("'\\") || matches!(c, '\'' | '\\');
    let shown = if printable { format!(" '{c}'") } else { String::new() };
    format!("U+{:04X}{shown}", u32::from(c))
}

/// The value of a string literal with its quotes. Escaped bytes must make up UTF-8: labels
/// and queries are text here, where Prometheus would take any bytes.
pub fn unquote(literal: &str, span: Span) -> Result<String, SyntaxError> {
    String::from_utf8(unquote_bytes(literal, span)?)
        .map_err(|_| cannot_unquote(literal, span, "invalid UTF-8"))
}

/// The bytes that a string literal with its quotes stands for.
pub fn unquote_bytes(literal: &str, span: Span) -> Result<Vec<u8>, SyntaxError> {
    let error = |reason: &str| cannot_unquote(literal, span, reason);
    let open = literal
        .chars()
        .next()
        .filter(|c| matches!(c, '"' | '\'' | '`'))
        .ok_or_else(|| error("invalid syntax"))?;
    let inner = literal[1..].strip_suffix(open).ok_or_else(|| error("invalid syntax"))?;
    if open == '`' || !inner.contains('\\') {
        return Ok(inner.as_bytes().to_vec());
    }
    let mut out = Vec::with_capacity(inner.len());
    let mut cursor = Cursor::new(inner);
    while let Some(c) = cursor.bump() {
        let c = match c {
            '\\' => match scan_escape(&mut cursor, open).map_err(|reason| error(&reason))? {
                Escape::Char(c) => c,
                Escape::Byte(byte) => {
                    out.push(byte);
                    continue;
                }
            },
            c => c,
        };
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
    Ok(out)
}

fn cannot_unquote(literal: &str, span: Span, reason: &str) -> SyntaxError {
    SyntaxError::new(span, format!("error unquoting string {}: {reason}", quote(literal)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<String, String> {
        let mut cursor = Cursor::new(text);
        let open = cursor.bump().unwrap();
        scan_string(&mut cursor, open).map_err(|e| e.message)?;
        assert_eq!(cursor.rest(), "");
        unquote(text, cursor.span()).map_err(|e| e.message)
    }

    #[test]
    fn escapes_stand_for_characters() {
        assert_eq!(read(r#""double-quoted \" string '""#).unwrap(), "double-quoted \" string '");
        assert_eq!(read(r#"'single \' "'"#).unwrap(), "single ' \"");
        assert_eq!(read(r#"`raw \n "'\`"#).unwrap(), "raw \\n \"'\\");
        assert_eq!(
            read(r#""\a\b\f\n\r\t\v\\\141\x62\u00e9\U0001f600""#).unwrap(),
            "\x07\x08\x0c\n\r\t\x0b\\abé😀"
        );
        assert_eq!(read(r#""\xc3\xa9 \303\251""#).unwrap(), "é é");
    }

    #[test]
    fn bad_strings_say_why() {
        for (text, reason) in [
            ("\"a", "unterminated quoted string"),
            ("'a\n'", "unterminated quoted string"),
            ("`a", "unterminated raw string"),
            ("\"\\", "escape sequence not terminated"),
            ("\"\\u12", "escape sequence not terminated"),
            (r#""\q""#, "unknown escape sequence U+0071 'q'"),
            (r#""\'""#, "unknown escape sequence U+0027 '''"),
            (r#""\xg1""#, "illegal character U+0067 'g' in escape sequence"),
            (r#""\400""#, "escape sequence is an invalid Unicode code point"),
            (r#""\ud800""#, "escape sequence is an invalid Unicode code point"),
            (r#""\Uffffffff""#, "escape sequence is an invalid Unicode code point"),
            (r#""\xc5z""#, r#"error unquoting string "\"\\xc5z\"": invalid UTF-8"#),
        ] {
            assert_eq!(read(text).unwrap_err(), reason, "{text}");
        }
    }

    proptest! {
        #[test]
        fn quoted_text_reads_as_itself(text in "\\PC*|[\\x00-\\xff]*") {
            prop_assume!(!text.contains('\u{fffd}'));
            prop_assert_eq!(read(&quote(&text)), Ok(text));
        }
    }
}
