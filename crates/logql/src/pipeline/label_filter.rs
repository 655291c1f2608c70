//! Filters on labels.

use super::{ip::has_address, line_labels::LineLabels, stage::LABEL_FILTER_ERROR};
use crate::ast::LabelFilter;
use query_syntax::{parse_bytes, parse_float, parse_go_duration};

/// Whether the line stays. A value that cannot be read is an error of the line, which stays.
pub fn keeps(filter: &LabelFilter, labels: &mut LineLabels) -> bool {
    let name = match filter {
        LabelFilter::And(left, right) => {
            // The right side is looked at in any case: it may find an error.
            let left = keeps(left, labels);
            return keeps(right, labels) && left;
        }
        LabelFilter::Or(left, right) => return keeps(left, labels) || keeps(right, labels),
        LabelFilter::Matcher(matcher) => {
            return matcher.matches(labels.get(&matcher.name).unwrap_or_default());
        }
        LabelFilter::Ip { .. } if labels.has_error() => return true,
        LabelFilter::Number { label, .. }
        | LabelFilter::Duration { label, .. }
        | LabelFilter::Bytes { label, .. }
        | LabelFilter::Ip { label, .. } => label,
    };
    let Some(value) = labels.get(name) else { return false };
    match holds(filter, value) {
        Ok(holds) => holds,
        Err(error) => {
            // One from before says more.
            if !labels.has_error() {
                labels.set_error(LABEL_FILTER_ERROR, Some(&error));
            }
            true
        }
    }
}

/// Whether a value of the one label that the filter looks at passes, or why it cannot be read.
fn holds(filter: &LabelFilter, text: &str) -> Result<bool, String> {
    Ok(match filter {
        LabelFilter::Matcher(matcher) => matcher.matches(text),
        LabelFilter::Number { op, value, .. } => op.holds(&parse_float(text)?, value),
        LabelFilter::Duration { op, nanos, .. } => {
            op.holds(&parse_go_duration(text).map_err(|error| error.to_string())?, nanos)
        }
        LabelFilter::Bytes { op, bytes, .. } => {
            op.holds(&parse_bytes(text).map_err(|error| error.to_string())?, bytes)
        }
        LabelFilter::Ip { negated, addresses, .. } => has_address(text.as_bytes(), addresses) != *negated,
        LabelFilter::And(..) | LabelFilter::Or(..) => true,
    })
}

/// Calls `each` with the labels that a filter looks at.
pub fn labels(filter: &LabelFilter, each: &mut impl FnMut(&str)) {
    match filter {
        LabelFilter::And(left, right) | LabelFilter::Or(left, right) => {
            labels(left, each);
            labels(right, each);
        }
        LabelFilter::Matcher(matcher) => each(&matcher.name),
        LabelFilter::Number { label, .. }
        | LabelFilter::Duration { label, .. }
        | LabelFilter::Bytes { label, .. }
        | LabelFilter::Ip { label, .. } => each(label),
    }
}

/// The filters right behind a parser. As a label that was extracted stays what it is until
/// there, a line that one of them drops need not be parsed to its end.
#[derive(Debug, Default)]
pub struct Guards(Vec<(String, LabelFilter)>);

impl Guards {
    /// Adds a filter all of whose conditions a line has to meet.
    pub fn add(&mut self, filter: &LabelFilter) {
        match filter {
            LabelFilter::And(left, right) => {
                self.add(left);
                self.add(right);
            }
            LabelFilter::Or(..) => {}
            single => labels(single, &mut |name| self.0.push((name.to_owned(), single.clone()))),
        }
    }

    /// Whether a label that was just extracted is one for which the line is dropped.
    #[inline]
    pub fn drop(&self, name: &str, value: &str) -> bool {
        self.0.iter().any(|(label, filter)| label == name && holds(filter, value) == Ok(false))
    }
}
