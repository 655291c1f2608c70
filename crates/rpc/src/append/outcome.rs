//! What became of an append, there and back.

use super::original;
use crate::{
    convert,
    proto::ingester::{AppendResponse, Rejection as Message, rejection::Reason},
};
use service_api::{AppendOutcome, Error, PushOutcome, Refused, RejectReason, Rejection, Result, Wanted};

pub fn to_response(outcome: AppendOutcome) -> AppendResponse {
    let AppendOutcome { pushed, unknown, refused } = outcome;
    AppendResponse {
        samples: pushed.samples,
        histograms: pushed.histograms,
        exemplars: pushed.exemplars,
        lines: pushed.lines,
        rejected: pushed.rejected,
        rejections: pushed.rejections.into_iter().map(rejection_out).collect(),
        unknown,
        refused_indexes: refused.iter().map(|refused| refused.index).collect(),
        refused_entries: refused.iter().map(|refused| refused.entries).collect(),
    }
}

/// The outcome with indexes into the batch of which `which` was sent.
pub fn from_response(response: AppendResponse, which: &Wanted, len: usize) -> Result<AppendOutcome> {
    let index = |at: u32| {
        original(which, at)
            .filter(|index| (*index as usize) < len)
            .ok_or_else(|| Error::internal("an ingester answered of a series that was not sent to it"))
    };
    if response.refused_indexes.len() != response.refused_entries.len() {
        return Err(Error::internal("an ingester's answer has columns of different lengths"));
    }
    let refused = response.refused_indexes.iter().zip(&response.refused_entries);
    Ok(AppendOutcome {
        pushed: PushOutcome {
            samples: response.samples,
            histograms: response.histograms,
            exemplars: response.exemplars,
            lines: response.lines,
            ha_duplicate: false,
            rejected: response.rejected,
            rejections: response.rejections.into_iter().map(rejection_in).collect::<Result<_>>()?,
        },
        unknown: response.unknown.iter().map(|at| index(*at)).collect::<Result<_>>()?,
        refused: refused
            .map(|(at, entries)| Ok(Refused { index: index(*at)?, entries: *entries }))
            .collect::<Result<_>>()?,
    })
}

fn rejection_out(rejection: Rejection) -> Message {
    let mut message = Message {
        labels: convert::labels_out(&rejection.labels),
        timestamp: rejection.timestamp,
        ..Message::default()
    };
    let reason = match rejection.reason {
        RejectReason::TooOld => Reason::TooOld,
        RejectReason::Duplicate => Reason::Duplicate,
        RejectReason::TooFarInFuture => Reason::TooFarInFuture,
        RejectReason::TooFarInPast => Reason::TooFarInPast,
        RejectReason::SeriesLimit(limit) => {
            message.limit = limit;
            Reason::SeriesLimit
        }
        RejectReason::StreamRate(limit) => {
            message.limit = limit;
            Reason::StreamRate
        }
        RejectReason::LineTooLong { bytes, limit } => {
            (message.bytes, message.limit) = (bytes, limit);
            Reason::LineTooLong
        }
        RejectReason::Metadata(why) => {
            message.message = why;
            Reason::Metadata
        }
        RejectReason::Labels(why) => {
            message.message = why;
            Reason::Labels
        }
        RejectReason::Histogram(why) => {
            message.message = why;
            Reason::Histogram
        }
    };
    message.set_reason(reason);
    message
}

fn rejection_in(message: Message) -> Result<Rejection> {
    let reason = match message.reason() {
        Reason::TooOld => RejectReason::TooOld,
        Reason::Duplicate => RejectReason::Duplicate,
        Reason::TooFarInFuture => RejectReason::TooFarInFuture,
        Reason::TooFarInPast => RejectReason::TooFarInPast,
        Reason::SeriesLimit => RejectReason::SeriesLimit(message.limit),
        Reason::StreamRate => RejectReason::StreamRate(message.limit),
        Reason::LineTooLong => RejectReason::LineTooLong { bytes: message.bytes, limit: message.limit },
        Reason::Metadata => RejectReason::Metadata(message.message),
        Reason::Histogram => RejectReason::Histogram(message.message),
        // Also what a newer ingester may have and we do not know.
        Reason::Labels | Reason::Unspecified => RejectReason::Labels(message.message),
    };
    Ok(Rejection { reason, labels: convert::labels_in(&message.labels)?, timestamp: message.timestamp })
}
