//! What a query took, and how it was carried out: `stats` and `explain`.

use crate::json;
use model::Timestamp;
use promql::engine::{Observed, PlanNode, Statistics};
use std::{fmt::Write, time::Duration};
use vectors::Steps;

/// Whether the answer tells what the query took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stats {
    No,
    Yes,
    /// Every step's samples, too, where the feature for it is on.
    All,
    /// Yes, though the parameter has a value that Prometheus will refuse one day.
    Deprecated,
}

impl Stats {
    pub fn asked_by(parameter: &str) -> Self {
        match parameter {
            "" => Self::No,
            "true" => Self::Yes,
            "all" => Self::All,
            _ => Self::Deprecated,
        }
    }
}

/// Prometheus's fields. Samples are counted as they are read, and as each step looks at them.
pub fn write_stats(
    out: &mut Vec<u8>,
    statistics: &Statistics,
    observed: &Observed,
    took: Duration,
    steps: Option<Steps>,
) {
    let (preparation, evaluation) = (observed.preparation.as_secs_f64(), observed.evaluation.as_secs_f64());
    let total = preparation + evaluation;
    let took = took.as_secs_f64();
    let queued = (took - total).max(0.0);
    out.extend_from_slice(
        format!(
            r#","stats":{{"timings":{{"evalTotalTime":{total},"resultSortTime":0,"queryPreparationTime":{preparation},"innerEvalTime":{evaluation},"execQueueTime":{queued},"execTotalTime":{took}}},"samples":{{"#
        )
        .as_bytes(),
    );
    if let Some(steps) = steps {
        out.extend_from_slice(br#""totalQueryableSamplesPerStep":"#);
        let counts = steps.times().zip(observed.samples_by_step.iter().copied());
        json::array(out, counts, |out, (time, count)| step(out, time, count));
        out.push(b',');
    }
    let looked_at: u64 = observed.samples_by_step.iter().sum();
    let read = statistics.samples;
    let peak = looked_at.max(read);
    out.extend_from_slice(
        format!(r#""totalQueryableSamples":{looked_at},"samplesRead":{read},"peakSamples":{peak}}}}}"#)
            .as_bytes(),
    );
}

fn step(out: &mut Vec<u8>, time: Timestamp, count: u64) {
    out.push(b'[');
    json::timestamp(out, time);
    out.push(b',');
    json::unsigned(out, count);
    out.push(b']');
}

/// The plan as a tree: what each node is, the series that came out of it and the seconds it took, those of
/// the nodes below it included. Where these are missing, the node was carried out with the one above it.
pub fn write_explain(out: &mut Vec<u8>, plan: &PlanNode) {
    out.extend_from_slice(br#","explain":"#);
    node(out, plan);
}

fn node(out: &mut Vec<u8>, plan: &PlanNode) {
    out.extend_from_slice(br#"{"node":"#);
    json::string(out, plan.name);
    if !plan.detail.is_empty() {
        out.extend_from_slice(br#","detail":"#);
        json::string(out, &plan.detail);
    }
    if let Some(measured) = &plan.measured {
        let (rows, seconds) = (measured.rows, measured.time.as_secs_f64());
        let mut text = format!(r#","rows":{rows},"seconds":{seconds}"#);
        if measured.evaluations > 1 {
            // writing to a String cannot fail
            let _ = write!(text, r#","evaluations":{}"#, measured.evaluations);
        }
        out.extend_from_slice(text.as_bytes());
    }
    if !plan.children.is_empty() {
        out.extend_from_slice(br#","children":"#);
        json::array(out, &plan.children, node);
    }
    out.push(b'}');
}
