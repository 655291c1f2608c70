//! One line with a sample: a name, labels in braces, a value, a timestamp, and maybe an exemplar.

use super::Sample;
use model::{Labels, METRIC_NAME, Timestamp, quote};
use std::borrow::Cow;

/// What is wrong, and at which byte of the line.
pub struct Wrong {
    pub at: usize,
    pub message: String,
}

/// Times further away than this (the year 10000, and as far back) are mistakes of unit.
const MAX_SECONDS: f64 = 253_402_300_800.0;

/// Without a timestamp the sample is of `now`, if that is known.
pub fn sample(line: &str, now: Option<Timestamp>) -> Result<Sample, Wrong> {
    let mut input = Input { line, at: 0 };
    let mut pairs = Vec::new();
    let name = input.take_while(|c| is_name(c) || c == ':');
    if !name.is_empty() {
        if name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(Wrong {
                at: 0,
                message: format!("a metric's name does not begin with a digit: {name}"),
            });
        }
        pairs.push((Cow::Borrowed(METRIC_NAME), Cow::Borrowed(name)));
    }
    if input.peek() == Some('{') {
        input.labels(&mut pairs)?;
    }
    let labels = labels_of(pairs)?;
    input.blank("the value")?;
    let value = input.number("a value")?;
    let timestamp = match now {
        None => {
            input.blank("the timestamp, in seconds")?;
            input.timestamp()?
        }
        Some(now) => {
            input.spaces();
            if matches!(input.peek(), None | Some('#')) { now } else { input.scraped_timestamp()? }
        }
    };
    input.spaces();
    match input.peek() {
        // An exemplar.
        None | Some('#') => Ok(Sample { labels, timestamp, value }),
        Some(_) => Err(input.wrong("the line should end here")),
    }
}

fn labels_of(mut pairs: Vec<(Cow<'_, str>, Cow<'_, str>)>) -> Result<Labels, Wrong> {
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    let wrong = |message| Err(Wrong { at: 0, message });
    if let Some(twice) = pairs.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return wrong(format!("the label {} is there twice", twice[0].0));
    }
    if !pairs.iter().any(|(name, value)| name == METRIC_NAME && !value.is_empty()) {
        return wrong("a metric's name is wanted at the start of the line".to_owned());
    }
    let some = pairs.iter().filter(|(_, value)| !value.is_empty());
    Ok(Labels::from_sorted(some.map(|(name, value)| (&**name, &**value))))
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

struct Input<'a> {
    line: &'a str,
    at: usize,
}

impl<'a> Input<'a> {
    fn rest(&self) -> &'a str {
        &self.line[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn spaces(&mut self) {
        self.take_while(|c| c == ' ' || c == '\t');
    }

    fn accept(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn wrong(&self, message: impl Into<String>) -> Wrong {
        Wrong { at: self.at, message: message.into() }
    }

    /// At least one space, and something behind it.
    fn blank(&mut self, before: &str) -> Result<(), Wrong> {
        let from = self.at;
        self.spaces();
        if self.at == from || self.peek().is_none() {
            return Err(self.wrong(format!("a space and {before} are wanted here")));
        }
        Ok(())
    }

    /// `{name="value", "any name"="value", "the metric"}`
    fn labels(&mut self, pairs: &mut Vec<(Cow<'a, str>, Cow<'a, str>)>) -> Result<(), Wrong> {
        self.accept('{');
        self.spaces();
        while !self.accept('}') {
            let quoted = self.peek() == Some('"');
            let name = if quoted { self.string()? } else { Cow::Borrowed(self.take_while(is_name)) };
            if name.is_empty() || (!quoted && name.starts_with(|c: char| c.is_ascii_digit())) {
                return Err(self.wrong("a label's name is wanted here"));
            }
            self.spaces();
            if self.accept('=') {
                self.spaces();
                pairs.push((name, self.string()?));
            } else if quoted && !pairs.iter().any(|(name, _)| name == METRIC_NAME) {
                pairs.push((Cow::Borrowed(METRIC_NAME), name));
            } else {
                return Err(self.wrong(format!("= is wanted behind the label {name}")));
            }
            self.spaces();
            if !self.accept(',') && self.peek() != Some('}') {
                return Err(self.wrong("a comma or } is wanted here"));
            }
            self.spaces();
        }
        Ok(())
    }

    /// Text in double quotes, in which `\\`, `\"` and `\n` stand for what they do in Go.
    fn string(&mut self) -> Result<Cow<'a, str>, Wrong> {
        if !self.accept('"') {
            return Err(self.wrong("text in double quotes is wanted here"));
        }
        let plain = self.take_while(|c| c != '"' && c != '\\');
        if self.accept('"') {
            return Ok(Cow::Borrowed(plain));
        }
        let mut text = plain.to_owned();
        while self.accept('\\') {
            let escaped = self.peek().ok_or_else(|| self.wrong("the text in quotes does not end"))?;
            self.at += escaped.len_utf8();
            match escaped {
                'n' => text.push('\n'),
                '\\' | '"' => text.push(escaped),
                // As Prometheus reads it.
                other => text.extend(['\\', other]),
            }
            text.push_str(self.take_while(|c| c != '"' && c != '\\'));
        }
        if self.accept('"') {
            Ok(Cow::Owned(text))
        } else {
            Err(self.wrong("the text in quotes does not end"))
        }
    }

    fn number(&mut self, what: &str) -> Result<f64, Wrong> {
        let from = self.at;
        let text = self.take_while(|c| c != ' ' && c != '\t');
        let no_number = || Wrong { at: from, message: format!("this is not {what}: {}", quote(text)) };
        text.parse().map_err(|_| no_number())
    }

    /// Seconds as in OpenMetrics, or milliseconds as in the older text format: a number that would be seconds of a
    /// time after the year 5000 is one of milliseconds.
    fn scraped_timestamp(&mut self) -> Result<Timestamp, Wrong> {
        const FIRST_MILLIS: f64 = 1e11;
        let from = self.at;
        let number = self.number("a timestamp")?;
        if number.abs() >= FIRST_MILLIS && number.abs() < MAX_SECONDS * 1000.0 {
            return Ok(number as Timestamp);
        }
        self.at = from;
        self.timestamp()
    }

    /// Seconds, as milliseconds.
    fn timestamp(&mut self) -> Result<Timestamp, Wrong> {
        let from = self.at;
        let seconds = self.number("a timestamp in seconds")?;
        if !seconds.is_finite() {
            return Err(Wrong { at: from, message: "a timestamp must be a number of seconds".to_owned() });
        }
        if seconds.abs() >= MAX_SECONDS {
            let message = "this timestamp lies behind the year 9999: seconds are wanted, not milliseconds";
            return Err(Wrong { at: from, message: message.to_owned() });
        }
        Ok((seconds * 1000.0).round() as Timestamp)
    }
}
