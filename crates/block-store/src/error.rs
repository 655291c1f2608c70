//! What object storage's errors mean to a caller.

use service_api::{Code, Error};

/// Anything but a missing object may pass: the bucket was tried again before this.
pub(crate) fn from_store(error: &object_store::Error) -> Error {
    let code = match error {
        object_store::Error::NotFound { .. } => Code::NotFound,
        _ => Code::Unavailable,
    };
    Error::new(code, format!("object storage: {}", chain(error)))
}

/// Bytes in the bucket that nobody can have written.
pub(crate) fn corrupt(what: &str, why: impl std::fmt::Display) -> Error {
    Error::internal(format!("{what}: {why}"))
}

/// An error with its causes; sources that repeat in what came before are left out.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let next = cause.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        source = cause.source();
    }
    text
}
