//! Operators between two vectors. Who matches whom is found once per series; only whether
//! both have a value is looked at step by step.

mod pairs;
mod sets;

use super::{
    evaluate::Evaluator,
    labels::{LabelChoice, merge_same_labels},
    plan::Binary,
    steps::Steps,
};
use crate::{
    ast::{Cardinality, VectorMatching},
    row::{Row, Rows, is_absent},
};
use model::Labels;
use service_api::Result;
use std::collections::HashMap;

impl Evaluator<'_> {
    pub(crate) fn binary(&mut self, binary: &Binary, steps: &Steps) -> Result<Rows> {
        let left = self.rows(&binary.left, steps)?;
        if left.rows.is_empty() && !matches!(binary.op, crate::ast::BinaryOp::Or) {
            // Nothing can match; but what cannot be evaluated is still an error.
            self.rows(&binary.right, steps)?;
            return Ok(Rows::default());
        }
        let right = self.rows(&binary.right, steps)?;
        let output = if binary.op.is_set() {
            sets::evaluate(self, binary, left, right, steps)?
        } else if binary.matching.cardinality == Cardinality::OneToMany {
            pairs::evaluate(self, binary, right, left, steps)?
        } else {
            pairs::evaluate(self, binary, left, right, steps)?
        };
        merge_same_labels(output)
    }
}

/// Series of both sides by the labels that have to agree.
struct MatchGroups {
    /// For each row its group, counted from 0.
    first: Vec<usize>,
    second: Vec<usize>,
    count: usize,
}

impl MatchGroups {
    fn new(matching: &VectorMatching, first: &[Row], second: &[Row]) -> Self {
        let choice = LabelChoice { names: &matching.labels, without: !matching.on };
        let mut numbers: HashMap<Labels, usize> = HashMap::new();
        let mut number = |row: &Row| {
            let next = numbers.len();
            *numbers.entry(choice.of(&row.labels, false)).or_insert(next)
        };
        let (first, second) =
            (first.iter().map(&mut number).collect(), second.iter().map(&mut number).collect());
        Self { first, second, count: numbers.len() }
    }

    /// The rows of each group of the second side.
    fn second_by_group(&self) -> Vec<Vec<usize>> {
        let mut members = vec![Vec::new(); self.count];
        self.second.iter().enumerate().for_each(|(row, group)| members[*group].push(row));
        members
    }
}

/// At which steps any of the rows has a value.
fn presence<'a>(rows: impl Iterator<Item = &'a Row>, steps: &Steps) -> Vec<bool> {
    let mut present = vec![false; steps.count];
    for row in rows {
        present.iter_mut().zip(&row.values).for_each(|(there, value)| *there |= !is_absent(*value));
    }
    present
}
