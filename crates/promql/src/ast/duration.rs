//! Durations in ranges, steps and offsets: fixed, or computed when a query starts.

use super::{NumberLiteral, Span};

/// A length of time in a selector.
#[derive(Clone, Debug, PartialEq)]
pub enum Duration {
    /// Milliseconds.
    Fixed(i64),
    Expr(Box<DurationExpr>),
}

/// A duration that is computed, such as `1h / 2` or `step()`. Numbers are seconds.
#[derive(Clone, Debug, PartialEq)]
pub enum DurationExpr {
    Number(NumberLiteral),
    /// The step of the query.
    Step {
        span: Span,
    },
    /// The length of the query's range.
    Range {
        span: Span,
    },
    Negate {
        expr: Box<DurationExpr>,
        span: Span,
    },
    Binary {
        op: DurationOp,
        lhs: Box<DurationExpr>,
        rhs: Box<DurationExpr>,
        span: Span,
    },
    Paren {
        expr: Box<DurationExpr>,
        span: Span,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DurationOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    MinOf,
    MaxOf,
}

/// What a duration expression may refer to, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DurationContext {
    pub step: i64,
    pub range: i64,
}

/// A duration expression that has no usable value, and where it stands in the query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}:{}: {reason}", span.start, span.end)]
pub struct DurationError {
    pub span: Span,
    pub reason: &'static str,
}

/// The longest duration in seconds: Prometheus counts nanoseconds in 64 bits.
const MAX_SECONDS: f64 = (1_u64 << 63) as f64 / 1e9;

/// Whether Prometheus could not hold this many seconds as a duration.
pub(crate) fn is_out_of_range(seconds: f64) -> bool {
    !(-MAX_SECONDS..=MAX_SECONDS).contains(&seconds)
}

impl Duration {
    pub const ZERO: Self = Self::Fixed(0);

    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }

    /// The value of an offset in milliseconds, which may be negative.
    pub fn offset_ms(&self, context: DurationContext) -> Result<i64, DurationError> {
        match self {
            Self::Fixed(ms) => Ok(*ms),
            Self::Expr(expr) => expr.milliseconds(context),
        }
    }

    /// The value of a range or step in milliseconds, which must be above zero.
    pub fn positive_ms(&self, context: DurationContext) -> Result<i64, DurationError> {
        match self {
            Self::Fixed(ms) => Ok(*ms),
            Self::Expr(expr) => {
                let ms = expr.milliseconds(context)?;
                if expr.seconds(context)? > 0.0 {
                    Ok(ms)
                } else {
                    Err(expr.error("duration must be greater than 0"))
                }
            }
        }
    }
}

impl DurationExpr {
    pub fn span(&self) -> Span {
        match self {
            Self::Number(number) => number.span,
            Self::Step { span }
            | Self::Range { span }
            | Self::Negate { span, .. }
            | Self::Binary { span, .. }
            | Self::Paren { span, .. } => *span,
        }
    }

    fn milliseconds(&self, context: DurationContext) -> Result<i64, DurationError> {
        let seconds = self.seconds(context)?;
        if !seconds.is_finite() {
            return Err(self.error("duration is NaN or infinite"));
        }
        if is_out_of_range(seconds) {
            return Err(self.error("duration is out of range"));
        }
        Ok((seconds * 1000.0) as i64)
    }

    fn seconds(&self, context: DurationContext) -> Result<f64, DurationError> {
        match self {
            Self::Number(number) => Ok(number.value),
            Self::Step { .. } => Ok(context.step as f64 / 1000.0),
            Self::Range { .. } => Ok(context.range as f64 / 1000.0),
            Self::Negate { expr, .. } => Ok(-expr.seconds(context)?),
            Self::Paren { expr, .. } => expr.seconds(context),
            Self::Binary { op, lhs, rhs, .. } => {
                let (l, r) = (lhs.seconds(context)?, rhs.seconds(context)?);
                op.apply(l, r).map_err(|reason| self.error(reason))
            }
        }
    }

    fn error(&self, reason: &'static str) -> DurationError {
        DurationError { span: self.span(), reason }
    }
}

impl DurationOp {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Mod => "%",
            Self::Pow => "^",
            Self::MinOf => "min_of",
            Self::MaxOf => "max_of",
        }
    }

    fn apply(self, l: f64, r: f64) -> Result<f64, &'static str> {
        match self {
            Self::Add => Ok(l + r),
            Self::Sub => Ok(l - r),
            Self::Mul => Ok(l * r),
            Self::Div if r == 0.0 => Err("division by zero"),
            Self::Div => Ok(l / r),
            Self::Mod if r == 0.0 => Err("modulo by zero"),
            Self::Mod => Ok(l % r),
            Self::Pow => Ok(l.powf(r)),
            Self::MinOf => Ok(l.min(r)),
            Self::MaxOf => Ok(l.max(r)),
        }
    }
}
