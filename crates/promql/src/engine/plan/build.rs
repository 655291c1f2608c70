//! From the syntax tree to the plan.

use super::{
    Aggregate, Binary, Candidate, Edges, Figures, Input, Map, Param, Plan, Root, Samples, Scalar, Scan,
    ScanFunction, Selector, Subquery, Vector, candidate::candidate, invariant::is_invariant,
    pushdown::push_conditions, selects::Selects, shared::Shared,
};
use crate::{
    ast::{
        Aggregate as AstAggregate, AggregateOp, At, Binary as AstBinary, BinaryOp, Duration, DurationContext,
        DurationError, Expr, StringLiteral, Subquery as AstSubquery, Unary, UnaryOp, ValueType,
        VectorSelector,
    },
    engine::{EngineConfig, shift::Shift, too_many_steps},
};
use model::{METRIC_NAME, MatchOp, Matcher, RegexCosts, TimeRange, Timestamp};
use query_syntax::Span;
use service_api::{Error, Result};
use vectors::{Arithmetic, Comparison, Fill, ScalarOp, Steps};

/// Plans an expression for the steps of a query that ends at `end`, on a step or not, and whose step is
/// `step`: 0 for an instant query.
pub(crate) fn plan(
    expr: &Expr,
    steps: Steps,
    (end, step): (Timestamp, i64),
    config: &EngineConfig,
) -> Result<Plan> {
    let mut expr = expr.clone();
    push_conditions(&mut expr);
    let expr = expr.without_parens();
    let mut planner = Planner {
        query: steps,
        end,
        step,
        config,
        selects: Selects::default(),
        candidates: Vec::new(),
        shared: Shared::of(expr),
        looks: Looks::default(),
        regexes: RegexCosts::default(),
    };
    let root = match expr.value_type() {
        ValueType::Scalar => Root::Scalar(planner.scalar(expr, &steps)?),
        ValueType::Vector => Root::Vector(planner.vector(expr, &steps)?),
        ValueType::String | ValueType::None => Root::Text(string(expr)?.value.clone()),
        ValueType::Matrix => planner.matrix(expr, &steps)?,
    };
    let Planner { selects, candidates, shared, .. } = planner;
    Ok(Plan { root, selects, candidates, shared: shared.into_definitions() })
}

pub(super) struct Planner<'a> {
    pub query: Steps,
    pub end: Timestamp,
    step: i64,
    pub config: &'a EngineConfig,
    selects: Selects,
    candidates: Vec<Candidate>,
    shared: Shared,
    pub looks: Looks,
    /// Of calls; those of selectors the parser has counted.
    pub regexes: RegexCosts,
}

/// The samples of `range` milliseconds up to each step, moved by `shift`.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub matchers: &'a [Matcher],
    pub steps: &'a Steps,
    pub range: i64,
    pub edges: Edges,
    pub shift: Shift,
    pub span: Span,
}

/// What those above an expression look at in its native histograms.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Looks {
    /// Somebody looks only at their counts or sums.
    pub at_statistics: bool,
    /// Somebody looks at their buckets, or must find resets between samples that are not neighbours.
    pub at_buckets: bool,
}

impl Planner<'_> {
    fn matrix(&mut self, expr: &Expr, steps: &Steps) -> Result<Root> {
        match expr {
            Expr::MatrixSelector(e) => {
                let range = self.range(&e.range)?;
                Ok(Root::Samples(Samples {
                    selector: self.selector(&e.selector, steps, range, None)?,
                    range,
                }))
            }
            Expr::Subquery(e) => Ok(Root::Subquery(self.subquery(e, steps)?)),
            other => Err(unexpected(other, "a range vector")),
        }
    }

    pub fn scalar(&mut self, expr: &Expr, steps: &Steps) -> Result<Scalar> {
        match expr {
            Expr::Number(e) => Ok(Scalar::Number(e.value)),
            Expr::Paren(e) => self.scalar(&e.expr, steps),
            Expr::Unary(e) => {
                let inner = self.scalar(&e.expr, steps)?;
                Ok(match e.op {
                    UnaryOp::Plus => inner,
                    UnaryOp::Minus => fold(Scalar::Apply(|v| -v, Box::new(inner))),
                })
            }
            Expr::Binary(e) => {
                let op = scalar_op(e.op)?;
                let (left, right) = (self.scalar(&e.lhs, steps)?, self.scalar(&e.rhs, steps)?);
                Ok(fold(Scalar::Binary(op, Box::new(left), Box::new(right))))
            }
            Expr::Call(e) => self.scalar_call(e, steps),
            other => Err(unexpected(other, "a scalar")),
        }
    }

    pub fn vector(&mut self, expr: &Expr, steps: &Steps) -> Result<Vector> {
        if steps.count > 1 && is_invariant(expr) {
            return Ok(Vector::Invariant(Box::new(self.vector(expr, &steps.first())?)));
        }
        let Some(key) = self.shared.key(expr, steps, self.looks) else {
            return self.vector_once(expr, steps);
        };
        if let Some(known) = self.shared.find(&key) {
            return Ok(Vector::Shared(known));
        }
        let vector = self.vector_once(expr, steps)?;
        Ok(Vector::Shared(self.shared.add(key, vector, *steps)))
    }

    fn vector_once(&mut self, expr: &Expr, steps: &Steps) -> Result<Vector> {
        match expr {
            Expr::VectorSelector(e) => {
                let lookback = self.config.lookback_ms;
                let function = match e.smoothed {
                    true => ScanFunction::Interpolated { lookback },
                    false => ScanFunction::Newest { lookback },
                };
                let figures = Figures::of(&function, self.config);
                Ok(scan(self.selector(e, steps, lookback, figures)?, function))
            }
            Expr::Paren(e) => self.vector(&e.expr, steps),
            Expr::Unary(e) => self.unary(e, steps),
            Expr::Binary(e) => self.binary(e, steps),
            Expr::Aggregate(e) => self.aggregate(e, steps),
            Expr::Call(e) => self.vector_call(e, steps),
            other => Err(unexpected(other, "an instant vector")),
        }
    }

    /// Whether the expression is evaluated for a range, if only for one step of it.
    pub fn is_range(&self, steps: &Steps, expr: &Expr) -> bool {
        let only_step = *steps == self.query && self.query.start != self.end && !is_invariant(expr);
        steps.count > 1 || only_step
    }

    fn unary(&mut self, unary: &Unary, steps: &Steps) -> Result<Vector> {
        let input = self.vector(&unary.expr, steps)?;
        Ok(match unary.op {
            UnaryOp::Plus => input,
            UnaryOp::Minus => map(input, Map::Negate),
        })
    }

    fn binary(&mut self, binary: &AstBinary, steps: &Steps) -> Result<Vector> {
        let looks = self.looks;
        self.looks.at_buckets |= matches!(binary.op, BinaryOp::TrimUpper | BinaryOp::TrimLower);
        let planned = self.binary_operands(binary, steps);
        self.looks = looks;
        planned
    }

    fn binary_operands(&mut self, binary: &AstBinary, steps: &Steps) -> Result<Vector> {
        let (left, right) = (&*binary.lhs, &*binary.rhs);
        match (left.value_type(), right.value_type()) {
            (ValueType::Vector, ValueType::Vector) => {
                let matching = binary.matching.clone().ok_or_else(|| unexpected(left, "a matched vector"))?;
                let (left, right) = (self.vector(left, steps)?, self.vector(right, steps)?);
                Ok(Vector::Binary(Binary {
                    op: binary.op,
                    left: Box::new(left),
                    right: Box::new(right),
                    matching,
                    // As Prometheus has it, whichever side is which.
                    fill: Fill { many: binary.fill.left, one: binary.fill.right },
                    as_bool: binary.return_bool,
                    span: binary.span,
                }))
            }
            (ValueType::Vector, _) => {
                let input = self.vector(left, steps)?;
                let scalar = self.scalar(right, steps)?;
                Ok(map(input, with_scalar(binary, scalar, false)?))
            }
            _ => {
                let scalar = self.scalar(left, steps)?;
                let input = self.vector(right, steps)?;
                Ok(map(input, with_scalar(binary, scalar, true)?))
            }
        }
    }

    fn aggregate(&mut self, aggregate: &AstAggregate, steps: &Steps) -> Result<Vector> {
        let op = aggregate.op;
        let param = match aggregate.param.as_deref().map(Expr::without_parens) {
            None => Param::None,
            Some(label) if op == AggregateOp::CountValues => Param::Label(label_name(label)?.to_owned()),
            Some(scalar) => Param::Scalar(self.scalar(scalar, steps)?, scalar.span()),
        };
        let mut grouping = aggregate.grouping.clone();
        if let (Param::Label(label), false) = (&param, aggregate.without) {
            grouping.push(label.clone());
        }
        grouping.sort_unstable();
        grouping.dedup();
        let input = Box::new(self.vector(&aggregate.expr, steps)?);
        let (without, span, input_span) = (aggregate.without, aggregate.span, aggregate.expr.span());
        Ok(Vector::Aggregate(Aggregate { op, input, grouping, without, param, span, input_span }))
    }

    /// A selector whose evaluations each need the samples of `range` milliseconds, or these figures of them.
    pub fn selector(
        &mut self,
        selector: &VectorSelector,
        steps: &Steps,
        range: i64,
        figures: Option<Figures>,
    ) -> Result<Selector> {
        let lookback = self.config.lookback_ms;
        let edges = match (selector.anchored, selector.smoothed) {
            (true, _) => Edges::Anchored { lookback },
            (_, true) => Edges::Smoothed { lookback },
            _ => Edges::Open,
        };
        let shift = self.shift(&selector.offset, selector.at)?;
        let wanted = Wanted { matchers: &selector.matchers, steps, range, edges, shift, span: selector.span };
        Ok(self.select(wanted, figures))
    }

    pub fn select(&mut self, wanted: Wanted<'_>, figures: Option<Figures>) -> Selector {
        let Wanted { matchers, steps, range, edges, shift, span } = wanted;
        let (before, after) = edges.reach();
        let (first, last) = (shift.apply(steps.start), shift.apply(steps.last_time()));
        // Ranges and the lookback are open on the left.
        let start = first.saturating_sub(range).saturating_sub(before).saturating_add(1);
        let read = TimeRange::new(start, last.saturating_add(after));
        let one_name = matchers.iter().any(|m| m.name == METRIC_NAME && m.op == MatchOp::Equal);
        let statistics = self.looks.at_statistics && !self.looks.at_buckets;
        let input = match figures.and_then(|figures| candidate(&wanted, figures, self.config.downsampling)) {
            Some(candidate) => {
                self.candidates.push(candidate);
                Input::Candidate(self.candidates.len() - 1)
            }
            None => Input::Select(self.selects.add(matchers, read)),
        };
        Selector { input, read, shift, one_name, edges, statistics, span }
    }

    pub fn subquery(&mut self, subquery: &AstSubquery, outer: &Steps) -> Result<Subquery> {
        let range = self.range(&subquery.range)?;
        let interval = match &subquery.step {
            Some(step) => self.range(step)?,
            None => self.config.default_interval_ms,
        };
        let shift = self.shift(&subquery.offset, subquery.at)?;
        let (first, last) = (shift.apply(outer.start), shift.apply(outer.last_time()));
        // Steps are multiples of the interval, so that they stay where they are when the query moves.
        let before = first.saturating_sub(range);
        let start = before.div_euclid(interval).saturating_add(1).saturating_mul(interval);
        let steps = Steps::range(start, last, interval);
        if steps.count > self.config.max_steps {
            return Err(too_many_steps(steps.count, self.config.max_steps));
        }
        let looks = self.looks;
        self.looks.at_buckets = true;
        let inner = self.vector(&subquery.expr, &steps);
        self.looks = looks;
        Ok(Subquery { inner: Box::new(inner?), steps, shift, range })
    }

    pub fn shift(&self, offset: &Duration, at: Option<At>) -> Result<Shift> {
        let at = at.map(|at| match at {
            At::Timestamp(time) => time,
            At::Start => self.query.start,
            At::End => self.end,
        });
        Ok(Shift { offset: offset.offset_ms(self.durations()).map_err(bad_duration)?, at })
    }

    pub fn range(&self, range: &Duration) -> Result<i64> {
        Ok(range.positive_ms(self.durations()).map_err(bad_duration)?.max(1))
    }

    pub fn durations(&self) -> DurationContext {
        DurationContext { step: self.step, range: self.end.saturating_sub(self.query.start) }
    }
}

/// The number that a scalar is, if that can be told beforehand.
pub(super) fn fold(scalar: Scalar) -> Scalar {
    let number = |scalar: &Scalar| match scalar {
        Scalar::Number(value) => Some(*value),
        _ => None,
    };
    let folded = match &scalar {
        Scalar::Apply(function, inner) => number(inner).map(function),
        Scalar::Binary(op, left, right) => number(left).zip(number(right)).map(|(l, r)| op.answer(l, r)),
        Scalar::Extreme(pick, left, right) => number(left).zip(number(right)).map(|(l, r)| pick(l, r)),
        _ => None,
    };
    folded.map_or(scalar, Scalar::Number)
}

pub(super) fn scan(selector: Selector, function: ScanFunction) -> Vector {
    Vector::Scan(Scan { selector, function })
}

pub(super) fn map(input: Vector, map: Map<Scalar>) -> Vector {
    Vector::Map { input: Box::new(input), map }
}

/// The value of a string literal.
pub(super) fn text(expr: &Expr) -> Result<&str> {
    match string(expr)? {
        StringLiteral { not_utf8: Some(literal), .. } => {
            Err(Error::unprocessable(format!("string {literal} is not valid UTF-8")))
        }
        literal => Ok(&literal.value),
    }
}

fn string(expr: &Expr) -> Result<&StringLiteral> {
    match expr.without_parens() {
        Expr::String(literal) => Ok(literal),
        other => Err(unexpected(other, "a string")),
    }
}

/// The label that `count_values` makes.
fn label_name(expr: &Expr) -> Result<&str> {
    let invalid = |shown: &str| Err(Error::unprocessable(format!("invalid label name {shown}")));
    match string(expr)? {
        StringLiteral { not_utf8: Some(literal), .. } => invalid(literal),
        literal if literal.value.is_empty() => invalid("\"\""),
        literal => Ok(&literal.value),
    }
}

pub(super) fn unexpected(expr: &Expr, wanted: &str) -> Error {
    Error::bad_request(format!("expected {wanted} but got {}", expr.value_type().documented()))
}

fn bad_duration(error: DurationError) -> Error {
    Error::bad_request(error.to_string())
}

fn with_scalar(binary: &AstBinary, scalar: Scalar, scalar_is_left: bool) -> Result<Map<Scalar>> {
    let (op, span) = (binary.op, binary.span);
    if matches!(op, BinaryOp::TrimUpper | BinaryOp::TrimLower) {
        return Ok(Map::Trim { op, scalar, scalar_is_left, span });
    }
    Ok(match scalar_op(op)? {
        ScalarOp::Arithmetic(op) => Map::Arithmetic { op, scalar, scalar_is_left, span },
        ScalarOp::Comparison(op) => {
            Map::Compare { op, scalar, scalar_is_left, as_bool: binary.return_bool, span }
        }
    })
}

impl Edges {
    /// How far before and after a range samples count.
    pub fn reach(self) -> (i64, i64) {
        match self {
            Self::Open => (0, 0),
            Self::Anchored { lookback } => (lookback, 0),
            Self::Smoothed { lookback } => (lookback, lookback),
        }
    }
}

/// What the operator does to two numbers; set operators and those of histograms have no meaning for them.
pub(crate) fn scalar_op(op: BinaryOp) -> Result<ScalarOp> {
    use ScalarOp::{Arithmetic as A, Comparison as C};
    Ok(match op {
        BinaryOp::Add => A(Arithmetic::Add),
        BinaryOp::Sub => A(Arithmetic::Sub),
        BinaryOp::Mul => A(Arithmetic::Mul),
        BinaryOp::Div => A(Arithmetic::Div),
        BinaryOp::Mod => A(Arithmetic::Mod),
        BinaryOp::Pow => A(Arithmetic::Pow),
        BinaryOp::Atan2 => A(Arithmetic::Atan2),
        BinaryOp::Equal => C(Comparison::Equal),
        BinaryOp::NotEqual => C(Comparison::NotEqual),
        BinaryOp::Less => C(Comparison::Less),
        BinaryOp::LessOrEqual => C(Comparison::LessOrEqual),
        BinaryOp::Greater => C(Comparison::Greater),
        BinaryOp::GreaterOrEqual => C(Comparison::GreaterOrEqual),
        BinaryOp::TrimUpper | BinaryOp::TrimLower | BinaryOp::And | BinaryOp::Or | BinaryOp::Unless => {
            return Err(Error::bad_request(format!("operator {:?} is not defined for scalars", op.as_str())));
        }
    })
}
