//! Makes an expression that shows a difference as small as it gets.

use promql::ast::{Expr, ValueType};

/// The smallest part of the expression that still differs by itself, as text.
pub fn shrink(expr: &Expr, differs: impl Fn(&Expr) -> bool) -> String {
    let mut smallest = expr.clone();
    loop {
        let parts: Vec<Expr> = smallest.children().into_iter().cloned().collect();
        let askable = |part: &Expr| matches!(part.value_type(), ValueType::Scalar | ValueType::Vector);
        let inner = parts.iter().flat_map(|part| if askable(part) { vec![part] } else { part.children() });
        match inner.into_iter().find(|part| askable(part) && differs(part)) {
            Some(part) => smallest = part.clone(),
            None => return smallest.to_string(),
        }
    }
}
