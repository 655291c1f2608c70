//! The stages `drop` and `keep`.

use super::line_labels::LineLabels;
use crate::ast::LabelSelection;

/// Drops the labels that are named, or whose values match.
pub fn drop(selections: &[LabelSelection], labels: &mut LineLabels) {
    for selection in selections {
        match selection {
            LabelSelection::Name(name) => labels.delete(name),
            LabelSelection::Matcher(matcher) => {
                if matcher.matches(labels.get(&matcher.name).unwrap_or_default()) {
                    labels.delete(&matcher.name);
                }
            }
        }
    }
}

/// Drops all other labels; errors stay.
pub fn keep(selections: &[LabelSelection], labels: &mut LineLabels) {
    labels.retain(|name, value| {
        selections.iter().any(|selection| match selection {
            LabelSelection::Name(kept) => kept == name,
            LabelSelection::Matcher(matcher) => matcher.name == name && matcher.matches(value),
        })
    });
}
