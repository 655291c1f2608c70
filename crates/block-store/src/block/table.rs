//! The labels of a block's series or streams in their order, without what finds them by label.

use super::{
    index::LabelIndex,
    rows::{Row, Rows},
    symbols::Symbols,
};
use chunk::{Corrupt, Cursor};
use model::Labels;
use std::ops::Range;

#[derive(Debug)]
pub(crate) struct LabelTable {
    symbols: Symbols,
    rows: Rows,
    /// Reused from row to row.
    row: Row,
}

/// The footer of a block, by which is found what is needed to read the block as a whole: its index without
/// the postings.
pub(crate) trait WholeFooter: Sized + Send + Sync + 'static {
    /// What is known of each page.
    type Pages: Send + 'static;

    /// `tail`: the end of a block of `size` bytes.
    fn decode(tail: &[u8], size: u64) -> Result<Self, Corrupt>;

    /// Where the index lies.
    fn index_range(&self) -> Range<u64>;

    /// `bytes`: the object from `start` on.
    fn tables(&self, bytes: &[u8], start: u64) -> Result<(LabelTable, Self::Pages), Corrupt>;

    fn heap_bytes(pages: &Self::Pages) -> usize;
}

impl LabelIndex {
    pub(super) fn into_table(self) -> LabelTable {
        LabelTable { symbols: self.symbols, rows: self.rows, row: Row::default() }
    }
}

impl LabelTable {
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn labels(&mut self, row: u32) -> Result<Labels, Corrupt> {
        self.rows.read(row, &mut self.row)?;
        Ok(self.rows.labels(&self.row, &self.symbols))
    }

    /// What the table says of a row behind its labels.
    pub(super) fn behind_labels(&self, row: u32) -> Result<Cursor<'_>, Corrupt> {
        self.rows.behind_labels(row)
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.symbols.heap_bytes() + self.rows.heap_bytes()
    }
}
