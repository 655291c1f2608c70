//! Line filters, label filters and matchers as text.

use super::{Name, write_list};
use crate::ast::{CompareOp, LabelFilter, LineFilter, LineOperand};
use model::{MatchOp, Matcher, quote};
use query_syntax::{PlainNumber, format_bytes, format_go_duration, parse_bytes};
use std::fmt::{self, Display, Formatter};

impl Display for LineFilter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.op.as_str())?;
        write_list(f, " or ", &self.operands, |f, operand| write!(f, "{operand}"))
    }
}

impl Display for LineOperand {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) | Self::Regex(text) => f.write_str(&quote(text)),
            Self::Pattern(pattern) => f.write_str(&quote(&pattern.text)),
            Self::Ip(addresses) => write!(f, "ip({})", quote(&addresses.to_string())),
        }
    }
}

impl Display for LabelFilter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let comparison = |f: &mut Formatter<'_>, label: &str, op: CompareOp, value: &str| {
            write!(f, "{label}{}{value}", op.as_str())
        };
        match self {
            Self::Matcher(matcher) if is_compiled(matcher) => {
                let Matcher { name, op, value, .. } = matcher;
                write!(f, "{name}{}`{value}`", op.as_str())
            }
            Self::Matcher(matcher) => write!(f, "{}", NamedMatcher(matcher)),
            Self::Number { label, op, value } => comparison(f, label, *op, &PlainNumber(*value).to_string()),
            Self::Duration { label, op, nanos } => comparison(f, label, *op, &format_go_duration(*nanos)),
            Self::Bytes { label, op, bytes } => comparison(f, label, *op, &size(*bytes)),
            Self::Ip { label, negated, addresses } => {
                let op = if *negated { "!=" } else { "=" };
                write!(f, "{label}{op}ip({})", quote(&addresses.to_string()))
            }
            Self::And(l, r) => write!(f, "( {l} , {r} )"),
            Self::Or(l, r) => write!(f, "( {l} or {r} )"),
        }
    }
}

/// A matcher as a query has it: names that are words stay unquoted, of whatever script.
pub struct NamedMatcher<'a>(pub &'a Matcher);

impl Display for NamedMatcher<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Matcher { name, op, value, .. } = self.0;
        write!(f, "{}{}{}", Name(name), op.as_str(), quote(value))
    }
}

/// Whether Loki keeps the expression of a label filter, and then prints it in backticks. It
/// turns those into plain comparisons that are made of text, `|` and `.*`.
fn is_compiled(matcher: &Matcher) -> bool {
    if matcher.op != MatchOp::Regex || matcher.value.contains('`') || matcher.value == ".+" {
        return false;
    }
    let text = matcher.value.trim_start_matches("(?i)");
    let text = text.strip_prefix(".*").unwrap_or(text);
    let text = text.strip_suffix(".*").unwrap_or(text);
    let mut escaped = false;
    text.chars().any(|c| match std::mem::take(&mut escaped) {
        // What is escaped is text if it is no letter.
        true => c.is_alphanumeric(),
        false => {
            escaped = c == '\\';
            matches!(c, '.' | '+' | '*' | '?' | '[' | ']' | '{' | '}' | '^' | '$')
        }
    })
}

/// Rounded as in Loki where nothing gets lost.
fn size(bytes: u64) -> String {
    let text = format_bytes(bytes);
    match parse_bytes(&text) == Ok(bytes) {
        true => text,
        false => format!("{bytes}B"),
    }
}
