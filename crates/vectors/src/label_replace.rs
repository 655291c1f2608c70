//! `label_replace`.

use model::{Labels, LabelsBuilder, capturing_regex, check_regex_work, regex_cost};
use regex::Regex;

/// `label_replace`, checked and compiled once for a query.
#[derive(Debug)]
pub struct LabelReplace {
    destination: String,
    replacement: String,
    source: String,
    pattern: Regex,
    cost: usize,
}

/// So many groups that capture cost as much again as the expression without them.
const COSTLY_GROUPS: usize = 20;

impl LabelReplace {
    /// The error is Prometheus's text.
    pub fn new(destination: &str, replacement: &str, source: &str, pattern: &str) -> Result<Self, String> {
        let compiled = capturing_regex(pattern)
            .map_err(|_| format!("invalid regular expression in label_replace(): {pattern}"))?;
        // Since Prometheus 3 any UTF-8 text but the empty one names a label.
        if destination.is_empty() {
            return Err("invalid destination label name in label_replace(): ".to_owned());
        }
        let cost = regex_cost(pattern).saturating_mul(1 + compiled.captures_len() / COSTLY_GROUPS);
        Ok(Self {
            cost,
            destination: destination.to_owned(),
            replacement: replacement.to_owned(),
            source: source.to_owned(),
            pattern: compiled,
        })
    }

    /// The new label set; `None` where the pattern does not match and all stays as it is.
    pub fn apply(&self, labels: &Labels) -> Result<Option<Labels>, String> {
        let source = labels.get(&self.source).unwrap_or("");
        check_regex_work(self.cost, source.len())?;
        let Some(captures) = self.pattern.captures(source) else { return Ok(None) };
        // Each `$` stands for the whole source at most.
        let references = self.replacement.bytes().filter(|b| *b == b'$').count();
        check_value_length(self.replacement.len().saturating_add(references.saturating_mul(source.len())))?;
        let mut value = String::new();
        captures.expand(&self.replacement, &mut value);
        Ok(Some(LabelsBuilder::from_labels(labels).set(&self.destination, &value).build()))
    }

    /// What the regular expression costs.
    pub fn regex_cost(&self) -> usize {
        self.cost
    }

    /// The label that is written: a written metric name is not dropped later.
    pub fn destination(&self) -> &str {
        &self.destination
    }
}

/// Bytes of a value that a query makes. Nested, these functions double it at each level, so
/// it is bounded before it is there.
const MAX_VALUE_BYTES: usize = 1 << 20;

/// An error if a label value of `bytes` must not be made.
pub fn check_value_length(bytes: usize) -> Result<(), String> {
    if bytes <= MAX_VALUE_BYTES {
        return Ok(());
    }
    Err(format!("a label value of up to {bytes} bytes would be made; at most {MAX_VALUE_BYTES} are allowed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        Labels::from_pairs(pairs.iter().copied())
    }

    fn replace(destination: &str, replacement: &str, source: &str, pattern: &str) -> Option<Labels> {
        let input = labels(&[("__name__", "m"), ("src", "source-value-10"), ("dst", "old")]);
        LabelReplace::new(destination, replacement, source, pattern).unwrap().apply(&input).unwrap()
    }

    #[test]
    fn captures_go_into_the_replacement() {
        let dst = |result: Option<Labels>| result.and_then(|l| l.get("dst").map(str::to_owned));
        assert_eq!(dst(replace("dst", "to-$1", "src", "source-value-(.*)")).as_deref(), Some("to-10"));
        assert_eq!(dst(replace("dst", "${n}x$$", "src", "source-value-(?P<n>.*)")).as_deref(), Some("10x$"));
        // $1x is the group called 1x, which there is not.
        assert_eq!(dst(replace("dst", "a$1x", "src", "source-value-(.*)")).as_deref(), Some("a"));
    }

    #[test]
    fn patterns_are_gos() {
        let dst = |result: Option<Labels>| result.and_then(|l| l.get("dst").map(str::to_owned));
        assert_eq!(dst(replace("dst", "$1", "src", r"\Qsource-\E[[a-z]+-(\d+)")).as_deref(), Some("10"));
        assert_eq!(dst(replace("dst", "$year", "src", r".*-(?<year>\d\d)")).as_deref(), Some("10"));
    }

    #[test]
    fn the_pattern_must_match_all_of_the_value() {
        assert_eq!(replace("dst", "x", "src", "value"), None);
        assert_eq!(replace("dst", "x", "absent", "").map(|l| l.get("dst") == Some("x")), Some(true));
    }

    #[test]
    fn an_empty_result_removes_the_label() {
        assert_eq!(replace("dst", "", "src", ".*").unwrap().get("dst"), None);
        assert_eq!(replace("__name__", "", "src", ".*").unwrap().metric_name(), None);
    }

    #[test]
    fn errors_read_as_prometheus_writes_them() {
        let error = |d, p| LabelReplace::new(d, "", "s", p).unwrap_err();
        assert_eq!(error("d", "(.*"), "invalid regular expression in label_replace(): (.*");
        assert_eq!(error("", ".*"), "invalid destination label name in label_replace(): ");
    }

    #[test]
    fn no_match_takes_minutes() {
        let long = |n: usize| labels(&[("a", &"x".repeat(n))]);
        let replace = |pattern: &str, n| LabelReplace::new("to", "$1", "a", pattern).unwrap().apply(&long(n));
        let (large, groups) = ("((x{0,50}y?){0,50}z?)*[0-9]", "(x*)".repeat(400));
        for pattern in [large, &groups] {
            assert!(replace(pattern, 400).is_ok());
            assert!(replace(pattern, 1_000_000).unwrap_err().contains("1000000 bytes is too long"));
        }
        assert!(replace("(.*)", 100_000).is_ok());
    }

    #[test]
    fn a_value_is_bounded_before_it_is_made() {
        let long = labels(&[("a", &"x".repeat(600_000))]);
        let replace = |r: &str| LabelReplace::new("to", r, "a", ".*").unwrap().apply(&long);
        assert!(replace("$0").is_ok());
        assert!(replace(&"$0".repeat(100_000)).unwrap_err().contains("at most 1048576"));
    }
}
