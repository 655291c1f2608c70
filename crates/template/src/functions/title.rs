//! `title` of alert templates: words begin where Unicode says so, not at every mark.

/// The first letter of each word in upper case, all else as it is.
pub fn title(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut in_word = false;
    for (i, c) in chars.iter().copied().enumerate() {
        let next = chars.get(i + 1).copied();
        let before = i.checked_sub(1).and_then(|i| chars.get(i)).copied();
        if c.is_alphanumeric() {
            match c.to_uppercase().next() {
                Some(upper) if !in_word && c.is_alphabetic() && c.to_uppercase().count() == 1 => {
                    out.push(upper)
                }
                _ => out.push(c),
            }
            // What follows digits is of the same word.
            in_word = true;
        } else {
            out.push(c);
            in_word = in_word && goes_on(before, c, next);
        }
    }
    out
}

/// Whether a mark between two characters leaves them one word.
fn goes_on(before: Option<char>, mark: char, next: Option<char>) -> bool {
    let both = |is: fn(char) -> bool| before.is_some_and(is) && next.is_some_and(is);
    match mark {
        '_' => true,
        '\'' | '.' | '\u{2019}' | '\u{2018}' | '\u{2024}' => {
            both(char::is_alphabetic) || both(char::is_numeric)
        }
        ':' | '\u{b7}' | '\u{2027}' => both(char::is_alphabetic),
        ',' | ';' => both(char::is_numeric),
        _ => false,
    }
}
