//! What a sender is told of entries that were refused.

use service_api::{PushOutcome, RejectReason, Rejection};
use std::fmt::Write;

/// One line for each of the first refused entries, and how many there were in all.
pub fn text(outcome: &PushOutcome) -> String {
    let mut out = String::new();
    for rejection in &outcome.rejections {
        // writing to a String cannot fail
        let _ = writeln!(out, "{}", line(rejection));
    }
    let shown = outcome.rejections.len() as u64;
    if outcome.rejected > shown {
        let _ = writeln!(out, "{} entries were refused in all; the others were kept", outcome.rejected);
    }
    out
}

fn line(rejection: &Rejection) -> String {
    // The first words are Prometheus's, which people and dashboards search logs for.
    let why = match &rejection.reason {
        RejectReason::TooOld => "out of order sample: too old for the out-of-order window".to_owned(),
        RejectReason::Duplicate => "duplicate sample for timestamp: another value is stored".to_owned(),
        RejectReason::TooFarInFuture => "out of bounds: too far in the future".to_owned(),
        RejectReason::TooFarInPast => "out of bounds: older than limits.max_sample_age".to_owned(),
        RejectReason::SeriesLimit(limit) => {
            format!("per-tenant series limit of {limit} exceeded (limits.max_series)")
        }
        RejectReason::StreamRate(limit) => {
            format!("per-stream rate limit of {limit} bytes/s exceeded (limits.stream_rate)")
        }
        RejectReason::LineTooLong { bytes, limit } => {
            format!("line of {bytes} bytes is longer than {limit} (limits.max_line_size)")
        }
        RejectReason::Metadata(why) => format!("invalid structured metadata: {why}"),
        RejectReason::Labels(why) => format!("invalid labels: {why}"),
        RejectReason::Histogram(why) => format!("invalid native histogram: {why}"),
    };
    match rejection.timestamp {
        Some(t) => format!("{why}: timestamp {t}, series {}", rejection.labels),
        None => format!("{why}: series {}", rejection.labels),
    }
}
