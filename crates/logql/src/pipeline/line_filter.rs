//! Filters on the text of lines.

use super::{ip::has_address, line_pattern::LinePattern, regex_filter::RegexFilter};
use crate::ast::{self, IpSet, LineOperand};
use memchr::memmem::Finder;
use service_api::Result;

/// A filter, ready to run over bytes.
#[derive(Debug)]
pub struct LineFilter {
    conditions: Vec<Condition>,
    /// Whether lines stay in which no condition is met.
    negative: bool,
}

#[derive(Debug)]
pub enum Condition {
    Text(Box<Finder<'static>>),
    Regex(RegexFilter),
    Pattern(LinePattern),
    Ip(IpSet),
}

impl LineFilter {
    pub fn new(filter: &ast::LineFilter) -> Result<Self> {
        let condition = |operand: &LineOperand| {
            Ok(match operand {
                LineOperand::Text(text) => {
                    Condition::Text(Box::new(Finder::new(text.as_bytes()).into_owned()))
                }
                LineOperand::Regex(pattern) => Condition::Regex(RegexFilter::new(pattern)?),
                LineOperand::Pattern(pattern) => Condition::Pattern(LinePattern::new(pattern)),
                LineOperand::Ip(set) => Condition::Ip(set.clone()),
            })
        };
        Ok(Self {
            conditions: filter.operands.iter().map(condition).collect::<Result<_>>()?,
            negative: filter.op.is_negative(),
        })
    }

    #[inline]
    pub fn keeps(&self, line: &[u8]) -> bool {
        self.conditions.iter().any(|condition| condition.is_met(line)) != self.negative
    }

    /// The conditions one of which must be met in every line that stays; none if the filter
    /// asks for something that must not be there.
    pub fn required(&self) -> &[Condition] {
        if self.negative { &[] } else { &self.conditions }
    }
}

impl Condition {
    fn is_met(&self, line: &[u8]) -> bool {
        match self {
            Self::Text(text) => text.find(line).is_some(),
            Self::Regex(regex) => regex.is_match(line),
            Self::Pattern(pattern) => pattern.matches(line),
            Self::Ip(set) => has_address(line, set),
        }
    }

    /// Texts that are in every line in which it is met.
    pub fn texts(&self) -> Vec<&[u8]> {
        match self {
            Self::Text(text) => vec![text.needle()],
            Self::Regex(regex) => regex.texts().collect(),
            Self::Pattern(pattern) => pattern.texts().collect(),
            Self::Ip(_) => Vec::new(),
        }
    }
}
