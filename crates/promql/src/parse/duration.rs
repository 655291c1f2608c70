//! Durations in ranges, steps and offsets, and the arithmetic with them.

use super::{MAX_DEPTH, Parser, binary::PRODUCT, keyword::Keyword};
use crate::ast::{Duration, DurationExpr, DurationOp, NumberLiteral, Span, UnaryOp, is_out_of_range};
use query_syntax::{Grammar, Infix, Kind, SyntaxError, Tokens, climb};

impl Parser<'_> {
    /// Parses a range or step. `context` and `expected` are for errors.
    pub(super) fn positive_duration(
        &mut self,
        context: &'static str,
        expected: &'static str,
    ) -> Result<Duration, SyntaxError> {
        let mut durations = Durations { parser: self, context, expected };
        match climb(&mut durations, 0)?.expr {
            _ if self.tokens.failed_here() => Err(self.unexpected()),
            DurationExpr::Number(number) if number.value <= 0.0 => {
                Err(SyntaxError::new(number.span, "duration must be greater than 0"))
            }
            expr => Ok(to_duration(expr)),
        }
    }

    /// Parses what stands behind `offset`. Without parentheses that is one number or call:
    /// in `a offset 5m + 3` the `+` belongs to `a`.
    pub(super) fn offset_duration(&mut self) -> Result<Duration, SyntaxError> {
        let expected = "number, duration, step(), or range()";
        let mut durations = Durations { parser: self, context: "offset", expected };
        let sign = durations.parser.unary_op().map(|op| (op, durations.parser.tokens.peek().span));
        let behind = durations.parser.tokens.peek_at(usize::from(sign.is_some())).kind;
        let expr = match (sign, behind) {
            (Some((op, span)), Kind::Number | Kind::Duration | Kind::Keyword | Kind::LeftParen) => {
                durations.parser.tokens.advance();
                let operand = durations.unsigned()?;
                apply_sign(op, span, operand.expr)?
            }
            (None, Kind::Number | Kind::Duration | Kind::Keyword) => durations.unsigned()?.expr,
            _ => climb(&mut durations, 0)?.expr,
        };
        Ok(to_duration(expr))
    }
}

struct Durations<'p, 'q> {
    parser: &'p mut Parser<'q>,
    context: &'static str,
    expected: &'static str,
}

/// A tree and how deep it is.
struct Node {
    expr: DurationExpr,
    depth: usize,
}

impl Grammar for Durations<'_, '_> {
    type Op = DurationOp;
    /// Where the operator stands.
    type Modifiers = Span;
    type Expr = Node;

    fn operand(&mut self) -> Result<Node, SyntaxError> {
        let Some(op) = self.parser.unary_op() else { return self.unsigned() };
        let sign = self.parser.tokens.advance().span;
        let inner = self.nested(PRODUCT + 1)?;
        let expr = apply_sign(op, sign, inner.expr)?;
        self.node(expr, inner.depth)
    }

    fn infix(&self) -> Option<Infix<DurationOp>> {
        let (op, power) = match self.parser.tokens.peek_operator()? {
            "+" => (DurationOp::Add, PRODUCT - 1),
            "-" => (DurationOp::Sub, PRODUCT - 1),
            "*" => (DurationOp::Mul, PRODUCT),
            "/" => (DurationOp::Div, PRODUCT),
            "%" => (DurationOp::Mod, PRODUCT),
            "^" => (DurationOp::Pow, PRODUCT + 1),
            _ => return None,
        };
        Some(Infix { op, power, right_associative: op == DurationOp::Pow })
    }

    fn modifiers(&mut self, _: DurationOp) -> Result<Span, SyntaxError> {
        Ok(self.parser.tokens.advance().span)
    }

    fn combine(&mut self, lhs: Node, op: DurationOp, at: Span, rhs: Node) -> Result<Node, SyntaxError> {
        self.check_enabled(lhs.expr.span())?;
        let by_zero = matches!(&rhs.expr, DurationExpr::Number(number) if number.value == 0.0);
        match op {
            DurationOp::Div if by_zero => return Err(SyntaxError::new(at, "division by zero")),
            DurationOp::Mod if by_zero => return Err(SyntaxError::new(at, "modulo by zero")),
            _ => {}
        }
        let span = lhs.expr.span().to(rhs.expr.span());
        let depth = lhs.depth.max(rhs.depth);
        self.node(DurationExpr::Binary { op, lhs: Box::new(lhs.expr), rhs: Box::new(rhs.expr), span }, depth)
    }

    fn nested(&mut self, min_power: u8) -> Result<Node, SyntaxError> {
        Tokens::nested(self, |durations| climb(durations, min_power))
    }
}

impl Durations<'_, '_> {
    /// An operand without a sign.
    fn unsigned(&mut self) -> Result<Node, SyntaxError> {
        match self.parser.tokens.peek().kind {
            Kind::Number | Kind::Duration => {
                let number = self.parser.number()?;
                let span = number.span;
                self.node(checked(number, span)?, 0)
            }
            Kind::LeftParen => self.paren(),
            _ => match self.parser.keyword() {
                Some(keyword @ (Keyword::Step | Keyword::Range)) => self.of_query(keyword),
                Some(Keyword::MaxOf) => self.extreme(DurationOp::MaxOf),
                Some(Keyword::MinOf) => self.extreme(DurationOp::MinOf),
                _ => Err(self.unexpected()),
            },
        }
    }

    /// Parentheses around a number or other parentheses say nothing, and are not kept.
    fn paren(&mut self) -> Result<Node, SyntaxError> {
        self.expect(Kind::LeftParen)?;
        let inner = self.nested(0)?;
        self.expect(Kind::RightParen)?;
        let span = inner.expr.span();
        self.check_enabled(span)?;
        if matches!(inner.expr, DurationExpr::Paren { .. } | DurationExpr::Number(_)) {
            return Ok(inner);
        }
        self.node(DurationExpr::Paren { expr: Box::new(inner.expr), span }, inner.depth)
    }

    /// `step()` or `range()`.
    fn of_query(&mut self, keyword: Keyword) -> Result<Node, SyntaxError> {
        let start = self.parser.tokens.advance().span;
        self.expect(Kind::LeftParen)?;
        let span = start.to(self.expect(Kind::RightParen)?);
        self.check_enabled(span)?;
        let expr = match keyword {
            Keyword::Step => DurationExpr::Step { span },
            _ => DurationExpr::Range { span },
        };
        self.node(expr, 0)
    }

    /// `max_of(a, b)` or `min_of(a, b)`.
    fn extreme(&mut self, op: DurationOp) -> Result<Node, SyntaxError> {
        self.parser.tokens.advance();
        self.expect(Kind::LeftParen)?;
        let lhs = self.nested(0)?;
        self.expect(Kind::Comma)?;
        let rhs = self.nested(0)?;
        self.expect(Kind::RightParen)?;
        // Errors point at the operands, as for an operator between them.
        let span = lhs.expr.span().to(rhs.expr.span());
        self.check_enabled(span)?;
        let depth = lhs.depth.max(rhs.depth);
        self.node(DurationExpr::Binary { op, lhs: Box::new(lhs.expr), rhs: Box::new(rhs.expr), span }, depth)
    }

    fn check_enabled(&self, span: Span) -> Result<(), SyntaxError> {
        if self.parser.options.duration_expr {
            return Ok(());
        }
        Err(SyntaxError::new(span, "experimental duration expression is not enabled"))
    }

    fn node(&self, expr: DurationExpr, depth: usize) -> Result<Node, SyntaxError> {
        if depth >= MAX_DEPTH {
            return Err(self.parser.tokens.too_deep());
        }
        Ok(Node { expr, depth: depth + 1 })
    }

    fn expect(&mut self, kind: Kind) -> Result<Span, SyntaxError> {
        self.parser.tokens.expect(kind, self.context, self.expected).map(|token| token.span)
    }

    fn unexpected(&self) -> SyntaxError {
        self.parser.tokens.unexpected(self.context, self.expected)
    }
}

impl<'q> AsMut<Tokens<'q>> for Durations<'_, 'q> {
    fn as_mut(&mut self) -> &mut Tokens<'q> {
        &mut self.parser.tokens
    }
}

fn checked(number: NumberLiteral, at: Span) -> Result<DurationExpr, SyntaxError> {
    if is_out_of_range(number.value) {
        return Err(SyntaxError::new(at, "duration out of range"));
    }
    Ok(DurationExpr::Number(number))
}

fn apply_sign(op: UnaryOp, sign: Span, expr: DurationExpr) -> Result<DurationExpr, SyntaxError> {
    match (op, expr) {
        (UnaryOp::Plus, DurationExpr::Number(number)) => {
            Ok(DurationExpr::Number(NumberLiteral { span: sign.to(number.span), ..number }))
        }
        (UnaryOp::Minus, DurationExpr::Number(number)) => {
            checked(NumberLiteral { value: -number.value, span: sign.to(number.span), ..number }, sign)
        }
        (UnaryOp::Plus, expr) => Ok(expr),
        (UnaryOp::Minus, expr) => {
            let span = sign.to(expr.span());
            Ok(DurationExpr::Negate { expr: Box::new(expr), span })
        }
    }
}

/// A number is fixed now, in whole milliseconds; anything else when the query starts.
fn to_duration(expr: DurationExpr) -> Duration {
    match expr {
        // Prometheus rounds to nanoseconds and drops what is below a millisecond later.
        DurationExpr::Number(number) => Duration::Fixed((number.value * 1e9).round() as i64 / 1_000_000),
        expr => Duration::Expr(Box::new(expr)),
    }
}
