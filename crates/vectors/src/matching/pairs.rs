//! Arithmetic and comparison between the series of two vectors.
//!
//! `many` is the side whose series may share a partner, `one` the other. For one-to-one
//! matching the left side is called `many`.

use super::{Cardinality, MatchGroups, VectorMatching, presence};
use crate::{
    labels::without_metadata,
    row::{Row, Rows, absent, has_values, is_absent, row_bytes},
};
use model::{Labels, LabelsBuilder};
use service_api::{Error, ReadContext, Result};
use std::collections::HashMap;

/// Two vectors whose series have found each other.
pub struct Pairs<'a> {
    matching: &'a VectorMatching,
    many: &'a [Row],
    one: &'a [Row],
    groups: MatchGroups,
    /// The rows of the one side in each group.
    ones: Vec<Vec<usize>>,
    steps: usize,
    drops_name: bool,
}

/// Two series of the one side that share a group.
#[derive(Debug)]
pub struct Duplicate<'a> {
    /// The labels that agree.
    pub group: Labels,
    /// In the order of their text.
    pub series: [&'a Labels; 2],
    /// The one side: `left` or `right`.
    pub side: &'static str,
}

impl<'a> Pairs<'a> {
    /// `drops_name`: results are no longer what the metric's name says.
    pub fn new(
        matching: &'a VectorMatching,
        left: &'a [Row],
        right: &'a [Row],
        steps: usize,
        drops_name: bool,
    ) -> Self {
        let swapped = matching.cardinality == Cardinality::OneToMany;
        let (many, one) = if swapped { (right, left) } else { (left, right) };
        let groups = MatchGroups::new(matching.choice(), many, one);
        let ones = groups.second_by_group();
        Self { matching, many, one, groups, ones, steps, drops_name }
    }

    /// Two series of the one side that have a value at one step and share a group, matched
    /// or not. Steps at which the many side has no value at all count with `everywhere`.
    pub fn duplicate(&self, everywhere: bool) -> Option<Duplicate<'a>> {
        if self.ones.iter().all(|members| members.len() < 2) {
            return None;
        }
        let needed = if everywhere { vec![true; self.steps] } else { presence(self.many.iter(), self.steps) };
        for members in self.ones.iter().filter(|members| members.len() > 1) {
            let mut holder: Vec<Option<usize>> = vec![None; self.steps];
            for at in members {
                let present = self.one[*at].values.iter().enumerate().filter(|(_, v)| !is_absent(**v));
                for (step, _) in present.filter(|(step, _)| needed[*step]) {
                    if let Some(other) = holder[step].replace(*at) {
                        return Some(self.duplicate_of(&self.one[*at].labels, &self.one[other].labels));
                    }
                }
            }
        }
        None
    }

    fn duplicate_of(&self, a: &'a Labels, b: &'a Labels) -> Duplicate<'a> {
        let side = if self.matching.cardinality == Cardinality::OneToMany { "left" } else { "right" };
        let mut series = [a, b];
        series.sort_by_cached_key(|labels| labels.to_string());
        Duplicate { group: self.matching.choice().of(a, false), series, side }
    }

    /// An error if two series of the many side would give one result at one step. What a
    /// comparison filters out afterwards counts, too.
    pub fn check_unique(&self) -> Result<()> {
        let manies = self.groups.first_by_group();
        let shared = manies.iter().zip(&self.ones).filter(|(many, one)| many.len() > 1 && !one.is_empty());
        for (manies, ones) in shared {
            let mut taken: HashMap<Labels, Vec<bool>> = HashMap::new();
            let pairs = manies.iter().flat_map(|m| ones.iter().map(|o| (&self.many[*m], &self.one[*o])));
            for (many, one) in pairs {
                let key = match self.matching.cardinality {
                    Cardinality::OneToOne => Labels::empty(),
                    _ => self.labels(&many.labels, &one.labels),
                };
                let taken = taken.entry(key).or_insert_with(|| vec![false; self.steps]);
                for (taken, (m, o)) in taken.iter_mut().zip(many.values.iter().zip(&one.values)) {
                    let matched = !is_absent(*m) && !is_absent(*o);
                    if *taken && matched {
                        return Err(self.not_unique());
                    }
                    *taken |= matched;
                }
            }
        }
        Ok(())
    }

    /// Prometheus's text, and Loki's.
    fn not_unique(&self) -> Error {
        Error::unprocessable(match self.matching.cardinality {
            Cardinality::OneToOne => {
                "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
            }
            _ => "multiple matches for labels: grouping labels must ensure unique matches",
        })
    }

    /// A row for each pair, in the order of the many side; `value` makes it of left and right.
    pub fn evaluate(&self, ctx: &ReadContext, value: impl Fn(f64, f64) -> f64) -> Result<Rows> {
        let mut held = ctx.budget.reserve(0)?;
        let mut rows = Vec::new();
        for (row, group) in self.many.iter().zip(&self.groups.first) {
            ctx.check()?;
            for partner in self.ones[*group].iter().map(|at| &self.one[*at]) {
                let values = self.values(row, partner, &value);
                if !has_values(&values) {
                    continue;
                }
                let labels = self.labels(&row.labels, &partner.labels);
                held.grow(row_bytes(&labels, self.steps))?;
                rows.push(Row { labels, values });
            }
        }
        Ok(Rows { rows, held: vec![held] })
    }

    fn values(&self, many: &Row, one: &Row, value: &impl Fn(f64, f64) -> f64) -> Vec<f64> {
        let swapped = self.matching.cardinality == Cardinality::OneToMany;
        let (left, right) = if swapped { (one, many) } else { (many, one) };
        let both = left.values.iter().zip(&right.values);
        both.map(|(l, r)| if is_absent(*l) || is_absent(*r) { absent() } else { value(*l, *r) }).collect()
    }

    /// The labels of a result: those of the many side, or of one-to-one those that matched.
    fn labels(&self, many: &Labels, one: &Labels) -> Labels {
        let matching = self.matching;
        let mut labels = if self.drops_name { without_metadata(many) } else { many.clone() };
        if matching.cardinality == Cardinality::OneToOne {
            labels = labels.without(|name| matching.labels.iter().any(|l| l == name) != matching.on);
        }
        if matching.include.is_empty() {
            return labels;
        }
        let mut builder = LabelsBuilder::from_labels(&labels);
        for name in &matching.include {
            builder.set(name, one.get(name).unwrap_or(""));
        }
        builder.build()
    }
}
