//! Expressions as text: on one line, as Loki prints them, or broken into lines.
//!
//! Where Loki's text would not be read as the same query again, the text differs: sizes and
//! vectors are printed to the last digit, `group_left` never gets lost.

mod filter;
mod pretty;
mod stage;

pub use pretty::pretty;

use crate::{
    ast::{
        Binary, Expr, Grouping, LabelReplace, LogQuery, LogRange, MetricExpr, RangeAggregation, Unwrap,
        VectorAggregation,
    },
    parse::is_plain_name,
};
use filter::NamedMatcher;
use model::quote;
use query_syntax::{PlainNumber, ShortNumber, format_duration, format_go_duration};
use std::fmt::{self, Display, Formatter};

const NANOS_A_MILLI: i64 = 1_000_000;

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Logs(logs) => write!(f, "{logs}"),
            Self::Metric(metric) => write!(f, "{metric}"),
        }
    }
}

impl Display for LogQuery {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Selector(self))?;
        self.stages.iter().try_for_each(|stage| write!(f, " {stage}"))
    }
}

impl Display for MetricExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range(e) => write!(f, "{e}"),
            Self::Aggregate(e) => write!(f, "{e}"),
            Self::Binary(e) => write!(f, "({} {} {})", e.lhs, Operator(e, ","), e.rhs),
            Self::LabelReplace(e) => write!(f, "{e}"),
            Self::Vector { value, .. } => write!(f, "vector({})", Vector(*value)),
            Self::Literal { value, .. } => write!(f, "{}", ShortNumber(*value)),
        }
    }
}

impl Display for RangeAggregation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.op.as_str())?;
        if let Some(param) = self.param {
            write!(f, "{},", PlainNumber(param))?;
        }
        write!(f, "{})", self.logs)?;
        self.grouping.iter().try_for_each(|grouping| write!(f, " {}", Group(grouping, ",")))
    }
}

impl Display for LogRange {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.query)?;
        if let Some(unwrap) = &self.unwrap {
            write!(f, " {}", UnwrapHead(unwrap))?;
            unwrap.filters.iter().try_for_each(|filter| write!(f, " | {filter}"))?;
        }
        write!(f, "[{}]", format_duration(self.range / NANOS_A_MILLI))?;
        match self.offset {
            0 => Ok(()),
            offset => write!(f, " offset {}", format_go_duration(offset)),
        }
    }
}

impl Display for VectorAggregation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.op.as_str())?;
        if !self.grouping.is_single() {
            write!(f, " {}", Group(&self.grouping, ","))?;
        }
        f.write_str("(")?;
        if let Some(param) = self.param {
            write!(f, "{param},")?;
        }
        write!(f, "{})", self.expr)
    }
}

impl Display for LabelReplace {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "label_replace({}", self.expr)?;
        self.arguments().iter().try_for_each(|argument| write!(f, ",{argument}"))?;
        f.write_str(")")
    }
}

impl LabelReplace {
    /// All arguments but the first, quoted.
    fn arguments(&self) -> [String; 4] {
        [&self.dst, &self.replacement, &self.src, &self.regex].map(|text| quote(text))
    }
}

/// The matchers in braces.
struct Selector<'a>(&'a LogQuery);

impl Display for Selector<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        write_list(f, ", ", &self.0.matchers, |f, matcher| write!(f, "{}", NamedMatcher(matcher)))?;
        f.write_str("}")
    }
}

/// `| unwrap bytes(size)`.
struct UnwrapHead<'a>(&'a Unwrap);

impl Display for UnwrapHead<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let label = &self.0.label;
        match self.0.conversion {
            Some(conversion) => write!(f, "| unwrap {}({label})", conversion.as_str()),
            None => write!(f, "| unwrap {label}"),
        }
    }
}

/// `by (a,b)`, with what stands between the labels.
struct Group<'a>(&'a Grouping, &'static str);

impl Display for Group<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let word = if self.0.without { "without" } else { "by" };
        write!(f, "{word} {}", Names(&self.0.labels, self.1))
    }
}

/// Label names in parentheses, and what stands between them.
struct Names<'a>(&'a [String], &'static str);

impl Display for Names<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        write_list(f, self.1, self.0, |f, name| write!(f, "{}", Name(name)))?;
        f.write_str(")")
    }
}

/// A label name, quoted where it would be read as something else.
struct Name<'a>(&'a str);

impl Display for Name<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match is_plain_name(self.0) {
            true => f.write_str(self.0),
            false => f.write_str(&quote(self.0)),
        }
    }
}

/// A binary operator with its modifiers, and what stands between their labels.
struct Operator<'a>(&'a Binary, &'static str);

impl Display for Operator<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Binary { op, return_bool, matching, .. } = self.0;
        f.write_str(op.as_str())?;
        if *return_bool {
            f.write_str(" bool")?;
        }
        let group = matching.cardinality.modifier().unwrap_or_default();
        if !matching.on && matching.labels.is_empty() && group.is_empty() {
            return Ok(());
        }
        let word = if matching.on { "on" } else { "ignoring" };
        // The space before a group that is not there is Loki's.
        write!(f, " {word} {} {group}", Names(&matching.labels, self.1))?;
        if !matching.include.is_empty() {
            write!(f, " {}", Names(&matching.include, self.1))?;
        }
        Ok(())
    }
}

/// With six digits behind the point, and more only where they are needed.
struct Vector(f64);

impl Display for Vector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let text = format!("{:.6}", self.0);
        match text.parse() == Ok(self.0) {
            true => f.write_str(&text),
            false => write!(f, "{}", PlainNumber(self.0)),
        }
    }
}

fn write_list<T>(
    f: &mut Formatter<'_>,
    separator: &str,
    items: &[T],
    write: impl Fn(&mut Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            f.write_str(separator)?;
        }
        write(f, item)?;
    }
    Ok(())
}
