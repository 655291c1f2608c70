//! Stages as text.

use super::{filter::NamedMatcher, write_list};
use crate::ast::{Extraction, LabelFormat, LabelSelection, Logfmt, Stage};
use model::quote;
use std::fmt::{self, Display, Formatter};

impl Display for Stage {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::LineFilter(filter) => write!(f, "{filter}"),
            Self::LabelFilter(filter) => write!(f, "| {filter}"),
            Self::Json(expressions) => {
                f.write_str("| json")?;
                write_extractions(f, expressions)
            }
            Self::Logfmt(logfmt) => write!(f, "{logfmt}"),
            Self::Pattern(pattern) => write!(f, "| pattern {}", quote(&pattern.text)),
            Self::Regexp(regex) => write!(f, "| regexp {}", quote(regex)),
            Self::Unpack => f.write_str("| unpack"),
            Self::Decolorize => f.write_str("| decolorize"),
            Self::LineFormat(template) => write!(f, "| line_format {}", quote(template)),
            Self::LabelFormat(formats) => {
                f.write_str("| label_format ")?;
                write_list(f, ",", formats, |f, format| write!(f, "{format}"))
            }
            Self::Drop(selections) => write_selections(f, "drop", selections),
            Self::Keep(selections) => write_selections(f, "keep", selections),
        }
    }
}

impl Display for Logfmt {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("| logfmt")?;
        if self.strict {
            f.write_str(" --strict")?;
        }
        if self.keep_empty {
            f.write_str(" --keep-empty")?;
        }
        write_extractions(f, &self.expressions)
    }
}

impl Display for LabelFormat {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rename { label, from } => write!(f, "{label}={from}"),
            Self::Template { label, template } => write!(f, "{label}={}", quote(template)),
        }
    }
}

fn write_extractions(f: &mut Formatter<'_>, extractions: &[Extraction]) -> fmt::Result {
    if extractions.is_empty() {
        return Ok(());
    }
    f.write_str(" ")?;
    write_list(f, ",", extractions, |f, Extraction { label, expression }| {
        write!(f, "{label}={}", quote(expression))
    })
}

fn write_selections(f: &mut Formatter<'_>, stage: &str, selections: &[LabelSelection]) -> fmt::Result {
    write!(f, "| {stage} ")?;
    write_list(f, ",", selections, |f, selection| match selection {
        LabelSelection::Name(name) => f.write_str(name),
        LabelSelection::Matcher(matcher) => write!(f, "{}", NamedMatcher(matcher)),
    })
}
