//! Aggregations. Rows are folded into their group as they come, and never held.

mod count_values;
mod limit;
mod top;

use super::{
    Features,
    evaluate::{Evaluator, RowSink},
    plan::{Aggregate, Param, Vector},
    values::Values,
};
use crate::ast::AggregateOp;
use query_syntax::Span;
use service_api::{Error, Result};
use vectors::{Groups, Kind, LabelChoice, RowRef, Rows, Steps, is_absent};

impl Evaluator<'_> {
    pub(crate) fn aggregate(&mut self, aggregate: &Aggregate, steps: &Steps) -> Result<Rows> {
        let mut held = self.reserve(0)?;
        let param = match &aggregate.param {
            Param::Scalar(scalar, _) => Some(self.kept_scalar(scalar, steps, &mut held)?),
            _ => None,
        };
        match (aggregate.op, &aggregate.param, param) {
            (AggregateOp::Limitk, _, Some(k)) => self.limit_k(aggregate, &k, steps),
            (AggregateOp::LimitRatio, Param::Scalar(_, span), Some(ratio)) => {
                self.limit_ratio(aggregate, &ratio, *span, steps)
            }
            (AggregateOp::Topk, _, Some(k)) => self.top(aggregate, &k, false, steps),
            (AggregateOp::Bottomk, _, Some(k)) => self.top(aggregate, &k, true, steps),
            (AggregateOp::CountValues, Param::Label(label), _) => self.count_values(aggregate, label, steps),
            (AggregateOp::Quantile, Param::Scalar(_, span), Some(phi)) => {
                let rows = self.groups(aggregate, Kind::Quantile, Some(&phi), steps)?;
                self.note_quantiles(&phi, *span);
                Ok(rows)
            }
            (op, ..) => {
                let kind = kind(op)
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
        phi: Option<&Values>,
        steps: &Steps,
    ) -> Result<Rows> {
        let budget = &self.ctx.budget;
        let choice = aggregate.choice(self.config.features);
        let sink = || Ok(Groups::new(choice, kind, steps.count, budget.reserve(0)?));
        let mut shards = self.stream(&aggregate.input, steps, sink)?.into_iter();
        let Some(mut whole) = shards.next() else { return Ok(Rows::default()) };
        for shard in shards {
            whole.merge(shard)?;
        }
        self.note_memory();
        let (rows, notes) = match phi {
            Some(phi) => whole.finish(Some(&|step| phi.at(step))),
            None => whole.finish(None),
        };
        self.notes.aggregation(&notes, aggregate.op.as_str(), aggregate.input_span);
        Ok(rows)
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
    fn choice(&self, features: Features) -> LabelChoice<'_> {
        let delayed = features.delayed_name_removal;
        LabelChoice { names: &self.grouping, without: self.without, delayed }
    }
}

impl RowSink for Groups<'_> {
    fn row(&mut self, row: RowRef<'_>) -> Result<()> {
        self.add(row)
    }
}

fn kind(op: AggregateOp) -> Option<Kind> {
    Some(match op {
        AggregateOp::Sum => Kind::Sum,
        AggregateOp::Avg => Kind::Avg,
        AggregateOp::Min => Kind::Min,
        AggregateOp::Max => Kind::Max,
        AggregateOp::Count => Kind::Count,
        AggregateOp::Group => Kind::Group,
        AggregateOp::Stddev => Kind::Stddev,
        AggregateOp::Stdvar => Kind::Stdvar,
        AggregateOp::Quantile => Kind::Quantile,
        AggregateOp::Topk
        | AggregateOp::Bottomk
        | AggregateOp::CountValues
        | AggregateOp::Limitk
        | AggregateOp::LimitRatio => return None,
    })
}

struct Presence(Vec<bool>);

impl RowSink for Presence {
    fn row(&mut self, row: RowRef<'_>) -> Result<()> {
        self.0.iter_mut().zip(row.values).for_each(|(present, value)| *present |= !is_absent(*value));
        row.histograms.iter().for_each(|(step, _)| self.0[step] = true);
        Ok(())
    }
}
