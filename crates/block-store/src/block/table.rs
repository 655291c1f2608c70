//! The labels of a block's series or streams in their order, without what finds them by label.

use super::{
    index::LabelIndex,
    rows::{Row, Rows},
    symbols::Symbols,
};
use chunk::Corrupt;
use model::Labels;

#[derive(Debug)]
pub(crate) struct LabelTable {
    symbols: Symbols,
    rows: Rows,
    /// Reused from row to row.
    row: Row,
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

    pub(crate) fn heap_bytes(&self) -> usize {
        self.symbols.heap_bytes() + self.rows.heap_bytes()
    }
}
