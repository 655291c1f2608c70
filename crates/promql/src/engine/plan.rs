//! The plan of a query: what is read, and what is computed from it.
//!
//! A plan is made for given times: durations, `@` and the steps of subqueries are resolved,
//! and what is the same at every step stands below an `Invariant`.

mod build;
mod call;
mod candidate;
mod describe;
mod info;
mod invariant;
mod pushdown;
mod selects;
mod shared;

pub(crate) use build::{plan, scalar_op};
pub(crate) use candidate::{Candidate, Figures};
pub(crate) use describe::Inputs;
pub(crate) use selects::Selects;
pub(crate) use shared::Definition;

use super::shift::Shift;
use crate::{
    ast::{AggregateOp, BinaryOp, VectorMatching},
    functions::{
        label_join::LabelJoin,
        over_time::{OverTime, TimeOf},
        rate::RateKind,
    },
};
use histogram::FloatHistogram;
use model::{Labels, Matcher, TimeRange};
use query_syntax::Span;
use vectors::{Arithmetic, Comparison, Fill, LabelReplace, ScalarOp, Steps};

pub(crate) struct Plan {
    pub root: Root,
    /// What has to be read; a `Selector` names one of them.
    pub selects: Selects,
    /// What may be read from rollups instead; a `Selector` names one of them.
    pub candidates: Vec<Candidate>,
    /// What is computed once; a `Vector::Shared` names one of them.
    pub shared: Vec<Definition>,
}

pub(crate) enum Root {
    Scalar(Scalar),
    Text(String),
    Vector(Vector),
    Samples(Samples),
    Subquery(Subquery),
}

/// A range of samples as the answer of an instant query.
pub(crate) struct Samples {
    pub selector: Selector,
    pub range: i64,
}

/// Where the series of a selector are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// Index into the plan's selects.
    Select(usize),
    /// Index into the plan's candidates.
    Candidate(usize),
}

pub(crate) struct Selector {
    pub input: Input,
    /// Where the samples lie that are needed here; the select may reach further.
    pub read: TimeRange,
    pub shift: Shift,
    /// All series have one metric name, so that they stay distinct without it.
    pub one_name: bool,
    pub edges: Edges,
    /// Of native histograms only count and sum are looked at.
    pub statistics: bool,
    pub span: Span,
}

/// What stands at the edges of a range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Edges {
    /// Only what is in the range.
    #[default]
    Open,
    /// `anchored`: the last sample up to the range's start counts as if it were there.
    Anchored { lookback: i64 },
    /// `smoothed`: values are interpolated at both ends.
    Smoothed { lookback: i64 },
}

/// An expression that has one number at each step.
pub(crate) enum Scalar {
    Number(f64),
    /// The evaluation time in seconds.
    Time,
    /// The value of a vector that has one element, else NaN.
    Of(Box<Vector>),
    Apply(fn(f64) -> f64, Box<Scalar>),
    Binary(ScalarOp, Box<Scalar>, Box<Scalar>),
    /// The greater or the lesser one.
    Extreme(fn(f64, f64) -> f64, Box<Scalar>, Box<Scalar>),
}

/// An expression that has a set of labelled values at each step.
pub(crate) enum Vector {
    Scan(Scan),
    /// Each value on its own.
    Map {
        input: Box<Vector>,
        map: Map<Scalar>,
    },
    OverSubquery {
        function: RangeFunction<Scalar>,
        subquery: Subquery,
        notes: RangeNotes,
    },
    Aggregate(Aggregate),
    Binary(Binary),
    Relabel {
        input: Box<Vector>,
        relabel: Relabel,
    },
    Histogram(Histogram),
    /// 1 where the input has no value at all.
    Absent {
        input: Box<Vector>,
        labels: Labels,
    },
    FromScalar(Scalar),
    Sort {
        input: Box<Vector>,
        order: SortOrder,
        descending: bool,
        /// The call, if it has no effect for being part of a range query.
        ineffective: Option<Span>,
    },
    /// Labels of info metrics beside the input's own.
    Info(Info),
    /// Evaluated once, valid at every step.
    Invariant(Box<Vector>),
    /// Computed once for all its uses: an index into the plan's definitions.
    Shared(usize),
}

/// Samples of a selector and what is made of each series on its own.
pub(crate) struct Scan {
    pub selector: Selector,
    pub function: ScanFunction,
}

pub(crate) enum ScanFunction {
    /// The newest sample that is at most the lookback old.
    Newest {
        lookback: i64,
    },
    /// The time of that sample, in seconds.
    NewestTime {
        lookback: i64,
    },
    /// When that sample's counting began, in seconds.
    NewestStart {
        lookback: i64,
    },
    /// A value between the samples before and after.
    Interpolated {
        lookback: i64,
    },
    Range {
        range: i64,
        function: RangeFunction<Scalar>,
        notes: RangeNotes,
    },
}

/// A function of a range of samples. `P` is a scalar parameter, planned or evaluated.
#[derive(Clone)]
pub(crate) enum RangeFunction<P> {
    Extrapolated(RateKind),
    InstantRate,
    InstantDelta,
    Derivative,
    PredictLinear(P),
    OverTime(OverTime),
    Quantile(P),
    DoubleExponential(P, P),
    TimeOf(TimeOf),
    Changes,
    Resets,
}

/// What to say of a range function's input.
#[derive(Clone, Copy)]
pub(crate) struct RangeNotes {
    /// The argument that is a range.
    pub range: Span,
    /// The argument, if its metrics should have names of counters.
    pub counter: Option<Span>,
    /// The argument of `quantile_over_time` that should lie between 0 and 1.
    pub quantile: Option<Span>,
}

pub(crate) struct Subquery {
    pub inner: Box<Vector>,
    pub steps: Steps,
    pub shift: Shift,
    pub range: i64,
}

/// A function of one value. `P` is a scalar parameter, planned or evaluated.
pub(crate) enum Map<P> {
    /// A function and its name.
    Apply(&'static str, fn(f64) -> f64),
    Negate,
    /// Of a native histogram; floats have none.
    OfHistogram(&'static str, fn(&FloatHistogram) -> f64),
    Round(P),
    Clamp(P, P),
    ClampMin(P),
    ClampMax(P),
    /// The evaluation time in seconds.
    StepTime,
    Arithmetic {
        op: Arithmetic,
        scalar: P,
        scalar_is_left: bool,
        span: Span,
    },
    Compare {
        op: Comparison,
        scalar: P,
        scalar_is_left: bool,
        as_bool: bool,
        span: Span,
    },
    /// `</` and `>/`: of a histogram what lies below or above.
    Trim {
        op: BinaryOp,
        scalar: P,
        scalar_is_left: bool,
        span: Span,
    },
}

pub(crate) struct Aggregate {
    pub op: AggregateOp,
    pub input: Box<Vector>,
    /// Sorted.
    pub grouping: Vec<String>,
    pub without: bool,
    pub param: Param,
    pub span: Span,
    pub input_span: Span,
}

pub(crate) enum Param {
    None,
    Scalar(Scalar, Span),
    Label(String),
}

pub(crate) struct Binary {
    pub op: BinaryOp,
    pub left: Box<Vector>,
    pub right: Box<Vector>,
    pub matching: VectorMatching,
    pub fill: Fill,
    pub as_bool: bool,
    pub span: Span,
}

/// What `sort` and its like look at.
pub(crate) enum SortOrder {
    Value,
    /// These, then all labels.
    Labels(Vec<String>),
}

/// `info`: which metrics tell more of the input's series.
pub(crate) struct Info {
    pub input: Box<Vector>,
    /// Reads them all.
    pub selector: Selector,
    pub lookback: i64,
    /// Matchers of the labels to add; all labels if there are none.
    pub data: Vec<Matcher>,
    /// Matchers of the metrics' names.
    pub names: Vec<Matcher>,
}

pub(crate) enum Relabel {
    Replace(LabelReplace),
    Join(LabelJoin),
}

/// A function of histograms, native ones and those that are made of series.
pub(crate) struct Histogram {
    pub input: Box<Vector>,
    pub input_span: Span,
    pub function: HistogramFunction,
}

pub(crate) enum HistogramFunction {
    Quantile(Scalar, Span),
    /// Several, named by a label.
    Quantiles(String, Vec<(Scalar, Span)>),
    Fraction(Scalar, Scalar),
}

impl Relabel {
    /// The label that is written.
    pub fn destination(&self) -> &str {
        match self {
            Self::Replace(replace) => replace.destination(),
            Self::Join(join) => join.destination(),
        }
    }
}

impl<P> RangeFunction<P> {
    /// Whether the values still are what the metric's name says.
    pub fn keeps_name(&self) -> bool {
        matches!(self, Self::OverTime(OverTime::First | OverTime::Last))
    }

    pub fn try_map<'p, Q, E>(
        &'p self,
        mut f: impl FnMut(&'p P) -> Result<Q, E>,
    ) -> Result<RangeFunction<Q>, E> {
        Ok(match self {
            Self::Extrapolated(kind) => RangeFunction::Extrapolated(*kind),
            Self::InstantRate => RangeFunction::InstantRate,
            Self::InstantDelta => RangeFunction::InstantDelta,
            Self::Derivative => RangeFunction::Derivative,
            Self::PredictLinear(p) => RangeFunction::PredictLinear(f(p)?),
            Self::OverTime(function) => RangeFunction::OverTime(*function),
            Self::Quantile(p) => RangeFunction::Quantile(f(p)?),
            Self::DoubleExponential(p, q) => RangeFunction::DoubleExponential(f(p)?, f(q)?),
            Self::TimeOf(function) => RangeFunction::TimeOf(*function),
            Self::Changes => RangeFunction::Changes,
            Self::Resets => RangeFunction::Resets,
        })
    }
}

impl<P> Map<P> {
    /// Whether the values still are what the metric's name says.
    pub fn keeps_name(&self) -> bool {
        matches!(self, Self::Compare { as_bool: false, .. } | Self::Trim { .. })
    }

    pub fn try_map<'p, Q, E>(&'p self, mut f: impl FnMut(&'p P) -> Result<Q, E>) -> Result<Map<Q>, E> {
        Ok(match self {
            Self::Apply(name, function) => Map::Apply(name, *function),
            Self::Negate => Map::Negate,
            Self::OfHistogram(name, function) => Map::OfHistogram(name, *function),
            Self::Round(to) => Map::Round(f(to)?),
            Self::Clamp(min, max) => Map::Clamp(f(min)?, f(max)?),
            Self::ClampMin(min) => Map::ClampMin(f(min)?),
            Self::ClampMax(max) => Map::ClampMax(f(max)?),
            Self::StepTime => Map::StepTime,
            Self::Arithmetic { op, scalar, scalar_is_left, span } => {
                let (scalar, scalar_is_left) = (f(scalar)?, *scalar_is_left);
                Map::Arithmetic { op: *op, scalar, scalar_is_left, span: *span }
            }
            Self::Compare { op, scalar, scalar_is_left, as_bool, span } => Map::Compare {
                op: *op,
                scalar: f(scalar)?,
                scalar_is_left: *scalar_is_left,
                as_bool: *as_bool,
                span: *span,
            },
            Self::Trim { op, scalar, scalar_is_left, span } => {
                let (scalar, scalar_is_left) = (f(scalar)?, *scalar_is_left);
                Map::Trim { op: *op, scalar, scalar_is_left, span: *span }
            }
        })
    }
}

impl ScanFunction {
    pub fn keeps_name(&self) -> bool {
        match self {
            Self::Newest { .. } | Self::Interpolated { .. } => true,
            Self::NewestTime { .. } | Self::NewestStart { .. } => false,
            Self::Range { function, .. } => function.keeps_name(),
        }
    }
}
