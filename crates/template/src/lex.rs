//! Words of a template: text outside of `{{ }}`, and inside of it tokens.

use model::{quote, quote_char};
use std::borrow::Cow;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Error,
    Bool,
    Char,
    CharConstant,
    Assign,
    Declare,
    Eof,
    Field,
    Identifier,
    LeftDelim,
    LeftParen,
    Number,
    Pipe,
    RawString,
    RightDelim,
    RightParen,
    Space,
    String,
    Text,
    Variable,
    Dot,
    Keyword,
}

#[derive(Clone, Debug)]
pub struct Item<'t> {
    pub kind: Kind,
    pub pos: usize,
    pub text: Cow<'t, str>,
    pub line: usize,
}

impl Item<'_> {
    pub fn is_keyword(&self, word: &str) -> bool {
        self.kind == Kind::Keyword && self.text == word
    }

    /// As errors show it.
    pub fn shown(&self) -> String {
        match self.kind {
            Kind::Eof => "EOF".to_owned(),
            Kind::Error => self.text.clone().into_owned(),
            Kind::Keyword | Kind::Dot => format!("<{}>", self.text),
            _ if self.text.len() > 10 => {
                format!("{}...", quote(&self.text.chars().take(10).collect::<String>()))
            }
            _ => quote(&self.text),
        }
    }
}

const KEYWORDS: [&str; 11] =
    ["block", "break", "continue", "define", "else", "end", "if", "nil", "range", "template", "with"];
const SPACES: [char; 4] = [' ', '\t', '\r', '\n'];

pub struct Lexer<'t> {
    text: &'t str,
    at: usize,
    start: usize,
    line: usize,
    inside_action: bool,
    parens: usize,
}

impl<'t> Lexer<'t> {
    pub fn new(text: &'t str) -> Self {
        Self { text, at: 0, start: 0, line: 1, inside_action: false, parens: 0 }
    }

    pub fn next_item(&mut self) -> Item<'t> {
        loop {
            let item = if self.inside_action { Some(self.action()) } else { self.outside() };
            if let Some(item) = item {
                return item;
            }
        }
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn accept(&mut self, set: &str) -> bool {
        let found = self.peek().is_some_and(|c| set.contains(c));
        if found {
            self.at += 1;
        }
        found
    }

    fn accept_run(&mut self, set: &str) {
        while self.accept(set) {}
    }

    fn item(&mut self, kind: Kind) -> Item<'t> {
        let text = &self.text[self.start..self.at];
        let item = Item { kind, pos: self.start, text: Cow::Borrowed(text), line: self.line };
        self.skip();
        item
    }

    /// Leaves out what was read.
    fn skip(&mut self) {
        self.line += self.text[self.start..self.at].matches('\n').count();
        self.start = self.at;
    }

    fn error(&mut self, message: impl Into<Cow<'t, str>>) -> Item<'t> {
        let item = Item { kind: Kind::Error, pos: self.start, text: message.into(), line: self.line };
        self.at = self.text.len();
        self.start = self.at;
        self.inside_action = false;
        item
    }

    /// Text, or the delimiter after it. `None` after a comment.
    fn outside(&mut self) -> Option<Item<'t>> {
        let Some(found) = self.rest().find("{{") else {
            self.at = self.text.len();
            let kind = if self.at > self.start { Kind::Text } else { Kind::Eof };
            return Some(self.item(kind));
        };
        if found == 0 {
            return self.left_delimiter();
        }
        let delimiter = self.at + found;
        let mut text = &self.text[self.at..delimiter];
        if trims_left(&self.text[delimiter + 2..]) {
            text = text.trim_end_matches(SPACES);
        }
        self.at += text.len();
        let item = self.item(Kind::Text);
        self.at = delimiter;
        self.skip();
        (!item.text.is_empty()).then_some(item)
    }

    fn left_delimiter(&mut self) -> Option<Item<'t>> {
        self.at += 2;
        let marker = if trims_left(self.rest()) { 2 } else { 0 };
        if self.text[self.at + marker..].starts_with("/*") {
            self.at += marker;
            self.skip();
            return self.comment();
        }
        let item = self.item(Kind::LeftDelim);
        self.inside_action = true;
        self.at += marker;
        self.skip();
        self.parens = 0;
        Some(item)
    }

    fn comment(&mut self) -> Option<Item<'t>> {
        self.at += 2;
        let Some(end) = self.rest().find("*/") else { return Some(self.error("unclosed comment")) };
        self.at += end + 2;
        let Some(trims) = self.right_delimiter_here() else {
            return Some(self.error("comment ends before closing delimiter"));
        };
        self.at += if trims { 4 } else { 2 };
        self.trim_after(trims);
        self.skip();
        None
    }

    fn trim_after(&mut self, trims: bool) {
        if trims {
            self.at += self.rest().len() - self.rest().trim_start_matches(SPACES).len();
        }
    }

    /// Whether an action ends here, and if so, whether spaces after it go.
    fn right_delimiter_here(&self) -> Option<bool> {
        let rest = self.rest();
        if trims_right(rest) && rest[2..].starts_with("}}") {
            Some(true)
        } else {
            rest.starts_with("}}").then_some(false)
        }
    }

    fn right_delimiter(&mut self, trims: bool) -> Item<'t> {
        if trims {
            self.at += 2;
            self.skip();
        }
        self.at += 2;
        let item = self.item(Kind::RightDelim);
        self.trim_after(trims);
        self.skip();
        self.inside_action = false;
        item
    }

    fn action(&mut self) -> Item<'t> {
        if let Some(trims) = self.right_delimiter_here() {
            return if self.parens == 0 {
                self.right_delimiter(trims)
            } else {
                self.error("unclosed left paren")
            };
        }
        let Some(c) = self.bump() else { return self.error("unclosed action") };
        match c {
            ' ' | '\t' | '\r' | '\n' => self.space(),
            '=' => self.item(Kind::Assign),
            ':' if self.accept("=") => self.item(Kind::Declare),
            ':' => self.error("expected :="),
            '|' => self.item(Kind::Pipe),
            '"' => self.quoted('"', Kind::String, "unterminated quoted string"),
            '\'' => self.quoted('\'', Kind::CharConstant, "unterminated character constant"),
            '`' => match self.rest().find('`') {
                Some(end) => {
                    self.at += end + 1;
                    self.item(Kind::RawString)
                }
                None => self.error("unterminated raw quoted string"),
            },
            '$' => self.named(Kind::Variable, Kind::Variable),
            '.' if !self.peek().is_some_and(|c| c.is_ascii_digit()) => self.named(Kind::Dot, Kind::Field),
            '.' | '+' | '-' | '0'..='9' => {
                self.at -= 1;
                self.number()
            }
            c if is_alphanumeric(c) => self.identifier(),
            '(' => {
                self.parens += 1;
                self.item(Kind::LeftParen)
            }
            ')' if self.parens == 0 => self.error("unexpected right paren"),
            ')' => {
                self.parens -= 1;
                self.item(Kind::RightParen)
            }
            ' '..='~' => self.item(Kind::Char),
            c => self.error(format!("unrecognized character in action: {}", code_point(c))),
        }
    }

    fn space(&mut self) -> Item<'t> {
        self.accept_run(" \t\r\n");
        // The last space may belong to the delimiter after it.
        let last = self.at - 1;
        if trims_right(&self.text[last..]) && self.text[last + 2..].starts_with("}}") {
            self.at = last;
            if last == self.start {
                return if self.parens == 0 {
                    self.right_delimiter(true)
                } else {
                    self.error("unclosed left paren")
                };
            }
        }
        self.item(Kind::Space)
    }

    fn quoted(&mut self, end: char, kind: Kind, problem: &'static str) -> Item<'t> {
        loop {
            let mut c = self.bump();
            if c == Some('\\') {
                c = self.bump().filter(|&c| c != '\n');
                if c.is_some() {
                    continue;
                }
            }
            match c {
                None | Some('\n') => return self.error(problem),
                Some(c) if c == end => return self.item(kind),
                Some(_) => {}
            }
        }
    }

    /// A name after a dot or a dollar sign that has been read.
    fn named(&mut self, bare: Kind, kind: Kind) -> Item<'t> {
        if self.at_terminator() {
            return self.item(bare);
        }
        self.name(kind)
    }

    fn name(&mut self, kind: Kind) -> Item<'t> {
        while self.peek().is_some_and(is_alphanumeric) {
            self.bump();
        }
        if self.at_terminator() {
            return self.item(kind);
        }
        let next = self.peek().unwrap_or_default();
        self.error(format!("bad character {}", code_point(next)))
    }

    fn identifier(&mut self) -> Item<'t> {
        let mut item = self.name(Kind::Identifier);
        if item.kind == Kind::Identifier {
            item.kind = match &*item.text {
                word if KEYWORDS.contains(&word) => Kind::Keyword,
                "true" | "false" => Kind::Bool,
                _ => Kind::Identifier,
            };
        }
        item
    }

    fn at_terminator(&self) -> bool {
        match self.peek() {
            None | Some(' ' | '\t' | '\r' | '\n' | '.' | ',' | '|' | ':' | ')' | '(') => true,
            Some(_) => self.rest().starts_with("}}"),
        }
    }

    fn number(&mut self) -> Item<'t> {
        if self.scan_number() && !matches!(self.peek(), Some('+' | '-')) {
            return self.item(Kind::Number);
        }
        self.bump();
        self.error(format!("bad number syntax: {}", quote(&self.text[self.start..self.at])))
    }

    fn scan_number(&mut self) -> bool {
        self.accept("+-");
        let mut digits = "0123456789_";
        if self.accept("0") {
            if self.accept("xX") {
                digits = "0123456789abcdefABCDEF_";
            } else if self.accept("oO") {
                digits = "01234567_";
            } else if self.accept("bB") {
                digits = "01_";
            }
        }
        self.accept_run(digits);
        if self.accept(".") {
            self.accept_run(digits);
        }
        if (digits.len() == 11 && self.accept("eE")) || (digits.len() == 23 && self.accept("pP")) {
            self.accept("+-");
            self.accept_run("0123456789_");
        }
        !self.peek().is_some_and(is_alphanumeric)
    }
}

fn trims_left(text: &str) -> bool {
    text.starts_with('-') && text[1..].starts_with(SPACES)
}

fn trims_right(text: &str) -> bool {
    text.starts_with(SPACES) && text[1..].starts_with('-')
}

fn is_alphanumeric(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// As Go's `%#U`.
fn code_point(c: char) -> String {
    let quoted = quote_char(c);
    let printable = !quoted.starts_with("'\\") || matches!(c, '\'' | '\\');
    let shown = if printable { format!(" '{c}'") } else { String::new() };
    format!("U+{:04X}{shown}", u32::from(c))
}
