//! Stream selectors.

use super::Parser;
use crate::ast::Span;
use model::Matcher;
use query_syntax::{Kind, SyntaxError, parse_matcher, selects_something};

impl Parser<'_> {
    /// Parses matchers in braces.
    pub(super) fn selector(&mut self) -> Result<(Vec<Matcher>, Span), SyntaxError> {
        let open = self.expect(Kind::LeftBrace, "\"{\"")?;
        let mut matchers = Vec::new();
        if let Some(close) = self.tokens.accept(Kind::RightBrace) {
            return Ok((matchers, open.to(close.span)));
        }
        loop {
            matchers.push(parse_matcher(&mut self.tokens)?);
            if let Some(close) = self.tokens.accept(Kind::RightBrace) {
                return Ok((matchers, open.to(close.span)));
            }
            self.expect(Kind::Comma, "\"}\" or \",\"")?;
        }
    }

    /// Parses matchers of which at least one must refuse the empty value.
    pub(super) fn stream_selector(&mut self) -> Result<(Vec<Matcher>, Span), SyntaxError> {
        let (matchers, span) = self.selector()?;
        if selects_something(&matchers) {
            return Ok((matchers, span));
        }
        let message = "queries require at least one regexp or equality matcher that does not have an \
                       empty-compatible value. For instance, app=~\".*\" does not meet this requirement, \
                       but app=~\".+\" will";
        Err(SyntaxError::new(span, message))
    }
}
