//! Checks the labels of a new series or stream: form, and the tenant's limits.

use model::{Labels, LabelsBuilder, METRIC_NAME, Signal, quote};
use service_api::{Code, LabelSource, Limits, RejectReason, Rejection, Result};

/// The label that Loki gives every stream.
const SERVICE_NAME: &str = "service_name";

/// What `service_name` is where nothing tells.
const UNKNOWN_SERVICE: &str = "unknown_service";

/// The labels that `service_name` is taken from: the first that a stream has, in this order.
/// These are Loki's, `validation.discover-service-name`.
const SERVICE_LABELS: [&str; 13] = [
    "service",
    "app",
    "application",
    "app_name",
    "name",
    "app_kubernetes_io_name",
    "container",
    "container_name",
    "k8s_container_name",
    "component",
    "workload",
    "job",
    "k8s_job_name",
];

/// Bytes of a label's name or value that a message shows.
const SHOWN: usize = 200;

/// Labels that a message shows. What builds a set goes through all of it for each label more.
const SHOWN_LABELS: usize = 100;

/// Reads, sorts and checks the labels of one series or stream. The outer error is a fault of ours,
/// the inner one a label set that is refused.
pub fn read(
    source: &dyn LabelSource,
    index: usize,
    signal: Signal,
    limits: &Limits,
    builder: &mut LabelsBuilder,
) -> Result<Result<Labels, Rejection>> {
    *builder = LabelsBuilder::new();
    let mut fault = None;
    let (mut count, limit) = (0_usize, limits.max_label_names_per_series);
    let read = source.pairs(index, &mut |name, value| {
        if fault.is_some() || value.is_empty() {
            return; // an empty value is the same as no label
        }
        count += 1;
        if count > limit.saturating_add(SHOWN_LABELS) {
            return; // far too many: they are counted
        }
        fault = check_pair(name, value, signal, limits)
            .or_else(|| builder.get(name).map(|_| format!("label name {} is not unique", quote(name))));
        builder.set(name, value);
    });
    match (read, signal) {
        (Err(error), Signal::Logs) if error.code == Code::BadRequest => {
            fault = Some(error.message.into_owned());
        }
        (read, _) => read?,
    }
    if fault.is_none() && signal == Signal::Logs && limits.discover_service_name {
        discover_service_name(builder);
    }
    let labels = builder.build();
    let too_many = || (count > limit.saturating_add(SHOWN_LABELS)).then(|| too_many_labels(count, limit));
    let fault = fault.or_else(too_many).or_else(|| check_set(&labels, signal, limits));
    Ok(match fault {
        None => Ok(labels),
        Some(why) => Err(Rejection { reason: RejectReason::Labels(why), labels, timestamp: None }),
    })
}

/// The labels of a series or stream for a message to its sender: checked or not, as far as they can
/// be read.
pub fn for_message(source: &dyn LabelSource, index: usize, discover: bool) -> Labels {
    let mut builder = LabelsBuilder::new();
    // Labels that cannot be read are refused elsewhere; here an empty set will do.
    let mut count = 0_usize;
    let read = source.pairs(index, &mut |name, value| {
        count += 1;
        if count <= SHOWN_LABELS {
            builder.set(name, value);
        }
    });
    if discover && read.is_ok() {
        discover_service_name(&mut builder);
    }
    builder.build()
}

fn discover_service_name(builder: &mut LabelsBuilder) {
    if builder.get(SERVICE_NAME).is_none() {
        let found = SERVICE_LABELS.iter().find_map(|label| builder.get(label)).map(str::to_owned);
        builder.set(SERVICE_NAME, found.as_deref().unwrap_or(UNKNOWN_SERVICE));
    }
}

fn check_pair(name: &str, value: &str, signal: Signal, limits: &Limits) -> Option<String> {
    if name.is_empty() {
        return Some("a label name is empty".to_owned());
    }
    if name.len() > limits.max_label_name_length {
        let shown: String = name.chars().take(SHOWN).collect();
        return Some(format!(
            "label name {} is longer than {} bytes",
            quote(&shown),
            limits.max_label_name_length
        ));
    }
    if signal == Signal::Logs && !is_stream_label(name) {
        return Some(format!("label name {} is not valid", quote(name)));
    }
    if value.len() > limits.max_label_value_length {
        return Some(format!(
            "the value of label {} is longer than {} bytes ({})",
            quote(name),
            limits.max_label_value_length,
            value.len()
        ));
    }
    None
}

/// Names of stream labels are those that LogQL can ask for.
fn is_stream_label(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn check_set(labels: &Labels, signal: Signal, limits: &Limits) -> Option<String> {
    let mut count = labels.len();
    match signal {
        Signal::Metrics if labels.get(METRIC_NAME).is_none() => {
            return Some("the metric name is missing".to_owned());
        }
        // Loki's words, and its one label more for the name that it gives.
        Signal::Logs if labels.is_empty() => {
            return Some("error at least one label pair is required per stream".to_owned());
        }
        Signal::Logs => count -= usize::from(labels.get(SERVICE_NAME).is_some()),
        Signal::Metrics => {}
    }
    (count > limits.max_label_names_per_series)
        .then(|| too_many_labels(count, limits.max_label_names_per_series))
}

fn too_many_labels(count: usize, limit: usize) -> String {
    format!("{count} labels; the limit is {limit} (limits.max_label_names_per_series)")
}
