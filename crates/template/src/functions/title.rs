//! `title` of alert templates: words begin where Unicode says so, not at every mark.

/// The first letter of each word in title case, all else as it is.
pub fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = None;
    let mut is_titled = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_alphabetic() && !is_titled {
            push_title(&mut out, c);
            is_titled = true;
        } else {
            out.push(c);
            is_titled &= c.is_alphanumeric() || goes_on(before, c, chars.peek().copied());
        }
        before = Some(c);
    }
    out
}

/// Most letters have no title case of their own; of those that become two, the second stays small.
fn push_title(out: &mut String, c: char) {
    match c {
        '\u{1c4}'..='\u{1c6}' => out.push('\u{1c5}'),
        '\u{1c7}'..='\u{1c9}' => out.push('\u{1c8}'),
        '\u{1ca}'..='\u{1cc}' => out.push('\u{1cb}'),
        '\u{1f1}'..='\u{1f3}' => out.push('\u{1f2}'),
        _ => {
            let mut has_capital = false;
            for upper in c.to_uppercase() {
                if has_capital {
                    out.extend(upper.to_lowercase());
                } else {
                    out.push(upper);
                }
                has_capital |= upper.is_uppercase();
            }
        }
    }
}

/// Whether a mark between two characters leaves them one word.
fn goes_on(before: Option<char>, mark: char, next: Option<char>) -> bool {
    let both = |is: fn(char) -> bool| before.is_some_and(is) && next.is_some_and(is);
    match mark {
        // Accents that are written behind their letter.
        '_' | '\u{300}'..='\u{36f}' => true,
        '\'' | '.' | '\u{2018}' | '\u{2019}' | '\u{2024}' => {
            both(char::is_alphabetic) || both(char::is_numeric)
        }
        ':' | '\u{b7}' | '\u{2027}' => both(char::is_alphabetic),
        ',' | ';' => both(char::is_numeric),
        _ => false,
    }
}
