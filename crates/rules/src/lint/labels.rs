//! Which labels the result of an expression can have.

use crate::Expression;
use logql::ast::MetricExpr;
use promql::ast::{AggregateOp, Binary, BinaryOp, Call, Expr, ValueType};
use std::collections::BTreeSet;
use vectors::Cardinality;

/// Labels that a result can have.
pub enum Left<'e> {
    /// These at most.
    Only(BTreeSet<&'e str>),
    /// Any but these.
    Without(BTreeSet<&'e str>),
}

impl<'e> Left<'e> {
    pub fn of(expr: &'e Expression) -> Self {
        match expr {
            Expression::Promql { expr, .. } => promql(expr),
            Expression::Logql { expr, .. } => logql(expr),
        }
    }

    /// Whether no sample of the result has the label.
    pub fn lacks(&self, label: &str) -> bool {
        match self {
            Self::Only(labels) => !labels.contains(label),
            Self::Without(labels) => labels.contains(label),
        }
    }

    fn any() -> Self {
        Self::Without(BTreeSet::new())
    }

    fn grouped(self, labels: &'e [String], without: bool) -> Self {
        let named = labels.iter().map(String::as_str);
        match self {
            _ if !without => Self::Only(named.filter(|label| !self.lacks(label)).collect()),
            Self::Only(mut labels) => {
                labels.retain(|label| !named.clone().any(|dropped| dropped == *label));
                Self::Only(labels)
            }
            Self::Without(mut labels) => {
                labels.extend(named);
                Self::Without(labels)
            }
        }
    }

    fn with(mut self, label: &'e str) -> Self {
        match &mut self {
            Self::Only(labels) => labels.insert(label),
            Self::Without(labels) => labels.remove(label),
        };
        self
    }

    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Only(a), Self::Only(b)) => Self::Only(a.union(&b).copied().collect()),
            (Self::Without(a), Self::Without(b)) => Self::Without(a.intersection(&b).copied().collect()),
            (Self::Only(only), Self::Without(without)) | (Self::Without(without), Self::Only(only)) => {
                Self::Without(without.difference(&only).copied().collect())
            }
        }
    }
}

fn promql(expr: &Expr) -> Left<'_> {
    match expr {
        Expr::Paren(e) => promql(&e.expr),
        Expr::Unary(e) => promql(&e.expr),
        Expr::Subquery(e) => promql(&e.expr),
        Expr::Aggregate(e) => match e.op {
            AggregateOp::Topk | AggregateOp::Bottomk | AggregateOp::Limitk | AggregateOp::LimitRatio => {
                promql(&e.expr)
            }
            op => {
                let left = promql(&e.expr).grouped(&e.grouping, e.without);
                match e.param.as_deref().map(Expr::without_parens) {
                    Some(Expr::String(label)) if op == AggregateOp::CountValues => left.with(&label.value),
                    _ => left,
                }
            }
        },
        Expr::Binary(e) => binary(e),
        Expr::Call(e) => call(e),
        _ => Left::any(),
    }
}

fn binary(e: &Binary) -> Left<'_> {
    let is_scalar = |expr: &Expr| expr.value_type() == ValueType::Scalar;
    if e.op == BinaryOp::Or {
        return promql(&e.lhs).or(promql(&e.rhs));
    }
    if is_scalar(&e.lhs) {
        return promql(&e.rhs);
    }
    let Some(matching) = e.matching.as_ref().filter(|_| !is_scalar(&e.rhs)) else { return promql(&e.lhs) };
    // A missing partner that is filled in brings the labels of the other side.
    if !e.fill.is_empty() {
        return Left::any();
    }
    let side = if matching.cardinality == Cardinality::OneToMany { &e.rhs } else { &e.lhs };
    matching.include.iter().fold(promql(side), |left, label| left.with(label))
}

fn call(e: &Call) -> Left<'_> {
    let of_argument = || {
        let is_data = |arg: &&Expr| matches!(arg.value_type(), ValueType::Vector | ValueType::Matrix);
        let mut data = e.args.iter().filter(is_data);
        match (data.next(), data.next()) {
            (Some(arg), None) => promql(arg),
            _ => Left::any(),
        }
    };
    match e.function.name {
        // They make labels of their matchers, or of other series.
        "absent" | "absent_over_time" | "info" => Left::any(),
        "label_replace" | "label_join" => match e.args.get(1).map(Expr::without_parens) {
            Some(Expr::String(label)) => of_argument().with(&label.value),
            _ => Left::any(),
        },
        _ => of_argument(),
    }
}

fn logql(expr: &MetricExpr) -> Left<'_> {
    use logql::ast::VectorOp;
    match expr {
        MetricExpr::Range(e) => match &e.grouping {
            Some(grouping) => Left::any().grouped(&grouping.labels, grouping.without),
            None => Left::any(),
        },
        MetricExpr::Aggregate(e) => match e.op {
            VectorOp::Topk | VectorOp::Bottomk | VectorOp::Sort | VectorOp::SortDesc => logql(&e.expr),
            _ if e.param.is_some() => Left::any(),
            _ => logql(&e.expr).grouped(&e.grouping.labels, e.grouping.without),
        },
        MetricExpr::Binary(e) if matches!(*e.rhs, MetricExpr::Literal { .. }) => logql(&e.lhs),
        MetricExpr::Binary(e) if matches!(*e.lhs, MetricExpr::Literal { .. }) => logql(&e.rhs),
        MetricExpr::LabelReplace(e) => logql(&e.expr).with(&e.dst),
        MetricExpr::Binary(_) | MetricExpr::Vector { .. } | MetricExpr::Literal { .. } => Left::any(),
    }
}
