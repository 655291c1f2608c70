//! Prometheus's script language for queries: text to commands.

use crate::series::{self, Description, Value};
use model::{Labels, Timestamp};
use regex::Regex;

/// One command of a script.
pub enum Command {
    Clear,
    Load(Load),
    Eval(Box<Eval>),
}

/// `load <step>` with its series.
pub struct Load {
    pub step: i64,
    /// Classic histograms are to be loaded as native ones too.
    pub with_native: bool,
    pub series: Vec<Loaded>,
}

pub struct Loaded {
    pub description: Description,
    /// The series came with start timestamps (an `@st` line).
    pub has_start_timestamps: bool,
}

/// When an expression is evaluated; milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Instant(Timestamp),
    Range { start: Timestamp, end: Timestamp, step: i64 },
}

/// `eval …` with what it expects.
pub struct Eval {
    /// From 1.
    pub line: usize,
    pub text: String,
    pub expr: String,
    pub when: When,
    pub expect: Expect,
}

#[derive(Default)]
pub struct Expect {
    pub fail: Option<Pattern>,
    pub ordered: bool,
    pub warn: Vec<Pattern>,
    pub info: Vec<Pattern>,
    pub no_warn: bool,
    pub no_info: bool,
    pub scalar: Option<f64>,
    pub string: Option<String>,
    /// Times of a range vector that an instant query is to answer with.
    pub range_vector: Option<(Timestamp, Timestamp, i64)>,
    pub series: Vec<Description>,
}

/// What a message is compared with.
pub enum Pattern {
    Any,
    Message(String),
    Regex(Regex),
}

impl Pattern {
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Message(message) => message == text,
            Self::Regex(regex) => regex.is_match(text),
        }
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any => f.write_str("anything"),
            Self::Message(message) => write!(f, "{message:?}"),
            Self::Regex(regex) => write!(f, "/{regex}/"),
        }
    }
}

/// Reads a whole script; the error names the line.
pub fn parse(script: &str) -> Result<Vec<Command>, String> {
    let lines: Vec<&str> =
        script.lines().map(str::trim).map(|l| if l.starts_with('#') { "" } else { l }).collect();
    let mut parser = Parser { lines, at: 0, grammar: Grammar::new() };
    let mut commands = Vec::new();
    while parser.at < parser.lines.len() {
        if parser.lines[parser.at].is_empty() {
            parser.at += 1;
            continue;
        }
        let line = parser.at + 1;
        commands.push(parser.command().map_err(|e| format!("line {line}: {e}"))?);
    }
    Ok(commands)
}

struct Grammar {
    load: Regex,
    instant: Regex,
    range: Regex,
    expect: Regex,
    range_vector: Regex,
}

impl Grammar {
    fn new() -> Self {
        let regex = |pattern| Regex::new(pattern).expect("a fixed pattern");
        Self {
            load: regex(r"^load(_with_nhcb)?\s+(.+?)$"),
            instant: regex(r"^eval(?:_(fail|warn|ordered|info))?\s+instant\s+(?:at\s+(.+?))?\s+(.+)$"),
            range: regex(
                r"^eval(?:_(fail|warn|info))?\s+range\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+?)\s+(.+)$",
            ),
            expect: regex(r"^expect\s+(ordered|fail|warn|no_warn|info|no_info)(?:\s+(regex|msg):(.+))?$"),
            range_vector: regex(r"^expect range vector\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+)$"),
        }
    }
}

struct Parser<'a> {
    lines: Vec<&'a str>,
    at: usize,
    grammar: Grammar,
}

impl<'a> Parser<'a> {
    /// The next line of the command's block; an empty line ends it.
    fn block_line(&mut self) -> Option<&'a str> {
        let line = *self.lines.get(self.at).filter(|l| !l.is_empty())?;
        self.at += 1;
        Some(line)
    }

    fn command(&mut self) -> Result<Command, String> {
        let line = self.lines[self.at];
        self.at += 1;
        let word = line.split_whitespace().next().unwrap_or("").to_ascii_lowercase();
        match word.as_str() {
            "clear" => Ok(Command::Clear),
            w if w.starts_with("load") => self.load(line).map(Command::Load),
            w if w.starts_with("eval") => self.eval(line).map(|e| Command::Eval(Box::new(e))),
            _ => Err(format!("unknown command {line:?}")),
        }
    }

    fn load(&mut self, line: &str) -> Result<Load, String> {
        let parts = self.grammar.load.captures(line).ok_or("malformed load")?;
        let step = duration(&parts[2])?;
        let with_native = parts.get(1).is_some();
        let mut load = Load { step, with_native, series: Vec::new() };
        let mut has_start_timestamps = false;
        while let Some(line) = self.block_line() {
            if line.split_whitespace().next().is_some_and(|w| w.ends_with("@st")) {
                has_start_timestamps = true;
                continue;
            }
            let description = series::parse(line)?;
            load.series.push(Loaded { description, has_start_timestamps });
            has_start_timestamps = false;
        }
        Ok(load)
    }

    fn eval(&mut self, line: &str) -> Result<Eval, String> {
        let number = self.at;
        let (kind, when, expr) = if let Some(parts) = self.grammar.instant.captures(line) {
            let at = parts.get(2).map_or(Ok(0), |at| duration(at.as_str()))?;
            (parts.get(1).map(|k| k.as_str().to_owned()), When::Instant(at), parts[3].to_owned())
        } else {
            let parts = self.grammar.range.captures(line).ok_or("malformed eval")?;
            let when = When::Range {
                start: duration(&parts[2])?,
                end: duration(&parts[3])?,
                step: duration(&parts[4])?,
            };
            (parts.get(1).map(|k| k.as_str().to_owned()), when, parts[5].to_owned())
        };
        let mut expect = Expect::default();
        match kind.as_deref() {
            Some("fail") => expect.fail = Some(Pattern::Any),
            Some("warn") => expect.warn.push(Pattern::Any),
            Some("info") => expect.info.push(Pattern::Any),
            Some("ordered") => expect.ordered = true,
            _ => {}
        }
        while let Some(line) = self.block_line() {
            if !self.expectation(line, &mut expect)? {
                break;
            }
        }
        if matches!(when, When::Instant(_)) && expect.range_vector.is_none() {
            let many = expect.series.iter().any(|s| s.values.len() > 1);
            if many {
                return Err("an instant query has one value a series".to_owned());
            }
        }
        Ok(Eval { line: number, text: line.to_owned(), expr, when, expect })
    }

    /// Reads one line below an `eval`; false where it is the last.
    fn expectation(&self, line: &str, expect: &mut Expect) -> Result<bool, String> {
        if let Some(message) = line.strip_prefix("expected_fail_message") {
            expect.fail = Some(Pattern::Message(message.trim().to_owned()));
            return Ok(false);
        }
        if let Some(pattern) = line.strip_prefix("expected_fail_regexp") {
            expect.fail = Some(Pattern::Regex(regex(pattern.trim())?));
            return Ok(false);
        }
        if line.starts_with("expect range vector") {
            let parts = self.grammar.range_vector.captures(line).ok_or("malformed range vector")?;
            expect.range_vector = Some((duration(&parts[1])?, duration(&parts[2])?, duration(&parts[3])?));
        } else if let Some(text) = line.strip_prefix("expect string") {
            expect.string = Some(series::unquote(text.trim())?);
        } else if line.split(' ').next() == Some("expect") {
            self.expect_line(line, expect)?;
        } else if let Some(number) = series::number(line) {
            expect.scalar = Some(number);
            return Ok(false);
        } else {
            expect.series.push(series::parse(line)?);
        }
        Ok(true)
    }

    fn expect_line(&self, line: &str, expect: &mut Expect) -> Result<(), String> {
        let parts = self.grammar.expect.captures(line).ok_or_else(|| format!("malformed {line:?}"))?;
        let text = parts.get(3).map_or("", |t| t.as_str().trim());
        let pattern = match parts.get(2).map(|k| k.as_str()) {
            None => Pattern::Any,
            Some("msg") => Pattern::Message(text.to_owned()),
            Some(_) => Pattern::Regex(regex(text)?),
        };
        match &parts[1] {
            "ordered" => expect.ordered = true,
            "fail" => expect.fail = Some(pattern),
            "warn" => expect.warn.push(pattern),
            "info" => expect.info.push(pattern),
            "no_warn" => expect.no_warn = true,
            _ => expect.no_info = true,
        }
        Ok(())
    }
}

fn regex(pattern: &str) -> Result<Regex, String> {
    Regex::new(pattern).map_err(|e| e.to_string())
}

/// A duration such as `1h30m`, or `0`, in milliseconds.
pub fn duration(text: &str) -> Result<i64, String> {
    let malformed = || format!("malformed duration {text:?}");
    if text == "0" {
        return Ok(0);
    }
    let mut rest = text;
    let mut total = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(malformed)?;
        let number: i64 = rest[..digits].parse().map_err(|_| malformed())?;
        let unit_end = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |e| digits + e);
        total += number
            * match &rest[digits..unit_end] {
                "ms" => 1,
                "s" => 1000,
                "m" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                "w" => 7 * 86_400_000,
                "y" => 365 * 86_400_000,
                _ => return Err(malformed()),
            };
        rest = &rest[unit_end..];
    }
    if text.is_empty() { Err(malformed()) } else { Ok(total) }
}

impl Eval {
    /// Whether any expected value is a native histogram.
    pub fn expects_histograms(&self) -> bool {
        self.expect.series.iter().any(|s| s.values.contains(&Value::Histogram))
    }
}

/// The native series that `load_with_nhcb` makes of a classic histogram's series.
pub fn native_base(labels: &Labels) -> Option<Labels> {
    let name = labels.metric_name()?;
    let base = ["_bucket", "_count", "_sum"].iter().find_map(|suffix| name.strip_suffix(suffix))?;
    let mut builder = model::LabelsBuilder::from_labels(labels);
    Some(builder.set(model::METRIC_NAME, base).remove("le").build())
}
