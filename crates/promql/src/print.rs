//! Expressions as text: on one line, as Prometheus prints them, or broken into lines.

mod pretty;

pub use pretty::pretty;

use crate::ast::{
    Aggregate, At, Binary, Duration, DurationExpr, DurationOp, Expr, FillValues, MatrixSelector,
    NumberLiteral, Subquery, VectorMatching, VectorSelector,
};
use model::{METRIC_NAME, MatchOp, quote};
use query_syntax::{PlainNumber, ShortNumber, format_duration};
use std::fmt::{self, Display, Formatter};

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::String(string) => match &string.not_utf8 {
                Some(literal) => f.write_str(literal),
                None => f.write_str(&quote(&string.value)),
            },
            Self::VectorSelector(selector) => write!(f, "{selector}"),
            Self::MatrixSelector(matrix) => write!(f, "{matrix}"),
            Self::Subquery(subquery) => write!(f, "{}{}", subquery.expr, SubquerySuffix(subquery)),
            Self::Unary(unary) => write!(f, "{}{}", unary.op, unary.expr),
            Self::Binary(binary) => write!(f, "{} {} {}", binary.lhs, Operator(binary), binary.rhs),
            Self::Paren(paren) => write!(f, "({})", paren.expr),
            Self::Aggregate(aggregate) => {
                write!(f, "{}(", AggregateHead(aggregate))?;
                if let Some(param) = &aggregate.param {
                    write!(f, "{param}, ")?;
                }
                write!(f, "{})", aggregate.expr)
            }
            Self::Call(call) => {
                write!(f, "{}(", call.function.name)?;
                write_list(f, &call.args, |f, arg| write!(f, "{arg}"))?;
                f.write_str(")")
            }
        }
    }
}

fn write_list<T>(
    f: &mut Formatter<'_>,
    items: &[T],
    write: impl Fn(&mut Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            f.write_str(", ")?;
        }
        write(f, item)?;
    }
    Ok(())
}

/// Label names in parentheses, quoted where they are no plain words.
struct Labels<'a>(&'a [String]);

impl Display for Labels<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        write_list(f, self.0, |f, label| match is_plain_label(label) {
            true => f.write_str(label),
            false => f.write_str(&quote(label)),
        })?;
        f.write_str(")")
    }
}

fn is_plain_label(name: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    name.bytes().all(word) && name.bytes().next().is_some_and(|b| !b.is_ascii_digit())
}

/// `sum by (a) `, up to the arguments.
struct AggregateHead<'a>(&'a Aggregate);

impl Display for AggregateHead<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Aggregate { op, grouping, without, .. } = self.0;
        match without {
            true => write!(f, "{op} without {} ", Labels(grouping)),
            false if !grouping.is_empty() => write!(f, "{op} by {} ", Labels(grouping)),
            false => write!(f, "{op}"),
        }
    }
}

/// A binary operator with its modifiers.
struct Operator<'a>(&'a Binary);

impl Display for Operator<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.op)?;
        if self.0.return_bool {
            f.write_str(" bool")?;
        }
        if let Some(matching) = &self.0.matching {
            write_matching(f, matching)?;
        }
        write_fill(f, self.0.fill)
    }
}

fn write_matching(f: &mut Formatter<'_>, matching: &VectorMatching) -> fmt::Result {
    let group = matching.cardinality.modifier();
    if matching.on || group.is_some() || !matching.labels.is_empty() {
        let word = if matching.on { "on" } else { "ignoring" };
        write!(f, " {word} {}", Labels(&matching.labels))?;
    }
    if let Some(group) = group {
        write!(f, " {group} {}", Labels(&matching.include))?;
    }
    Ok(())
}

fn write_fill(f: &mut Formatter<'_>, fill: FillValues) -> fmt::Result {
    match fill {
        FillValues { left: Some(left), right: Some(right) } if left == right => {
            write!(f, " fill ({})", ShortNumber(left))
        }
        FillValues { left, right } => {
            if let Some(left) = left {
                write!(f, " fill_left ({})", ShortNumber(left))?;
            }
            match right {
                Some(right) => write!(f, " fill_right ({})", ShortNumber(right)),
                None => Ok(()),
            }
        }
    }
}

impl Display for NumberLiteral {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.is_duration {
            return f.write_str(&format_duration((self.value * 1000.0).round() as i64));
        }
        write!(f, "{}", PlainNumber(self.value))
    }
}

impl Display for VectorSelector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_series(f, self)?;
        write_at(f, self.at)?;
        write_extension(f, self)?;
        write_offset(f, &self.offset)
    }
}

impl Display for MatrixSelector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_series(f, &self.selector)?;
        write!(f, "[{}]", self.range)?;
        write_extension(f, &self.selector)?;
        write_at(f, self.selector.at)?;
        write_offset(f, &self.selector.offset)
    }
}

/// Name and matchers. These are sorted by their text, and that which the name stands for
/// is left out.
fn write_series(f: &mut Formatter<'_>, selector: &VectorSelector) -> fmt::Result {
    f.write_str(&selector.name)?;
    let said_by_name = |m: &&model::Matcher| {
        m.name == METRIC_NAME && m.op == MatchOp::Equal && m.value == selector.name && !m.value.is_empty()
    };
    let mut matchers: Vec<_> =
        selector.matchers.iter().filter(|m| !said_by_name(m)).map(ToString::to_string).collect();
    if matchers.is_empty() {
        return Ok(());
    }
    matchers.sort_unstable();
    write!(f, "{{{}}}", matchers.join(","))
}

fn write_at(f: &mut Formatter<'_>, at: Option<At>) -> fmt::Result {
    match at {
        Some(At::Timestamp(ms)) => write!(f, " @ {:.3}", ms as f64 / 1000.0),
        Some(At::Start) => f.write_str(" @ start()"),
        Some(At::End) => f.write_str(" @ end()"),
        None => Ok(()),
    }
}

fn write_extension(f: &mut Formatter<'_>, selector: &VectorSelector) -> fmt::Result {
    match (selector.anchored, selector.smoothed) {
        (true, _) => f.write_str(" anchored"),
        (false, true) => f.write_str(" smoothed"),
        (false, false) => Ok(()),
    }
}

fn write_offset(f: &mut Formatter<'_>, offset: &Duration) -> fmt::Result {
    if offset.is_zero() {
        return Ok(());
    }
    write!(f, " offset {offset}")
}

/// `[5m:1m] @ 10.000 offset 1h`.
struct SubquerySuffix<'a>(&'a Subquery);

impl Display for SubquerySuffix<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "[{}:", self.0.range)?;
        if let Some(step) = &self.0.step {
            write!(f, "{step}")?;
        }
        f.write_str("]")?;
        write_at(f, self.0.at)?;
        write_offset(f, &self.0.offset)
    }
}

impl Display for Duration {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(ms) => f.write_str(&format_duration(*ms)),
            Self::Expr(expr) => write!(f, "{expr}"),
        }
    }
}

impl Display for DurationExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Step { .. } => f.write_str("step()"),
            Self::Range { .. } => f.write_str("range()"),
            Self::Negate { expr, .. } => write!(f, "-{expr}"),
            Self::Paren { expr, .. } => write!(f, "({expr})"),
            Self::Binary { op: op @ (DurationOp::MinOf | DurationOp::MaxOf), lhs, rhs, .. } => {
                write!(f, "{}({lhs}, {rhs})", op.as_str())
            }
            Self::Binary { op, lhs, rhs, .. } => write!(f, "{lhs} {} {rhs}", op.as_str()),
        }
    }
}
