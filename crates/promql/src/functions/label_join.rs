//! `label_join`.

use model::{Labels, LabelsBuilder};
use vectors::check_value_length;

/// `label_join`, checked once for a query.
#[derive(Debug)]
pub struct LabelJoin {
    destination: String,
    separator: String,
    sources: Vec<String>,
}

impl LabelJoin {
    /// The error is Prometheus's text.
    pub fn new(destination: &str, separator: &str, sources: Vec<String>) -> Result<Self, String> {
        sources.iter().try_for_each(|s| check_name(s, "source"))?;
        check_name(destination, "destination")?;
        Ok(Self { destination: destination.to_owned(), separator: separator.to_owned(), sources })
    }

    pub fn apply(&self, labels: &Labels) -> Result<Labels, String> {
        let values: Vec<_> = self.sources.iter().map(|s| labels.get(s).unwrap_or("")).collect();
        check_value_length(values.iter().map(|value| value.len() + self.separator.len()).sum())?;
        let joined =
            LabelsBuilder::from_labels(labels).set(&self.destination, &values.join(&self.separator)).build();
        Ok(joined)
    }

    /// The label that is written: a written metric name is not dropped later.
    pub fn destination(&self) -> &str {
        &self.destination
    }
}

/// Since Prometheus 3 any UTF-8 text but the empty one names a label.
fn check_name(name: &str, role: &str) -> Result<(), String> {
    if name.is_empty() { Err(format!("invalid {role} label name in label_join(): ")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        Labels::from_pairs(pairs.iter().copied())
    }

    #[test]
    fn errors_read_as_prometheus_writes_them() {
        let join = |d, s: &str| LabelJoin::new(d, "", vec![s.to_owned()]).unwrap_err();
        assert_eq!(join("d", ""), "invalid source label name in label_join(): ");
        assert_eq!(join("", "s"), "invalid destination label name in label_join(): ");
    }

    #[test]
    fn a_value_is_bounded_before_it_is_made() {
        let long = labels(&[("a", &"x".repeat(600_000))]);
        let join = |n| LabelJoin::new("to", ",", vec!["a".to_owned(); n]).unwrap().apply(&long);
        assert!(join(1).is_ok());
        assert!(join(2).unwrap_err().contains("at most 1048576"));
    }

    #[test]
    fn joins_take_absent_labels_as_empty() {
        let sources = ["a", "gone", "b"].map(str::to_owned).to_vec();
        let joined =
            LabelJoin::new("to", "-", sources).unwrap().apply(&labels(&[("a", "1"), ("b", "2")])).unwrap();
        assert_eq!(joined, labels(&[("a", "1"), ("b", "2"), ("to", "1--2")]));
    }
}
