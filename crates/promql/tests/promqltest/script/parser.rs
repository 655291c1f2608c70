//! From the text of a script to its commands.

use super::{Command, Eval, Expect, Load, Loaded, Pattern, When, duration::duration, starts};
use model::Timestamp;
use promql::notation;
use regex::Regex;

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
        let mut load =
            Load { step: duration(&parts[2])?, with_native: parts.get(1).is_some(), series: Vec::new() };
        let mut starts = None;
        while let Some(line) = self.block_line() {
            if starts::are_in(line) {
                if starts.replace(starts::parse(line)?).is_some() {
                    return Err(format!("no samples between {line:?} and the start timestamps before"));
                }
                continue;
            }
            let description = notation::parse(line)?;
            let starts = match starts.take() {
                Some(starts) => starts.of(&description)?,
                None => Vec::new(),
            };
            load.series.push(Loaded { description, starts });
        }
        if starts.is_some() {
            return Err("no samples follow start timestamps".to_owned());
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
            let (start, end, step) = times(&parts[2], &parts[3], &parts[4])?;
            let when = When::Range { start, end, step };
            (parts.get(1).map(|k| k.as_str().to_owned()), when, parts[5].to_owned())
        };
        let mut expect = Expect::default();
        while let Some(line) = self.block_line() {
            if !self.expectation(line, &mut expect)? {
                break;
            }
        }
        match kind.as_deref() {
            Some("fail") if expect.fail.is_none() => expect.fail = Some(Pattern::Any),
            Some("warn") if expect.warn.is_empty() => expect.warn.push(Pattern::Any),
            Some("info") if expect.info.is_empty() => expect.info.push(Pattern::Any),
            Some("ordered") => expect.ordered = true,
            _ => {}
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
            expect.range_vector = Some(times(&parts[1], &parts[2], &parts[3])?);
        } else if let Some(text) = line.strip_prefix("expect string") {
            expect.string = Some(notation::unquote(text.trim())?);
        } else if line.split(' ').next() == Some("expect") {
            self.expect_line(line, expect)?;
        } else if let Some(number) = notation::number(line) {
            expect.scalar = Some(number);
            return Ok(false);
        } else {
            expect.series.push(notation::parse(line)?);
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
            "fail" if expect.fail.is_some() => return Err("a query fails only once".to_owned()),
            "fail" => expect.fail = Some(pattern),
            "warn" => expect.warn.push(pattern),
            "info" => expect.info.push(pattern),
            "no_warn" => expect.no_warn = true,
            _ => expect.no_info = true,
        }
        if (expect.no_warn && !expect.warn.is_empty()) || (expect.no_info && !expect.info.is_empty()) {
            return Err(format!("{line:?} contradicts a line before"));
        }
        Ok(())
    }
}

fn times(from: &str, to: &str, step: &str) -> Result<(Timestamp, Timestamp, i64), String> {
    let (start, end) = (duration(from)?, duration(to)?);
    if end < start {
        return Err(format!("{to} is before {from}"));
    }
    Ok((start, end, duration(step)?))
}

fn regex(pattern: &str) -> Result<Regex, String> {
    Regex::new(pattern).map_err(|e| e.to_string())
}
