//! A place in the text of a query, from which a lexer reads on.

use crate::Span;

/// Reads characters and marks where the current token began.
#[derive(Clone, Debug)]
pub struct Cursor<'q> {
    text: &'q str,
    at: usize,
    start: usize,
}

impl<'q> Cursor<'q> {
    pub fn new(text: &'q str) -> Self {
        Self { text, at: 0, start: 0 }
    }

    /// What has not been read.
    pub fn rest(&self) -> &'q str {
        &self.text[self.at..]
    }

    pub fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// Reads on if the next character is as wanted.
    pub fn accept(&mut self, wanted: impl Fn(char) -> bool) -> bool {
        match self.peek() {
            Some(next) if wanted(next) => {
                self.at += next.len_utf8();
                true
            }
            _ => false,
        }
    }

    /// Reads over all characters that are as wanted.
    pub fn accept_while(&mut self, wanted: impl Fn(char) -> bool) {
        while self.accept(&wanted) {}
    }

    /// Lets a token begin here.
    pub fn begin(&mut self) {
        self.start = self.at;
    }

    /// Goes back to where the token began.
    pub fn rewind(&mut self) {
        self.at = self.start;
    }

    /// The text of the token so far.
    pub fn token(&self) -> &'q str {
        &self.text[self.start..self.at]
    }

    /// The range of the token so far.
    pub fn span(&self) -> Span {
        Span::new(self.start, self.at)
    }

    /// From the start of the token to the end of the query: the range of a lexer's error.
    pub fn span_to_end(&self) -> Span {
        Span::new(self.start, self.text.len())
    }
}
