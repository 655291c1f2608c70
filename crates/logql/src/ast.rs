//! The syntax tree of LogQL.
//!
//! The parser bounds how deep a tree gets (`parse::MAX_DEPTH`), so that recursion over it is
//! safe, and has checked every regular expression, pattern, address and template in it.

mod ip;
mod label_filter;
mod line_filter;
mod metric;
mod operator;
mod pattern;
mod stage;

pub use ip::{InvalidIpSet, IpSet};
pub use label_filter::{CompareOp, LabelFilter};
pub use line_filter::{LineFilter, LineFilterOp, LineOperand};
pub use metric::{
    Binary, Conversion, Grouping, LabelReplace, LogRange, MetricExpr, RangeAggregation, Unwrap,
    VectorAggregation,
};
pub use operator::{BinaryOp, RangeOp, VectorOp};
pub use pattern::{InvalidPattern, Pattern, PatternPart};
pub use query_syntax::Span;
pub use stage::{Extraction, LabelFormat, LabelSelection, Logfmt, Stage};
pub use vectors::{Cardinality, VectorMatching};

use model::Matcher;

/// A query: for lines, or for numbers made of lines.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    Logs(LogQuery),
    Metric(MetricExpr),
}

/// Streams, and what their lines go through.
#[derive(Clone, Debug, PartialEq)]
pub struct LogQuery {
    /// At least one of them refuses the empty value.
    pub matchers: Vec<Matcher>,
    /// In the order in which they are written, and apply.
    pub stages: Vec<Stage>,
    /// From the opening brace to the end of the last stage. Behind a range, the range lies
    /// in between.
    pub span: Span,
}

impl Expr {
    pub fn span(&self) -> Span {
        match self {
            Self::Logs(logs) => logs.span,
            Self::Metric(metric) => metric.span(),
        }
    }
}
