//! Prometheus's script language for queries: what a script consists of.

mod duration;
mod parser;
mod starts;

pub use parser::parse;

use model::Timestamp;
use promql::notation::Description;
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
    /// How many milliseconds after its own time each value began to count, if it is told; none for a series
    /// without an `@st` line.
    pub starts: Vec<Option<i64>>,
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

impl Eval {
    /// First step, last step and how far apart steps are: the times of an expected series' values.
    pub fn steps(&self) -> (Timestamp, Timestamp, i64) {
        match (self.expect.range_vector, self.when) {
            (Some(steps), _) => steps,
            (None, When::Range { start, end, step }) => (start, end, step),
            (None, When::Instant(at)) => (at, at, 0),
        }
    }

    /// Whether a range query can be asked for the same. It cannot answer with what has no steps, and it
    /// gives some functions another meaning.
    pub fn has_range_form(&self, expr: &str) -> bool {
        self.expect.range_vector.is_none()
            && self.expect.string.is_none()
            && !["start()", "end()", "range()", "step()"].iter().any(|function| expr.contains(function))
    }
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

#[cfg(test)]
mod tests;
