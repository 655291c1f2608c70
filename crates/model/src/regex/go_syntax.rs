//! From Go's regular expressions to those of the regex crate.
//!
//! They are the same language but for details: `\d`, `\w`, `\s` and `\b` are ASCII in Go,
//! classes know no nesting, `{` may stand for itself, some escapes exist on one side only.
//! The rules are those of <https://pkg.go.dev/regexp/syntax>, and so are the errors.

use crate::matcher::RegexError;
use std::fmt::Write;

/// Go refuses to repeat more often.
const MAX_REPEAT: u32 = 1000;

/// Classes such as `\p{Greek}` are large; a pattern made of nothing else would fill memory.
const MAX_UNICODE_CLASSES: usize = 100;

pub fn error(reason: &str) -> RegexError {
    RegexError(format!("error parsing regexp: {reason}"))
}

/// What groups do in what comes out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Groups {
    /// Nothing: to match is all that is asked for, and that is cheaper.
    Plain,
    /// They capture, by number and name.
    Capture,
}

/// Rewrites `pattern`.
pub fn translate(pattern: &str, groups: Groups) -> Result<String, RegexError> {
    let mut translator = Translator {
        pattern,
        groups,
        at: 0,
        out: String::with_capacity(pattern.len() + 16),
        open_groups: 0,
        unicode_classes: 0,
        names: Vec::new(),
        last: Last::Nothing,
    };
    while let Some(c) = translator.bump() {
        translator.element(c)?;
    }
    if translator.open_groups > 0 {
        return Err(translator.missing_paren());
    }
    Ok(translator.out)
}

/// What stands before the place where a repetition may stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Nothing,
    Item,
    /// A repetition that began here.
    Repetition(usize),
}

struct Translator<'p> {
    pattern: &'p str,
    groups: Groups,
    at: usize,
    out: String,
    open_groups: usize,
    unicode_classes: usize,
    names: Vec<&'p str>,
    last: Last,
}

/// An escape outside of what is special to its place.
enum Escape {
    Char(char),
    /// The inside of a class, such as `0-9`, and whether it is negated.
    Ranges(&'static str, bool),
    /// `\p{…}` as the regex crate takes it.
    Unicode(String),
}

impl<'p> Translator<'p> {
    fn rest(&self) -> &'p str {
        &self.pattern[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn take(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    fn element(&mut self, c: char) -> Result<(), RegexError> {
        let start = self.at - c.len_utf8();
        match c {
            '\\' => self.escape(start)?,
            '[' => self.class(start)?,
            '(' => return self.group(start),
            ')' if self.open_groups == 0 => {
                return Err(error(&format!("unexpected ): `{}`", self.pattern)));
            }
            ')' => {
                self.open_groups -= 1;
                self.out.push(')');
            }
            '|' => {
                self.out.push('|');
                self.last = Last::Nothing;
                return Ok(());
            }
            '*' | '+' | '?' => return self.repetition(start, c.to_string()),
            '{' => {
                if let Some(bounds) = self.bounds(start)? {
                    return self.repetition(start, bounds);
                }
                self.out.push_str("\\{");
            }
            '.' | '^' | '$' => self.out.push(c),
            c => self.literal(c),
        }
        self.last = Last::Item;
        Ok(())
    }

    fn literal(&mut self, c: char) {
        self.out.push_str(&regex_syntax::escape(c.encode_utf8(&mut [0; 4])));
    }

    fn repetition(&mut self, start: usize, mut op: String) -> Result<(), RegexError> {
        if self.take("?") {
            op.push('?');
        }
        let text = |from: usize| &self.pattern[from..self.at];
        match self.last {
            Last::Nothing => {
                Err(error(&format!("missing argument to repetition operator: `{}`", text(start))))
            }
            Last::Repetition(before) => {
                Err(error(&format!("invalid nested repetition operator: `{}`", text(before))))
            }
            Last::Item => {
                self.out.push_str(&op);
                self.last = Last::Repetition(start);
                Ok(())
            }
        }
    }

    /// Reads `n}`, `n,}` or `n,m}`; `None` where the brace stands for itself.
    fn bounds(&mut self, start: usize) -> Result<Option<String>, RegexError> {
        let Some((inside, _)) = self.rest().split_once('}') else { return Ok(None) };
        let (min, max) = match inside.split_once(',') {
            Some((min, max)) => (min, max),
            None => (inside, inside),
        };
        let is_number = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|b| b.is_ascii_digit())
                && (text == "0" || !text.starts_with('0'))
        };
        if !is_number(min) || !(max.is_empty() || is_number(max)) {
            return Ok(None);
        }
        self.at += inside.len() + 1;
        let number = |text: &str| text.parse::<u32>().ok().filter(|n| *n <= MAX_REPEAT);
        let good = match (number(min), number(max)) {
            (Some(_), None) => max.is_empty(),
            (Some(min), Some(max)) => min <= max,
            (None, _) => false,
        };
        if !good {
            return Err(error(&format!("invalid repeat count: `{}`", &self.pattern[start..self.at])));
        }
        Ok(Some(format!("{{{inside}}}")))
    }

    fn group(&mut self, start: usize) -> Result<(), RegexError> {
        self.last = Last::Nothing;
        if !self.take("?") {
            self.open_groups += 1;
            self.out.push_str(if self.groups == Groups::Plain { "(?:" } else { "(" });
            return Ok(());
        }
        if self.take("P<")
            || (!self.rest().starts_with("<=") && !self.rest().starts_with("<!") && self.take("<"))
        {
            return self.named_group(start);
        }
        let (mut flags, mut negative, mut seen) = (String::new(), false, false);
        while let Some(c) = self.bump() {
            match c {
                'i' | 'm' | 's' | 'U' => {
                    seen = true;
                    if !flags.ends_with(c) {
                        flags.push(c);
                    }
                }
                '-' if !negative => {
                    (negative, seen) = (true, false);
                    flags.push('-');
                }
                ':' | ')' if !negative || seen => {
                    self.open_groups += usize::from(c == ':');
                    if c == ':' || !flags.is_empty() {
                        let _ = write!(self.out, "(?{flags}{c}");
                    }
                    return Ok(());
                }
                _ => break,
            }
        }
        Err(error(&format!("invalid or unsupported Perl syntax: `{}`", &self.pattern[start..self.at])))
    }

    fn named_group(&mut self, start: usize) -> Result<(), RegexError> {
        let invalid = |text: &str| error(&format!("invalid named capture: `{text}`"));
        let Some((name, _)) = self.rest().split_once('>') else {
            return Err(invalid(&self.pattern[start..]));
        };
        self.at += name.len() + 1;
        let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        if name.is_empty() || !name.bytes().all(is_word) {
            return Err(invalid(&self.pattern[start..self.at]));
        }
        if self.names.contains(&name) {
            return Err(error(&format!("duplicate capture group name: `{name}`")));
        }
        self.names.push(name);
        self.open_groups += 1;
        match self.groups {
            Groups::Plain => self.out.push_str("(?:"),
            // The regex crate wants no digit first; such a group has its number only.
            Groups::Capture if name.starts_with(|c: char| c.is_ascii_digit()) => self.out.push('('),
            Groups::Capture => self.out.extend(["(?P<", name, ">"]),
        }
        Ok(())
    }

    /// An escape outside of classes.
    fn escape(&mut self, start: usize) -> Result<(), RegexError> {
        match self.peek() {
            Some('Q') => {
                self.at += 1;
                let (text, closed) = match self.rest().split_once("\\E") {
                    Some((text, _)) => (text, 2),
                    None => (self.rest(), 0),
                };
                self.at += text.len() + closed;
                self.out.push_str(&regex_syntax::escape(text));
                return Ok(());
            }
            Some(c @ ('A' | 'z')) => {
                self.at += 1;
                self.out.extend(['\\', c]);
                return Ok(());
            }
            Some(c @ ('b' | 'B')) => {
                self.at += 1;
                let _ = write!(self.out, "(?-u:\\{c})");
                return Ok(());
            }
            _ => {}
        }
        match self.class_escape(start)? {
            Escape::Char(c) => self.literal(c),
            Escape::Ranges(ranges, false) => drop(write!(self.out, "[{ranges}]")),
            Escape::Ranges(ranges, true) => drop(write!(self.out, "[^{ranges}]")),
            Escape::Unicode(class) => self.out.push_str(&class),
        }
        Ok(())
    }

    /// An escape that may stand in classes too; its backslash has been read.
    fn class_escape(&mut self, start: usize) -> Result<Escape, RegexError> {
        let Some(c) = self.bump() else { return Err(error("trailing backslash at end of expression: ``")) };
        Ok(match c {
            'd' | 'D' => Escape::Ranges("0-9", c == 'D'),
            'w' | 'W' => Escape::Ranges("0-9A-Za-z_", c == 'W'),
            's' | 'S' => Escape::Ranges("\\t\\n\\x0C\\r ", c == 'S'),
            'p' | 'P' => self.unicode_class(start, c == 'P')?,
            '0'..='7' => self.octal(start, c)?,
            'x' => self.hexadecimal(start)?,
            'a' => Escape::Char('\x07'),
            'f' => Escape::Char('\x0c'),
            'n' => Escape::Char('\n'),
            'r' => Escape::Char('\r'),
            't' => Escape::Char('\t'),
            'v' => Escape::Char('\x0b'),
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => Escape::Char(c),
            _ => return Err(self.invalid_escape(start)),
        })
    }

    /// `\1` alone would be a back reference, which there is none of.
    fn octal(&mut self, start: usize, first: char) -> Result<Escape, RegexError> {
        let is_octal = |c: Option<char>| c.and_then(|c| c.to_digit(8));
        if first != '0' && is_octal(self.peek()).is_none() {
            return Err(self.invalid_escape(start));
        }
        let mut code = u32::from(first) - u32::from('0');
        for _ in 0..2 {
            let Some(digit) = is_octal(self.peek()) else { break };
            code = code * 8 + digit;
            self.at += 1;
        }
        char::from_u32(code).map(Escape::Char).ok_or_else(|| self.invalid_escape(start))
    }

    /// `7F` or `{10FFFF}` behind `\x`.
    fn hexadecimal(&mut self, start: usize) -> Result<Escape, RegexError> {
        let rest = self.rest();
        let (digits, length) = match rest.strip_prefix('{') {
            Some(inside) => inside.split_once('}').map_or(("", 0), |(digits, _)| (digits, digits.len() + 2)),
            None => (rest.get(..2).unwrap_or(""), 2),
        };
        let good = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
        let code = if good { u32::from_str_radix(digits, 16).ok() } else { None };
        let c = code.and_then(char::from_u32).ok_or_else(|| self.invalid_escape(start))?;
        self.at += length;
        Ok(Escape::Char(c))
    }

    fn unicode_class(&mut self, start: usize, negated: bool) -> Result<Escape, RegexError> {
        self.unicode_classes += 1;
        if self.unicode_classes > MAX_UNICODE_CLASSES {
            return Err(error("expression too large"));
        }
        let name = if self.take("{") {
            let (name, _) = self.rest().split_once('}').ok_or_else(|| self.invalid_range(start))?;
            self.at += name.len() + 1;
            name
        } else {
            let rest = self.rest();
            let length = self.bump().map_or(0, char::len_utf8);
            &rest[..length]
        };
        let (name, negated) = match name.strip_prefix('^') {
            Some(name) => (name, !negated),
            None => (name, negated),
        };
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_') {
            return Err(self.invalid_range(start));
        }
        Ok(Escape::Unicode(format!("\\{}{{{name}}}", if negated { 'P' } else { 'p' })))
    }

    /// A class of which the opening bracket has been read.
    fn class(&mut self, start: usize) -> Result<(), RegexError> {
        self.out.push('[');
        if self.take("^") {
            self.out.push('^');
        }
        let mut first = true;
        loop {
            if !first && self.take("]") {
                self.out.push(']');
                return Ok(());
            }
            first = false;
            if self.posix_class()? {
                continue;
            }
            let item = self.at;
            let low = match self.class_item(start)? {
                Escape::Char(c) => c,
                Escape::Ranges(ranges, negated) => {
                    let _ = write!(self.out, "[{}{ranges}]", if negated { "^" } else { "" });
                    continue;
                }
                Escape::Unicode(class) => {
                    self.out.push_str(&class);
                    continue;
                }
            };
            let mut high = low;
            if self.rest().starts_with('-') && !self.rest().starts_with("-]") && self.rest().len() > 1 {
                self.at += 1;
                match self.class_item(start)? {
                    Escape::Char(c) if c >= low => high = c,
                    _ => return Err(self.invalid_range(item)),
                }
            }
            let _ = write!(self.out, "\\x{{{:x}}}-\\x{{{:x}}}", u32::from(low), u32::from(high));
        }
    }

    fn class_item(&mut self, class: usize) -> Result<Escape, RegexError> {
        let start = self.at;
        match self.bump() {
            Some('\\') => self.class_escape(start),
            Some(c) => Ok(Escape::Char(c)),
            None => Err(error(&format!("missing closing ]: `{}`", &self.pattern[class..]))),
        }
    }

    /// `[:alpha:]` inside of a class.
    fn posix_class(&mut self) -> Result<bool, RegexError> {
        let Some((name, _)) = self.rest().strip_prefix("[:").and_then(|rest| rest.split_once(":]")) else {
            return Ok(false);
        };
        let known = [
            "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
            "space", "upper", "word", "xdigit",
        ];
        let text = &self.rest()[..name.len() + 4];
        if !known.contains(&name.strip_prefix('^').unwrap_or(name)) {
            return Err(error(&format!("invalid character class range: `{text}`")));
        }
        self.at += text.len();
        self.out.push_str(text);
        Ok(true)
    }

    fn missing_paren(&self) -> RegexError {
        error(&format!("missing closing ): `{}`", self.pattern))
    }

    fn invalid_escape(&self, start: usize) -> RegexError {
        error(&format!("invalid escape sequence: `{}`", &self.pattern[start..self.at]))
    }

    fn invalid_range(&self, start: usize) -> RegexError {
        error(&format!("invalid character class range: `{}`", &self.pattern[start..self.at]))
    }
}
