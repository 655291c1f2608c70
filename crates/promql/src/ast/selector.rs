//! What reads series: vector selectors, matrix selectors and subqueries.

use super::{Duration, Expr, Span};
use model::{Matcher, Timestamp};

/// The time that an `@` modifier pins a selector to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum At {
    Timestamp(Timestamp),
    /// The start of the query's range.
    Start,
    /// The end of the query's range.
    End,
}

#[derive(Clone, Debug, PartialEq)]
pub struct VectorSelector {
    /// The metric name written before the braces; empty where there is none.
    pub name: String,
    /// All conditions. That on `name` is the last one.
    pub matchers: Vec<Matcher>,
    /// As written; zero where there is none, negative to look ahead.
    pub offset: Duration,
    pub at: Option<At>,
    pub anchored: bool,
    pub smoothed: bool,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub struct MatrixSelector {
    /// Holds also the modifiers that are written behind the range.
    pub selector: VectorSelector,
    pub range: Duration,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Subquery {
    pub expr: Box<Expr>,
    pub range: Duration,
    /// `None` means the default evaluation interval.
    pub step: Option<Duration>,
    pub offset: Duration,
    pub at: Option<At>,
    pub span: Span,
}
