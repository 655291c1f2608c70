//! Operators between two vectors. Who matches whom is found once per series; only whether
//! both have a value is looked at step by step.

mod pairs;
mod sets;

pub use pairs::{Duplicate, Pairs};
pub use sets::{SetOp, set_operation};

use crate::{labels::LabelChoice, row::Row};
use model::Labels;
use service_api::{ReadContext, Result};
use std::collections::HashMap;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Cardinality {
    #[default]
    OneToOne,
    /// `group_left`
    ManyToOne,
    /// `group_right`
    OneToMany,
}

/// Values for series that find no partner.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fill {
    /// Where the side whose series may share a partner has none; the left side of one-to-one matching.
    pub many: Option<f64>,
    /// Where the other side has none.
    pub one: Option<f64>,
}

/// How the series of two sides find each other. The default is `ignoring ()`: all labels must agree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VectorMatching {
    pub cardinality: Cardinality,
    /// `labels` are those that must agree; otherwise all others must.
    pub on: bool,
    pub labels: Vec<String>,
    /// Labels that the "one" side adds to the result.
    pub include: Vec<String>,
}

impl Cardinality {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OneToOne => "one-to-one",
            Self::ManyToOne => "many-to-one",
            Self::OneToMany => "one-to-many",
        }
    }

    /// The modifier that asks for it.
    pub fn modifier(self) -> Option<&'static str> {
        match self {
            Self::OneToOne => None,
            Self::ManyToOne => Some("group_left"),
            Self::OneToMany => Some("group_right"),
        }
    }
}

impl VectorMatching {
    /// The labels that have to agree.
    pub fn choice(&self) -> LabelChoice<'_> {
        LabelChoice { names: &self.labels, without: !self.on, delayed: false }
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
    fn new(ctx: &ReadContext, choice: LabelChoice<'_>, first: &[Row], second: &[Row]) -> Result<Self> {
        let mut numbers: HashMap<Labels, usize> = HashMap::new();
        let mut number = |row: &Row| {
            // A query may name tens of thousands of labels.
            ctx.check()?;
            let next = numbers.len();
            Ok(*numbers.entry(choice.of(&row.labels, false)).or_insert(next))
        };
        let first = first.iter().map(&mut number).collect::<Result<_>>()?;
        let second = second.iter().map(&mut number).collect::<Result<_>>()?;
        Ok(Self { first, second, count: numbers.len() })
    }

    /// The rows of each group of the first side.
    fn first_by_group(&self) -> Vec<Vec<usize>> {
        by_group(&self.first, self.count)
    }

    /// The rows of each group of the second side.
    fn second_by_group(&self) -> Vec<Vec<usize>> {
        by_group(&self.second, self.count)
    }
}

fn by_group(group_of: &[usize], count: usize) -> Vec<Vec<usize>> {
    let mut members = vec![Vec::new(); count];
    group_of.iter().enumerate().for_each(|(row, group)| members[*group].push(row));
    members
}

/// At which steps any of the rows has a value.
fn presence<'a>(rows: impl Iterator<Item = &'a Row>, steps: usize) -> Vec<bool> {
    let mut present = vec![false; steps];
    rows.for_each(|row| row.present(|step| present[step] = true));
    present
}
