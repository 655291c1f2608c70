//! What has the same value at every step of a query, and is evaluated at the first one only.

use promql::ast::Expr;

/// Functions that look at the time they are evaluated at. `start()`, `end()`, `range()` and `step()` are
/// plain numbers.
const LOOK_AT_TIME: [&str; 11] = [
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "hour",
    "minute",
    "month",
    "predict_linear",
    "time",
    "timestamp",
    "year",
];

pub fn is_step_invariant(expr: &Expr) -> bool {
    match expr {
        Expr::Number(_) | Expr::String(_) => true,
        Expr::VectorSelector(selector) => selector.at.is_some(),
        Expr::MatrixSelector(matrix) => matrix.selector.at.is_some(),
        Expr::Subquery(subquery) => subquery.at.is_some(),
        Expr::Paren(paren) => is_step_invariant(&paren.expr),
        Expr::Unary(unary) => is_step_invariant(&unary.expr),
        // The parameter is not asked; see `has_varying_parameter`.
        Expr::Aggregate(aggregate) => is_step_invariant(&aggregate.expr),
        Expr::Binary(binary) => is_step_invariant(&binary.lhs) && is_step_invariant(&binary.rhs),
        Expr::Call(call) if call.function.name == "timestamp" => match call.args[0].without_parens() {
            Expr::VectorSelector(selector) => selector.at.is_some(),
            _ => false,
        },
        Expr::Call(call) => {
            !LOOK_AT_TIME.contains(&call.function.name) && call.args.iter().all(is_step_invariant)
        }
    }
}

/// Whether an aggregation of what has the same value at every step has a parameter that has not. Prometheus
/// takes the parameter of the first step for all, which is hardly what it means to do.
pub fn has_varying_parameter(expr: &Expr) -> bool {
    let varies = match expr {
        Expr::Aggregate(aggregate) => aggregate.param.as_ref().is_some_and(|param| !is_step_invariant(param)),
        _ => false,
    };
    varies || expr.children().into_iter().any(has_varying_parameter)
}
