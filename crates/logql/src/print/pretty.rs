//! Long expressions broken into lines, as Loki's `format_query` does.
//!
//! Loki forgets some things while it breaks lines: parentheses, `or` in line filters, empty
//! groupings and `on ()`. They stay here.

use super::{Group, NANOS_A_MILLI, Operator, Selector, UnwrapHead};
use crate::{
    ast::{BinaryOp, Expr, LogQuery, LogRange, MetricExpr, Stage},
    parse::power,
};
use query_syntax::{ShortNumber, format_duration, format_go_duration};
use std::fmt::{self, Display, Write};

/// An expression whose one-line text is longer than this is broken.
const MAX_LINE: usize = 100;

/// Expressions up to 100 bytes stay on one line; of longer ones each part gets its own,
/// indented by two spaces a level.
pub fn pretty(expr: &Expr) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = match expr {
        Expr::Logs(logs) => write_logs(&mut out, logs, 0),
        Expr::Metric(metric) => write_metric(&mut out, metric, 0),
    };
    out
}

fn write_metric(out: &mut String, expr: &MetricExpr, level: usize) -> fmt::Result {
    if fits(expr) {
        return write_line(out, expr, level);
    }
    match expr {
        MetricExpr::Binary(binary) => {
            write_side(out, &binary.lhs, binary.op, false, level + 1)?;
            out.push('\n');
            // Without the space that Loki leaves at the end of the line.
            write_line(out, Operator(binary, ", ").to_string().trim_end(), level)?;
            out.push('\n');
            write_side(out, &binary.rhs, binary.op, true, level + 1)
        }
        MetricExpr::Range(e) => {
            write_line(out, e.op.as_str(), level)?;
            out.push_str("(\n");
            if let Some(param) = e.param {
                write_line(out, ShortNumber(param), level + 1)?;
                out.push_str(",\n");
            }
            write_range(out, &e.logs, level + 1)?;
            close(out, level)?;
            e.grouping.iter().try_for_each(|grouping| write!(out, " {}", Group(grouping, ", ")))
        }
        MetricExpr::Aggregate(e) => {
            write_line(out, e.op.as_str(), level)?;
            if !e.grouping.is_single() {
                write!(out, " {}", Group(&e.grouping, ", "))?;
            }
            out.push_str("(\n");
            if let Some(param) = e.param {
                write_line(out, param, level + 1)?;
                out.push_str(",\n");
            }
            write_metric(out, &e.expr, level + 1)?;
            close(out, level)
        }
        MetricExpr::LabelReplace(e) => {
            write_line(out, "label_replace(\n", level)?;
            write_metric(out, &e.expr, level + 1)?;
            for argument in e.arguments() {
                out.push_str(",\n");
                write_line(out, argument, level + 1)?;
            }
            close(out, level)
        }
        MetricExpr::Vector { .. } | MetricExpr::Literal { .. } => write_line(out, expr, level),
    }
}

/// Writes one side of an operator, in parentheses where it is broken and would be read as
/// something else without them.
fn write_side(
    out: &mut String,
    side: &MetricExpr,
    op: BinaryOp,
    is_right: bool,
    level: usize,
) -> fmt::Result {
    let needs_parens = match side {
        MetricExpr::Binary(inner) if !fits(side) => {
            let own_side = is_right == (op == BinaryOp::Pow);
            power(inner.op) < power(op) || (power(inner.op) == power(op) && !own_side)
        }
        _ => false,
    };
    if !needs_parens {
        return write_metric(out, side, level);
    }
    write_line(out, "(\n", level)?;
    write_metric(out, side, level + 1)?;
    close(out, level)
}

fn write_range(out: &mut String, logs: &LogRange, level: usize) -> fmt::Result {
    write_logs(out, &logs.query, level)?;
    if let Some(unwrap) = &logs.unwrap {
        out.push('\n');
        write_line(out, UnwrapHead(unwrap), level + 1)?;
        for filter in &unwrap.filters {
            out.push('\n');
            write_line(out, format_args!("| {filter}"), level + 1)?;
        }
    }
    write!(out, " [{}]", format_duration(logs.range / NANOS_A_MILLI))?;
    match logs.offset {
        0 => Ok(()),
        offset if offset % NANOS_A_MILLI == 0 && offset > 0 => {
            write!(out, " offset {}", format_duration(offset / NANOS_A_MILLI))
        }
        offset => write!(out, " offset {}", format_go_duration(offset)),
    }
}

fn write_logs(out: &mut String, logs: &LogQuery, level: usize) -> fmt::Result {
    if fits(logs) {
        return write_line(out, logs, level);
    }
    write_line(out, Selector(logs), level)?;
    for stages in logs.stages.chunk_by(|a, b| is_line_filter(a) && is_line_filter(b)) {
        out.push('\n');
        write_stages(out, stages, level + 1)?;
    }
    Ok(())
}

fn is_line_filter(stage: &Stage) -> bool {
    matches!(stage, Stage::LineFilter(_))
}

/// Writes one stage, or line filters that follow each other: these share a line, as many of
/// the first as there is room for.
fn write_stages(out: &mut String, stages: &[Stage], level: usize) -> fmt::Result {
    let together = (1..=stages.len()).rev().find(|count| fits(Stages(&stages[..*count]))).unwrap_or(1);
    write_line(out, Stages(&stages[..together]), level)?;
    for stage in &stages[together..] {
        out.push('\n');
        write_line(out, stage, level)?;
    }
    Ok(())
}

/// Stages on one line.
struct Stages<'a>(&'a [Stage]);

impl Display for Stages<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::write_list(f, " ", self.0, |f, stage| write!(f, "{stage}"))
    }
}

fn write_line(out: &mut String, text: impl Display, level: usize) -> fmt::Result {
    out.extend(std::iter::repeat_n("  ", level));
    write!(out, "{text}")
}

fn close(out: &mut String, level: usize) -> fmt::Result {
    out.push('\n');
    write_line(out, ")", level)
}

/// Whether the text takes one line. It is printed no further than that line's end.
fn fits(text: impl Display) -> bool {
    struct Line(usize);
    impl Write for Line {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 = self.0.checked_sub(text.len()).ok_or(fmt::Error)?;
            Ok(())
        }
    }
    write!(Line(MAX_LINE), "{text}").is_ok()
}
