//! The order of `sort_by_label`.

use std::cmp::Ordering;

/// Runs of digits compare as numbers, everything else as text: `node2` before `node10`.
pub fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    while !left.is_empty() && !right.is_empty() {
        let (x, y) = (next_run(&mut left), next_run(&mut right));
        let both_digits = is_digit(x.as_bytes()[0]) && is_digit(y.as_bytes()[0]);
        let order = if both_digits { numeric(x, y) } else { x.cmp(y) };
        if order.is_ne() {
            return order;
        }
    }
    left.len().cmp(&right.len()).then_with(|| a.cmp(b))
}

/// Compares digits of any length as numbers.
fn numeric(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit()
}

/// Splits the longest start off that is all digits or has none.
fn next_run<'a>(text: &mut &'a str) -> &'a str {
    let digits = text.starts_with(|c: char| c.is_ascii_digit());
    let end = text.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(text.len());
    let (run, rest) = text.split_at(end);
    *text = rest;
    run
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_inside_names_count() {
        let mut names =
            ["node10", "node2", "4m600", "4m5", "", "node2a", "node02", "99999999999999999999999"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(
            names,
            ["", "4m5", "4m600", "99999999999999999999999", "node02", "node2", "node2a", "node10"]
        );
    }
}
