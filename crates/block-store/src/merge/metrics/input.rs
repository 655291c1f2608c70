//! One of the blocks that are merged: what is known of its pages, and the values that have been read.

use crate::{
    Ulid,
    block::{LabelTable, Page, SeriesTable},
    merge::{MergeError, pieces::Pieces, read_ahead::Arrived},
};
use bytes::Bytes;
use chunk::Corrupt;
use model::TimeRange;
use std::sync::Arc;

pub struct Input {
    pub block: Ulid,
    table: SeriesTable,
    times: Arc<Pieces>,
    arrived: Option<Arrived>,
    /// The group that is being used, and where the next page begins in it.
    group: Bytes,
    at: usize,
    /// Bytes of values before the next row, by the index, and before the next page.
    next_row: u64,
    taken: u64,
    samples: u64,
}

/// Where a vector of timestamps or starts lies.
#[derive(Clone, Copy, Debug)]
pub struct Vector {
    /// The number of the group among those of vectors, and where it begins in it.
    pub group: usize,
    pub at: usize,
    pub len: usize,
    /// Its first number, and its last.
    pub range: TimeRange,
}

impl Input {
    pub fn new(block: Ulid, table: SeriesTable, times: Arc<Pieces>) -> Self {
        let (arrived, group) = (None, Bytes::new());
        Self { block, table, times, arrived, group, at: 0, next_row: 0, taken: 0, samples: 0 }
    }

    /// Replaces `pages` by those of a row; rows come in their order.
    pub fn begin_row(
        &mut self,
        labels: &LabelTable,
        row: u32,
        pages: &mut Vec<Page>,
    ) -> Result<(), MergeError> {
        let read = self.table.read(labels, row, self.next_row, pages);
        self.next_row = read.map_err(|e| self.damaged(e))?;
        self.samples += pages.iter().map(|page| u64::from(self.count(page))).sum::<u64>();
        Ok(())
    }

    pub fn count(&self, page: &Page) -> u32 {
        self.table.count(page)
    }

    pub fn range(&self, page: &Page) -> TimeRange {
        self.table.range(page)
    }

    /// Entries of all rows that were begun.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    pub fn vector(&self, number: u32) -> Result<Vector, MergeError> {
        let find = || {
            let page = self.table.vector(number).ok_or(Corrupt("timestamps out of bounds"))?;
            let (start, _) = self.table.starts_of_groups();
            let (group, at) = self.times.locate(start + page.offset, page.len.into())?;
            Ok(Vector { group, at, len: page.len as usize, range: page.range() })
        };
        find().map_err(|e| self.damaged(e))
    }

    pub fn time_groups(&self) -> &Pieces {
        &self.times
    }

    /// What was read of the values behind those that are here.
    pub fn arrived(&mut self, arrived: Option<Arrived>) -> Result<(), MergeError> {
        self.arrived = Some(arrived.ok_or_else(|| self.damaged(Corrupt("fewer pages than the index says")))?);
        Ok(())
    }

    /// Whether the next page is here.
    pub fn has_values(&mut self) -> bool {
        while self.at == self.group.len() {
            let Some(group) = self.arrived.as_mut().and_then(Iterator::next) else {
                // Nothing is to be held of what has been used.
                (self.group, self.at, self.arrived) = (Bytes::new(), 0, None);
                return false;
            };
            (self.group, self.at) = (group, 0);
        }
        true
    }

    /// The next page, if it is here.
    pub fn take_values(&mut self, len: u32) -> Result<&[u8], MergeError> {
        let (from, to) = (self.at, self.at + len as usize);
        if len == 0 || to > self.group.len() {
            return Err(self.damaged(Corrupt("a page of two groups, or of nothing")));
        }
        (self.at, self.taken) = (to, self.taken + u64::from(len));
        Ok(&self.group[from..to])
    }

    /// Whether all of it was used, once all rows were begun.
    pub fn check_end(&self) -> Result<(), MergeError> {
        let (start, end) = self.table.starts_of_groups();
        let all = self.taken == end - start && self.samples == self.table.samples();
        if all { Ok(()) } else { Err(self.damaged(Corrupt("it has not what its footer says"))) }
    }

    pub fn damaged(&self, why: Corrupt) -> MergeError {
        MergeError::Damaged { block: self.block, why: why.to_string() }
    }
}
