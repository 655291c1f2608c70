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
        matchers.push(match metric_name(tokens)? {
            Some(name) => Matcher::equal(METRIC_NAME, &name),
            None => parse_matcher(tokens)?,
        });
        let comma = tokens.accept(Kind::Comma).is_some();
        if let Some(close) = tokens.accept(Kind::RightBrace) {
            return Ok((matchers, open.to(close.span)));
        }
        if !comma {
            return Err(tokens.unexpected(CONTEXT, "\",\" or \"}\""));
        }
    }
}

/// Takes a string that no operator follows.
fn metric_name(tokens: &mut Tokens<'_>) -> Result<Option<String>, SyntaxError> {
    let token = tokens.peek();
    if token.kind != Kind::String || match_op(tokens, 1).is_some() {
        return Ok(None);
    }
    tokens.advance();
    unquote(tokens.text_of(token), token.span).map(Some)
}

/// Parses one matcher, such as `job="a"` or `"service.name"=~"b.*"`.
pub fn parse_matcher(tokens: &mut Tokens<'_>) -> Result<Matcher, SyntaxError> {
    let token = tokens.peek();
    let name = match token.kind {
        Kind::Identifier => tokens.text_of(token).to_owned(),
        Kind::String => unquote(tokens.text_of(token), token.span)?,
        _ => return Err(tokens.unexpected(CONTEXT, "identifier or \"}\"")),
    };
    tokens.advance();
    let op = match_op(tokens, 0).ok_or_else(|| tokens.unexpected(CONTEXT, "label matching operator"))?;
    tokens.advance();
    let value = tokens.expect(Kind::String, CONTEXT, "string")?;
    let text = unquote(tokens.text_of(value), value.span)?;
    let matcher = Matcher::new(op, &name, &text).and_then(|matcher| {
        tokens.count_regex(matcher.regex_cost())?;
        Ok(matcher)
    });
    matcher.map_err(|e| SyntaxError::new(token.span.to(value.span), e.to_string()))
}

/// The operator of a matcher that stands `ahead` of the next token.
fn match_op(tokens: &Tokens<'_>, ahead: usize) -> Option<MatchOp> {
    let token = tokens.peek_at(ahead);
    if !matches!(token.kind, Kind::Operator | Kind::Assign) {
        return None;
    }
    [MatchOp::Equal, MatchOp::NotEqual, MatchOp::Regex, MatchOp::NotRegex]
        .into_iter()
        .find(|op| op.as_str() == tokens.text_of(token))
}

/// Whether at least one matcher refuses the empty value, as Prometheus and Loki ask of
/// selectors, lest a slip of the pen select everything there is.
pub fn selects_something(matchers: &[Matcher]) -> bool {
    matchers.iter().any(|matcher| !matcher.matches_empty())
}
