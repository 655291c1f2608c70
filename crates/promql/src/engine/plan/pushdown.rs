//! Conditions that one side of a join puts on labels that must agree hold for what can match on the other.
//!
//! Only where nothing changes but what is read: neither values nor errors. So conditions go to the side whose
//! series may be left without a partner in silence, and only if the other side cannot have two series for
//! one, which would be an error as long as there is anything to match; and only to selectors of one metric,
//! whose series cannot collide.

use crate::ast::{
    Aggregate, AggregateOp, Binary, BinaryOp, Cardinality, Expr, ValueType, VectorMatching, VectorSelector,
};
use model::{METRIC_NAME, MatchOp, Matcher};

/// More are not worth the time to compare them with each other.
const MAX_CONDITIONS: usize = 32;

/// Puts conditions where they save reading.
pub(super) fn push_conditions(expr: &mut Expr) {
    expr.children_mut().into_iter().for_each(push_conditions);
    let Expr::Binary(binary) = expr else { return };
    let Some(matching) = binary.matching.clone().filter(|_| binary.fill.is_empty()) else { return };
    let agree = |matcher: &Matcher| agrees(&matching, &matcher.name);
    match binary.op {
        BinaryOp::Or => {}
        BinaryOp::Unless => push(&mut binary.rhs, known(&binary.lhs).into_iter().filter(agree)),
        BinaryOp::And => {
            let (left, right) = (known(&binary.lhs), known(&binary.rhs));
            push(&mut binary.rhs, left.into_iter().filter(agree));
            push(&mut binary.lhs, right.into_iter().filter(agree));
        }
        _ => match matching.cardinality {
            Cardinality::OneToOne | Cardinality::ManyToOne if is_unique(&binary.rhs, &matching) => {
                push(&mut binary.lhs, known(&binary.rhs).into_iter().filter(agree));
            }
            Cardinality::OneToMany if is_unique(&binary.lhs, &matching) => {
                push(&mut binary.rhs, known(&binary.lhs).into_iter().filter(agree));
            }
            _ => {}
        },
    }
}

/// Whether a label must agree.
fn agrees(matching: &VectorMatching, name: &str) -> bool {
    name != METRIC_NAME && matching.labels.iter().any(|label| label == name) == matching.on
}

/// Whether no two series of an expression can have the same labels of those that must agree.
fn is_unique(expr: &Expr, matching: &VectorMatching) -> bool {
    let all_agree = !matching.on && matching.labels.is_empty();
    match expr {
        Expr::Paren(e) => is_unique(&e.expr, matching),
        Expr::Unary(e) => is_unique(&e.expr, matching),
        Expr::VectorSelector(selector) => all_agree && has_one_name(selector),
        Expr::MatrixSelector(matrix) => all_agree && has_one_name(&matrix.selector),
        Expr::Call(call) if keeps_labels(call.function.name) => {
            call.args.iter().filter(|arg| is_series(arg)).all(|arg| is_unique(arg, matching))
        }
        Expr::Aggregate(aggregate) if makes_groups(aggregate.op) => match aggregate.without {
            true => all_agree,
            false => aggregate.grouping.iter().all(|name| agrees(matching, name)),
        },
        Expr::Binary(binary) if binary.matching.is_none() => {
            [&binary.lhs, &binary.rhs].into_iter().filter(|e| is_series(e)).all(|e| is_unique(e, matching))
        }
        _ => false,
    }
}

/// Whether what comes out has the grouping labels alone.
fn makes_groups(op: AggregateOp) -> bool {
    use AggregateOp::{Bottomk, CountValues, LimitRatio, Limitk, Topk};
    !matches!(op, Bottomk | CountValues | LimitRatio | Limitk | Topk)
}

fn has_one_name(selector: &VectorSelector) -> bool {
    selector.matchers.iter().any(|m| m.name == METRIC_NAME && m.op == MatchOp::Equal)
}

/// Conditions that all series of an expression meet.
fn known(expr: &Expr) -> Vec<Matcher> {
    match expr {
        Expr::VectorSelector(selector) => of_selector(selector),
        Expr::MatrixSelector(matrix) => of_selector(&matrix.selector),
        Expr::Paren(e) => known(&e.expr),
        Expr::Unary(e) => known(&e.expr),
        Expr::Call(call) if keeps_labels(call.function.name) => {
            call.args.iter().filter(|arg| is_series(arg)).flat_map(known).collect()
        }
        Expr::Aggregate(aggregate) => {
            known(&aggregate.expr).into_iter().filter(|matcher| keeps(aggregate, &matcher.name)).collect()
        }
        Expr::Binary(binary) => of_binary(binary),
        _ => Vec::new(),
    }
}

fn of_selector(selector: &VectorSelector) -> Vec<Matcher> {
    if selector.matchers.len() > MAX_CONDITIONS {
        return Vec::new();
    }
    selector.matchers.iter().filter(|matcher| matcher.name != METRIC_NAME).cloned().collect()
}

fn of_binary(binary: &Binary) -> Vec<Matcher> {
    let Some(matching) = &binary.matching else {
        // One side is a scalar.
        return [&binary.lhs, &binary.rhs]
            .into_iter()
            .filter(|e| is_series(e))
            .flat_map(|e| known(e))
            .collect();
    };
    let one_to_one = matching.cardinality == Cardinality::OneToOne && matching.include.is_empty();
    if !binary.fill.is_empty() || binary.op == BinaryOp::Or || !one_to_one {
        return Vec::new();
    }
    let mut known_here = known(&binary.lhs);
    if binary.op != BinaryOp::Unless {
        known_here.extend(known(&binary.rhs));
    }
    known_here.retain(|matcher| agrees(matching, &matcher.name));
    known_here
}

/// Adds conditions to what an expression reads, as far down as they are on the same labels.
fn push(expr: &mut Expr, conditions: impl Iterator<Item = Matcher>) {
    let conditions: Vec<Matcher> = conditions.take(MAX_CONDITIONS + 1).collect();
    if conditions.is_empty() || conditions.len() > MAX_CONDITIONS {
        return;
    }
    match expr {
        Expr::VectorSelector(selector) => add(selector, conditions),
        Expr::MatrixSelector(matrix) => add(&mut matrix.selector, conditions),
        Expr::Paren(e) => push(&mut e.expr, conditions.into_iter()),
        Expr::Unary(e) => push(&mut e.expr, conditions.into_iter()),
        Expr::Call(call) if keeps_labels(call.function.name) => {
            for arg in call.args.iter_mut().filter(|arg| is_series(arg)) {
                push(arg, conditions.iter().cloned());
            }
        }
        Expr::Aggregate(aggregate) => {
            let kept: Vec<_> = conditions.into_iter().filter(|m| keeps(aggregate, &m.name)).collect();
            push(&mut aggregate.expr, kept.into_iter());
        }
        Expr::Binary(binary) if binary.matching.is_none() => {
            for side in [&mut binary.lhs, &mut binary.rhs] {
                if is_series(side) {
                    push(side, conditions.iter().cloned());
                }
            }
        }
        _ => {}
    }
}

fn add(selector: &mut VectorSelector, conditions: Vec<Matcher>) {
    if !has_one_name(selector) {
        return;
    }
    for condition in conditions {
        if !selector.matchers.contains(&condition) {
            selector.matchers.push(condition);
        }
    }
}

fn is_series(expr: &Expr) -> bool {
    matches!(expr.value_type(), ValueType::Vector | ValueType::Matrix)
}

/// Whether the aggregation's groups have this label of their series.
fn keeps(aggregate: &Aggregate, label: &str) -> bool {
    aggregate.grouping.iter().any(|name| name == label) != aggregate.without && label != METRIC_NAME
}

/// The functions whose result has the labels of its input, but for the name, and depends on that series
/// alone.
fn keeps_labels(function: &str) -> bool {
    const FUNCTIONS: [&str; 17] = [
        "abs",
        "ceil",
        "clamp",
        "clamp_max",
        "clamp_min",
        "delta",
        "deriv",
        "exp",
        "floor",
        "idelta",
        "increase",
        "irate",
        "ln",
        "rate",
        "round",
        "sgn",
        "sqrt",
    ];
    FUNCTIONS.contains(&function) || function.ends_with("_over_time") && !function.starts_with("absent")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ParseOptions, parse};

    fn pushed(text: &str) -> String {
        let mut expr = parse(text, ParseOptions::all_features()).unwrap();
        push_conditions(&mut expr);
        expr.to_string()
    }

    #[test]
    fn conditions_go_where_series_are_left_out_in_silence() {
        for (text, expected) in [
            ("a / b{x=\"1\"}", "a{x=\"1\"} / b{x=\"1\"}"),
            ("a{y=\"1\"} / b", "a{y=\"1\"} / b"),
            ("rate(a[5m]) > on (x) b{x=\"1\"}", "rate(a[5m]) > on (x) b{x=\"1\"}"),
            (
                "rate(a[5m]) > on (x) group_left () sum by (x) (b{x=\"1\",z=\"2\"})",
                "rate(a{x=\"1\"}[5m]) > on (x) group_left () sum by (x) (b{x=\"1\",z=\"2\"})",
            ),
            (
                "sum by (x) (a) * on (x) group_left () max by (x) (b{x=~\"1|2\",y=\"3\"})",
                "sum by (x) (a{x=~\"1|2\"}) * on (x) group_left () max by (x) (b{x=~\"1|2\",y=\"3\"})",
            ),
            ("a{x=\"1\"} and b{y=\"2\"}", "a{x=\"1\",y=\"2\"} and b{x=\"1\",y=\"2\"}"),
            ("a{x=\"1\"} unless b", "a{x=\"1\"} unless b{x=\"1\"}"),
            ("a unless b{x=\"1\"}", "a unless b{x=\"1\"}"),
            ("a or b{x=\"1\"}", "a or b{x=\"1\"}"),
            ("a + ignoring (x) b{x=\"1\"}", "a + ignoring (x) b{x=\"1\"}"),
            ("{__name__=~\"a|b\"} + c{x=\"1\"}", "{__name__=~\"a|b\"} + c{x=\"1\"}"),
            ("a + fill (0) b{x=\"1\"}", "a + fill (0) b{x=\"1\"}"),
            ("sum(a) + b{x=\"1\"}", "sum(a) + b{x=\"1\"}"),
            ("2 * a + 3 * b{x=\"1\"}", "2 * a{x=\"1\"} + 3 * b{x=\"1\"}"),
        ] {
            let normal = parse(expected, ParseOptions::all_features()).unwrap().to_string();
            assert_eq!(pushed(text), normal, "{text}");
        }
    }
}
