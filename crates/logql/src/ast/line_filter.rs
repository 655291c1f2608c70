//! Filters on the text of lines.

use super::{IpSet, Pattern};

/// `|= "a" or "b"`. Where the operator refuses lines, there is one operand: `!= "a" or "b"`
/// is read as `!= "a" != "b"`, which is what it means.
#[derive(Clone, Debug, PartialEq)]
pub struct LineFilter {
    pub op: LineFilterOp,
    /// At least one; a line passes where one of them is found, or where it is not.
    pub operands: Vec<LineOperand>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LineFilterOp {
    /// `|=`
    Contains,
    /// `!=`
    NotContains,
    /// `|~`
    Regex,
    /// `!~`
    NotRegex,
    /// `|>`
    Pattern,
    /// `!>`
    NotPattern,
}

#[derive(Clone, Debug, PartialEq)]
pub enum LineOperand {
    /// Of `|=` and `!=`.
    Text(String),
    /// Of `|~` and `!~`: Go's syntax, not anchored.
    Regex(String),
    /// Of `|>` and `!>`; without named captures.
    Pattern(Pattern),
    /// `ip("10.0.0.0/8")`, of `|=` and `!=`: an address in the line.
    Ip(IpSet),
}

impl LineFilterOp {
    pub const ALL: [Self; 6] =
        [Self::Contains, Self::NotContains, Self::Regex, Self::NotRegex, Self::Pattern, Self::NotPattern];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Contains => "|=",
            Self::NotContains => "!=",
            Self::Regex => "|~",
            Self::NotRegex => "!~",
            Self::Pattern => "|>",
            Self::NotPattern => "!>",
        }
    }

    /// Whether lines pass in which the operand is not found.
    pub fn is_negative(self) -> bool {
        matches!(self, Self::NotContains | Self::NotRegex | Self::NotPattern)
    }
}
