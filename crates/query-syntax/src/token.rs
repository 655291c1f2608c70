//! Tokens, and the stream of them that a parser reads.

use crate::{Span, SyntaxError};
use model::{RegexCosts, RegexError, quote};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    End,
    Identifier,
    /// A word that the language gives a meaning where it stands.
    Keyword,
    Number,
    Duration,
    /// A size such as `5KB`.
    Bytes,
    String,
    LeftParen,
    RightParen,
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    Comma,
    Colon,
    /// `=`
    Assign,
    /// Any other operator that is no word.
    Operator,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    pub kind: Kind,
    pub span: Span,
}

/// The tokens of a query, read one after the other.
#[derive(Debug)]
pub struct Tokens<'q> {
    text: &'q str,
    tokens: Vec<Token>,
    next: usize,
    /// What stopped the lexer. It is reported when the parser comes there.
    failure: Option<SyntaxError>,
    depth: usize,
    max_depth: usize,
    /// How an error shows a keyword.
    describe_keyword: fn(&str) -> String,
    /// What the regular expressions cost that have been read.
    regexes: RegexCosts,
}

impl<'q> Tokens<'q> {
    /// A stream of `tokens`, of which none is `Kind::End`. Nesting is bounded by `max_depth`.
    pub fn new(text: &'q str, tokens: Vec<Token>, failure: Option<SyntaxError>, max_depth: usize) -> Self {
        Self {
            text,
            tokens,
            next: 0,
            failure,
            depth: 0,
            max_depth,
            describe_keyword: |word| format!("<{word}>"),
            regexes: RegexCosts::default(),
        }
    }

    pub fn with_keywords(mut self, describe_keyword: fn(&str) -> String) -> Self {
        self.describe_keyword = describe_keyword;
        self
    }

    pub fn peek(&self) -> Token {
        self.peek_at(0)
    }

    /// The token `ahead` of the next one.
    pub fn peek_at(&self, ahead: usize) -> Token {
        let end = Token { kind: Kind::End, span: Span::new(self.text.len(), self.text.len()) };
        self.tokens.get(self.next + ahead).copied().unwrap_or(end)
    }

    pub fn advance(&mut self) -> Token {
        let token = self.peek();
        self.next += usize::from(token.kind != Kind::End);
        token
    }

    /// Whether the next token is the one that the lexer could not read.
    pub fn failed_here(&self) -> bool {
        self.next == self.tokens.len() && self.failure.is_some()
    }

    /// The token that was read last.
    pub fn last(&self) -> Option<Token> {
        self.next.checked_sub(1).and_then(|at| self.tokens.get(at)).copied()
    }

    pub fn text_of(&self, token: Token) -> &'q str {
        self.text.get(token.span.start as usize..token.span.end as usize).unwrap_or("")
    }

    /// The text of the next token if it is a keyword.
    pub fn peek_keyword(&self) -> Option<&'q str> {
        let token = self.peek();
        (token.kind == Kind::Keyword).then(|| self.text_of(token))
    }

    /// The text of the next token if it is an operator.
    pub fn peek_operator(&self) -> Option<&'q str> {
        let token = self.peek();
        matches!(token.kind, Kind::Operator | Kind::Assign).then(|| self.text_of(token))
    }

    pub fn accept(&mut self, kind: Kind) -> Option<Token> {
        (self.peek().kind == kind).then(|| self.advance())
    }

    /// Takes a token of that kind, or says what was expected instead.
    pub fn expect(&mut self, kind: Kind, context: &str, expected: &str) -> Result<Token, SyntaxError> {
        self.accept(kind).ok_or_else(|| self.unexpected(context, expected))
    }

    /// An error about the next token: `unexpected … in {context}, expected {expected}`.
    pub fn unexpected(&self, context: &str, expected: &str) -> SyntaxError {
        let token = self.peek();
        if let (Kind::End, Some(failure)) = (token.kind, &self.failure) {
            return failure.clone();
        }
        let mut message = format!("unexpected {}", self.describe(token));
        if !context.is_empty() {
            message.push_str(" in ");
            message.push_str(context);
        }
        if !expected.is_empty() {
            message.push_str(", expected ");
            message.push_str(expected);
        }
        SyntaxError::new(token.span, message)
    }

    fn describe(&self, token: Token) -> String {
        let text = self.text_of(token);
        match token.kind {
            Kind::End => "end of input".to_owned(),
            Kind::Keyword => (self.describe_keyword)(text),
            Kind::Identifier if text.contains(':') => format!("metric identifier {}", quote(text)),
            Kind::Identifier => format!("identifier {}", quote(text)),
            Kind::Operator => format!("<op:{text}>"),
            Kind::Number => format!("number {}", shortened(text)),
            Kind::Duration => format!("duration {}", shortened(text)),
            Kind::Bytes => format!("size {}", shortened(text)),
            Kind::String => format!("string {}", shortened(text)),
            _ => quote(text),
        }
    }

    /// Counts a regular expression of a known cost; an error if the query has too many.
    pub fn count_regex(&mut self, cost: usize) -> Result<(), RegexError> {
        self.regexes.add(cost)
    }

    /// Runs `parse` one level deeper, unless that is too deep.
    pub fn nested<T, S: AsMut<Self>>(
        this: &mut S,
        parse: impl FnOnce(&mut S) -> Result<T, SyntaxError>,
    ) -> Result<T, SyntaxError> {
        let tokens = this.as_mut();
        if tokens.depth >= tokens.max_depth {
            return Err(tokens.too_deep());
        }
        tokens.depth += 1;
        let result = parse(this);
        this.as_mut().depth -= 1;
        result
    }

    /// The error of a query that nests too deeply.
    pub fn too_deep(&self) -> SyntaxError {
        SyntaxError::new(
            self.peek().span,
            format!("query is nested too deeply, more than {} levels", self.max_depth),
        )
    }
}

/// Prometheus shows ten characters of long literals.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(10) {
        Some((end, _)) => format!("{}...", quote(&text[..end])),
        None => quote(text),
    }
}
