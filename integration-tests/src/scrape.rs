//! The text format in which programs expose their metrics, as far as a test needs it.

use std::collections::BTreeMap;

/// The series of a scrape with their values. `__name__` is among the labels.
pub fn parse_scrape(text: &str) -> BTreeMap<BTreeMap<String, String>, f64> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(sample).collect()
}

fn sample(line: &str) -> (BTreeMap<String, String>, f64) {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("not a sample: {line}"));
    let (name, rest) = line.split_at(end);
    let mut labels = BTreeMap::from([("__name__".to_owned(), name.to_owned())]);
    let mut rest = rest.strip_prefix('{').unwrap_or(rest);
    while let Some((label, after)) = rest.split_once("=\"")
        && !rest.starts_with('}')
        && !rest.starts_with(' ')
    {
        let (value, after) = unquoted(after);
        labels.insert(label.trim_start_matches(',').to_owned(), value);
        rest = after;
    }
    let value = rest.trim_start_matches('}').split_whitespace().next().unwrap();
    (labels, value.replace("Inf", "inf").parse().unwrap_or_else(|e| panic!("{line}: {e}")))
}

/// A label's value up to its closing quote, and what is behind that.
fn unquoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return (value, &text[at + 1..]),
            '\\' => match chars.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, other)) => value.push(other),
                None => break,
            },
            other => value.push(other),
        }
    }
    panic!("a label's value does not end: {text}");
}
