//! Checks a new series' labels: form, and the tenant's limits.

use model::{Labels, LabelsBuilder, METRIC_NAME};
use service_api::{Limits, RejectReason, Rejection, Result, WriteBatch};

/// Reads, sorts and checks the labels of one series. The outer error is a body that cannot
/// be read, the inner one a label set that is refused.
pub fn read(
    batch: &WriteBatch,
    index: usize,
    limits: &Limits,
    builder: &mut LabelsBuilder,
) -> Result<Result<Labels, Rejection>> {
    *builder = LabelsBuilder::new();
    let mut fault = None;
    batch.labels.pairs(index, &mut |name, value| {
        if fault.is_some() || value.is_empty() {
            return; // an empty value is the same as no label
        }
        fault = check_pair(name, value, limits)
            .or_else(|| builder.get(name).map(|_| format!("label name {name:?} is not unique")));
        builder.set(name, value);
    })?;
    let labels = builder.build();
    let fault = fault.or_else(|| check_set(&labels, limits));
    Ok(match fault {
        None => Ok(labels),
        Some(why) => Err(Rejection { reason: RejectReason::Labels(why), labels, timestamp: None }),
    })
}

fn check_pair(name: &str, value: &str, limits: &Limits) -> Option<String> {
    if name.is_empty() {
        return Some("a label name is empty".to_owned());
    }
    if name.len() > limits.max_label_name_length {
        let shown: String = name.chars().take(200).collect();
        return Some(format!("label name {shown:?} is longer than {} bytes", limits.max_label_name_length));
    }
    if value.len() > limits.max_label_value_length {
        return Some(format!(
            "the value of label {name:?} is longer than {} bytes ({})",
            limits.max_label_value_length,
            value.len()
        ));
    }
    None
}

fn check_set(labels: &Labels, limits: &Limits) -> Option<String> {
    if labels.get(METRIC_NAME).is_none() {
        return Some("the metric name is missing".to_owned());
    }
    let count = labels.len();
    if count > limits.max_label_names_per_series {
        return Some(format!("{count} labels; the limit is {}", limits.max_label_names_per_series));
    }
    None
}
