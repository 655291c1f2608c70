//! Queries for numbers.

use super::{BinaryOp, LabelFilter, LogQuery, RangeOp, Span, VectorMatching, VectorOp};

/// An expression whose value is a vector, or a number that stands for one.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricExpr {
    Range(RangeAggregation),
    Aggregate(VectorAggregation),
    Binary(Binary),
    LabelReplace(LabelReplace),
    /// `vector(1)`
    Vector {
        value: f64,
        span: Span,
    },
    /// A number; what can be computed of numbers alone has been.
    Literal {
        value: f64,
        span: Span,
    },
}

/// `rate({app="x"} | logfmt [5m])`.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeAggregation {
    pub op: RangeOp,
    /// Of `quantile_over_time`, which always has it; any number.
    pub param: Option<f64>,
    pub logs: LogRange,
    /// Only where `op` allows it; where there is none, series keep all their labels.
    pub grouping: Option<Grouping>,
    pub span: Span,
}

/// The lines that each step of a range aggregation looks at.
#[derive(Clone, Debug, PartialEq)]
pub struct LogRange {
    pub query: LogQuery,
    pub unwrap: Option<Unwrap>,
    /// Nanoseconds; may be 0.
    pub range: i64,
    /// Nanoseconds back in time, or ahead where negative.
    pub offset: i64,
}

/// `| unwrap duration(took)`: the value of a label is the sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Unwrap {
    pub label: String,
    pub conversion: Option<Conversion>,
    /// Applied behind the conversion, mostly to `__error__`.
    pub filters: Vec<LabelFilter>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Conversion {
    /// `bytes(…)`
    Bytes,
    /// `duration(…)`, in seconds like the next.
    Duration,
    /// `duration_seconds(…)`
    DurationSeconds,
}

/// `sum by (app) (…)`.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorAggregation {
    pub op: VectorOp,
    /// Of `topk`, `bottomk` and `approx_topk`, which always have it, and at least 1.
    pub param: Option<u64>,
    /// `by ()` where nothing is written.
    pub grouping: Grouping,
    pub expr: Box<MetricExpr>,
    pub span: Span,
}

/// `by (…)` or `without (…)`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grouping {
    pub without: bool,
    pub labels: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Binary {
    pub op: BinaryOp,
    /// A comparison answers 0 or 1 instead of filtering.
    pub return_bool: bool,
    pub matching: VectorMatching,
    pub lhs: Box<MetricExpr>,
    /// Never a literal where `lhs` is one.
    pub rhs: Box<MetricExpr>,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub struct LabelReplace {
    pub expr: Box<MetricExpr>,
    pub dst: String,
    pub replacement: String,
    pub src: String,
    /// Go's syntax, over whole values.
    pub regex: String,
    pub span: Span,
}

impl MetricExpr {
    pub fn span(&self) -> Span {
        match self {
            Self::Range(e) => e.span,
            Self::Aggregate(e) => e.span,
            Self::Binary(e) => e.span,
            Self::LabelReplace(e) => e.span,
            Self::Vector { span, .. } | Self::Literal { span, .. } => *span,
        }
    }

    /// The expressions directly below this one, from left to right.
    pub fn children(&self) -> Vec<&MetricExpr> {
        match self {
            Self::Range(_) | Self::Vector { .. } | Self::Literal { .. } => Vec::new(),
            Self::Aggregate(e) => vec![&e.expr],
            Self::LabelReplace(e) => vec![&e.expr],
            Self::Binary(e) => vec![&e.lhs, &e.rhs],
        }
    }
}

impl Grouping {
    /// `by ()`: everything is one group.
    pub fn is_single(&self) -> bool {
        self.labels.is_empty() && !self.without
    }
}

impl Conversion {
    pub fn find(name: &str) -> Option<Self> {
        [Self::Bytes, Self::Duration, Self::DurationSeconds]
            .into_iter()
            .find(|conversion| conversion.as_str().eq_ignore_ascii_case(name))
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Duration => "duration",
            Self::DurationSeconds => "duration_seconds",
        }
    }
}
