//! Log lines in columns: what pages are made of, and what they are read into.

use crate::Nanos;
use std::{collections::HashSet, ops::Range};

/// Lines of one stream: their times, their text one behind the other, and their structured
/// metadata. A line is in `text` with a newline behind it, so that a search over all of the
/// text finds nothing that spans two lines unless it has a newline itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    pub timestamps: Vec<Nanos>,
    pub text: Vec<u8>,
    /// For each line where its newline is in `text`. The next line starts behind it.
    pub ends: Vec<u32>,
    pub metadata: MetadataColumn,
}

/// Pairs of names and values, some for each line, in the order in which they came. Without any
/// pair all of it is empty, so lines without metadata cost nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetadataColumn {
    /// For each line the number of pairs up to and including its own; empty if there are none.
    pub ends: Vec<u32>,
    /// For each pair where its name and its value end in `text`; each starts where the one before ends.
    pub pairs: Vec<(u32, u32)>,
    pub text: String,
}

impl Lines {
    pub fn len(&self) -> usize {
        self.timestamps.len()
    }

    pub fn is_empty(&self) -> bool {
        self.timestamps.is_empty()
    }

    /// Where line `at` lies in the text, without its newline.
    #[inline]
    pub fn span(&self, at: usize) -> Range<usize> {
        let start = if at == 0 { 0 } else { self.ends[at - 1] as usize + 1 };
        start..self.ends[at] as usize
    }

    #[inline]
    pub fn line(&self, at: usize) -> &[u8] {
        &self.text[self.span(at)]
    }

    /// The number of the line that holds byte `offset` of the text.
    pub fn line_at(&self, offset: usize) -> usize {
        self.ends.partition_point(|&end| (end as usize) < offset)
    }

    /// The structured metadata of line `at`.
    pub fn metadata(&self, at: usize) -> impl Iterator<Item = (&str, &str)> {
        self.metadata.of(at)
    }

    /// Adds a line. The text must stay below 4 GiB.
    pub fn push<'a>(
        &mut self,
        timestamp: Nanos,
        line: &[u8],
        metadata: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) {
        self.metadata.push(self.timestamps.len(), metadata);
        self.timestamps.push(timestamp);
        self.text.extend_from_slice(line);
        self.ends.push(self.text.len() as u32);
        self.text.push(b'\n');
    }

    /// Adds line `at` of other lines.
    pub fn push_from(&mut self, other: &Self, at: usize) {
        self.push(other.timestamps[at], other.line(at), other.metadata(at));
    }

    pub fn clear(&mut self) {
        self.timestamps.clear();
        self.text.clear();
        self.ends.clear();
        self.metadata.clear();
    }

    pub fn heap_bytes(&self) -> usize {
        8 * self.timestamps.capacity()
            + self.text.capacity()
            + 4 * self.ends.capacity()
            + self.metadata.heap_bytes()
    }

    /// Whether the lines are in time order with no two of one time.
    pub fn is_strictly_ordered(&self) -> bool {
        self.timestamps.windows(2).all(|pair| pair[0] < pair[1])
    }

    /// Puts the lines in time order, those of one time in the order in which they came, and
    /// keeps the first of those that have one time and one text.
    pub fn normalize(&mut self) {
        if self.is_strictly_ordered() {
            return;
        }
        let mut order: Vec<u32> = (0..self.len() as u32).collect();
        order.sort_by_key(|&at| self.timestamps[at as usize]);
        let before = order.len();
        self.drop_repeats(&mut order);
        if order.len() == before && order.is_sorted() {
            return;
        }
        let mut out = Self::default();
        out.timestamps.reserve(order.len());
        out.text.reserve(self.text.len());
        out.ends.reserve(order.len());
        for at in order {
            out.push_from(self, at as usize);
        }
        *self = out;
    }

    /// Takes lines out of `order`, which is by time, that repeat one before them.
    fn drop_repeats(&self, order: &mut Vec<u32>) {
        let mut kept = Vec::with_capacity(order.len());
        for same_time in order.chunk_by(|&a, &b| self.timestamps[a as usize] == self.timestamps[b as usize]) {
            if same_time.len() == 1 {
                kept.push(same_time[0]);
                continue;
            }
            // Senders without a fine clock give many lines one time.
            let mut seen = HashSet::with_capacity(same_time.len());
            kept.extend(same_time.iter().filter(|&&at| seen.insert(self.line(at as usize))));
        }
        *order = kept;
    }
}

impl MetadataColumn {
    /// The pairs of line `at`.
    pub fn of(&self, at: usize) -> impl Iterator<Item = (&str, &str)> {
        let (start, end) = if self.ends.is_empty() {
            (0, 0)
        } else {
            (if at == 0 { 0 } else { self.ends[at - 1] as usize }, self.ends[at] as usize)
        };
        (start..end).map(|pair| {
            let from = if pair == 0 { 0 } else { self.pairs[pair - 1].1 as usize };
            let (name, value) = self.pairs[pair];
            (&self.text[from..name as usize], &self.text[name as usize..value as usize])
        })
    }

    /// Adds the pairs of line `at`, which comes behind all lines so far.
    fn push<'a>(&mut self, at: usize, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) {
        for (name, value) in pairs {
            if self.ends.is_empty() {
                self.ends.resize(at, 0);
            }
            self.text.push_str(name);
            let name_end = self.text.len() as u32;
            self.text.push_str(value);
            self.pairs.push((name_end, self.text.len() as u32));
        }
        if !self.pairs.is_empty() {
            self.ends.push(self.pairs.len() as u32);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    pub fn clear(&mut self) {
        self.ends.clear();
        self.pairs.clear();
        self.text.clear();
    }

    fn heap_bytes(&self) -> usize {
        4 * self.ends.capacity() + 8 * self.pairs.capacity() + self.text.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Time, text and structured metadata of a line.
    type Line<'a> = (Nanos, &'a str, &'a [(&'a str, &'a str)]);

    fn lines(all: &[Line<'_>]) -> Lines {
        let mut lines = Lines::default();
        for (timestamp, line, metadata) in all {
            lines.push(*timestamp, line.as_bytes(), metadata.iter().copied());
        }
        lines
    }

    #[test]
    fn lines_come_back_as_they_were_put_in() {
        let lines = lines(&[(1, "a", &[]), (2, "", &[("k", "v"), ("l", "")]), (3, "x\ny", &[])]);
        let text: Vec<_> = (0..3).map(|at| lines.line(at)).collect();
        assert_eq!(text, [&b"a"[..], b"", b"x\ny"]);
        let pairs: Vec<Vec<_>> = (0..3).map(|at| lines.metadata(at).collect()).collect();
        assert_eq!(pairs, [vec![], vec![("k", "v"), ("l", "")], vec![]]);
        let at: Vec<_> = (0..lines.text.len()).map(|offset| lines.line_at(offset)).collect();
        assert_eq!(at, [0, 0, 1, 2, 2, 2, 2]);
    }

    #[test]
    fn normal_lines_are_in_order_and_none_is_there_twice() {
        let mut all =
            lines(&[(5, "b", &[]), (5, "a", &[("k", "1")]), (3, "c", &[]), (5, "a", &[]), (5, "b", &[])]);
        all.normalize();
        assert_eq!(all, lines(&[(3, "c", &[]), (5, "b", &[]), (5, "a", &[("k", "1")])]));
        let same = all.clone();
        all.normalize();
        assert_eq!(all, same);
    }
}
