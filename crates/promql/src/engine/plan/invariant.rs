//! Which expressions have the same value at every step.

use crate::ast::{Call, Expr};

/// Whether the expression does not depend on the evaluation time.
pub(super) fn is_invariant(expr: &Expr) -> bool {
    match expr {
        Expr::Number(_) | Expr::String(_) => true,
        Expr::VectorSelector(e) => e.at.is_some(),
        Expr::MatrixSelector(e) => e.selector.at.is_some(),
        Expr::Subquery(e) => e.at.is_some(),
        Expr::Unary(e) => is_invariant(&e.expr),
        Expr::Paren(e) => is_invariant(&e.expr),
        Expr::Binary(e) => is_invariant(&e.lhs) && is_invariant(&e.rhs),
        Expr::Aggregate(e) => is_invariant(&e.expr) && e.param.as_deref().is_none_or(is_invariant),
        Expr::Call(e) => is_invariant_call(e),
    }
}

fn is_invariant_call(call: &Call) -> bool {
    match call.function.name {
        "timestamp" => call.args.iter().all(|arg| match arg.without_parens() {
            // The time of a sample, and not of the evaluation.
            Expr::VectorSelector(selector) => selector.at.is_some(),
            _ => false,
        }),
        name => !uses_evaluation_time(name) && call.args.iter().all(is_invariant),
    }
}

fn uses_evaluation_time(function: &str) -> bool {
    const FUNCTIONS: [&str; 10] = [
        "day_of_month",
        "day_of_week",
        "day_of_year",
        "days_in_month",
        "hour",
        "minute",
        "month",
        "predict_linear",
        "time",
        "year",
    ];
    FUNCTIONS.contains(&function)
}
