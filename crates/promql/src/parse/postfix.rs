//! What stands behind an operand: ranges, subqueries, `offset`, `@`, `anchored`, `smoothed`.

use super::{Node, Parser, keyword::Keyword};
use crate::ast::{At, Duration, Expr, MatrixSelector, Span, Subquery};
use query_syntax::{Kind, SyntaxError};

const RANGE_DURATION: &str = "number, duration, step(), or range()";

impl Parser<'_> {
    pub(super) fn postfix(&mut self, mut node: Node) -> Result<Node, SyntaxError> {
        loop {
            match self.keyword() {
                Some(Keyword::Offset) => self.offset(&mut node.expr)?,
                Some(keyword @ (Keyword::Anchored | Keyword::Smoothed)) => {
                    self.extended(&mut node.expr, keyword)?
                }
                _ if self.tokens.peek().kind == Kind::LeftBracket => node = self.bracket(node)?,
                _ if self.tokens.peek_operator() == Some("@") => self.at(&mut node.expr)?,
                _ => return Ok(node),
            }
        }
    }

    /// Parses `[5m]` or `[5m:1m]` behind an expression.
    fn bracket(&mut self, node: Node) -> Result<Node, SyntaxError> {
        let open = self.tokens.advance().span;
        let range = self.positive_duration("subquery or range selector", RANGE_DURATION)?;
        if let Some(close) = self.tokens.accept(Kind::RightBracket) {
            return self.matrix(node, range, open.to(close.span));
        }
        self.tokens.expect(Kind::Colon, "subquery or range", "\":\" or \"]\"")?;
        let step = match self.tokens.peek().kind {
            Kind::RightBracket => None,
            _ => {
                let expected = "number, duration, step(), range(), or \"]\"";
                Some(self.positive_duration("subquery selector", expected)?)
            }
        };
        let close = self.tokens.expect(Kind::RightBracket, "subquery selector", "\"]\"")?.span;
        let span = node.expr.span().to(close);
        let expr = Box::new(node.expr);
        self.node(
            Expr::Subquery(Subquery { expr, range, step, offset: Duration::ZERO, at: None, span }),
            node.depth,
        )
    }

    fn matrix(&self, node: Node, range: Duration, brackets: Span) -> Result<Node, SyntaxError> {
        let problem = match node.expr {
            Expr::VectorSelector(selector) if !selector.offset.is_zero() => {
                "no offset modifiers allowed before range"
            }
            Expr::VectorSelector(selector) if selector.at.is_some() => "no @ modifiers allowed before range",
            Expr::VectorSelector(selector) => {
                let span = selector.span.to(brackets);
                return self.node(Expr::MatrixSelector(MatrixSelector { selector, range, span }), node.depth);
            }
            _ => "ranges only allowed for vector selectors",
        };
        Err(SyntaxError::new(brackets, problem))
    }

    fn offset(&mut self, expr: &mut Expr) -> Result<(), SyntaxError> {
        self.tokens.advance();
        let duration = self.offset_duration()?;
        let (end, span) = (self.last_end(), expr.span());
        let Some(time) = TimeModifiers::of(expr) else {
            let message = "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery";
            return Err(SyntaxError::new(span, message));
        };
        if !time.offset.is_zero() {
            return Err(SyntaxError::new(span, "offset may not be set multiple times"));
        }
        *time.offset = duration;
        *time.end = end;
        Ok(())
    }

    fn at(&mut self, expr: &mut Expr) -> Result<(), SyntaxError> {
        self.tokens.advance();
        let span = expr.span();
        let at = self.within("@", |parser| parser.at_time(span))?;
        let end = self.last_end();
        let Some(time) = TimeModifiers::of(expr) else {
            let message = "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery";
            return Err(SyntaxError::new(span, message));
        };
        if time.at.is_some() {
            return Err(SyntaxError::new(span, "@ <timestamp> may not be set multiple times"));
        }
        *time.at = Some(at);
        *time.end = end;
        Ok(())
    }

    /// The time behind `@`: `1609746000.5`, `start()` or `end()`.
    fn at_time(&mut self, selector: Span) -> Result<At, SyntaxError> {
        let at = match self.keyword() {
            Some(Keyword::Start) => At::Start,
            Some(Keyword::End) => At::End,
            _ => {
                let number = self.signed_number()?;
                let seconds = number.ok_or_else(|| self.tokens.unexpected("@", "timestamp"))?.value;
                return timestamp(seconds).map(At::Timestamp).ok_or_else(|| out_of_bounds(seconds, selector));
            }
        };
        self.tokens.advance();
        self.tokens.expect(Kind::LeftParen, "@", "timestamp")?;
        self.tokens.expect(Kind::RightParen, "@", "timestamp")?;
        Ok(at)
    }

    fn extended(&mut self, expr: &mut Expr, keyword: Keyword) -> Result<(), SyntaxError> {
        let token = self.tokens.advance();
        let name = self.tokens.text_of(token).to_ascii_lowercase();
        let error = |message: String| Err(SyntaxError::new(expr.span(), message));
        if !self.options.extended_range_selectors {
            return error(format!("{name} modifier is experimental and not enabled"));
        }
        let span = expr.span();
        let selector = match expr {
            Expr::VectorSelector(selector) => selector,
            Expr::MatrixSelector(matrix) => &mut matrix.selector,
            Expr::Subquery(_) => return error(format!("{name} modifier is not supported for subqueries")),
            _ => return error(format!("{name} modifier not implemented")),
        };
        match keyword {
            Keyword::Anchored => selector.anchored = true,
            _ => selector.smoothed = true,
        }
        if selector.anchored && selector.smoothed {
            return Err(SyntaxError::new(span, "anchored and smoothed modifiers cannot be used together"));
        }
        Ok(())
    }
}

/// The modifiers of a selector or subquery, wherever it keeps them.
struct TimeModifiers<'e> {
    offset: &'e mut Duration,
    at: &'e mut Option<At>,
    end: &'e mut u32,
}

impl<'e> TimeModifiers<'e> {
    fn of(expr: &'e mut Expr) -> Option<Self> {
        match expr {
            Expr::VectorSelector(s) => {
                Some(Self { offset: &mut s.offset, at: &mut s.at, end: &mut s.span.end })
            }
            Expr::MatrixSelector(m) => {
                Some(Self { offset: &mut m.selector.offset, at: &mut m.selector.at, end: &mut m.span.end })
            }
            Expr::Subquery(s) => Some(Self { offset: &mut s.offset, at: &mut s.at, end: &mut s.span.end }),
            _ => None,
        }
    }
}

/// Milliseconds, if they fit.
fn timestamp(seconds: f64) -> Option<i64> {
    let fits = seconds.is_finite() && seconds < i64::MAX as f64 && seconds > i64::MIN as f64;
    fits.then(|| (seconds * 1000.0).round() as i64)
}

fn out_of_bounds(seconds: f64, span: Span) -> SyntaxError {
    let shown = match seconds {
        s if s.is_nan() => "NaN".to_owned(),
        s if s.is_infinite() => if s > 0.0 { "+Inf" } else { "-Inf" }.to_owned(),
        s => format!("{s:.6}"),
    };
    SyntaxError::new(span, format!("timestamp out of bounds for @ modifier: {shown}"))
}
