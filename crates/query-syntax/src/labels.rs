//! Lists of label names in parentheses, as in `by (job, "service.name")`.

use crate::{Kind, SyntaxError, Tokens, unquote};
use model::quote;

const CONTEXT: &str = "grouping opts";

/// Parses `(a, "b", c)`; a comma may follow the last name. `is_label` says which
/// keywords may be label names here.
pub fn parse_label_list(
    tokens: &mut Tokens<'_>,
    is_label: fn(&str) -> bool,
) -> Result<Vec<String>, SyntaxError> {
    tokens.expect(Kind::LeftParen, CONTEXT, "\"(\"")?;
    let mut labels = Vec::new();
    if tokens.accept(Kind::RightParen).is_some() {
        return Ok(labels);
    }
    loop {
        labels.push(parse_label(tokens, is_label)?);
        let comma = tokens.accept(Kind::Comma).is_some();
        if tokens.accept(Kind::RightParen).is_some() {
            return Ok(labels);
        }
        if !comma {
            return Err(tokens.unexpected(CONTEXT, "\",\" or \")\""));
        }
    }
}

fn parse_label(tokens: &mut Tokens<'_>, is_label: fn(&str) -> bool) -> Result<String, SyntaxError> {
    let token = tokens.peek();
    let text = tokens.text_of(token);
    if token.kind == Kind::Identifier || (token.kind == Kind::Keyword && is_label(text)) {
        tokens.advance();
        return Ok(text.to_owned());
    }
    let token = tokens.expect(Kind::String, CONTEXT, "label")?;
    let label = unquote(tokens.text_of(token), token.span)?;
    if label.is_empty() {
        return Err(SyntaxError::new(
            token.span,
            format!("invalid label name for grouping: {}", quote(&label)),
        ));
    }
    Ok(label)
}
