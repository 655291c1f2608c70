//! Reads test scripts; `scripts.rs` documents the language.

use crate::memory::Entry;
use logql::engine::Direction;
use model::{Labels, Nanos};
use query_syntax::{Span, parse_go_duration, unquote};

/// Times of a script are counted from here, a full hour: 2023-11-14 22:00:00 UTC.
pub const BASE: Nanos = 1_699_999_200_000_000_000;

pub enum Command {
    Clear,
    Load { labels: Labels, entries: Vec<Entry> },
    Eval(Eval),
}

pub struct Eval {
    /// Counted from 1.
    pub line: usize,
    pub when: When,
    pub expr: String,
    pub expected: Expected,
}

#[derive(Clone, Copy)]
pub enum When {
    Instant(Nanos),
    Range { start: Nanos, end: Nanos, step: Nanos },
    Logs { start: Nanos, end: Nanos, limit: u64, direction: Direction, interval: Nanos },
}

pub enum Expected {
    Error(String),
    Scalar(f64),
    /// Labels, and a value for each step; `None` where there is none.
    Series(Vec<(Labels, Vec<Option<f64>>)>),
    Streams(Vec<ExpectedStream>),
}

pub struct ExpectedStream {
    /// All labels, or those of the stream, of the structured metadata and of the parsers.
    pub labels: Vec<Labels>,
    pub entries: Vec<(Nanos, String)>,
}

pub fn parse(text: &str) -> Vec<Command> {
    let mut lines = text.lines().enumerate().map(|(at, line)| (at + 1, line)).peekable();
    let mut commands = Vec::new();
    while let Some((number, line)) = lines.next() {
        if is_blank(line) {
            continue;
        }
        let mut block = Vec::new();
        while let Some((_, inner)) = lines.next_if(|(_, line)| line.starts_with(' ') || is_blank(line)) {
            if !is_blank(inner) {
                block.push(inner.trim());
            }
        }
        match line.split_whitespace().next() {
            Some("clear") => commands.push(Command::Clear),
            Some("load") => commands.extend(loads(&block)),
            Some("eval") => commands.push(Command::Eval(eval(number, line, &block))),
            _ => panic!("line {number}: what is {line:?}?"),
        }
    }
    commands
}

fn is_blank(line: &str) -> bool {
    line.trim().is_empty() || line.trim_start().starts_with('#')
}

fn loads(block: &[&str]) -> Vec<Command> {
    let mut commands = Vec::new();
    for line in block {
        let mut reader = Reader(line);
        if line.starts_with('{') {
            commands.push(Command::Load { labels: reader.labels(), entries: Vec::new() });
            continue;
        }
        let (time, text) = (reader.time(), reader.string());
        let metadata = if reader.is_at('{') { reader.pairs() } else { Vec::new() };
        match commands.last_mut() {
            Some(Command::Load { entries, .. }) => entries.push(Entry { time, text, metadata }),
            _ => panic!("{line:?} is of no stream"),
        }
    }
    commands
}

fn eval(line: usize, text: &str, block: &[&str]) -> Eval {
    let mut reader = Reader(text);
    reader.expect("eval");
    let when = match reader.word() {
        "instant" => {
            reader.expect("at");
            When::Instant(reader.time())
        }
        "range" => {
            let (start, end) = reader.bounds();
            reader.expect("step");
            When::Range { start, end, step: reader.duration() }
        }
        "logs" => {
            let (start, end) = reader.bounds();
            let (mut limit, mut direction, mut interval) = (1000, Direction::Backward, 0);
            loop {
                match reader.peek_word() {
                    "limit" => limit = reader.after("limit").parse().unwrap(),
                    "interval" => interval = parse_go_duration(reader.after("interval")).unwrap(),
                    "forward" => (_, direction) = (reader.word(), Direction::Forward),
                    "backward" => (_, direction) = (reader.word(), Direction::Backward),
                    _ => break When::Logs { start, end, limit, direction, interval },
                }
            }
        }
        other => panic!("line {line}: cannot evaluate {other:?}"),
    };
    let expr = reader.0.trim().to_owned();
    Eval { line, when, expr, expected: expected(when, block) }
}

fn expected(when: When, block: &[&str]) -> Expected {
    if let Some(first) = block.first() {
        let mut reader = Reader(first);
        match reader.peek_word() {
            "error" => {
                reader.expect("error");
                return Expected::Error(reader.string());
            }
            "scalar" => return Expected::Scalar(number(reader.after("scalar")).expect("a number")),
            _ => {}
        }
    }
    match when {
        When::Logs { .. } => Expected::Streams(streams(block)),
        _ => Expected::Series(block.iter().map(|line| series(line)).collect()),
    }
}

fn series(line: &str) -> (Labels, Vec<Option<f64>>) {
    let mut reader = Reader(line);
    let labels = reader.labels();
    let mut values = Vec::new();
    while !reader.0.trim().is_empty() {
        values.push(number(reader.word()));
    }
    (labels, values)
}

/// A number; `_` stands for none.
fn number(word: &str) -> Option<f64> {
    (word != "_").then(|| word.parse().unwrap_or_else(|_| panic!("{word:?} is no number")))
}

fn streams(block: &[&str]) -> Vec<ExpectedStream> {
    let mut streams: Vec<ExpectedStream> = Vec::new();
    for line in block {
        let mut reader = Reader(line);
        if line.starts_with('{') {
            let mut labels = vec![reader.labels()];
            while reader.is_at('{') {
                labels.push(reader.labels());
            }
            streams.push(ExpectedStream { labels, entries: Vec::new() });
        } else {
            let entry = (reader.time(), reader.string());
            streams.last_mut().expect("a stream before its lines").entries.push(entry);
        }
    }
    streams
}

/// Reads a line from its front.
struct Reader<'t>(&'t str);

impl<'t> Reader<'t> {
    fn peek_word(&self) -> &'t str {
        self.0.split_whitespace().next().unwrap_or("")
    }

    fn word(&mut self) -> &'t str {
        let word = self.peek_word();
        self.0 = &self.0.trim_start()[word.len()..];
        word
    }

    fn expect(&mut self, wanted: &str) {
        let word = self.word();
        assert_eq!(word, wanted, "before {:?}", self.0);
    }

    fn after(&mut self, word: &str) -> &'t str {
        self.expect(word);
        self.word()
    }

    fn duration(&mut self) -> Nanos {
        let word = self.word();
        parse_go_duration(word).unwrap_or_else(|_| panic!("{word:?} is no duration"))
    }

    fn time(&mut self) -> Nanos {
        BASE + self.duration()
    }

    fn bounds(&mut self) -> (Nanos, Nanos) {
        self.expect("from");
        let start = self.time();
        self.expect("to");
        (start, self.time())
    }

    fn is_at(&mut self, wanted: char) -> bool {
        self.0 = self.0.trim_start();
        self.0.starts_with(wanted)
    }

    /// A string in any of Go's quotes.
    fn string(&mut self) -> String {
        self.0 = self.0.trim_start();
        let quote = self.0.chars().next().filter(|c| matches!(c, '"' | '`')).expect("a quoted string");
        let mut escaped = false;
        let end = self.0.char_indices().skip(1).find(|(_, c)| {
            let ends = *c == quote && !escaped;
            escaped = quote == '"' && *c == '\\' && !escaped;
            ends
        });
        let end = end.unwrap_or_else(|| panic!("{:?} does not end", self.0)).0 + 1;
        let text = unquote(&self.0[..end], Span::new(0, end)).expect("a string");
        self.0 = &self.0[end..];
        text
    }

    fn labels(&mut self) -> Labels {
        // Parsed labels may be empty.
        let mut pairs = self.pairs();
        pairs.sort();
        Labels::from_sorted(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }

    /// Pairs in braces, in the order in which they are written.
    fn pairs(&mut self) -> Vec<(String, String)> {
        assert!(self.is_at('{'), "no labels in {:?}", self.0);
        self.0 = &self.0[1..];
        let mut pairs = Vec::new();
        while !self.is_at('}') {
            let name = if self.is_at('"') {
                self.string()
            } else {
                let (name, rest) = self.0.split_at(self.0.find('=').expect("a name and ="));
                self.0 = rest;
                name.trim().to_owned()
            };
            assert!(self.is_at('='), "no = in {:?}", self.0);
            self.0 = &self.0[1..];
            pairs.push((name, self.string()));
            if self.is_at(',') {
                self.0 = &self.0[1..];
            }
        }
        self.0 = &self.0[1..];
        pairs
    }
}
