//! Tokens of LogQL.

use super::{
    keyword::{Keyword, continues_word, starts_word},
    literal::{is_bytes, parse_nanos},
};
use model::{quote, quote_char};
use query_syntax::{Cursor, Kind, SyntaxError, Token, scan_number, scan_string};

/// The tokens of a query up to its end or to its first error.
pub fn tokenize(query: &str) -> (Vec<Token>, Option<SyntaxError>) {
    let mut lexer = Lexer { cursor: Cursor::new(query), in_range: false };
    let mut tokens = Vec::new();
    loop {
        lexer.cursor.begin();
        match lexer.scan() {
            Ok(Some(Kind::End)) => return (tokens, None),
            Ok(Some(kind)) => tokens.push(Token { kind, span: lexer.cursor.span() }),
            Ok(None) => {}
            Err(error) => return (tokens, Some(error)),
        }
    }
}

struct Lexer<'q> {
    cursor: Cursor<'q>,
    /// An opening bracket has just been read.
    in_range: bool,
}

/// `None` is white space or a comment.
type Scanned = Result<Option<Kind>, SyntaxError>;

impl Lexer<'_> {
    fn scan(&mut self) -> Scanned {
        if std::mem::take(&mut self.in_range) {
            return self.range();
        }
        let Some(c) = self.cursor.bump() else { return Ok(Some(Kind::End)) };
        let kind = match c {
            ' ' | '\t' | '\n' | '\r' => return Ok(None),
            '#' => return self.line_comment(),
            // Loki's scanner is that of Go, comments included.
            '/' if self.cursor.accept(|c| c == '/') => return self.line_comment(),
            '/' if self.cursor.accept(|c| c == '*') => return self.block_comment(),
            '(' => Kind::LeftParen,
            ')' => Kind::RightParen,
            '{' => Kind::LeftBrace,
            '}' => Kind::RightBrace,
            '[' => {
                self.in_range = true;
                Kind::LeftBracket
            }
            ']' => Kind::RightBracket,
            ',' => Kind::Comma,
            '"' | '`' => return scan_string(&mut self.cursor, c).map(|()| Some(Kind::String)),
            '=' if self.cursor.accept(|c| matches!(c, '=' | '~')) => Kind::Operator,
            '=' => Kind::Assign,
            '!' if self.cursor.accept(|c| matches!(c, '=' | '~' | '>')) => Kind::Operator,
            '|' => {
                self.cursor.accept(|c| matches!(c, '=' | '~' | '>'));
                Kind::Operator
            }
            '<' | '>' => {
                self.cursor.accept(|c| c == '=');
                Kind::Operator
            }
            '-' => self.minus(),
            '+' | '*' | '/' | '%' | '^' => Kind::Operator,
            c if self.starts_number(c) => return self.number(),
            c if starts_word(c) => self.word(),
            c => return self.error(format!("unexpected character: {}", quote_char(c))),
        };
        Ok(Some(kind))
    }

    /// Reads what stands between brackets.
    fn range(&mut self) -> Scanned {
        self.cursor.accept_while(|c| c != ']');
        match self.cursor.peek() {
            Some(_) => Ok(Some(Kind::Duration)),
            None => self.error("missing closing ']' in duration"),
        }
    }

    fn line_comment(&mut self) -> Scanned {
        self.cursor.accept_while(|c| c != '\n');
        Ok(None)
    }

    fn block_comment(&mut self) -> Scanned {
        loop {
            self.cursor.accept_while(|c| c != '*');
            if self.cursor.bump().is_none() {
                return self.error("comment not terminated");
            }
            if self.cursor.accept(|c| c == '/') {
                return Ok(None);
            }
        }
    }

    /// Reads a flag, a negative duration, or the operator.
    fn minus(&mut self) -> Kind {
        let operator = self.cursor.clone();
        if self.cursor.accept(|c| c == '-') {
            self.cursor.accept_while(|c| c.is_ascii_alphabetic() || c == '-');
            if Keyword::find(self.cursor.token()).is_some() {
                return Kind::Keyword;
            }
        } else {
            self.unit_word();
            if parse_nanos(self.cursor.token()).is_some_and(|nanos| nanos != 0) {
                return Kind::Duration;
            }
        }
        self.cursor = operator;
        Kind::Operator
    }

    /// Whether `c`, which has been read, begins a number.
    fn starts_number(&self, c: char) -> bool {
        c.is_ascii_digit() || (c == '.' && self.cursor.peek().is_some_and(|c| c.is_ascii_digit()))
    }

    /// Reads a number, duration or size of which the first character has been read.
    fn number(&mut self) -> Scanned {
        self.cursor.rewind();
        if scan_number(&mut self.cursor) && self.cursor.peek() != Some('µ') {
            return Ok(Some(Kind::Number));
        }
        self.cursor.rewind();
        self.unit_word();
        match self.cursor.token() {
            text if parse_nanos(text).is_some() => Ok(Some(Kind::Duration)),
            text if is_bytes(text) => Ok(Some(Kind::Bytes)),
            text => self.error(format!("bad number, duration or size: {}", quote(text))),
        }
    }

    fn unit_word(&mut self) {
        self.cursor.accept_while(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | 'µ'));
    }

    fn word(&mut self) -> Kind {
        self.cursor.accept_while(continues_word);
        match Keyword::find(self.cursor.token()) {
            Some(keyword) if keyword.is_function() && !call_follows(self.cursor.rest()) => Kind::Identifier,
            Some(_) => Kind::Keyword,
            None => Kind::Identifier,
        }
    }

    fn error<T>(&self, message: impl Into<String>) -> Result<T, SyntaxError> {
        Err(SyntaxError::new(self.cursor.span_to_end(), message))
    }
}

/// Whether `rest` begins with a parenthesis, or with `by` or `without` and one.
fn call_follows(rest: &str) -> bool {
    let rest = rest.trim_start();
    let behind = |word: &str| {
        let (head, tail) = rest.split_at_checked(word.len())?;
        head.eq_ignore_ascii_case(word).then(|| tail.trim_start())
    };
    behind("by").or_else(|| behind("without")).unwrap_or(rest).starts_with('(')
}
