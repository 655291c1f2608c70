//! From the text of a query to its tree, with the types checked.

mod aggregate;
mod binary;
mod check;
mod duration;
mod keyword;
mod lexer;
mod operand;
mod postfix;

use crate::ast::{Expr, Span};
use model::Matcher;
use query_syntax::{Kind, SyntaxError, Tokens, climb, parse_matchers};
use std::fmt;

/// How deep a tree may get, counted along its longest branch; a chain of operators is as
/// deep as it is long. All recursion over a tree is bounded by this.
pub const MAX_DEPTH: usize = 256;

/// What to accept. The first four are Prometheus's feature flags of like name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseOptions {
    /// `promql-experimental-functions`
    pub experimental_functions: bool,
    /// `promql-duration-expr`
    pub duration_expr: bool,
    /// `promql-extended-range-selectors`
    pub extended_range_selectors: bool,
    /// `promql-binop-fill-modifiers`
    pub binop_fill_modifiers: bool,
    /// The longest query, in bytes.
    pub max_length: usize,
}

impl Default for ParseOptions {
    fn default() -> Self {
        Self {
            experimental_functions: false,
            // On in Prometheus since 3.14.
            duration_expr: true,
            extended_range_selectors: false,
            binop_fill_modifiers: false,
            max_length: 256 << 10,
        }
    }
}

impl ParseOptions {
    /// Everything that Prometheus can be told to accept.
    pub fn all_features() -> Self {
        Self {
            experimental_functions: true,
            extended_range_selectors: true,
            binop_fill_modifiers: true,
            ..Self::default()
        }
    }
}

/// A query that is not valid. It is shown with line and column, as Prometheus shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    pub span: Span,
    pub message: String,
    /// Line and column, from 1; `None` for an empty query.
    pub position: Option<(usize, usize)>,
}

impl ParseError {
    fn new(query: &str, error: SyntaxError) -> Self {
        let position = if query.is_empty() { None } else { error.span.line_column(query) };
        Self { span: error.span, message: error.message, position }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Some((line, column)) => write!(f, "{line}:{column}: parse error: {}", self.message),
            None => write!(f, "unknown position: parse error: {}", self.message),
        }
    }
}

impl std::error::Error for ParseError {}

/// Parses a query and checks its types.
pub fn parse(query: &str, options: ParseOptions) -> Result<Expr, ParseError> {
    parse_expression(query, options).map_err(|error| ParseError::new(query, error))
}

/// Parses a series selector such as `up{job="node"}`, without modifiers. It may select
/// everything; see `selects_something`.
pub fn parse_metric_selector(selector: &str) -> Result<Vec<Matcher>, ParseError> {
    parse_selector(selector).map_err(|error| ParseError::new(selector, error))
}

fn parse_expression(query: &str, options: ParseOptions) -> Result<Expr, SyntaxError> {
    let mut parser = Parser::new(query, options)?;
    if parser.tokens.peek().kind == Kind::End && !parser.tokens.failed_here() {
        return Err(SyntaxError::new(Span::default(), "no expression found in input"));
    }
    let mut expr = climb(&mut parser, 0)?.expr;
    parser.end()?;
    check::check(&mut expr, query)?;
    Ok(expr)
}

fn parse_selector(selector: &str) -> Result<Vec<Matcher>, SyntaxError> {
    let mut parser = Parser::new(selector, ParseOptions::default())?;
    let expr = match parser.tokens.peek().kind {
        Kind::LeftBrace => parse_matchers(&mut parser.tokens)?.0,
        _ => parser.named_selector()?.matchers,
    };
    parser.end()?;
    Ok(expr)
}

/// A tree and how deep it is.
struct Node {
    expr: Expr,
    depth: usize,
}

struct Parser<'q> {
    tokens: Tokens<'q>,
    options: ParseOptions,
    /// What an unexpected token is unexpected in, where nothing closer knows better.
    context: &'static str,
}

impl<'q> Parser<'q> {
    fn new(query: &'q str, options: ParseOptions) -> Result<Self, SyntaxError> {
        if query.len() > options.max_length {
            let message = format!(
                "query is too long: {} bytes, at most {} are allowed",
                query.len(),
                options.max_length
            );
            return Err(SyntaxError::new(Span::default(), message));
        }
        let (tokens, failure) = lexer::tokenize(query);
        let tokens = Tokens::new(query, tokens, failure, MAX_DEPTH).with_keywords(keyword::describe);
        Ok(Self { tokens, options, context: "" })
    }

    fn end(&mut self) -> Result<(), SyntaxError> {
        if self.tokens.peek().kind == Kind::End && !self.tokens.failed_here() {
            return Ok(());
        }
        Err(self.unexpected())
    }

    /// An error about the next token.
    fn unexpected(&self) -> SyntaxError {
        self.tokens.unexpected(self.context, "")
    }

    fn expect(&mut self, kind: Kind) -> Result<Span, SyntaxError> {
        self.tokens.expect(kind, self.context, "").map(|token| token.span)
    }

    /// The keyword that comes next.
    fn keyword(&self) -> Option<keyword::Keyword> {
        self.tokens.peek_keyword().and_then(keyword::Keyword::find)
    }

    /// The end of what has been read.
    fn last_end(&self) -> u32 {
        self.tokens.last().map_or(0, |token| token.span.end)
    }

    /// A tree on top of others of which the deepest is `depth`.
    fn node(&self, expr: Expr, depth: usize) -> Result<Node, SyntaxError> {
        if depth >= MAX_DEPTH {
            return Err(self.tokens.too_deep());
        }
        Ok(Node { expr, depth: depth + 1 })
    }

    /// Parses an expression one level deeper.
    fn deeper(&mut self, min_power: u8) -> Result<Node, SyntaxError> {
        Tokens::nested(self, |parser| climb(parser, min_power))
    }

    /// Runs `parse` with another context for errors.
    fn within<T>(
        &mut self,
        context: &'static str,
        parse: impl FnOnce(&mut Self) -> Result<T, SyntaxError>,
    ) -> Result<T, SyntaxError> {
        let outer = std::mem::replace(&mut self.context, context);
        let result = parse(self);
        self.context = outer;
        result
    }
}

impl<'q> AsMut<Tokens<'q>> for Parser<'q> {
    fn as_mut(&mut self) -> &mut Tokens<'q> {
        &mut self.tokens
    }
}
