//! Operands: literals, selectors, parentheses, unary expressions.

use super::{Node, Parser, binary::PRODUCT, keyword::Keyword};
use crate::ast::{Duration, Expr, NumberLiteral, Paren, Span, StringLiteral, Unary, UnaryOp, VectorSelector};
use model::{METRIC_NAME, Matcher};
use query_syntax::{Kind, SyntaxError, parse_duration, parse_matchers, parse_number, unquote_bytes};

impl Parser<'_> {
    /// Parses an operand without the modifiers behind it.
    pub(super) fn primary(&mut self) -> Result<Node, SyntaxError> {
        let token = self.tokens.peek();
        let expr = match token.kind {
            Kind::Number | Kind::Duration => Expr::Number(self.number()?),
            Kind::String => {
                self.tokens.advance();
                let literal = self.tokens.text_of(token);
                let bytes = unquote_bytes(literal, token.span)?;
                let not_utf8 = std::str::from_utf8(&bytes).is_err().then(|| literal.to_owned());
                let value = String::from_utf8_lossy(&bytes).into_owned();
                Expr::String(StringLiteral { value, not_utf8, span: token.span })
            }
            Kind::LeftBrace => {
                let (matchers, span) = parse_matchers(&mut self.tokens)?;
                Expr::VectorSelector(new_selector(String::new(), matchers, span))
            }
            Kind::LeftParen => return self.paren(),
            Kind::Operator => return self.unary(),
            Kind::Identifier | Kind::Keyword => return self.word(),
            _ => return Err(self.unexpected()),
        };
        self.node(expr, 0)
    }

    /// Whether the next token can begin an operand.
    pub(super) fn starts_operand(&self) -> bool {
        match self.tokens.peek().kind {
            Kind::Number | Kind::Duration | Kind::String => true,
            Kind::LeftBrace | Kind::LeftParen | Kind::Identifier => true,
            Kind::Operator => self.unary_op().is_some(),
            Kind::Keyword => self.keyword().is_some_and(Keyword::is_metric_name),
            _ => false,
        }
    }

    /// Takes a number or duration. The number token must be next.
    pub(super) fn number(&mut self) -> Result<NumberLiteral, SyntaxError> {
        let token = self.tokens.advance();
        let text = self.tokens.text_of(token);
        let is_duration = token.kind == Kind::Duration;
        let value = if is_duration {
            parse_duration(text).map(|ms| ms as f64 / 1000.0).map_err(|e| e.to_string())
        } else {
            parse_number(text)
        };
        let value = value.map_err(|message| SyntaxError::new(token.span, message))?;
        Ok(NumberLiteral { value, is_duration, span: token.span })
    }

    /// Takes a number with or without a sign; `None` where there is none.
    pub(super) fn signed_number(&mut self) -> Result<Option<NumberLiteral>, SyntaxError> {
        let sign = self.unary_op().map(|op| (op, self.tokens.advance().span));
        if !matches!(self.tokens.peek().kind, Kind::Number | Kind::Duration) {
            return Ok(None);
        }
        let number = self.number()?;
        Ok(Some(match sign {
            Some((op, span)) => apply_sign(op, span, number),
            None => number,
        }))
    }

    pub(super) fn unary_op(&self) -> Option<UnaryOp> {
        match self.tokens.peek_operator()? {
            "+" => Some(UnaryOp::Plus),
            "-" => Some(UnaryOp::Minus),
            _ => None,
        }
    }

    fn paren(&mut self) -> Result<Node, SyntaxError> {
        let open = self.expect(Kind::LeftParen)?;
        let inner = self.deeper(0)?;
        let close = self.expect(Kind::RightParen)?;
        self.node(Expr::Paren(Paren { expr: Box::new(inner.expr), span: open.to(close) }), inner.depth)
    }

    fn unary(&mut self) -> Result<Node, SyntaxError> {
        let op = self.unary_op().ok_or_else(|| self.unexpected())?;
        let sign = self.tokens.advance().span;
        let inner = self.deeper(PRODUCT + 1)?;
        match inner.expr {
            Expr::Number(number) => {
                Ok(Node { expr: Expr::Number(apply_sign(op, sign, number)), depth: inner.depth })
            }
            expr => {
                let span = sign.to(expr.span());
                self.node(Expr::Unary(Unary { op, expr: Box::new(expr), span }), inner.depth)
            }
        }
    }

    /// An operand that begins with a word: an aggregation, a call or a selector.
    fn word(&mut self) -> Result<Node, SyntaxError> {
        let is_call = self.tokens.peek_at(1).kind == Kind::LeftParen;
        match self.keyword() {
            Some(Keyword::Aggregate(op)) if is_call || self.grouping_follows() => self.aggregate(op),
            Some(keyword) if keyword.is_callable() && is_call => self.call(),
            None if is_call && !self.tokens.text_of(self.tokens.peek()).contains(':') => self.call(),
            _ => {
                let selector = self.named_selector()?;
                self.node(Expr::VectorSelector(selector), 0)
            }
        }
    }

    /// Whether `by` or `without` stands behind the next token.
    fn grouping_follows(&self) -> bool {
        let token = self.tokens.peek_at(1);
        let keyword = Keyword::find(self.tokens.text_of(token));
        token.kind == Kind::Keyword && matches!(keyword, Some(Keyword::By | Keyword::Without))
    }

    /// Parses a metric name and the matchers behind it, if there are any.
    pub(super) fn named_selector(&mut self) -> Result<VectorSelector, SyntaxError> {
        let token = self.tokens.peek();
        let is_name = match token.kind {
            Kind::Identifier => true,
            _ => self.keyword().is_some_and(Keyword::is_metric_name),
        };
        if !is_name {
            return Err(self.unexpected());
        }
        self.tokens.advance();
        let name = self.tokens.text_of(token);
        let (mut matchers, mut span) = (Vec::new(), token.span);
        if self.tokens.peek().kind == Kind::LeftBrace {
            let (list, braces) = parse_matchers(&mut self.tokens)?;
            (matchers, span) = (list, span.to(braces));
        }
        matchers.push(Matcher::equal(METRIC_NAME, name));
        Ok(new_selector(name.to_owned(), matchers, span))
    }
}

fn new_selector(name: String, matchers: Vec<Matcher>, span: Span) -> VectorSelector {
    VectorSelector {
        name,
        matchers,
        offset: Duration::ZERO,
        at: None,
        anchored: false,
        smoothed: false,
        span,
    }
}

fn apply_sign(op: UnaryOp, sign: Span, number: NumberLiteral) -> NumberLiteral {
    let value = match op {
        UnaryOp::Plus => number.value,
        UnaryOp::Minus => -number.value,
    };
    NumberLiteral { value, span: sign.to(number.span), ..number }
}
