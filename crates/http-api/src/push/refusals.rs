//! What a sender of logs is told of lines and streams that were refused, in Loki's words.

use http::StatusCode;
use jiff::{Timestamp, Unit};
use model::{Labels, NANOS_A_MILLI, TenantId};
use service_api::{Limits, PushOutcome, RejectReason, Rejection};

/// Bytes of a stream's labels that a sentence shows.
const SHOWN: usize = 4096;

/// What sentences are made with beside the outcome.
pub struct Refusals<'a> {
    pub tenant: &'a TenantId,
    pub limits: &'a Limits,
    pub now_ms: i64,
}

/// 400, or as in Loki 429 if anything was over a limit that it may be under later.
pub fn status(outcome: &PushOutcome) -> StatusCode {
    if outcome.rejections.iter().any(|r| r.reason.is_limit()) {
        StatusCode::TOO_MANY_REQUESTS
    } else {
        StatusCode::BAD_REQUEST
    }
}

impl Refusals<'_> {
    /// One sentence, or several with their counts.
    pub fn text(&self, outcome: &PushOutcome) -> String {
        let mut sentences: Vec<(String, u64)> = Vec::new();
        for rejection in &outcome.rejections {
            let sentence = self.sentence(rejection);
            match sentences.iter_mut().find(|(s, _)| *s == sentence) {
                Some((_, count)) => *count += 1,
                None => sentences.push((sentence, 1)),
            }
        }
        if outcome.rejected == 1 && sentences.len() == 1 {
            return sentences.swap_remove(0).0;
        }
        let shown = outcome.rejections.len() as u64;
        let mut parts: Vec<_> = sentences
            .into_iter()
            .map(|(sentence, count)| format!("{count} errors like: {sentence}"))
            .collect();
        if outcome.rejected > shown {
            parts.push(format!("{} entries were refused in all", outcome.rejected));
        }
        parts.join("; ")
    }

    fn sentence(&self, rejection: &Rejection) -> String {
        let (stream, at) = (shown(&rejection.labels), rejection.timestamp.map_or_else(String::new, rfc3339));
        match &rejection.reason {
            RejectReason::TooFarInPast => {
                let age = i64::try_from(self.limits.max_sample_age).unwrap_or(i64::MAX);
                let oldest = self.now_ms.saturating_sub(age.saturating_mul(1000));
                let oldest = rfc3339(oldest.saturating_mul(NANOS_A_MILLI));
                format!(
                    "entry for stream '{stream}' has timestamp too old: {at}, oldest acceptable timestamp is: {oldest} (limits.max_sample_age)"
                )
            }
            RejectReason::TooFarInFuture => {
                format!("entry for stream '{stream}' has timestamp too new: {at} (limits.max_sample_future)")
            }
            RejectReason::TooOld => {
                format!(
                    "entry with timestamp {at} ignored, reason: 'entry too far behind' for stream: {stream} (limits.out_of_order_window)"
                )
            }
            RejectReason::LineTooLong { bytes, limit } => format!(
                "max entry size '{limit}' bytes exceeded for stream '{stream}' while adding an entry with length '{bytes}' bytes (limits.max_line_size)"
            ),
            RejectReason::Metadata(why) => format!("stream '{stream}' has {why}"),
            RejectReason::SeriesLimit(limit) => format!(
                "maximum active stream limit exceeded when trying to create stream {stream} (limit: {limit}, limits.max_streams), user: '{}'",
                self.tenant
            ),
            RejectReason::StreamRate(limit) => format!(
                "Per stream rate limit exceeded (limit: {limit}B/sec, limits.stream_rate) while attempting to ingest for stream '{stream}'"
            ),
            RejectReason::Labels(why) if rejection.labels.is_empty() => why.clone(),
            RejectReason::Labels(why) => format!("error parsing labels '{stream}' with error: {why}"),
            RejectReason::Duplicate | RejectReason::Histogram(_) => {
                format!("entry with timestamp {at} ignored for stream: {stream}")
            }
        }
    }
}

/// A stream's labels; but the beginning where there is too much of them for a message.
fn shown(labels: &Labels) -> String {
    let mut text = labels.to_string();
    if text.len() > SHOWN {
        text.truncate((0..=SHOWN).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0));
        text.push('…');
    }
    text
}

/// A time as Loki shows it, to the second.
fn rfc3339(nanos: i64) -> String {
    let time = Timestamp::from_nanosecond(i128::from(nanos).div_euclid(1_000_000_000) * 1_000_000_000);
    time.and_then(|t| t.round(Unit::Second)).map_or_else(|_| nanos.to_string(), |t| t.to_string())
}
