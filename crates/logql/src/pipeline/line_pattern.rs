//! Patterns such as `<ip> - <_> "<method> `, as filters and as parsers.

use super::{hints::Hints, label_filter::Guards, line_labels::LineLabels};
use crate::ast::{Pattern, PatternPart};
use memchr::memmem::Finder;

/// A pattern to search lines with.
#[derive(Debug)]
pub struct LinePattern(Vec<Part>);

#[derive(Debug)]
enum Part {
    Text(Box<Finder<'static>>),
    Capture(String),
    Skip,
}

impl LinePattern {
    pub fn new(pattern: &Pattern) -> Self {
        let part = |part: &PatternPart| match part {
            PatternPart::Text(text) => Part::Text(Box::new(Finder::new(text.as_bytes()).into_owned())),
            PatternPart::Capture(name) => Part::Capture(name.clone()),
            PatternPart::Skip => Part::Skip,
        };
        Self(pattern.parts.iter().map(part).collect())
    }

    /// The texts in it, all of which a line must have.
    pub fn texts(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text.needle()),
            Part::Capture(_) | Part::Skip => None,
        })
    }

    /// Whether the whole line is as the pattern says, with something in each gap.
    pub fn matches(&self, line: &[u8]) -> bool {
        if line.is_empty() || self.0.is_empty() {
            return line.is_empty() && self.0.is_empty();
        }
        let mut rest = line;
        for (at, part) in self.0.iter().enumerate() {
            let Part::Text(text) = part else { continue };
            match text.find(rest) {
                // A gap before it that is empty.
                Some(0) if at > 0 => return false,
                Some(found) => rest = &rest[found + text.needle().len()..],
                None => return false,
            }
        }
        let ends_with_text = matches!(self.0.last(), Some(Part::Text(_)));
        rest.is_empty() == ends_with_text
    }

    /// Sets what the captures hold; whether the line is kept. The first text that is not there
    /// ends it: the capture before takes the rest.
    pub fn parse(&self, line: &str, labels: &mut LineLabels, hints: &Hints, guards: &Guards) -> bool {
        let mut rest = line;
        let mut parts = self.0.iter();
        if let Some(Part::Text(text)) = self.0.first() {
            if !line.as_bytes().starts_with(text.needle()) {
                return true;
            }
            rest = &line[text.needle().len()..];
            parts.next();
        }
        if line.is_empty() {
            return true;
        }
        while let Some(part) = parts.next() {
            let end = match parts.next() {
                // What is found is whole characters: it ends where one ends.
                Some(Part::Text(text)) => text.find(rest.as_bytes()).map(|at| (at, at + text.needle().len())),
                _ => None,
            };
            let (captured, after) = match end {
                Some((end, next)) => (&rest[..end], Some(&rest[next..])),
                None => (rest, None),
            };
            if let Part::Capture(name) = part
                && let Some(key) = labels.key(name, hints)
            {
                labels.set(key, captured, hints);
                if guards.drop(labels.key_text(key), captured) {
                    return false;
                }
            }
            match after {
                Some(after) => rest = after,
                None => break,
            }
        }
        true
    }
}
