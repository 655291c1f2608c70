//! Aggregations. Rows are folded into their group as they come, and never held.

mod accumulator;
mod count_values;
mod top;

use super::{
    evaluate::{Evaluator, RowRef, RowSink},
    labels::LabelChoice,
    plan::{Aggregate, Param, Vector},
    steps::Steps,
    values::Values,
};
use crate::{
    ast::AggregateOp,
    row::{Row, Rows, has_values, is_absent},
};
use accumulator::{Accumulator, Kind};
use model::Labels;
use query_syntax::Span;
use service_api::{Error, Reservation, Result};
use std::collections::{HashMap, hash_map::Entry};

impl Evaluator<'_> {
    pub(crate) fn aggregate(&mut self, aggregate: &Aggregate, steps: &Steps) -> Result<Rows> {
        let mut held = self.reserve(0)?;
        let param = match &aggregate.param {
            Param::Scalar(scalar, _) => Some(self.kept_scalar(scalar, steps, &mut held)?),
            _ => None,
        };
        match (aggregate.op, &aggregate.param, param) {
            (AggregateOp::Topk, _, Some(k)) => self.top(aggregate, &k, false, steps),
            (AggregateOp::Bottomk, _, Some(k)) => self.top(aggregate, &k, true, steps),
            (AggregateOp::CountValues, Param::Label(label), _) => self.count_values(aggregate, label, steps),
            (AggregateOp::Quantile, Param::Scalar(_, span), Some(phi)) => {
                let rows = self.groups(aggregate, Kind::Quantile, Some(&phi), steps)?;
                self.note_quantiles(&phi, *span);
                Ok(rows)
            }
            (op, ..) => {
                let kind = Kind::of(op)
                    .ok_or_else(|| Error::unprocessable(format!("aggregation {op} is not supported")))?;
                self.groups(aggregate, kind, None, steps)
            }
        }
    }

    /// As Prometheus: the worst of each sort, NaN alone, and whether or not there are values.
    fn note_quantiles(&mut self, phi: &Values, span: Span) {
        if phi.iter().any(f64::is_nan) {
            return self.notes.invalid_quantile(f64::NAN, span);
        }
        let (low, high) = phi.iter().fold((0.0, 1.0), |(low, high), q| (q.min(low), q.max(high)));
        if high > 1.0 {
            self.notes.invalid_quantile(high, span);
        }
        if low < 0.0 {
            self.notes.invalid_quantile(low, span);
        }
    }

    fn groups(
        &mut self,
        aggregate: &Aggregate,
        kind: Kind,
        param: Option<&Values>,
        steps: &Steps,
    ) -> Result<Rows> {
        let budget = &self.ctx.budget;
        let sink = || {
            Ok(GroupSink {
                choice: aggregate.choice(),
                kind,
                steps: steps.count,
                index: HashMap::new(),
                groups: Vec::new(),
                held: budget.reserve(0)?,
            })
        };
        let mut shards = self.stream(&aggregate.input, steps, sink)?.into_iter();
        let Some(mut whole) = shards.next() else { return Ok(Rows::default()) };
        for shard in shards {
            whole.merge(shard)?;
        }
        self.note_memory();
        let rows =
            whole.groups.into_iter().map(|g| Row { labels: g.labels, values: g.accumulator.finish(param) });
        Ok(Rows { rows: rows.filter(Row::has_values).collect(), held: vec![whole.held] })
    }

    /// Where at least one row has a value.
    pub(crate) fn presence(&mut self, vector: &Vector, steps: &Steps) -> Result<Vec<bool>> {
        let shards = self.stream(vector, steps, || Ok(Presence(vec![false; steps.count])))?;
        let mut present = vec![false; steps.count];
        for shard in shards {
            present.iter_mut().zip(shard.0).for_each(|(all, one)| *all |= one);
        }
        Ok(present)
    }
}

impl Aggregate {
    fn choice(&self) -> LabelChoice<'_> {
        LabelChoice { names: &self.grouping, without: self.without }
    }
}

struct GroupSink<'a> {
    choice: LabelChoice<'a>,
    kind: Kind,
    steps: usize,
    index: HashMap<Labels, usize>,
    /// In order of first appearance.
    groups: Vec<Group>,
    held: Reservation,
}

struct Group {
    labels: Labels,
    accumulator: Accumulator,
}

impl RowSink for GroupSink<'_> {
    fn row(&mut self, row: RowRef<'_>) -> Result<()> {
        if !has_values(row.values) {
            return Ok(());
        }
        let labels = self.choice.of(row.labels, row.name_dropped);
        let at = match self.index.entry(labels) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                self.held.grow(entry.key().heap_bytes() * 2 + self.steps * self.kind.bytes_per_step())?;
                let accumulator = Accumulator::new(self.kind, self.steps);
                self.groups.push(Group { labels: entry.key().clone(), accumulator });
                *entry.insert(self.groups.len() - 1)
            }
        };
        if self.kind == Kind::Quantile {
            self.held.grow(size_of_val(row.values))?;
        }
        self.groups[at].accumulator.add(row.values);
        Ok(())
    }
}

impl GroupSink<'_> {
    fn merge(&mut self, other: Self) -> Result<()> {
        for group in other.groups {
            match self.index.entry(group.labels.clone()) {
                Entry::Occupied(entry) => self.groups[*entry.get()].accumulator.merge(group.accumulator),
                Entry::Vacant(entry) => {
                    self.held.grow(entry.key().heap_bytes() * 2 + self.steps * self.kind.bytes_per_step())?;
                    entry.insert(self.groups.len());
                    self.groups.push(group);
                }
            }
        }
        Ok(())
    }
}

struct Presence(Vec<bool>);

impl RowSink for Presence {
    fn row(&mut self, row: RowRef<'_>) -> Result<()> {
        self.0.iter_mut().zip(row.values).for_each(|(present, value)| *present |= !is_absent(*value));
        Ok(())
    }
}
