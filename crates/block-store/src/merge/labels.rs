//! Goes through the tables of labels of several blocks at once, in label order.

use super::MergeError;
use crate::{Ulid, block::LabelTable};
use model::Labels;
use std::{cmp::Reverse, collections::BinaryHeap};

pub struct LabelMerge {
    inputs: Vec<(Ulid, LabelTable)>,
    /// Of each input the row behind the one that is in `heads`.
    next_rows: Vec<u32>,
    /// The first labels of each input that are still to come.
    heads: BinaryHeap<Reverse<(Labels, usize)>>,
}

impl LabelMerge {
    pub fn new(inputs: Vec<(Ulid, LabelTable)>) -> Result<Self, MergeError> {
        let mut merge =
            Self { next_rows: vec![0; inputs.len()], heads: BinaryHeap::with_capacity(inputs.len()), inputs };
        (0..merge.inputs.len()).try_for_each(|input| merge.advance(input, None))?;
        Ok(merge)
    }

    /// The next labels, and all inputs that have them, ascending, with their rows.
    pub fn next(&mut self, rows: &mut Vec<(usize, u32)>) -> Result<Option<Labels>, MergeError> {
        rows.clear();
        let Some(labels) = self.heads.peek().map(|Reverse((labels, _))| labels.clone()) else {
            return Ok(None);
        };
        while self.heads.peek().is_some_and(|Reverse((head, _))| *head == labels)
            && let Some(Reverse((_, input))) = self.heads.pop()
        {
            rows.push((input, self.next_rows[input] - 1));
            self.advance(input, Some(&labels))?;
        }
        Ok(Some(labels))
    }

    pub fn table(&self, input: usize) -> &LabelTable {
        &self.inputs[input].1
    }

    fn advance(&mut self, input: usize, before: Option<&Labels>) -> Result<(), MergeError> {
        let row = self.next_rows[input];
        let (block, table) = &mut self.inputs[input];
        if row as usize >= table.len() {
            return Ok(());
        }
        let damaged = |why: String| MergeError::Damaged { block: *block, why };
        let labels = table.labels(row).map_err(|e| damaged(e.to_string()))?;
        if before.is_some_and(|before| *before >= labels) {
            return Err(damaged("labels out of order".to_owned()));
        }
        self.next_rows[input] += 1;
        self.heads.push(Reverse((labels, input)));
        Ok(())
    }
}
