//! Recording rules: a query's answer under another name.

use crate::{Answer, Rule};
use model::{Labels, LabelsBuilder, METRIC_NAME};
use service_api::{Error, Result};
use std::collections::HashSet;
use vectors::Sample;

/// Series that one rule may make in any case; the memory of the query is no bound to what is kept of them.
const MOST_SERIES: usize = 1_000_000;

/// The samples of a recording rule, each label set once.
pub fn record(rule: &Rule, answer: Answer, limit: usize) -> Result<Vec<(Labels, Sample)>> {
    if answer.samples.len() > MOST_SERIES {
        return Err(Error::unprocessable(format!(
            "the rule makes {} series, but a rule may make {MOST_SERIES}: aggregate more",
            answer.samples.len()
        )));
    }
    let made: Vec<_> = answer
        .samples
        .into_iter()
        .map(|(labels, value)| {
            let mut builder = LabelsBuilder::from_labels(&labels);
            builder.set(METRIC_NAME, rule.name());
            for (name, value) in &rule.labels {
                builder.set(name, value);
            }
            (builder.build(), value)
        })
        .collect();
    let mut seen = HashSet::with_capacity(made.len());
    if !made.iter().all(|(labels, _)| seen.insert(labels)) {
        return Err(Error::unprocessable(
            "vector contains metrics with the same labelset after applying rule labels",
        ));
    }
    if limit > 0 && made.len() > limit {
        return Err(Error::unprocessable(format!("exceeded limit of {limit} with {} series", made.len())));
    }
    Ok(made)
}
