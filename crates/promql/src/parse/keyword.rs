//! The words that mean something in PromQL, in any case of letters.

use crate::ast::{AggregateOp, BinaryOp};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keyword {
    Aggregate(AggregateOp),
    /// `and`, `or`, `unless`, `atan2`.
    Operator(BinaryOp),
    Anchored,
    Bool,
    By,
    Fill,
    FillLeft,
    FillRight,
    GroupLeft,
    GroupRight,
    Ignoring,
    Offset,
    On,
    Smoothed,
    Without,
    End,
    MaxOf,
    MinOf,
    Range,
    Start,
    Step,
}

/// No keyword is longer, so that long names need not be looked at.
const MAX_LENGTH: usize = 12;

impl Keyword {
    pub fn find(word: &str) -> Option<Self> {
        if word.len() > MAX_LENGTH {
            return None;
        }
        let word = word.to_ascii_lowercase();
        if let Some(op) = AggregateOp::ALL.into_iter().find(|op| op.as_str() == word) {
            return Some(Self::Aggregate(op));
        }
        Some(match word.as_str() {
            "and" => Self::Operator(BinaryOp::And),
            "or" => Self::Operator(BinaryOp::Or),
            "unless" => Self::Operator(BinaryOp::Unless),
            "atan2" => Self::Operator(BinaryOp::Atan2),
            "anchored" => Self::Anchored,
            "bool" => Self::Bool,
            "by" => Self::By,
            "fill" => Self::Fill,
            "fill_left" => Self::FillLeft,
            "fill_right" => Self::FillRight,
            "group_left" => Self::GroupLeft,
            "group_right" => Self::GroupRight,
            "ignoring" => Self::Ignoring,
            "offset" => Self::Offset,
            "on" => Self::On,
            "smoothed" => Self::Smoothed,
            "without" => Self::Without,
            "end" => Self::End,
            "max_of" => Self::MaxOf,
            "min_of" => Self::MinOf,
            "range" => Self::Range,
            "start" => Self::Start,
            "step" => Self::Step,
            _ => return None,
        })
    }

    /// Also the name of a function, or of a bound of the query.
    pub fn is_callable(self) -> bool {
        use Keyword::*;
        matches!(self, Start | End | Step | Range | MaxOf | MinOf)
    }

    /// `fill` and its like are keywords only before a parenthesis.
    pub fn is_fill(self) -> bool {
        matches!(self, Self::Fill | Self::FillLeft | Self::FillRight)
    }

    /// Whether a metric may have this name without quotes.
    pub fn is_metric_name(self) -> bool {
        use Keyword::*;
        !matches!(self, Bool | GroupLeft | GroupRight | Ignoring | On | Operator(BinaryOp::Atan2))
    }
}

/// Whether a label in `by (…)` may have this name without quotes.
pub fn is_label_name(word: &str) -> bool {
    Keyword::find(word) != Some(Keyword::Without)
}

/// How an error shows a keyword.
pub fn describe(word: &str) -> String {
    match Keyword::find(word) {
        Some(Keyword::Aggregate(_)) => format!("<aggr:{word}>"),
        Some(Keyword::Operator(_)) => format!("<op:{word}>"),
        Some(keyword) if keyword.is_callable() => format!("\"{word}\""),
        _ => format!("<{word}>"),
    }
}
