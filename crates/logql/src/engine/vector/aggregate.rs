//! Vector aggregations.

use super::Evaluator;
use crate::ast::{VectorAggregation, VectorOp};
use service_api::Result;
use vectors::{Groups, Kind, LabelChoice, RowRef, Rows, Top, ascending, descending};

impl Evaluator<'_> {
    pub(super) fn aggregate(&mut self, aggregation: &VectorAggregation) -> Result<Rows> {
        let mut input = self.rows(&aggregation.expr)?;
        // Groups come in the order in which they first had a line. What a step has must not depend on
        // the steps before it: neither the last digits of a sum nor which of equals are the top ones.
        input.rows.sort_by(|a, b| a.labels.cmp(&b.labels));
        match aggregation.op {
            VectorOp::Sum => self.groups(aggregation, &input, Kind::Sum),
            VectorOp::Avg => self.groups(aggregation, &input, Kind::Avg),
            VectorOp::Max => self.groups(aggregation, &input, Kind::Max),
            VectorOp::Min => self.groups(aggregation, &input, Kind::Min),
            VectorOp::Count => self.groups(aggregation, &input, Kind::Count),
            VectorOp::Stddev => self.groups(aggregation, &input, Kind::Stddev),
            VectorOp::Stdvar => self.groups(aggregation, &input, Kind::Stdvar),
            // Loki counts approximately, in a count-min sketch, to hold fewer series in
            // memory. Here they are all there already, so that the exact answer costs the same.
            VectorOp::Topk | VectorOp::ApproxTopk => self.top(aggregation, &input, false),
            VectorOp::Bottomk => self.top(aggregation, &input, true),
            VectorOp::Sort => Ok(self.sorted(input, ascending)),
            VectorOp::SortDesc => Ok(self.sorted(input, descending)),
        }
    }

    fn groups(&self, aggregation: &VectorAggregation, input: &Rows, kind: Kind) -> Result<Rows> {
        let held = self.ctx.budget.reserve(0)?;
        let mut groups = Groups::new(aggregation.choice(), kind, self.steps, held);
        for row in row_refs(input) {
            self.ctx.check()?;
            groups.add(row)?;
        }
        Ok(groups.finish(None).0)
    }

    fn top(&self, aggregation: &VectorAggregation, input: &Rows, smallest: bool) -> Result<Rows> {
        let k = aggregation.param.map_or(0, |k| usize::try_from(k).unwrap_or(usize::MAX));
        let held = self.ctx.budget.reserve(self.steps * size_of::<usize>())?;
        let limits = vec![k; self.steps];
        let mut top = Top::new(aggregation.choice(), &limits, smallest, held);
        for row in row_refs(input) {
            self.ctx.check()?;
            top.add(row)?;
        }
        top.finish()
    }

    /// The order of an instant vector. Matrices are ordered by labels.
    fn sorted(&self, mut input: Rows, order: fn(f64, f64) -> std::cmp::Ordering) -> Rows {
        if self.steps == 1 {
            input.rows.sort_by(|a, b| order(a.values[0], b.values[0]));
        }
        input
    }
}

impl VectorAggregation {
    fn choice(&self) -> LabelChoice<'_> {
        LabelChoice { names: &self.grouping.labels, without: self.grouping.without, delayed: false }
    }
}

fn row_refs(input: &Rows) -> impl Iterator<Item = RowRef<'_>> {
    input.rows.iter().enumerate().map(|(position, row)| RowRef {
        position,
        labels: &row.labels,
        name_dropped: false,
        values: &row.values,
        histograms: &row.histograms,
    })
}
