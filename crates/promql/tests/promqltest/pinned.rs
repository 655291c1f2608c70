//! The same query with every selector pinned by `@`: its answer must not depend on when it
//! is asked.

use model::Timestamp;
use promql::ast::{At, Expr, Subquery, VectorSelector};

/// Functions that look at the evaluation time or at the times of samples, so that pinning
/// their arguments does not pin their answer.
const LOOK_AT_TIME: [&str; 15] = [
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "end",
    "hour",
    "minute",
    "month",
    "predict_linear",
    "range",
    "start",
    "step",
    "time",
    "timestamp",
    "year",
];

/// The pinned expression as text, and the times to ask it at; none if it cannot be pinned.
pub fn variants(expr: &Expr, at: Timestamp) -> Option<(String, Vec<Timestamp>)> {
    if looks_at_time(expr) {
        return None;
    }
    let mut pinned = expr.clone();
    pin(&mut pinned, at);
    let times = if at == 0 { vec![-1000, 0, 1000] } else { vec![-10 * at, 0, at / 5, at, 10 * at] };
    Some((pinned.to_string(), times))
}

/// A subquery has times of its own, so what is inside one does not look.
fn looks_at_time(expr: &Expr) -> bool {
    match expr {
        Expr::Subquery(_) => false,
        Expr::Call(call) if LOOK_AT_TIME.contains(&call.function.name) => true,
        _ => expr.children().into_iter().any(looks_at_time),
    }
}

/// Pins what is not pinned to a time yet. What is inside a subquery is left alone.
fn pin(expr: &mut Expr, at: Timestamp) {
    let pin_at = |old: &mut Option<At>| {
        if !matches!(old, Some(At::Timestamp(_))) {
            *old = Some(At::Timestamp(at));
        }
    };
    let selector = |selector: &mut VectorSelector| pin_at(&mut selector.at);
    match expr {
        Expr::VectorSelector(s) => selector(s),
        Expr::MatrixSelector(m) => selector(&mut m.selector),
        Expr::Subquery(Subquery { at, .. }) => pin_at(at),
        Expr::Unary(e) => pin(&mut e.expr, at),
        Expr::Paren(e) => pin(&mut e.expr, at),
        Expr::Aggregate(e) => {
            pin(&mut e.expr, at);
            e.param.iter_mut().for_each(|p| pin(p, at));
        }
        Expr::Binary(e) => {
            pin(&mut e.lhs, at);
            pin(&mut e.rhs, at);
        }
        Expr::Call(e) => e.args.iter_mut().for_each(|a| pin(a, at)),
        Expr::Number(_) | Expr::String(_) => {}
    }
}
