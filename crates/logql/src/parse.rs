//! From the text of a query to its tree, checked.

mod aggregate;
mod binary;
mod keyword;
mod label_filter;
mod lexer;
mod line_filter;
mod literal;
mod operand;
mod range;
mod selector;
mod stage;

pub(crate) use binary::power;
pub(crate) use keyword::is_plain_name;

use crate::ast::{Expr, MetricExpr, Span};
use keyword::Keyword;
use model::Matcher;
use query_syntax::{Kind, SyntaxError, Tokens, climb, unquote};
use regex::Regex;
use std::fmt;

/// How deep a tree may get, counted along its longest branch; a chain of operators is as
/// deep as it is long. All recursion over a tree is bounded by this.
pub const MAX_DEPTH: usize = 256;

/// The longest query, in bytes. It is Loki's.
pub const MAX_LENGTH: usize = 128 << 10;

/// A query that is not valid. It is shown with line and column, in Loki's form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    pub span: Span,
    pub message: String,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in bytes.
    pub column: usize,
}

impl ParseError {
    fn new(query: &str, error: SyntaxError) -> Self {
        let (line, column) = error.span.line_column(query).unwrap_or((1, 1));
        Self { span: error.span, message: error.message, line, column }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "parse error at line {}, col {}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for ParseError {}

/// Parses a query and checks it.
pub fn parse(text: &str) -> Result<Expr, ParseError> {
    let parse = || {
        let mut parser = Parser::new(text)?;
        let expr = climb(&mut parser, 0)?.expr;
        parser.end()?;
        Ok(expr)
    };
    parse().map_err(|error| ParseError::new(text, error))
}

/// Parses a selector such as `{app="x"}` and nothing else. It may select everything; see
/// `query_syntax::selects_something`.
pub fn parse_matchers(text: &str) -> Result<Vec<Matcher>, ParseError> {
    let parse = || {
        let mut parser = Parser::new(text)?;
        let parens = (0..MAX_DEPTH).take_while(|_| parser.tokens.accept(Kind::LeftParen).is_some()).count();
        let matchers = parser.selector()?.0;
        for _ in 0..parens {
            parser.expect(Kind::RightParen, "\")\"")?;
        }
        match parser.tokens.peek().kind {
            Kind::End => parser.end().map(|()| matchers),
            _ => Err(parser.error_here("only label matchers are supported")),
        }
    };
    parse().map_err(|error| ParseError::new(text, error))
}

/// A tree and how deep it is.
struct Node<T> {
    expr: T,
    depth: usize,
}

struct Parser<'q> {
    tokens: Tokens<'q>,
}

impl<'q> Parser<'q> {
    fn new(query: &'q str) -> Result<Self, SyntaxError> {
        if query.len() >= MAX_LENGTH {
            let message = format!("input size too long ({} > {MAX_LENGTH})", query.len());
            return Err(SyntaxError::new(Span::default(), message));
        }
        let (tokens, failure) = lexer::tokenize(query);
        let tokens = Tokens::new(query, tokens, failure, MAX_DEPTH).with_keywords(model::quote);
        Ok(Self { tokens })
    }

    fn end(&self) -> Result<(), SyntaxError> {
        if self.tokens.peek().kind == Kind::End && !self.tokens.failed_here() {
            return Ok(());
        }
        Err(self.unexpected(""))
    }

    /// Compiles a regular expression; the error says why it cannot be.
    fn search_regex(&mut self, pattern: &str) -> Result<Regex, String> {
        let counted = self.tokens.count_regex(model::regex_cost(pattern));
        counted.and_then(|()| model::search_regex(pattern)).map_err(|error| error.to_string())
    }

    /// An error about the next token.
    fn unexpected(&self, expected: &str) -> SyntaxError {
        self.tokens.unexpected("", expected)
    }

    fn error_here(&self, message: impl Into<String>) -> SyntaxError {
        SyntaxError::new(self.tokens.peek().span, message)
    }

    fn expect(&mut self, kind: Kind, expected: &str) -> Result<Span, SyntaxError> {
        self.tokens.expect(kind, "", expected).map(|token| token.span)
    }

    /// The keyword that comes next.
    fn keyword(&self) -> Option<Keyword> {
        self.tokens.peek_keyword().and_then(Keyword::find)
    }

    fn accept_keyword(&mut self, keyword: Keyword) -> bool {
        let found = self.keyword() == Some(keyword);
        if found {
            self.tokens.advance();
        }
        found
    }

    fn name(&mut self) -> Result<String, SyntaxError> {
        let token = self.tokens.expect(Kind::Identifier, "", "label name")?;
        Ok(self.tokens.text_of(token).to_owned())
    }

    /// Takes a string, and answers what it stands for.
    fn string(&mut self) -> Result<(String, Span), SyntaxError> {
        let token = self.tokens.expect(Kind::String, "", "string")?;
        Ok((unquote(self.tokens.text_of(token), token.span)?, token.span))
    }

    /// From `start` to the end of what has been read.
    fn span_from(&self, start: Span) -> Span {
        Span { start: start.start, end: self.tokens.last().map_or(start.end, |token| token.span.end) }
    }

    /// A tree on top of others of which the deepest is `depth`.
    fn node<T>(&self, expr: T, depth: usize) -> Result<Node<T>, SyntaxError> {
        if depth >= MAX_DEPTH {
            return Err(self.tokens.too_deep());
        }
        Ok(Node { expr, depth: depth + 1 })
    }

    /// Parses an expression one level deeper.
    fn deeper(&mut self, min_power: u8) -> Result<Node<Expr>, SyntaxError> {
        Tokens::nested(self, |parser| climb(parser, min_power))
    }

    /// Parses a metric expression one level deeper.
    fn metric(&mut self) -> Result<Node<MetricExpr>, SyntaxError> {
        let node = self.deeper(0)?;
        match node.expr {
            Expr::Metric(expr) => Ok(Node { expr, depth: node.depth }),
            Expr::Logs(logs) => Err(SyntaxError::new(logs.span, "expected a metric query, got a log query")),
        }
    }
}

impl<'q> AsMut<Tokens<'q>> for Parser<'q> {
    fn as_mut(&mut self) -> &mut Tokens<'q> {
        &mut self.tokens
    }
}
