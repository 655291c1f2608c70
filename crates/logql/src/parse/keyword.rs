//! The words that mean something in LogQL, in any case of letters.

use crate::ast::{BinaryOp, Conversion, RangeOp, VectorOp};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keyword {
    Range(RangeOp),
    Aggregate(VectorOp),
    /// `and`, `or`, `unless`.
    Operator(BinaryOp),
    Conversion(Conversion),
    Vector,
    LabelReplace,
    Ip,
    By,
    Without,
    Bool,
    Offset,
    On,
    Ignoring,
    GroupLeft,
    GroupRight,
    Unwrap,
    Json,
    Logfmt,
    Regexp,
    Pattern,
    Unpack,
    Decolorize,
    LineFormat,
    LabelFormat,
    Drop,
    Keep,
    /// `--strict`
    Strict,
    /// `--keep-empty`
    KeepEmpty,
}

const WORDS: [(&str, Keyword); 27] = [
    ("and", Keyword::Operator(BinaryOp::And)),
    ("or", Keyword::Operator(BinaryOp::Or)),
    ("unless", Keyword::Operator(BinaryOp::Unless)),
    ("vector", Keyword::Vector),
    ("label_replace", Keyword::LabelReplace),
    ("ip", Keyword::Ip),
    ("by", Keyword::By),
    ("without", Keyword::Without),
    ("bool", Keyword::Bool),
    ("offset", Keyword::Offset),
    ("on", Keyword::On),
    ("ignoring", Keyword::Ignoring),
    ("group_left", Keyword::GroupLeft),
    ("group_right", Keyword::GroupRight),
    ("unwrap", Keyword::Unwrap),
    ("json", Keyword::Json),
    ("logfmt", Keyword::Logfmt),
    ("regexp", Keyword::Regexp),
    ("pattern", Keyword::Pattern),
    ("unpack", Keyword::Unpack),
    ("decolorize", Keyword::Decolorize),
    ("line_format", Keyword::LineFormat),
    ("label_format", Keyword::LabelFormat),
    ("drop", Keyword::Drop),
    ("keep", Keyword::Keep),
    ("--strict", Keyword::Strict),
    ("--keep-empty", Keyword::KeepEmpty),
];

impl Keyword {
    pub fn find(word: &str) -> Option<Self> {
        let is = |name: &str| name.eq_ignore_ascii_case(word);
        if let Some((_, keyword)) = WORDS.into_iter().find(|(name, _)| is(name)) {
            return Some(keyword);
        }
        if let Some(op) = RangeOp::ALL.into_iter().find(|op| is(op.as_str())) {
            return Some(Self::Range(op));
        }
        if let Some(op) = VectorOp::ALL.into_iter().find(|op| is(op.as_str())) {
            return Some(Self::Aggregate(op));
        }
        Conversion::find(word).map(Self::Conversion)
    }

    /// Whether the word is a keyword only before a parenthesis or a grouping, and a name
    /// elsewhere.
    pub fn is_function(self) -> bool {
        use Keyword::*;
        matches!(self, Range(_) | Aggregate(_) | Conversion(_) | Vector | LabelReplace | Ip)
    }
}

/// Whether a label's name can be written without quotes.
pub fn is_plain_name(name: &str) -> bool {
    name.starts_with(starts_word)
        && name.chars().all(continues_word)
        && Keyword::find(name).is_none_or(Keyword::is_function)
}

pub fn starts_word(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}

pub fn continues_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}
