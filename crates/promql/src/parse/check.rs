//! What only the whole tree shows: types, numbers of arguments, modifiers out of place.
//!
//! The order of the checks is Prometheus's, for the first error is the one that is shown.

use crate::ast::{Aggregate, AggregateOp, Binary, Call, Cardinality, Expr, Span, ValueType, VectorSelector};
use model::{METRIC_NAME, quote};
use query_syntax::{SyntaxError, selects_something};

type Checked = Result<(), SyntaxError>;

/// Checks a tree, and drops the vector matching of operators with a scalar side.
pub fn check(expr: &mut Expr, query: &str) -> Checked {
    match expr {
        Expr::Number(_) | Expr::String(_) => Ok(()),
        Expr::VectorSelector(selector) => check_selector(selector, false),
        Expr::MatrixSelector(matrix) => check_selector(&matrix.selector, false),
        Expr::Paren(paren) => check(&mut paren.expr, query),
        Expr::Unary(unary) => {
            check(&mut unary.expr, query)?;
            match unary.expr.value_type() {
                ValueType::Scalar | ValueType::Vector => Ok(()),
                other => {
                    let got = quote(other.documented());
                    let message =
                        "unary expression only allowed on expressions of type scalar or instant vector";
                    Err(SyntaxError::new(unary.span, format!("{message}, got {got}")))
                }
            }
        }
        Expr::Subquery(subquery) => {
            check(&mut subquery.expr, query)?;
            match subquery.expr.value_type() {
                ValueType::Vector => Ok(()),
                other => {
                    let message = format!("subquery is only allowed on instant vector, got {other} instead");
                    Err(SyntaxError::new(subquery.span, message))
                }
            }
        }
        Expr::Aggregate(aggregate) => check_aggregate(aggregate, query),
        Expr::Call(call) => check_call(call, query),
        Expr::Binary(binary) => check_binary(binary, query),
    }
}

fn check_aggregate(aggregate: &mut Aggregate, query: &str) -> Checked {
    check_typed(&mut aggregate.expr, ValueType::Vector, "aggregation expression", query)?;
    let wanted = match aggregate.op {
        AggregateOp::CountValues => ValueType::String,
        _ => ValueType::Scalar,
    };
    match &mut aggregate.param {
        Some(param) => check_typed(param, wanted, "aggregation parameter", query),
        None => Ok(()),
    }
}

fn check_typed(expr: &mut Expr, wanted: ValueType, place: &str, query: &str) -> Checked {
    check(expr, query)?;
    let got = expr.value_type();
    if got == wanted {
        return Ok(());
    }
    Err(wrong_type(expr.span(), wanted, place, got))
}

fn wrong_type(span: Span, wanted: ValueType, place: &str, got: ValueType) -> SyntaxError {
    let (wanted, got) = (wanted.documented(), got.documented());
    SyntaxError::new(span, format!("expected type {wanted} in {place}, got {got}"))
}

fn check_call(call: &mut Call, query: &str) -> Checked {
    let function = call.function;
    check_arg_count(call)?;
    let is_info = function.name == "info";
    if is_info && call.args.len() > 1 {
        check_info_selector(call)?;
    }
    let place = format!("call to function {}", quote(function.name));
    for (i, arg) in call.args.iter_mut().enumerate() {
        let Some(&wanted) = function.args.get(i).or(function.args.last()) else { break };
        match arg {
            Expr::VectorSelector(selector) if is_info && i == 1 => check_selector(selector, true)?,
            arg => check_typed(arg, wanted, &place, query)?,
        }
    }
    Ok(())
}

fn check_arg_count(call: &Call) -> Checked {
    let (function, given) = (call.function, call.args.len());
    let name = quote(function.name);
    let error = |message: String| Err(SyntaxError::new(call.span, message));
    let all = function.args.len();
    if function.variadic == 0 {
        if all != given {
            return error(format!("expected {all} argument(s) in call to {name}, got {given}"));
        }
        return Ok(());
    }
    let least = all.saturating_sub(1);
    if least > given {
        return error(format!("expected at least {least} argument(s) in call to {name}, got {given}"));
    }
    match usize::try_from(function.variadic) {
        Ok(more) if least + more < given => {
            error(format!("expected at most {} argument(s) in call to {name}, got {given}", least + more))
        }
        _ => Ok(()),
    }
}

/// The second argument of `info` says which labels to add; it names no metric.
fn check_info_selector(call: &Call) -> Checked {
    let arg = &call.args[1];
    let got = arg.value_type();
    if got != ValueType::Vector {
        return Err(wrong_type(call.span, ValueType::Vector, "call to function \"info\"", got));
    }
    match arg {
        Expr::VectorSelector(selector) if selector.name.is_empty() => Ok(()),
        Expr::VectorSelector(_) => {
            let message = "expected label selectors only, got vector selector instead";
            Err(SyntaxError::new(arg.span(), message))
        }
        _ => Err(SyntaxError::new(arg.span(), "expected label selectors only")),
    }
}

fn check_selector(selector: &VectorSelector, may_select_all: bool) -> Checked {
    let (matchers, name) = (&selector.matchers, &selector.name);
    let error = |message: String| Err(SyntaxError::new(selector.span, message));
    if !name.is_empty() {
        let in_braces = &matchers[..matchers.len().saturating_sub(1)];
        return match in_braces.iter().find(|matcher| matcher.name == METRIC_NAME) {
            Some(matcher) => error(format!(
                "metric name must not be set twice: {} or {}",
                quote(name),
                quote(&matcher.value)
            )),
            None => Ok(()),
        };
    }
    if may_select_all || selects_something(matchers) {
        return Ok(());
    }
    error("vector selector must contain at least one non-empty matcher".to_owned())
}

fn check_binary(binary: &mut Binary, query: &str) -> Checked {
    check(&mut binary.lhs, query)?;
    check(&mut binary.rhs, query)?;
    let (lhs, rhs) = (binary.lhs.value_type(), binary.rhs.value_type());
    check_operator(binary, query, (lhs, rhs) == (ValueType::Scalar, ValueType::Scalar))?;
    for (side, value_type) in [(&binary.lhs, lhs), (&binary.rhs, rhs)] {
        if !matches!(value_type, ValueType::Scalar | ValueType::Vector) {
            let message = "binary expression must contain only scalar and instant vector types";
            return Err(SyntaxError::new(side.span(), message));
        }
    }
    if (lhs, rhs) == (ValueType::Vector, ValueType::Vector) {
        return check_set_matching(binary);
    }
    check_no_matching(binary)?;
    binary.matching = None;
    Ok(())
}

fn check_operator(binary: &Binary, query: &str, both_scalar: bool) -> Checked {
    let error = |message: String| Err(SyntaxError::new(operator_span(binary, query), message));
    let comparison = binary.op.is_comparison();
    if binary.return_bool && !comparison {
        return error("bool modifier can only be used on comparison operators".to_owned());
    }
    if comparison && !binary.return_bool && both_scalar {
        return error("comparisons between scalars must use BOOL modifier".to_owned());
    }
    let Some(matching) = binary.matching.as_ref().filter(|matching| matching.on) else { return Ok(()) };
    match matching.labels.iter().find(|label| matching.include.contains(label)) {
        Some(label) => error(format!("label {} must not occur in ON and GROUP clause at once", quote(label))),
        None => Ok(()),
    }
}

fn check_no_matching(binary: &Binary) -> Checked {
    let error = |message: String| Err(SyntaxError::new(binary.span, message));
    if let Some(matching) = &binary.matching {
        if !matching.labels.is_empty() {
            return error("vector matching only allowed between instant vectors".to_owned());
        }
        if !binary.fill.is_empty() {
            return error("filling in missing series only allowed between instant vectors".to_owned());
        }
    }
    if binary.op.is_set() {
        let op = quote(binary.op.as_str());
        return error(format!("set operator {op} not allowed in binary scalar expression"));
    }
    Ok(())
}

fn check_set_matching(binary: &Binary) -> Checked {
    let Some(matching) = binary.matching.as_ref().filter(|_| binary.op.is_set()) else { return Ok(()) };
    if matching.cardinality != Cardinality::OneToOne {
        let op = quote(binary.op.as_str());
        return Err(SyntaxError::new(binary.span, format!("no grouping allowed for {op} operation")));
    }
    if !binary.fill.is_empty() {
        return Err(SyntaxError::new(binary.span, "filling in missing series not allowed for set operators"));
    }
    Ok(())
}

/// Where the operator of a binary expression stands, with its modifiers.
fn operator_span(binary: &Binary, query: &str) -> Span {
    let between = Span { start: binary.lhs.span().end, end: binary.rhs.span().start };
    let text = between.of(query);
    let start = between.start as usize + (text.len() - text.trim_start().len());
    Span::new(start, start + text.trim().len())
}
