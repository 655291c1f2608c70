//! Filters on labels.

use super::IpSet;
use model::Matcher;

/// A condition on labels. Other than matchers, comparisons read the value of the label as a
/// number of their kind.
#[derive(Clone, Debug, PartialEq)]
pub enum LabelFilter {
    /// `level="error"`; an absent label counts as an empty value.
    Matcher(Matcher),
    /// `status >= 500`.
    Number { label: String, op: CompareOp, value: f64 },
    /// `took > 1.5s`, in nanoseconds.
    Duration { label: String, op: CompareOp, nanos: i64 },
    /// `size < 10MiB`.
    Bytes { label: String, op: CompareOp, bytes: u64 },
    /// `addr = ip("10.0.0.0/8")`, or with `!=`.
    Ip { label: String, negated: bool, addresses: IpSet },
    /// `and`, a comma, or nothing at all between two conditions.
    And(Box<LabelFilter>, Box<LabelFilter>),
    /// `or`
    Or(Box<LabelFilter>, Box<LabelFilter>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CompareOp {
    /// `=` and `==`
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl CompareOp {
    pub fn find(text: &str) -> Option<Self> {
        Some(match text {
            "=" | "==" => Self::Equal,
            "!=" => Self::NotEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            _ => return None,
        })
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
        }
    }

    /// Whether `left op right` holds.
    pub fn holds<T: PartialOrd>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
        }
    }
}
