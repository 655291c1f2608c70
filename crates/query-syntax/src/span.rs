//! Where something stands in the text of a query.

use std::fmt;

/// A range of bytes in a query, `start` included, `end` not.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

impl Span {
    /// Positions beyond 4 GiB are cut; no query is let in that is anywhere near.
    pub fn new(start: usize, end: usize) -> Self {
        let cut = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self { start: cut(start), end: cut(end) }
    }

    /// From the start of `self` to the end of `last`.
    pub fn to(self, last: Self) -> Self {
        Self { start: self.start, end: last.end }
    }

    /// The text that this range covers; empty where the range does not fit the text.
    pub fn of(self, text: &str) -> &str {
        text.get(self.start as usize..self.end as usize).unwrap_or("")
    }

    /// Line and column of the start, both counted from 1, the column in bytes, as
    /// Prometheus counts them. `None` where the position lies beyond the text.
    pub fn line_column(self, text: &str) -> Option<(usize, usize)> {
        let before = text.as_bytes().get(..self.start as usize)?;
        let line = before.iter().filter(|&&b| b == b'\n').count() + 1;
        let line_start = before.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
        Some((line, before.len() - line_start + 1))
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_start_anew_on_each_line() {
        let text = "sum(\n  up{\n})";
        assert_eq!(Span::new(0, 3).line_column(text), Some((1, 1)));
        assert_eq!(Span::new(7, 9).line_column(text), Some((2, 3)));
        assert_eq!(Span::new(12, 13).line_column(text), Some((3, 2)));
        assert_eq!(Span::new(13, 13).line_column(text), Some((3, 3)));
        assert_eq!(Span::new(14, 14).line_column(text), None);
    }
}
