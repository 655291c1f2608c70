//! Tokens of PromQL. What a character means depends on the brackets around it.

use super::keyword::Keyword;
use model::quote_char;
use query_syntax::{Cursor, Kind, SyntaxError, Token, scan_duration, scan_number, scan_string};

/// The tokens of a query up to its end or to its first error.
pub fn tokenize(query: &str) -> (Vec<Token>, Option<SyntaxError>) {
    let mut lexer = Lexer::new(query);
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

/// What the lexer is inside of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Expression,
    Braces,
    /// Between `[` and the first number, or behind a word such as `step()`.
    Duration,
    /// In `[…]` behind a number.
    BehindDuration,
}

struct Lexer<'q> {
    cursor: Cursor<'q>,
    place: Place,
    parens: usize,
    /// Something stands between `[` and here.
    got_duration: bool,
    got_colon: bool,
}

/// `None` is white space or a comment.
type Scanned = Result<Option<Kind>, SyntaxError>;

impl<'q> Lexer<'q> {
    fn new(query: &'q str) -> Self {
        Self {
            cursor: Cursor::new(query),
            place: Place::Expression,
            parens: 0,
            got_duration: false,
            got_colon: false,
        }
    }

    fn scan(&mut self) -> Scanned {
        if self.place != Place::Duration && self.cursor.accept(|c| c == '#') {
            self.cursor.accept_while(|c| !matches!(c, '\n' | '\r'));
            return Ok(None);
        }
        let Some(c) = self.cursor.bump() else { return self.end() };
        if matches!(c, ' ' | '\t' | '\n' | '\r') {
            return Ok(None);
        }
        match self.place {
            Place::Braces => self.in_braces(c),
            Place::Duration => self.in_duration(c),
            Place::Expression | Place::BehindDuration => self.in_expression(c),
        }
    }

    fn end(&mut self) -> Scanned {
        match self.place {
            Place::Braces => self.error("unexpected end of input inside braces"),
            Place::Duration => self.error("unexpected end of input in duration expression"),
            _ if self.parens > 0 => self.error("unclosed left parenthesis"),
            Place::BehindDuration => self.error("unclosed left bracket"),
            Place::Expression => Ok(Some(Kind::End)),
        }
    }

    fn in_expression(&mut self, c: char) -> Scanned {
        let kind = match c {
            ',' => Kind::Comma,
            '*' | '/' | '%' | '+' | '-' | '^' | '@' => Kind::Operator,
            '=' if self.cursor.accept(|c| c == '=') => Kind::Operator,
            '=' if self.cursor.peek() == Some('~') => {
                return self.error("unexpected character after '=': '~'");
            }
            '=' => Kind::Assign,
            '!' => match self.cursor.bump() {
                Some('=') => Kind::Operator,
                other => return self.error(format!("unexpected character after '!': {}", shown(other))),
            },
            '<' | '>' => {
                self.cursor.accept(|c| matches!(c, '=' | '/'));
                Kind::Operator
            }
            '"' | '\'' | '`' => self.string(c)?,
            '(' | ')' => return self.paren(c),
            '{' => {
                // Brackets and braces cannot be open at once: what follows is refused anyway.
                self.place = Place::Braces;
                Kind::LeftBrace
            }
            '[' if self.place == Place::BehindDuration => return self.error("unexpected left bracket '['"),
            '[' => {
                (self.place, self.got_duration, self.got_colon) = (Place::Duration, false, false);
                Kind::LeftBracket
            }
            ']' if self.place == Place::Expression => return self.error("unexpected right bracket ']'"),
            ']' => self.close_bracket(),
            c if self.starts_number(c) => return self.number(),
            c if self.place == Place::BehindDuration && (is_alpha(c) || c == ':') => {
                return self.behind_duration(c);
            }
            c if is_alpha(c) || c == ':' => self.word(),
            c => return self.error(format!("unexpected character: {}", quote_char(c))),
        };
        Ok(Some(kind))
    }

    fn in_braces(&mut self, c: char) -> Scanned {
        let kind = match c {
            ',' => Kind::Comma,
            '"' | '\'' | '`' => self.string(c)?,
            '=' if self.cursor.accept(|c| c == '~') => Kind::Operator,
            '=' => Kind::Assign,
            '!' => match self.cursor.bump() {
                Some('~' | '=') => Kind::Operator,
                other => {
                    let shown = shown(other);
                    return self.error(format!("unexpected character after '!' inside braces: {shown}"));
                }
            },
            '{' => return self.error("unexpected left brace '{'"),
            '}' => {
                self.place = Place::Expression;
                Kind::RightBrace
            }
            c if is_alpha(c) => {
                self.cursor.accept_while(is_alphanumeric);
                Kind::Identifier
            }
            c => return self.error(format!("unexpected character inside braces: {}", quote_char(c))),
        };
        Ok(Some(kind))
    }

    fn in_duration(&mut self, c: char) -> Scanned {
        let kind = match c {
            ']' => self.close_bracket(),
            ':' if !self.got_duration => {
                self.cursor.begin();
                return self.error("unexpected colon before duration in duration expression");
            }
            ':' if self.got_colon => {
                self.cursor.begin();
                return self.error("unexpected repeated colon in duration expression");
            }
            ':' => {
                self.got_colon = true;
                Kind::Colon
            }
            '(' | ')' => return self.paren(c),
            '+' | '-' | '*' | '/' | '%' | '^' => Kind::Operator,
            ',' => Kind::Comma,
            c if self.starts_number(c) => {
                self.place = Place::BehindDuration;
                return self.number();
            }
            c if self.duration_word(c) => {
                self.got_duration = true;
                Kind::Keyword
            }
            c => {
                return self.error(format!("unexpected character in duration expression: {}", quote_char(c)));
            }
        };
        Ok(Some(kind))
    }

    fn behind_duration(&mut self, c: char) -> Scanned {
        match c {
            ':' if self.got_colon => self.error("unexpected colon ':'"),
            ':' => {
                self.got_colon = true;
                Ok(Some(Kind::Colon))
            }
            c if self.duration_word(c) => Ok(Some(Kind::Keyword)),
            c => self.error(format!("unexpected character: {}, expected ':'", quote_char(c))),
        }
    }

    /// Reads over `step` and its like.
    fn duration_word(&mut self, first: char) -> bool {
        if !matches!(first, 's' | 'S' | 'r' | 'R' | 'm' | 'M') {
            return false;
        }
        self.cursor.accept_while(is_alpha);
        let keyword = Keyword::find(self.cursor.token());
        matches!(keyword, Some(Keyword::Step | Keyword::Range | Keyword::MaxOf | Keyword::MinOf))
    }

    fn close_bracket(&mut self) -> Kind {
        self.place = Place::Expression;
        Kind::RightBracket
    }

    fn paren(&mut self, c: char) -> Scanned {
        if c == '(' {
            self.parens += 1;
            return Ok(Some(Kind::LeftParen));
        }
        if self.parens == 0 {
            // Prometheus finds it behind the parenthesis.
            self.cursor.begin();
            return self.error("unexpected right parenthesis ')'");
        }
        self.parens -= 1;
        Ok(Some(Kind::RightParen))
    }

    fn string(&mut self, open: char) -> Result<Kind, SyntaxError> {
        scan_string(&mut self.cursor, open).map(|()| Kind::String)
    }

    /// Whether `c`, which has been read, begins a number.
    fn starts_number(&self, c: char) -> bool {
        c.is_ascii_digit() || (c == '.' && self.cursor.peek().is_some_and(|c| c.is_ascii_digit()))
    }

    /// Reads a number or duration of which the first character has been read.
    fn number(&mut self) -> Scanned {
        self.cursor.rewind();
        if scan_number(&mut self.cursor) {
            return Ok(Some(Kind::Number));
        }
        if scan_duration(&mut self.cursor) {
            return Ok(Some(Kind::Duration));
        }
        let token = model::quote(self.cursor.token());
        self.error(format!("bad number or duration syntax: {token}"))
    }

    fn word(&mut self) -> Kind {
        self.cursor.accept_while(|c| is_alphanumeric(c) || c == ':');
        let word = self.cursor.token();
        match Keyword::find(word) {
            Some(keyword) if keyword.is_fill() && !self.parenthesis_follows() => Kind::Identifier,
            Some(_) => Kind::Keyword,
            None if word.eq_ignore_ascii_case("inf") || word.eq_ignore_ascii_case("nan") => Kind::Number,
            None => Kind::Identifier,
        }
    }

    fn parenthesis_follows(&self) -> bool {
        self.cursor.rest().trim_start_matches([' ', '\t', '\n', '\r']).starts_with('(')
    }

    fn error<T>(&self, message: impl Into<String>) -> Result<T, SyntaxError> {
        Err(SyntaxError::new(self.cursor.span_to_end(), message))
    }
}

fn is_alpha(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

fn is_alphanumeric(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// A character, or the end of the query as Go prints it.
fn shown(c: Option<char>) -> String {
    quote_char(c.unwrap_or(char::REPLACEMENT_CHARACTER))
}
