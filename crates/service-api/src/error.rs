//! The closed set of error codes that roles answer with. HTTP and gRPC map each once.

use std::borrow::Cow;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// The request is wrong and will stay wrong.
    BadRequest,
    /// Who asks is not known.
    Unauthenticated,
    /// Who asks may not.
    Forbidden,
    NotFound,
    /// The request is over a size bound.
    TooLarge,
    /// The tenant is over one of its rates; later it may pass.
    RateLimited,
    /// A valid query cannot be carried out (many-to-many match, over its memory budget).
    Unprocessable,
    /// The request's time is up.
    Timeout,
    /// The caller went away.
    Canceled,
    /// We are short of something (disk, replicas, queue space); later it may pass.
    Unavailable,
    /// A fault of ours.
    Internal,
}

/// An error at a boundary between roles: a code and a sentence for whoever sent the request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    pub code: Code,
    pub message: Cow<'static, str>,
}

impl Error {
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into() }
    }

    pub fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::BadRequest, message)
    }

    pub fn unprocessable(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Unprocessable, message)
    }

    pub fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Unavailable, message)
    }

    pub fn internal(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Internal, message)
    }
}
