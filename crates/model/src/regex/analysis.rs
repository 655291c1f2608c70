//! What can be known of an expression without running it.

use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// More values than this are not listed where a class or a product of lists makes them; a
/// list that is written out may have any length.
const MAX_MADE_VALUES: usize = 256;

/// What may stand beside a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    Nothing,
    /// `.*`
    Anything,
    /// `.+`
    Something,
}

/// An expression that needs no automaton.
pub enum Shape {
    /// Sorted, without repeats.
    Values(Vec<String>),
    Text {
        before: Gap,
        text: String,
        after: Gap,
    },
}

impl Gap {
    pub fn allows(self, text: &str) -> bool {
        match self {
            Self::Nothing => text.is_empty(),
            Self::Anything => true,
            Self::Something => !text.is_empty(),
        }
    }
}

/// What all of these sorted values begin with: what the first and the last share.
pub fn common_prefix(values: &[String]) -> &str {
    let (Some(first), Some(last)) = (values.first(), values.last()) else { return "" };
    let shared = first.char_indices().zip(last.chars()).find(|((_, a), b)| a != b);
    shared.map_or(if first.len() < last.len() { first } else { last }, |((at, _), _)| &first[..at])
}

/// What every match of the expression begins with.
pub fn prefix(hir: &Hir) -> String {
    let mut out = String::new();
    for part in parts(hir) {
        if !push_literal(part, &mut out) {
            break;
        }
    }
    out
}

/// Adds the text of a part that is text and nothing else.
fn push_literal(part: &Hir, out: &mut String) -> bool {
    match part.kind() {
        HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
            Ok(text) => {
                out.push_str(text);
                true
            }
            Err(_) => false,
        },
        HirKind::Empty => true,
        HirKind::Capture(capture) => push_literal(&capture.sub, out),
        HirKind::Concat(parts) => parts.iter().all(|part| push_literal(part, out)),
        _ => false,
    }
}

pub fn shape(hir: &Hir) -> Option<Shape> {
    let parts = parts(hir);
    if let Some(mut values) = product(parts) {
        values.sort_unstable();
        values.dedup();
        return Some(Shape::Values(values));
    }
    let (before, parts) = match parts.split_first().map(|(first, rest)| (gap(first), rest)) {
        Some((Some(gap), rest)) => (gap, rest),
        _ => (Gap::Nothing, parts),
    };
    let (after, parts) = match parts.split_last().map(|(last, rest)| (gap(last), rest)) {
        Some((Some(gap), rest)) => (gap, rest),
        _ => (Gap::Nothing, parts),
    };
    let mut text = String::new();
    parts.iter().all(|part| push_literal(part, &mut text)).then_some(Shape::Text { before, text, after })
}

/// The parts of an expression one after the other, without anchors at its ends: the whole
/// value is matched anyway.
fn parts(hir: &Hir) -> &[Hir] {
    let HirKind::Concat(parts) = hir.kind() else { return std::slice::from_ref(hir) };
    let anchor = |part: &Hir, look| matches!(part.kind(), HirKind::Look(l) if *l == look);
    let parts = match parts.split_first() {
        Some((first, rest)) if anchor(first, Look::Start) => rest,
        _ => parts,
    };
    match parts.split_last() {
        Some((last, rest)) if anchor(last, Look::End) => rest,
        _ => parts,
    }
}

/// `.*` or `.+`.
fn gap(hir: &Hir) -> Option<Gap> {
    match hir.kind() {
        HirKind::Capture(capture) => gap(&capture.sub),
        HirKind::Repetition(repetition) if repetition.max.is_none() && is_any(&repetition.sub) => {
            match repetition.min {
                0 => Some(Gap::Anything),
                1 => Some(Gap::Something),
                _ => None,
            }
        }
        _ => None,
    }
}

fn is_any(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Class(Class::Unicode(class)) => {
            matches!(class.ranges(), [all] if (all.start(), all.end()) == ('\0', char::MAX))
        }
        HirKind::Capture(capture) => is_any(&capture.sub),
        _ => false,
    }
}

/// All texts that the expression matches, if they are few.
fn values(hir: &Hir) -> Option<Vec<String>> {
    match hir.kind() {
        HirKind::Empty => Some(vec![String::new()]),
        HirKind::Literal(literal) => Some(vec![String::from_utf8(literal.0.to_vec()).ok()?]),
        HirKind::Class(class) => class_values(class),
        HirKind::Capture(capture) => values(&capture.sub),
        HirKind::Concat(parts) => product(parts),
        HirKind::Alternation(branches) => {
            let mut all = Vec::with_capacity(branches.len());
            for branch in branches {
                all.extend(values(branch)?);
            }
            Some(all)
        }
        HirKind::Repetition(repetition) if (repetition.min, repetition.max) == (0, Some(1)) => {
            let mut all = values(&repetition.sub)?;
            all.push(String::new());
            Some(all)
        }
        HirKind::Look(_) | HirKind::Repetition(_) => None,
    }
}

fn class_values(class: &Class) -> Option<Vec<String>> {
    let Class::Unicode(class) = class else { return None };
    let mut all = Vec::new();
    for range in class.ranges() {
        for c in range.start()..=range.end() {
            if all.len() == MAX_MADE_VALUES {
                return None;
            }
            all.push(c.to_string());
        }
    }
    Some(all)
}

/// Every text of the first part followed by every text of the second, and so on.
fn product(parts: &[Hir]) -> Option<Vec<String>> {
    let mut all = vec![String::new()];
    for part in parts {
        let next = values(part)?;
        if all.len() > 1 && next.len() > 1 && all.len() * next.len() > MAX_MADE_VALUES {
            return None;
        }
        all = match next.as_slice() {
            [one] => {
                all.iter_mut().for_each(|text| text.push_str(one));
                all
            }
            many => {
                all.iter().flat_map(|start| many.iter().map(move |end| format!("{start}{end}"))).collect()
            }
        };
    }
    Some(all)
}
