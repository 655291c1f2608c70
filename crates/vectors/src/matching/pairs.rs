//! Arithmetic and comparison between the series of two vectors.
//!
//! `many` is the side whose series may share a partner, `one` the other. For one-to-one
//! matching the left side is called `many`.

use super::{Cardinality, Fill, MatchGroups, VectorMatching, presence};
use crate::{
    histograms::Sample,
    labels::without_metadata,
    row::{Row, Rows, absent, is_absent},
};
use model::{Labels, LabelsBuilder};
use service_api::{Error, ReadContext, Result};
use std::collections::{HashMap, hash_map::Entry};

/// Two vectors whose series have found each other.
pub struct Pairs<'a> {
    matching: &'a VectorMatching,
    fill: Fill,
    many: &'a [Row],
    one: &'a [Row],
    groups: MatchGroups,
    /// The rows of the one side in each group.
    ones: Vec<Vec<usize>>,
    steps: usize,
    drops_name: bool,
    meets: &'a dyn Fn(bool, bool) -> bool,
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
    /// `drops_name`: results are no longer what the metric's name says. `meets` tells from whether the left
    /// and the right sample are histograms, whether the operator has a meaning for them; if not, they count
    /// as not matched.
    pub fn new(
        ctx: &ReadContext,
        matching: &'a VectorMatching,
        fill: Fill,
        [left, right]: [&'a [Row]; 2],
        steps: usize,
        drops_name: bool,
        meets: &'a dyn Fn(bool, bool) -> bool,
    ) -> Result<Self> {
        let swapped = matching.cardinality == Cardinality::OneToMany;
        let (many, one) = if swapped { (right, left) } else { (left, right) };
        let groups = MatchGroups::new(ctx, matching.choice(), many, one)?;
        let ones = groups.second_by_group();
        Ok(Self { matching, fill, many, one, groups, ones, steps, drops_name, meets })
    }

    /// Two series of the one side that have a value at one step and share a group, matched
    /// or not. Steps at which the many side has no value at all count with `everywhere`.
    pub fn duplicate(&self, everywhere: bool) -> Option<Duplicate<'a>> {
        if self.ones.iter().all(|members| members.len() < 2) {
            return None;
        }
        let everywhere = everywhere || self.fill != Fill::default();
        let needed = if everywhere { vec![true; self.steps] } else { presence(self.many.iter(), self.steps) };
        for members in self.ones.iter().filter(|members| members.len() > 1) {
            let mut holder: Vec<Option<usize>> = vec![None; self.steps];
            for at in members {
                let mut other = None;
                self.one[*at].present(|step| {
                    if needed[step] && other.is_none() {
                        other = holder[step].replace(*at);
                    }
                });
                if let Some(other) = other {
                    return Some(self.duplicate_of(&self.one[*at].labels, &self.one[other].labels));
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
    pub fn check_unique(&self, ctx: &ReadContext) -> Result<()> {
        let manies = self.groups.first_by_group();
        let fills = self.fill.one.is_some();
        let shared =
            manies.iter().zip(&self.ones).filter(|(many, one)| many.len() > 1 && (fills || !one.is_empty()));
        for (manies, ones) in shared {
            let mut taken: HashMap<Labels, Vec<bool>> = HashMap::new();
            let mut held = ctx.budget.reserve(0)?;
            let mut ones: Vec<_> = ones.iter().map(|at| &self.one[*at]).map(Partner::of).collect();
            let filled = if fills { self.partner_of(manies.first(), &ones) } else { None };
            ones.extend(filled);
            let pairs = manies.iter().flat_map(|m| ones.iter().map(|o| (&self.many[*m], o)));
            for (many, one) in pairs {
                ctx.check()?;
                let key = match self.matching.cardinality {
                    Cardinality::OneToOne => Labels::empty(),
                    _ => self.labels(&many.labels, &one.labels),
                };
                let taken = match taken.entry(key) {
                    Entry::Occupied(entry) => entry.into_mut(),
                    Entry::Vacant(entry) => {
                        held.grow(entry.key().heap_bytes() + self.steps)?;
                        entry.insert(vec![false; self.steps])
                    }
                };
                let mut again = false;
                many.present(|step| {
                    let matched = one.has(step) && self.meet(many, one, step);
                    again |= taken[step] && matched;
                    taken[step] |= matched;
                });
                if again {
                    return Err(self.not_unique());
                }
            }
        }
        Ok(())
    }

    /// Whether samples that are both there can be operated on.
    fn meet(&self, many: &Row, one: &Partner<'_>, step: usize) -> bool {
        let (of_many, of_one) = (many.histograms.has(step), one.is_histogram(step));
        match self.matching.cardinality {
            Cardinality::OneToMany => (self.meets)(of_one, of_many),
            _ => (self.meets)(of_many, of_one),
        }
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

    /// A row for each pair, in the order of the many side. `float` makes the value of two floats, left and
    /// right; `mixed` of two samples of which one at least is a histogram.
    pub fn evaluate(
        &self,
        ctx: &ReadContext,
        float: impl Fn(f64, f64) -> f64,
        mut mixed: impl FnMut(Sample, Sample) -> Option<Sample>,
    ) -> Result<Rows> {
        let mut held = ctx.budget.reserve(0)?;
        let mut rows = Vec::new();
        let mut pair = |many: Partner<'_>, one: Partner<'_>| {
            let row = self.row(many, one, &float, &mut mixed);
            if row.has_values() {
                held.grow(row.bytes())?;
                rows.push(row);
            }
            Ok(())
        };
        for (row, group) in self.many.iter().zip(&self.groups.first) {
            ctx.check()?;
            let ones: Vec<_> = self.ones[*group].iter().map(|at| Partner::of(&self.one[*at])).collect();
            for one in &ones {
                pair(Partner::of(row), one.clone())?;
            }
            if let Some(one) = self.fill.one.and_then(|_| self.partner_of_row(row, &ones)) {
                pair(Partner::of(row), one)?;
            }
        }
        if let Some(value) = self.fill.many {
            let manies = self.groups.first_by_group();
            for (row, group) in self.one.iter().zip(&self.groups.second) {
                ctx.check()?;
                let one = Partner::of(row);
                let mut matched = vec![false; self.steps];
                for many in manies[*group].iter().map(|at| &self.many[*at]) {
                    many.present(|step| matched[step] |= self.meet(many, &one, step));
                }
                if let Some(many) = self.filled(row, matched, value) {
                    pair(many, one)?;
                }
            }
        }
        Ok(Rows { rows, held: vec![held] })
    }

    /// The filled partner of a group's first row.
    fn partner_of(&self, row: Option<&usize>, ones: &[Partner<'_>]) -> Option<Partner<'static>> {
        self.partner_of_row(&self.many[*row?], ones)
    }

    /// What stands on the one side where none of the `ones` has a value.
    fn partner_of_row(&self, row: &Row, ones: &[Partner<'_>]) -> Option<Partner<'static>> {
        let present = (0..self.steps).map(|step| ones.iter().any(|one| one.has(step))).collect();
        self.filled(row, present, self.fill.one?)
    }

    /// What stands for the missing partners of a row; none if it has all.
    fn filled(&self, row: &Row, present: Vec<bool>, value: f64) -> Option<Partner<'static>> {
        if present.iter().all(|present| *present) {
            return None;
        }
        let labels = self.matching.choice().of(&row.labels, false);
        Some(Partner { labels, value: PartnerValue::Filled(present, value) })
    }

    fn row(
        &self,
        many: Partner<'_>,
        one: Partner<'_>,
        float: &impl Fn(f64, f64) -> f64,
        mixed: &mut impl FnMut(Sample, Sample) -> Option<Sample>,
    ) -> Row {
        let labels = self.labels(&many.labels, &one.labels);
        let swapped = self.matching.cardinality == Cardinality::OneToMany;
        let (left, right) = if swapped { (one, many) } else { (many, one) };
        if let (Some(left), Some(right)) = (left.floats(), right.floats()) {
            let both = left.iter().zip(right);
            let value = |(l, r): (&f64, &f64)| {
                if is_absent(*l) || is_absent(*r) { absent() } else { float(*l, *r) }
            };
            return Row::floats(labels, both.map(value).collect());
        }
        let mut row = Row::floats(labels, vec![absent(); self.steps]);
        for step in 0..self.steps {
            let value = match (left.sample(step), right.sample(step)) {
                (Some(Sample::Float(l)), Some(Sample::Float(r))) => Some(Sample::Float(float(l, r))),
                (Some(l), Some(r)) => mixed(l, r),
                _ => None,
            };
            if let Some(value) = value {
                row.set(step, value);
            }
        }
        row
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

/// One side of a pair: a row, or what is filled in for one.
#[derive(Clone)]
struct Partner<'a> {
    labels: Labels,
    value: PartnerValue<'a>,
}

#[derive(Clone)]
enum PartnerValue<'a> {
    Row(&'a Row),
    /// The value at the steps that have no partner.
    Filled(Vec<bool>, f64),
}

impl<'a> Partner<'a> {
    fn of(row: &'a Row) -> Self {
        Self { labels: row.labels.clone(), value: PartnerValue::Row(row) }
    }

    fn has(&self, step: usize) -> bool {
        match &self.value {
            PartnerValue::Row(row) => row.has(step),
            PartnerValue::Filled(present, _) => !present[step],
        }
    }

    fn is_histogram(&self, step: usize) -> bool {
        matches!(&self.value, PartnerValue::Row(row) if row.histograms.has(step))
    }

    /// The values of a row without histograms.
    fn floats(&self) -> Option<&[f64]> {
        match &self.value {
            PartnerValue::Row(row) => row.histograms.is_empty().then_some(&row.values),
            PartnerValue::Filled(..) => None,
        }
    }

    fn sample(&self, step: usize) -> Option<Sample> {
        match &self.value {
            PartnerValue::Row(row) => row.sample(step),
            PartnerValue::Filled(present, value) => (!present[step]).then_some(Sample::Float(*value)),
        }
    }
}
