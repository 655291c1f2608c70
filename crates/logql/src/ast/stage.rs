//! What a line goes through, one stage after the other.

use super::{LabelFilter, LineFilter, Pattern};
use model::Matcher;

#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// `|= "text"` and its like.
    LineFilter(LineFilter),
    /// `| json`: all fields where there are no expressions, otherwise only these. Each is a
    /// path such as `servers[0].name`.
    Json(Vec<Extraction>),
    /// `| logfmt`.
    Logfmt(Logfmt),
    /// `| pattern "<ip> <_>"`.
    Pattern(Pattern),
    /// `| regexp "(?P<name>…)"`, in Go's syntax, not anchored, with at least one named group.
    Regexp(String),
    /// `| unpack`.
    Unpack,
    /// `| decolorize`.
    Decolorize,
    /// `| line_format "{{.label}}"`: the text of a template.
    LineFormat(String),
    /// `| label_format`; no label is set twice.
    LabelFormat(Vec<LabelFormat>),
    /// `| status >= 500`.
    LabelFilter(LabelFilter),
    /// `| drop a, b="c"`.
    Drop(Vec<LabelSelection>),
    /// `| keep a, b="c"`.
    Keep(Vec<LabelSelection>),
}

/// `| logfmt --strict --keep-empty a="b"`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Logfmt {
    /// Stop at the first field that is not valid.
    pub strict: bool,
    /// Keep fields without a value.
    pub keep_empty: bool,
    /// Only these fields; all where there are none.
    pub expressions: Vec<Extraction>,
}

/// `label="expression"`; `label` alone stands for `label="label"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extraction {
    pub label: String,
    pub expression: String,
}

/// What `label_format` does to one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelFormat {
    /// `label=from`: `from` is gone afterwards.
    Rename { label: String, from: String },
    /// `label="{{…}}"`.
    Template { label: String, template: String },
}

impl LabelFormat {
    /// The label that is set.
    pub fn label(&self) -> &str {
        match self {
            Self::Rename { label, .. } | Self::Template { label, .. } => label,
        }
    }
}

/// What `drop` and `keep` name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelSelection {
    /// The label, whatever its value.
    Name(String),
    /// The label where its value matches.
    Matcher(Matcher),
}
