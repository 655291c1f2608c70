//! The syntax tree of PromQL.

mod duration;
mod operator;
mod selector;
mod value_type;

pub(crate) use duration::is_out_of_range;
pub use duration::{Duration, DurationContext, DurationError, DurationExpr, DurationOp};
pub use operator::{AggregateOp, BinaryOp, FillValues, UnaryOp};
pub use query_syntax::Span;
pub use selector::{At, MatrixSelector, Subquery, VectorSelector};
pub use value_type::ValueType;
pub use vectors::{Cardinality, VectorMatching};

use crate::signatures::Signature;

/// One expression. The parser bounds how deep a tree gets (`parse::MAX_DEPTH`), so that
/// recursion over it is safe.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    Number(NumberLiteral),
    String(StringLiteral),
    VectorSelector(VectorSelector),
    MatrixSelector(MatrixSelector),
    Subquery(Subquery),
    Unary(Unary),
    Binary(Binary),
    Aggregate(Aggregate),
    Call(Call),
    Paren(Paren),
}

#[derive(Clone, Debug, PartialEq)]
pub struct NumberLiteral {
    /// Seconds, where the number was written as a duration.
    pub value: f64,
    pub is_duration: bool,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StringLiteral {
    pub value: String,
    /// The literal as it was written, where its bytes are not UTF-8: `value` has U+FFFD in
    /// their place then, which is what Prometheus's JSON makes of them.
    pub not_utf8: Option<String>,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Unary {
    pub op: UnaryOp,
    pub expr: Box<Expr>,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Binary {
    pub op: BinaryOp,
    pub lhs: Box<Expr>,
    pub rhs: Box<Expr>,
    /// A comparison answers 0 or 1 instead of filtering.
    pub return_bool: bool,
    /// How series of the two sides find each other; `None` unless both are vectors.
    pub matching: Option<VectorMatching>,
    pub fill: FillValues,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    pub op: AggregateOp,
    pub expr: Box<Expr>,
    /// The first argument of `topk`, `quantile` and their like.
    pub param: Option<Box<Expr>>,
    pub grouping: Vec<String>,
    /// The labels of `grouping` are dropped rather than kept.
    pub without: bool,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub function: &'static Signature,
    pub args: Vec<Expr>,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Paren {
    pub expr: Box<Expr>,
    pub span: Span,
}

impl Expr {
    pub fn span(&self) -> Span {
        match self {
            Self::Number(e) => e.span,
            Self::String(e) => e.span,
            Self::VectorSelector(e) => e.span,
            Self::MatrixSelector(e) => e.span,
            Self::Subquery(e) => e.span,
            Self::Unary(e) => e.span,
            Self::Binary(e) => e.span,
            Self::Aggregate(e) => e.span,
            Self::Call(e) => e.span,
            Self::Paren(e) => e.span,
        }
    }

    /// What the expression evaluates to.
    pub fn value_type(&self) -> ValueType {
        match self {
            Self::Number(_) => ValueType::Scalar,
            Self::String(_) => ValueType::String,
            Self::VectorSelector(_) | Self::Aggregate(_) => ValueType::Vector,
            Self::MatrixSelector(_) | Self::Subquery(_) => ValueType::Matrix,
            Self::Unary(e) => e.expr.value_type(),
            Self::Paren(e) => e.expr.value_type(),
            Self::Call(e) => e.function.returns,
            Self::Binary(e) => match (e.lhs.value_type(), e.rhs.value_type()) {
                (ValueType::Scalar, ValueType::Scalar) => ValueType::Scalar,
                _ => ValueType::Vector,
            },
        }
    }

    /// The expressions directly below this one, from left to right as they are written.
    /// The vector selector of a matrix selector is part of it, not a child.
    pub fn children(&self) -> Vec<&Expr> {
        match self {
            Self::Number(_) | Self::String(_) | Self::VectorSelector(_) | Self::MatrixSelector(_) => {
                Vec::new()
            }
            Self::Subquery(e) => vec![&e.expr],
            Self::Unary(e) => vec![&e.expr],
            Self::Paren(e) => vec![&e.expr],
            Self::Binary(e) => vec![&e.lhs, &e.rhs],
            Self::Aggregate(e) => e.param.iter().map(|p| &**p).chain([&*e.expr]).collect(),
            Self::Call(e) => e.args.iter().collect(),
        }
    }

    /// As `children`, to change them.
    pub fn children_mut(&mut self) -> Vec<&mut Expr> {
        match self {
            Self::Number(_) | Self::String(_) | Self::VectorSelector(_) | Self::MatrixSelector(_) => {
                Vec::new()
            }
            Self::Subquery(e) => vec![&mut e.expr],
            Self::Unary(e) => vec![&mut e.expr],
            Self::Paren(e) => vec![&mut e.expr],
            Self::Binary(e) => vec![&mut e.lhs, &mut e.rhs],
            Self::Aggregate(e) => e.param.iter_mut().map(|p| &mut **p).chain([&mut *e.expr]).collect(),
            Self::Call(e) => e.args.iter_mut().collect(),
        }
    }

    /// This expression without the parentheses around it.
    pub fn without_parens(&self) -> &Expr {
        let mut expr = self;
        while let Self::Paren(paren) = expr {
            expr = &paren.expr;
        }
        expr
    }
}
