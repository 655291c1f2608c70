//! Go's `fmt.Sprintf`.

use super::{Flags, Printer};
use crate::value::Value;

/// Widths and precisions beyond this are none.
const MAX_NUMBER: usize = 1_000_000;

/// What `format` makes of `args`. It ends early beyond `room` bytes, never by much more than
/// the largest width.
pub fn printf(format: &str, args: &[Value<'_>], room: usize) -> String {
    let mut out = String::new();
    let mut state = State { rest: format, args, next: 0, reordered: false, good_index: true };
    while let Some(at) = state.rest.find('%') {
        out.push_str(&state.rest[..at]);
        if out.len() > room {
            return out;
        }
        state.rest = &state.rest[at + 1..];
        state.verb(&mut out, room);
    }
    out.push_str(state.rest);
    state.extra(&mut out, room);
    out
}

struct State<'f, 'v, 'a> {
    rest: &'f str,
    args: &'v [Value<'a>],
    /// The argument to print next.
    next: usize,
    /// Arguments were named by number, so some may stay unused.
    reordered: bool,
    good_index: bool,
}

impl State<'_, '_, '_> {
    /// Prints one argument; the `%` has been read.
    fn verb(&mut self, out: &mut String, room: usize) {
        self.good_index = true;
        let mut flags = self.flags();
        let after_index = self.index();
        let after_index = self.width(&mut flags, out, after_index);
        let after_index = self.precision(&mut flags, out, after_index);
        if !after_index {
            self.index();
        }
        let Some(verb) = self.rest.chars().next() else { return out.push_str("%!(NOVERB)") };
        self.rest = &self.rest[verb.len_utf8()..];
        if verb == '%' {
            out.push('%');
            return;
        }
        let problem = if !self.good_index { "(BADINDEX)" } else { "(MISSING)" };
        let Some(arg) = self.args.get(self.next).filter(|_| self.good_index) else {
            out.push_str("%!");
            out.push(verb);
            out.push_str(problem);
            return;
        };
        if verb == 'v' {
            flags.go_syntax = std::mem::take(&mut flags.sharp);
            flags.plus = false;
        }
        self.next += 1;
        Printer { out, flags, end: room }.arg(arg, verb);
    }

    fn flags(&mut self) -> Flags {
        let mut flags = Flags::default();
        loop {
            match self.rest.as_bytes().first() {
                Some(b'#') => flags.sharp = true,
                Some(b'0') => flags.zero = true,
                Some(b'+') => flags.plus = true,
                Some(b'-') => flags.minus = true,
                Some(b' ') => flags.space = true,
                _ => return flags,
            }
            self.rest = &self.rest[1..];
        }
    }

    fn take(&mut self, c: char) -> bool {
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn width(&mut self, flags: &mut Flags, out: &mut String, after_index: bool) -> bool {
        if self.take('*') {
            match self.int_arg() {
                Some(width) => {
                    flags.minus |= width < 0;
                    flags.zero &= width >= 0;
                    flags.width = usize::try_from(width.unsigned_abs()).ok();
                }
                None => out.push_str("%!(BADWIDTH)"),
            }
            return false;
        }
        flags.width = self.number();
        self.good_index &= !(after_index && flags.width.is_some());
        after_index
    }

    fn precision(&mut self, flags: &mut Flags, out: &mut String, after_index: bool) -> bool {
        if self.rest.len() < 2 || !self.take('.') {
            return after_index;
        }
        self.good_index &= !after_index;
        let after_index = self.index();
        if self.take('*') {
            flags.precision = self.int_arg().and_then(|precision| usize::try_from(precision).ok());
            if flags.precision.is_none() {
                out.push_str("%!(BADPREC)");
            }
            return false;
        }
        flags.precision = Some(self.number().unwrap_or(0));
        after_index
    }

    fn number(&mut self) -> Option<usize> {
        let digits = self.rest.len() - self.rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (text, rest) = self.rest.split_at(digits);
        match text.parse() {
            Ok(number) if number <= MAX_NUMBER => {
                self.rest = rest;
                Some(number)
            }
            Ok(_) | Err(_) if digits > 0 => {
                // Too large a number ends the format.
                self.rest = "";
                None
            }
            _ => None,
        }
    }

    fn int_arg(&mut self) -> Option<i64> {
        let number = match self.args.get(self.next)? {
            Value::Int(i) | Value::Int64(i) => Some(*i),
            Value::Byte(byte) => Some(i64::from(*byte)),
            _ => None,
        };
        self.next += 1;
        number.filter(|number| number.unsigned_abs() <= MAX_NUMBER as u64)
    }

    /// Reads `[n]`, which names the next argument, counted from 1.
    fn index(&mut self) -> bool {
        if !self.rest.starts_with('[') {
            return false;
        }
        self.reordered = true;
        let Some(end) = self.rest.find(']') else {
            self.good_index = false;
            self.rest = &self.rest[1..];
            return false;
        };
        let number: Option<usize> = self.rest[1..end].parse().ok().filter(|n| *n <= MAX_NUMBER);
        self.rest = &self.rest[end + 1..];
        match number {
            Some(number) if (1..=self.args.len()).contains(&number) => self.next = number - 1,
            _ => self.good_index = false,
        }
        number.is_some()
    }

    /// Arguments that no verb asked for.
    fn extra(&self, out: &mut String, room: usize) {
        let Some(rest) = self.args.get(self.next..).filter(|rest| !self.reordered && !rest.is_empty()) else {
            return;
        };
        out.push_str("%!(EXTRA ");
        for (i, arg) in rest.iter().enumerate() {
            if out.len() > room {
                break;
            }
            if i > 0 {
                out.push_str(", ");
            }
            if arg.is_nil() {
                out.push_str("<nil>");
            } else {
                out.push_str(arg.type_name());
                out.push('=');
                Printer { out, flags: Flags::default(), end: room }.arg(arg, 'v');
            }
        }
        out.push(')');
    }
}
