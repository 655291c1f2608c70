//! Regular expressions of label matchers: RE2 syntax as Go has it, matched against whole
//! values, and never slow to build.

mod analysis;
mod cost;
mod go_syntax;

pub use cost::{RegexCosts, check_regex_work};

use crate::matcher::RegexError;
use analysis::{Gap, Shape};
use go_syntax::Groups;
use regex::{Regex, RegexBuilder};
use regex_syntax::hir::Hir;

/// What a compiled expression may take in memory. A few thousand repetitions of a character
/// fit; nested repetitions that multiply do not.
const SIZE_LIMIT: usize = 2 << 20;

/// The longest expression. Those that are lists of values are long in practice and need
/// not be compiled.
const MAX_LENGTH: usize = 256 << 10;

/// The longest expression that is compiled.
const MAX_COMPILED_LENGTH: usize = 64 << 10;

/// How deep groups may nest.
const NEST_LIMIT: u32 = 200;

/// A regular expression over whole label values. `.` matches every character.
#[derive(Debug)]
pub struct ValueRegex {
    strategy: Strategy,
    prefix: String,
    cost: usize,
}

/// The cheapest way to decide a match.
#[derive(Debug)]
enum Strategy {
    /// These values, sorted, and no others.
    Values(Vec<String>),
    /// Something, this text, something.
    Text {
        before: Gap,
        text: String,
        after: Gap,
    },
    Compiled(Regex),
}

impl ValueRegex {
    pub fn new(pattern: &str) -> Result<Self, RegexError> {
        if pattern.len() > MAX_LENGTH {
            let message = format!(
                "regular expression is too long: {} bytes, at most {MAX_LENGTH} are allowed",
                pattern.len()
            );
            return Err(RegexError(message));
        }
        let translated = go_syntax::translate(pattern, Groups::Plain)?;
        let hir = parse(&translated)?;
        let cost = cost::plain(pattern.len());
        Ok(match analysis::shape(&hir) {
            Some(Shape::Values(values)) => {
                let prefix = analysis::common_prefix(&values).to_owned();
                Self { strategy: Strategy::Values(values), prefix, cost }
            }
            Some(Shape::Text { before, text, after }) => {
                let prefix = if before == Gap::Nothing { text.clone() } else { String::new() };
                Self { strategy: Strategy::Text { before, text, after }, prefix, cost }
            }
            None if pattern.len() > MAX_COMPILED_LENGTH => {
                return Err(go_syntax::error("expression too large"));
            }
            None => Self {
                strategy: Strategy::Compiled(compile(&whole(&translated))?),
                prefix: analysis::prefix(&hir),
                cost: cost::automaton(&hir),
            },
        })
    }

    pub fn is_match(&self, value: &str) -> bool {
        match &self.strategy {
            Strategy::Values(values) => values.binary_search_by(|v| v.as_str().cmp(value)).is_ok(),
            Strategy::Text { before, text, after } => text_matches(*before, text, *after, value),
            Strategy::Compiled(regex) => value.starts_with(&self.prefix) && regex.is_match(value),
        }
    }

    /// Whether a value may be matched: with an automaton it may take too long. The error is a sentence.
    pub fn check_value(&self, value: &str) -> Result<(), String> {
        match &self.strategy {
            Strategy::Compiled(_) if value.starts_with(&self.prefix) => {
                check_regex_work(self.cost, value.len())
            }
            _ => Ok(()),
        }
    }

    /// All values that match, sorted, if they are few enough to be listed.
    pub fn values(&self) -> Option<&[String]> {
        match &self.strategy {
            Strategy::Values(values) => Some(values),
            Strategy::Text { .. } | Strategy::Compiled(_) => None,
        }
    }

    /// See `RegexCosts`.
    pub fn cost(&self) -> usize {
        self.cost
    }

    /// What every value that matches begins with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

/// A regular expression over whole label values whose groups capture, for `label_replace`.
pub fn capturing_regex(pattern: &str) -> Result<Regex, RegexError> {
    compile(&whole(&translate_capturing(pattern)?))
}

/// A regular expression that may match anywhere in a line, and whose groups capture. Other
/// than in label values, `.` does not match a line feed.
pub fn search_regex(pattern: &str) -> Result<Regex, RegexError> {
    compile(&translate_capturing(pattern)?)
}

/// What `capturing_regex` or `search_regex` of a pattern costs; see `RegexCosts`.
pub fn regex_cost(pattern: &str) -> usize {
    let parsed = translate_capturing(pattern).and_then(|translated| parse(&translated));
    parsed.map_or(cost::plain(pattern.len()), |hir| cost::automaton(&hir))
}

fn translate_capturing(pattern: &str) -> Result<String, RegexError> {
    if pattern.len() > MAX_COMPILED_LENGTH {
        return Err(go_syntax::error("expression too large"));
    }
    go_syntax::translate(pattern, Groups::Capture)
}

fn whole(translated: &str) -> String {
    format!("^(?s:{translated})$")
}

fn parse(translated: &str) -> Result<Hir, RegexError> {
    let mut parser =
        regex_syntax::ParserBuilder::new().nest_limit(NEST_LIMIT).dot_matches_new_line(true).build();
    parser.parse(translated).map_err(|e| parse_error(&e))
}

fn compile(regex: &str) -> Result<Regex, RegexError> {
    RegexBuilder::new(regex)
        .size_limit(SIZE_LIMIT)
        .dfa_size_limit(SIZE_LIMIT)
        .nest_limit(NEST_LIMIT + 2)
        .build()
        .map_err(|e| match e {
            regex::Error::CompiledTooBig(_) => go_syntax::error("expression too large"),
            other => go_syntax::error(&other.to_string()),
        })
}

fn parse_error(error: &regex_syntax::Error) -> RegexError {
    use regex_syntax::ast::ErrorKind;
    match error {
        regex_syntax::Error::Parse(e) if matches!(e.kind(), ErrorKind::NestLimitExceeded(_)) => {
            go_syntax::error("expression nests too deeply")
        }
        regex_syntax::Error::Parse(e) => go_syntax::error(&e.kind().to_string()),
        regex_syntax::Error::Translate(e) => go_syntax::error(&e.kind().to_string()),
        other => go_syntax::error(&other.to_string()),
    }
}

fn text_matches(before: Gap, text: &str, after: Gap, value: &str) -> bool {
    match (before, after) {
        (Gap::Nothing, _) => value.strip_prefix(text).is_some_and(|rest| after.allows(rest)),
        (_, Gap::Nothing) => value.strip_suffix(text).is_some_and(|rest| before.allows(rest)),
        _ => {
            // A gap that must not be empty takes one character; the text lies in the rest.
            let mut inner = value.chars();
            let taken = |gap, character: Option<char>| gap == Gap::Anything || character.is_some();
            let start = if before == Gap::Something { inner.next() } else { None };
            let end = if after == Gap::Something { inner.next_back() } else { None };
            taken(before, start) && taken(after, end) && inner.as_str().contains(text)
        }
    }
}

#[cfg(test)]
mod tests;
