//! Printing as Go's fmt does: `print`, `println`, and `printf` with verbs, flags and widths.

mod number;
mod printf;

use crate::value::Value;
use model::quote;
use number::Float;
pub use printf::printf;
use query_syntax::format_go_duration;
use std::fmt::Write;

/// What stands between `%` and the verb.
#[derive(Clone, Copy, Default)]
pub struct Flags {
    pub minus: bool,
    pub plus: bool,
    pub sharp: bool,
    pub space: bool,
    pub zero: bool,
    /// `%#v`: values as Go would write them.
    pub go_syntax: bool,
    pub width: Option<usize>,
    pub precision: Option<usize>,
}

/// Writes `value` as `%v`. A value of many parts ends early beyond `room` bytes.
pub fn print(out: &mut String, value: &Value<'_>, room: usize) {
    match value {
        Value::Str(text) => out.push_str(text),
        Value::NoValue | Value::Nil => out.push_str("<no value>"),
        _ => {
            let end = out.len() + room;
            Printer { out, flags: Flags::default(), end }.arg(value, 'v');
        }
    }
}

/// `value` as `%v`, short of what is long.
pub fn shown(value: &Value<'_>) -> String {
    const ROOM: usize = 1000;
    let mut out = String::new();
    if value.is_nil() {
        out.push_str("<nil>");
    } else {
        print(&mut out, value, ROOM);
    }
    out
}

/// Go's `fmt.Sprint`: a space between two neighbours if neither is text.
pub fn sprint(args: &[Value<'_>], room: usize) -> String {
    let mut out = String::new();
    let mut after_text = true;
    for (i, arg) in args.iter().enumerate() {
        let is_text = matches!(arg, Value::Str(_));
        if i > 0 && !is_text && !after_text {
            out.push(' ');
        }
        Printer { out: &mut out, flags: Flags::default(), end: room }.arg(arg, 'v');
        after_text = is_text;
    }
    out
}

/// Go's `fmt.Sprintln`.
pub fn sprintln(args: &[Value<'_>], room: usize) -> String {
    let mut out = String::new();
    for (i, arg) in args.iter().enumerate() {
        if i > 0 {
            out.push(' ');
        }
        Printer { out: &mut out, flags: Flags::default(), end: room }.arg(arg, 'v');
    }
    out.push('\n');
    out
}

/// Bytes as text. Each byte that belongs to no character becomes U+FFFD, as when Go writes
/// them as JSON.
pub fn text_of(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| {
        let mut out = String::new();
        for chunk in error.as_bytes().utf8_chunks() {
            out.push_str(chunk.valid());
            out.extend(chunk.invalid().iter().map(|_| '\u{fffd}'));
        }
        out
    })
}

pub struct Printer<'o> {
    pub out: &'o mut String,
    pub flags: Flags,
    /// Where lists and maps stop.
    pub end: usize,
}

impl Printer<'_> {
    pub fn arg(&mut self, value: &Value<'_>, verb: char) {
        match (value, verb) {
            (Value::NoValue | Value::Nil, 'v' | 'T') => self.pad("<nil>"),
            (_, 'T') => self.pad(self.cut(value.type_name())),
            (_, 'p') => self.bad_verb(value, verb),
            _ => self.value(value, verb),
        }
    }

    fn value(&mut self, value: &Value<'_>, verb: char) {
        match value {
            Value::NoValue | Value::Nil if verb == 'v' => {
                self.out.push_str(if self.flags.go_syntax { "interface {}(nil)" } else { "<nil>" });
            }
            Value::NoValue | Value::Nil => self.bad_verb(value, verb),
            Value::Bool(b) if matches!(verb, 't' | 'v') => self.pad(if *b { "true" } else { "false" }),
            Value::Bool(_) => self.bad_verb(value, verb),
            Value::Int(i) | Value::Int64(i) => {
                if !self.integer(*i < 0, i.unsigned_abs(), verb) {
                    self.bad_verb(value, verb);
                }
            }
            Value::Byte(byte) => {
                let sharp = self.flags.sharp;
                let hex = self.flags.go_syntax && verb == 'v';
                self.flags.sharp |= hex;
                if !self.integer(false, u64::from(*byte), if hex { 'x' } else { verb }) {
                    self.bad_verb(value, verb);
                }
                self.flags.sharp = sharp;
            }
            Value::Float(f) => match Float::of(verb) {
                Some(float) => self.float(*f, float),
                None => self.bad_verb(value, verb),
            },
            Value::Str(text) => {
                if !self.text(text, verb) {
                    self.bad_verb(value, verb);
                }
            }
            Value::Time(time) => {
                if !self.text(&time.to_string(), verb) {
                    self.bad_verb(value, verb);
                }
            }
            Value::Duration(nanos) => {
                if !self.text(&format_go_duration(*nanos), verb)
                    && !self.integer(*nanos < 0, nanos.unsigned_abs(), verb)
                {
                    self.bad_verb(value, verb);
                }
            }
            Value::Struct(fields) => {
                self.open(value, '{');
                for (i, (_, field)) in fields.fields.iter().enumerate() {
                    self.separate(i);
                    self.value(field, verb);
                }
                self.close('}');
            }
            Value::List(list) => {
                self.open(value, '[');
                for (i, item) in list.iter().enumerate() {
                    if self.out.len() > self.end {
                        break;
                    }
                    self.separate(i);
                    self.value(item, verb);
                }
                self.close(']');
            }
            Value::Map(_) | Value::Data(_) | Value::Labels(_) => {
                if !self.flags.go_syntax {
                    self.out.push_str("map");
                }
                self.open(value, '[');
                for (i, (key, item)) in value.sorted_entries().unwrap_or_default().iter().enumerate() {
                    if self.out.len() > self.end {
                        break;
                    }
                    self.separate(i);
                    self.value(&Value::str(key.as_ref()), verb);
                    self.out.push(':');
                    self.value(item, verb);
                }
                self.close(']');
            }
        }
    }

    fn open(&mut self, value: &Value<'_>, bracket: char) {
        if self.flags.go_syntax {
            self.out.push_str(value.type_name());
            self.out.push('{');
        } else {
            self.out.push(bracket);
        }
    }

    fn separate(&mut self, index: usize) {
        if index > 0 {
            self.out.push_str(if self.flags.go_syntax { ", " } else { " " });
        }
    }

    fn close(&mut self, bracket: char) {
        self.out.push(if self.flags.go_syntax { '}' } else { bracket });
    }

    /// `%!verb(type=value)`
    pub fn bad_verb(&mut self, value: &Value<'_>, verb: char) {
        self.out.push_str("%!");
        self.out.push(verb);
        self.out.push('(');
        if value.is_nil() {
            self.out.push_str("<nil>");
        } else {
            self.out.push_str(value.type_name());
            self.out.push('=');
            self.value(value, 'v');
        }
        self.out.push(')');
    }

    /// Whether text knows the verb.
    fn text(&mut self, text: &str, verb: char) -> bool {
        match verb {
            'v' if self.flags.go_syntax => self.quoted(text),
            'v' | 's' => self.pad(self.cut(text)),
            'q' => self.quoted(text),
            'x' | 'X' => self.hex(text.as_bytes(), verb == 'X'),
            _ => return false,
        }
        true
    }

    fn cut<'t>(&self, text: &'t str) -> &'t str {
        let end = self.flags.precision.and_then(|precision| text.char_indices().nth(precision));
        end.map_or(text, |(at, _)| &text[..at])
    }

    fn quoted(&mut self, text: &str) {
        let text = self.cut(text);
        let is_plain = |c: char| c == '\t' || !(c < ' ' || matches!(c, '`' | '\x7f' | '\u{feff}'));
        if self.flags.sharp && text.chars().all(is_plain) {
            return self.pad(&format!("`{text}`"));
        }
        let quoted = quote(text);
        self.pad(&if self.flags.plus { ascii(&quoted) } else { quoted });
    }

    fn hex(&mut self, bytes: &[u8], upper: bool) {
        let bytes = &bytes[..self.flags.precision.unwrap_or(bytes.len()).min(bytes.len())];
        let prefix = match (self.flags.sharp, upper) {
            (false, _) => "",
            (true, false) => "0x",
            (true, true) => "0X",
        };
        let mut text = String::new();
        for (i, byte) in bytes.iter().enumerate() {
            if i > 0 && self.flags.space {
                text.push(' ');
            }
            if i == 0 || self.flags.space {
                text.push_str(prefix);
            }
            // Writing to a String cannot fail.
            let _ = if upper { write!(text, "{byte:02X}") } else { write!(text, "{byte:02x}") };
        }
        self.pad(&text);
    }

    /// Fills up to the width, with zeros only on the left.
    pub fn pad(&mut self, text: &str) {
        let Some(width) = self.flags.width else { return self.out.push_str(text) };
        let fill = width.saturating_sub(text.chars().count());
        if self.flags.minus {
            self.out.push_str(text);
            self.fill(fill, ' ');
        } else {
            self.fill(fill, if self.flags.zero { '0' } else { ' ' });
            self.out.push_str(text);
        }
    }

    pub fn pad_with_spaces(&mut self, text: &str) {
        let zero = std::mem::take(&mut self.flags.zero);
        self.pad(text);
        self.flags.zero = zero;
    }

    pub fn fill(&mut self, count: usize, with: char) {
        self.out.extend(std::iter::repeat_n(with, count));
    }
}

/// A quoted text with what is not ASCII escaped.
fn ascii(quoted: &str) -> String {
    let mut out = String::new();
    for c in quoted.chars() {
        let code = u32::from(c);
        // Writing to a String cannot fail.
        let _ = match code {
            0..0x80 => write!(out, "{c}"),
            0x80..0x10000 => write!(out, "\\u{code:04x}"),
            _ => write!(out, "\\U{code:08x}"),
        };
    }
    out
}
