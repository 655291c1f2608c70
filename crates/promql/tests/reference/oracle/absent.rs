//! `absent` and `absent_over_time`.

use super::table::{Grid, Matrix, Sample, Series, Value, Vector};
use model::{Labels, METRIC_NAME, MatchOp, Matcher};
use promql::ast::Expr;

pub fn absent(vector: &Vector, argument: &Expr) -> Vector {
    if vector.is_empty() { vec![Sample::float(labels_for(argument), 1.0)] } else { Vector::new() }
}

/// One wherever no series has a value.
pub fn over_time(matrix: &Matrix, argument: &Expr, grid: Grid) -> Matrix {
    let mut result = Series::new(labels_for(argument), true);
    for time in grid.times().filter(|time| matrix.iter().all(|series| series.at(*time).is_none())) {
        result.push(time, Value::Float(1.0));
    }
    if result.is_empty() { Matrix::new() } else { vec![result] }
}

/// The labels that a series must have had, had there been one.
fn labels_for(argument: &Expr) -> Labels {
    match argument.without_parens() {
        Expr::VectorSelector(selector) => labels_of(&selector.matchers),
        Expr::MatrixSelector(matrix) => labels_of(&matrix.selector.matchers),
        _ => Labels::empty(),
    }
}

/// Labels with one `=`. A second condition on the same label takes it away.
fn labels_of(matchers: &[Matcher]) -> Labels {
    let named: Vec<_> = matchers.iter().filter(|matcher| matcher.name != METRIC_NAME).collect();
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    let mut had: Vec<&str> = Vec::new();
    for matcher in named {
        let name = matcher.name.as_str();
        pairs.retain(|(other, _)| *other != name);
        if matcher.op == MatchOp::Equal && !had.contains(&name) {
            pairs.push((name, &matcher.value));
            had.push(name);
        }
    }
    Labels::from_pairs(pairs)
}
