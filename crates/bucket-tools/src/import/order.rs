//! Puts series in order again that more labels have brought out of order, within bounded memory.
//!
//! A label that all series get changes their order only where one series has all labels of another and more:
//! `{a="1"}` comes before `{a="1", b="2"}`, but `{a="1", z="3"}` after `{a="1", b="2", z="3"}`. So series move
//! by little. What moves by more than is kept here is not lost; it only ends a block early.

use anyhow::{Result, bail};
use std::collections::BTreeMap;
use tsdb::SeriesEntry;

/// Bytes of series that wait.
const MOST_BYTES: usize = 64 << 20;

pub struct InOrder {
    waiting: BTreeMap<model::Labels, (u64, Vec<tsdb::ChunkPlace>)>,
    bytes: usize,
    /// None wait if their order is right as it is.
    most: usize,
    ended: bool,
}

impl InOrder {
    pub fn new(disordered: bool) -> Self {
        let most = if disordered { MOST_BYTES } else { 0 };
        Self { waiting: BTreeMap::new(), bytes: 0, most, ended: false }
    }

    /// Whether the next one is to be taken before another is given.
    pub fn is_full(&self) -> bool {
        self.ended || self.bytes > self.most
    }

    /// No more will come.
    pub fn end(&mut self) {
        self.ended = true;
    }

    pub fn push(&mut self, reference: u64, entry: SeriesEntry) -> Result<()> {
        let SeriesEntry { labels, chunks } = entry;
        self.bytes += bytes(&labels, &chunks);
        if self.waiting.insert(labels.clone(), (reference, chunks)).is_some() {
            bail!("two series become one with the labels that are added: {labels}");
        }
        Ok(())
    }

    /// The first of those that wait.
    pub fn pop(&mut self) -> Option<(u64, SeriesEntry)> {
        let (labels, (reference, chunks)) = self.waiting.pop_first()?;
        self.bytes -= bytes(&labels, &chunks);
        Some((reference, SeriesEntry { labels, chunks }))
    }
}

fn bytes(labels: &model::Labels, chunks: &[tsdb::ChunkPlace]) -> usize {
    // What an entry takes beside them.
    128 + labels.heap_bytes() + size_of_val(chunks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Labels;

    fn entry(pairs: &[(&str, &str)]) -> SeriesEntry {
        SeriesEntry { labels: Labels::from_pairs(pairs.iter().copied()), chunks: Vec::new() }
    }

    #[test]
    fn series_come_out_in_order() {
        let mut series = InOrder::new(true);
        for (reference, entry) in
            [entry(&[("a", "1"), ("z", "3")]), entry(&[("a", "1"), ("b", "2"), ("z", "3")])]
                .into_iter()
                .enumerate()
        {
            assert!(!series.is_full());
            series.push(reference as u64, entry).unwrap();
        }
        let twice = series.push(7, entry(&[("a", "1"), ("z", "3")])).unwrap_err();
        assert!(twice.to_string().contains("two series become one"), "{twice}");
        series.end();
        assert_eq!(series.pop().unwrap().0, 1);
    }

    #[test]
    fn series_in_order_do_not_wait() {
        let mut series = InOrder::new(false);
        series.push(1, entry(&[("a", "1")])).unwrap();
        assert!(series.is_full());
        assert_eq!(series.pop().unwrap().0, 1);
        assert!(!series.is_full() && series.pop().is_none());
    }
}
