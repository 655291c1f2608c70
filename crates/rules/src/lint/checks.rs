//! What one rule's expression and texts tell. A check that is not sure says nothing.

use super::{Found, labels::Left};
use crate::{AlertTemplate, Expression, Rule, RuleKind};
use logql::ast::{MetricExpr, VectorOp};
use model::quote;
use promql::ast::{AggregateOp, Expr, MatrixSelector};
use std::collections::BTreeSet;

/// `summed` are names of series that are recorded sums.
pub fn check(rule: &Rule, summed: &BTreeSet<&str>, found: &mut Vec<Found>) {
    found.extend(rate_of_sum(&rule.expr, summed));
    match &rule.kind {
        RuleKind::Record(name) => {
            found.extend(record_name(name, &rule.expr));
            found.extend(record_templates(rule));
        }
        RuleKind::Alert { annotations, .. } => {
            found.extend(always_fires(&rule.expr));
            let left = Left::of(&rule.expr);
            for (what, texts) in [("label", &rule.labels), ("annotation", annotations)] {
                for (name, text) in texts {
                    lost_labels(what, name, text, &left, found);
                }
            }
        }
    }
}

/// Whether the expression is a sum, and not of something smaller.
pub fn is_sum(expr: &Expression) -> bool {
    match expr {
        Expression::Promql { expr, .. } => {
            matches!(expr.without_parens(), Expr::Aggregate(e) if e.op == AggregateOp::Sum)
        }
        Expression::Logql { expr, .. } => {
            matches!(expr, MetricExpr::Aggregate(e) if e.op == VectorOp::Sum)
        }
    }
}

fn record_name(name: &str, expr: &Expression) -> Option<Found> {
    let aggregates = match expr {
        Expression::Promql { expr, .. } => matches!(expr.without_parens(), Expr::Aggregate(_)),
        Expression::Logql { expr, .. } => matches!(expr, MetricExpr::Aggregate(_)),
    };
    (aggregates && !name.contains(':')).then(|| {
        let message =
            "records an aggregate under a name without a colon; the custom is level:metric:operations";
        Found::info("record-name", message)
    })
}

fn record_templates(rule: &Rule) -> Option<Found> {
    let (name, _) = rule.labels.iter().find(|(_, value)| value.contains("{{"))?;
    let message =
        format!("the label {} has a template, and those of recorded series are not expanded", quote(name));
    Some(Found::warning("record-template", message))
}

/// LogQL counts lines, and where there are none there is no sample; so only PromQL is looked at. An alert that reads
/// nothing, such as `vector(1)`, is meant to fire always.
fn always_fires(expr: &Expression) -> Option<Found> {
    let Expression::Promql { expr, .. } = expr else { return None };
    (has_selector(expr) && !can_be_empty(expr)).then(|| {
        let message =
            "has no condition, such as a comparison, and fires as long as there is any sample at all";
        Found::warning("no-condition", message)
    })
}

fn has_selector(expr: &Expr) -> bool {
    matches!(expr, Expr::VectorSelector(_) | Expr::MatrixSelector(_))
        || expr.children().into_iter().any(has_selector)
}

/// Whether something in the expression drops samples by what they are, or may well be there to do so.
fn can_be_empty(expr: &Expr) -> bool {
    match expr {
        Expr::Binary(e) if e.op.is_set() || (e.op.is_comparison() && !e.return_bool) => true,
        Expr::Call(e) if e.function.name.starts_with("absent") => true,
        // What is recorded may be filtered, and so is what alerts leave.
        Expr::VectorSelector(e) => e.name.is_empty() || e.name == "ALERTS" || e.name.contains(':'),
        Expr::MatrixSelector(e) => {
            e.selector.name.is_empty() || e.selector.name == "ALERTS" || e.selector.name.contains(':')
        }
        _ => expr.children().into_iter().any(can_be_empty),
    }
}

fn rate_of_sum(expr: &Expression, summed: &BTreeSet<&str>) -> Option<Found> {
    let Expression::Promql { expr, .. } = expr else { return None };
    let function = find_rate_of_sum(expr, summed)?;
    let message = format!(
        "takes {function} of a sum, which sees a restart of one counter as that of all: sum what {function} gives"
    );
    Some(Found::warning("rate-of-sum", message))
}

fn find_rate_of_sum(expr: &Expr, summed: &BTreeSet<&str>) -> Option<&'static str> {
    if let Expr::Call(call) = expr
        && matches!(call.function.name, "rate" | "irate" | "increase" | "resets")
        && call.args.iter().any(|arg| is_summed(arg, summed))
    {
        return Some(call.function.name);
    }
    expr.children().into_iter().find_map(|child| find_rate_of_sum(child, summed))
}

fn is_summed(range: &Expr, summed: &BTreeSet<&str>) -> bool {
    match range.without_parens() {
        Expr::MatrixSelector(MatrixSelector { selector, .. }) => summed.contains(&*selector.name),
        Expr::Subquery(e) => {
            matches!(e.expr.without_parens(), Expr::Aggregate(e) if e.op == AggregateOp::Sum)
        }
        _ => false,
    }
}

fn lost_labels(what: &str, name: &str, text: &str, left: &Left<'_>, found: &mut Vec<Found>) {
    let Ok(template) = AlertTemplate::parse("lint", text) else { return };
    for label in template.labels_read().into_iter().filter(|label| left.lacks(label)) {
        let (name, label) = (quote(name), quote(label));
        let message =
            format!("the {what} {name} reads the label {label}, which the expression aggregates away");
        found.push(Found::warning("lost-label", message));
    }
}
