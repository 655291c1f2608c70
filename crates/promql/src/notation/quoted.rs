//! Quoted strings, with Go's common escapes.

/// Takes a quoted string off the start of `rest`.
pub fn take(rest: &mut &str) -> Result<String, String> {
    let quote = rest.chars().next().filter(|c| "\"'`".contains(*c)).ok_or("no quoted string")?;
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if c == quote && !escaped {
            let text = unquote(&rest[..=at])?;
            *rest = &rest[at + 1..];
            return Ok(text);
        }
        escaped = c == '\\' && !escaped && quote != '`';
    }
    Err("unterminated string".to_owned())
}

/// The text of a quoted string.
pub fn unquote(text: &str) -> Result<String, String> {
    let quote = text.chars().next().filter(|c| "\"'`".contains(*c)).ok_or("no quoted string")?;
    let inner = text[1..].strip_suffix(quote).ok_or("unterminated string")?;
    if quote == '`' {
        return Ok(inner.to_owned());
    }
    let mut out = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        out.push(match chars.next() {
            Some('n') => '\n',
            Some('t') => '\t',
            Some('r') => '\r',
            Some(c @ ('\\' | '"' | '\'')) => c,
            Some('x') => code_point(&mut chars, 2)?,
            Some('u') => code_point(&mut chars, 4)?,
            other => return Err(format!("unknown escape {other:?}")),
        });
    }
    Ok(out)
}

fn code_point(chars: &mut std::str::Chars<'_>, digits: usize) -> Result<char, String> {
    let text: String = chars.take(digits).collect();
    u32::from_str_radix(&text, 16)
        .ok()
        .and_then(char::from_u32)
        .ok_or_else(|| format!("bad code point {text}"))
}
