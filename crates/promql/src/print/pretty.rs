//! Long expressions broken into lines, as Prometheus's `format_query` does.

use super::{AggregateHead, Operator, SubquerySuffix};
use crate::ast::{Expr, Subquery};
use std::fmt::{self, Write};

/// An expression whose one-line text is longer than this is broken.
const MAX_LINE: usize = 100;

/// Expressions up to 100 bytes stay on one line; of longer ones each part gets its own,
/// indented by two spaces a level. Selectors are never broken.
pub fn pretty(expr: &Expr) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_pretty(&mut out, expr, 0);
    out
}

fn write_pretty(out: &mut String, expr: &Expr, level: usize) -> fmt::Result {
    let inner = level + 1;
    match expr {
        Expr::Unary(unary) => {
            indent(out, level);
            write!(out, "{}", unary.op)?;
            let mut child = String::new();
            write_pretty(&mut child, &unary.expr, level)?;
            out.push_str(child.trim());
            Ok(())
        }
        Expr::Subquery(subquery) => write_subquery(out, expr, subquery, level),
        Expr::Binary(binary) if !fits(expr) => {
            write_pretty(out, &binary.lhs, inner)?;
            out.push('\n');
            indent(out, level);
            writeln!(out, "{}", Operator(binary))?;
            write_pretty(out, &binary.rhs, inner)
        }
        Expr::Aggregate(aggregate) if !fits(expr) => {
            indent(out, level);
            write!(out, "{}", AggregateHead(aggregate))?;
            write_block(out, aggregate.param.iter().map(|param| &**param).chain([&*aggregate.expr]), level)
        }
        Expr::Call(call) if !fits(expr) => {
            indent(out, level);
            out.push_str(call.function.name);
            write_block(out, &call.args, level)
        }
        Expr::Paren(paren) if !fits(expr) => {
            indent(out, level);
            write_block(out, [&*paren.expr], level)
        }
        _ => {
            indent(out, level);
            write!(out, "{expr}")
        }
    }
}

/// Prometheus indents a subquery only by way of its expression, and so not at all where it
/// stays on one line.
fn write_subquery(out: &mut String, expr: &Expr, subquery: &Subquery, level: usize) -> fmt::Result {
    if fits(expr) {
        return write!(out, "{expr}");
    }
    write_pretty(out, &subquery.expr, level)?;
    write!(out, "{}", SubquerySuffix(subquery))
}

/// Parenthesised expressions, each on lines of its own.
fn write_block<'a>(out: &mut String, exprs: impl IntoIterator<Item = &'a Expr>, level: usize) -> fmt::Result {
    out.push_str("(\n");
    for (i, expr) in exprs.into_iter().enumerate() {
        if i > 0 {
            out.push_str(",\n");
        }
        write_pretty(out, expr, level + 1)?;
    }
    out.push('\n');
    indent(out, level);
    out.push(')');
    Ok(())
}

fn indent(out: &mut String, level: usize) {
    out.extend(std::iter::repeat_n("  ", level));
}

/// Whether the expression takes one line. It is printed no further than that line's end.
fn fits(expr: &Expr) -> bool {
    struct Line(usize);
    impl Write for Line {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 = self.0.checked_sub(text.len()).ok_or(fmt::Error)?;
            Ok(())
        }
    }
    write!(Line(MAX_LINE), "{expr}").is_ok()
}
