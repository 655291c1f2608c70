//! Patterns such as `<ip> - <_> "<method> `: text, and what stands between.

/// A pattern: text and captures take turns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// As it was written.
    pub text: String,
    /// Neither two texts nor two captures follow each other. Empty only in a line filter,
    /// where it passes empty lines.
    pub parts: Vec<PatternPart>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PatternPart {
    Text(String),
    /// `<name>`
    Capture(String),
    /// `<_>`
    Skip,
}

/// What is wrong with a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPattern {
    #[error("the pattern is empty")]
    Empty,
    #[error("at least one capture is required")]
    NoCapture,
    #[error("found consecutive capture '{0}'")]
    Consecutive(String),
    #[error("duplicate capture name ({0})")]
    Duplicate(String),
    #[error("named captures are not allowed: found '<{0}>'")]
    Named(String),
}

impl Pattern {
    /// The pattern of a `pattern` stage: at least one named capture, none twice.
    pub fn for_labels(text: &str) -> Result<Self, InvalidPattern> {
        if text.is_empty() {
            return Err(InvalidPattern::Empty);
        }
        let pattern = Self::new(text)?;
        let mut names: Vec<_> = pattern.names().collect();
        if names.is_empty() {
            return Err(InvalidPattern::NoCapture);
        }
        names.sort_unstable();
        let twice = names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0].to_owned());
        twice.map_or(Ok(pattern), |name| Err(InvalidPattern::Duplicate(name)))
    }

    /// The pattern of a line filter: no named capture; it may be empty.
    pub fn for_lines(text: &str) -> Result<Self, InvalidPattern> {
        let pattern = Self::new(text)?;
        let named = pattern.names().next().map(str::to_owned);
        named.map_or(Ok(pattern), |name| Err(InvalidPattern::Named(name)))
    }

    /// The names of captures, from left to right.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            PatternPart::Capture(name) => Some(name.as_str()),
            PatternPart::Text(_) | PatternPart::Skip => None,
        })
    }

    fn new(text: &str) -> Result<Self, InvalidPattern> {
        let mut parts: Vec<PatternPart> = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if let Some(name) = capture(rest) {
                rest = &rest[name.len() + 2..];
                if let Some(previous) = parts.last().and_then(PatternPart::name) {
                    return Err(InvalidPattern::Consecutive(format!("<{previous}><{name}>")));
                }
                parts.push(match name {
                    "_" => PatternPart::Skip,
                    name => PatternPart::Capture(name.to_owned()),
                });
                continue;
            }
            // What begins like a capture and is none is text.
            let end = rest[first.len_utf8()..].find('<').map_or(rest.len(), |at| at + first.len_utf8());
            match parts.last_mut() {
                Some(PatternPart::Text(text)) => text.push_str(&rest[..end]),
                _ => parts.push(PatternPart::Text(rest[..end].to_owned())),
            }
            rest = &rest[end..];
        }
        Ok(Self { text: text.to_owned(), parts })
    }
}

impl PatternPart {
    /// What stands between `<` and `>`.
    fn name(&self) -> Option<&str> {
        match self {
            Self::Text(_) => None,
            Self::Capture(name) => Some(name),
            Self::Skip => Some("_"),
        }
    }
}

/// The name of the capture that `text` begins with.
fn capture(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('<')?;
    let end = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
    let name = &inner[..end];
    let good = inner[end..].starts_with('>') && name.starts_with(|c: char| !c.is_ascii_digit());
    good.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use PatternPart::{Capture, Skip, Text};

    fn parts(text: &str) -> Vec<PatternPart> {
        Pattern::for_labels(text).unwrap().parts
    }

    #[test]
    fn text_and_captures_take_turns() {
        assert_eq!(
            parts("<ip> - <_> é<m_2>"),
            [
                Capture("ip".to_owned()),
                Text(" - ".to_owned()),
                Skip,
                Text(" é".to_owned()),
                Capture("m_2".to_owned())
            ]
        );
    }

    #[test]
    fn what_is_no_name_is_text() {
        assert_eq!(
            parts("<<a> <1> <b c> <> <é> <"),
            [Text("<".to_owned()), Capture("a".to_owned()), Text(" <1> <b c> <> <é> <".to_owned())]
        );
    }

    #[test]
    fn bad_patterns_say_why() {
        for (text, reason) in [
            ("", "the pattern is empty"),
            ("a <_>", "at least one capture is required"),
            ("<a><_>", "found consecutive capture '<a><_>'"),
            ("<a> <b> <a>", "duplicate capture name (a)"),
        ] {
            assert_eq!(Pattern::for_labels(text).unwrap_err().to_string(), reason, "{text}");
        }
        let error = Pattern::for_lines("<_> <b>").unwrap_err().to_string();
        assert_eq!(error, "named captures are not allowed: found '<b>'");
        assert_eq!(Pattern::for_lines("").unwrap().parts, []);
    }
}
