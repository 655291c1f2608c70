//! Label matchers in braces: `{job="a", "service.name"=~"b.*"}`.

use crate::{Kind, Span, SyntaxError, Tokens, unquote};
use model::{METRIC_NAME, MatchOp, Matcher};

const CONTEXT: &str = "label matching";

/// Parses matchers in braces; a comma may follow the last one. A quoted string that stands
/// alone is a metric name.
pub fn parse_matchers(tokens: &mut Tokens<'_>) -> Result<(Vec<Matcher>, Span), SyntaxError> {
    let open = tokens.expect(Kind::LeftBrace, CONTEXT, "\"{\"")?.span;
    let mut matchers = Vec::new();
    if let Some(close) = tokens.accept(Kind::RightBrace) {
        return Ok((matchers, open.to(close.span)));
    }
    loop {
        matchers.push(parse_matcher(tokens)?);
        let comma = tokens.accept(Kind::Comma).is_some();
        if let Some(close) = tokens.accept(Kind::RightBrace) {
            return Ok((matchers, open.to(close.span)));
        }
        if !comma {
            return Err(tokens.unexpected(CONTEXT, "\",\" or \"}\""));
        }
    }
}

fn parse_matcher(tokens: &mut Tokens<'_>) -> Result<Matcher, SyntaxError> {
    let token = tokens.peek();
    let name = match token.kind {
        Kind::Identifier => tokens.text_of(token).to_owned(),
        Kind::String => unquote(tokens.text_of(token), token.span)?,
        _ => return Err(tokens.unexpected(CONTEXT, "identifier or \"}\"")),
    };
    tokens.advance();
    let op = match tokens.peek_operator() {
        Some("=") => MatchOp::Equal,
        Some("!=") => MatchOp::NotEqual,
        Some("=~") => MatchOp::Regex,
        Some("!~") => MatchOp::NotRegex,
        _ if token.kind == Kind::String => return Ok(Matcher::equal(METRIC_NAME, &name)),
        _ => return Err(tokens.unexpected(CONTEXT, "label matching operator")),
    };
    tokens.advance();
    let value = tokens.expect(Kind::String, CONTEXT, "string")?;
    let text = unquote(tokens.text_of(value), value.span)?;
    Matcher::new(op, &name, &text).map_err(|e| SyntaxError::new(token.span.to(value.span), e.to_string()))
}
