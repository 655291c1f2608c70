//! The one table between our error codes and those of gRPC.

use service_api::{Code, Error};
use std::error::Error as _;
use tonic::Status;

const TABLE: [(Code, tonic::Code); 11] = [
    (Code::BadRequest, tonic::Code::InvalidArgument),
    (Code::Unauthenticated, tonic::Code::Unauthenticated),
    (Code::Forbidden, tonic::Code::PermissionDenied),
    (Code::NotFound, tonic::Code::NotFound),
    // What the transport itself answers to a message over its limit.
    (Code::TooLarge, tonic::Code::OutOfRange),
    (Code::RateLimited, tonic::Code::ResourceExhausted),
    (Code::Unprocessable, tonic::Code::FailedPrecondition),
    (Code::Timeout, tonic::Code::DeadlineExceeded),
    (Code::Canceled, tonic::Code::Cancelled),
    (Code::Unavailable, tonic::Code::Unavailable),
    (Code::Internal, tonic::Code::Internal),
];

/// Messages travel in a header, whose size is bounded.
const MAX_MESSAGE: usize = 2048;

/// What a server answers.
pub fn to_status(error: &Error) -> Status {
    let code = TABLE.iter().find(|(ours, _)| *ours == error.code).map_or(tonic::Code::Internal, |(_, c)| *c);
    let end = error.message.floor_char_boundary(MAX_MESSAGE);
    Status::new(code, &error.message[..end])
}

/// What a client makes of an answer of `peer`. Whatever failed on the way, or has a code that no
/// server of ours gives, is `Unavailable`: it says nothing of the request.
pub fn from_status(status: &Status, peer: &str) -> Error {
    let known = TABLE.iter().find(|(_, theirs)| *theirs == status.code());
    match known {
        // Statuses that were received have no source; those made of failures here have one.
        Some((code, _)) if status.source().is_none() => Error::new(*code, status.message().to_owned()),
        _ => {
            let mut reason = status.message().to_owned();
            let mut source = status.source();
            while let Some(cause) = source {
                let text = cause.to_string();
                if !reason.contains(&text) {
                    reason = format!("{reason}: {text}");
                }
                source = cause.source();
            }
            Error::unavailable(format!("{peer}: {reason}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::HashSet, sync::Arc};

    #[test]
    fn every_code_comes_back_as_itself() {
        let (ours, theirs): (HashSet<_>, HashSet<_>) = TABLE.into_iter().unzip();
        assert_eq!((ours.len(), theirs.len()), (11, 11));
        for code in ours {
            let error = Error::new(code, "größe \n %");
            assert_eq!(from_status(&to_status(&error), "peer"), error);
        }
    }

    #[test]
    fn failures_of_the_way_are_unavailable() {
        for code in [tonic::Code::Unknown, tonic::Code::Unimplemented, tonic::Code::DataLoss] {
            assert_eq!(from_status(&Status::new(code, "x"), "a:1"), Error::unavailable("a:1: x"));
        }
        let mut status = Status::cancelled("broken");
        status.set_source(Arc::new(std::io::Error::other("pipe")));
        assert_eq!(from_status(&status, "a:1"), Error::unavailable("a:1: broken: pipe"));
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        let status = to_status(&Error::internal("ü".repeat(3000)));
        assert_eq!(status.message().len(), 2048);
    }
}
