//! Errors as Loki answers them: a line of plain text.

use crate::error::plain_text;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use service_api::{Code, Error};

/// An error of the log API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LokiError(pub Error);

impl IntoResponse for LokiError {
    fn into_response(self) -> Response {
        let mut response = plain_text(&self.0);
        if self.0.code == Code::Timeout {
            // Where Prometheus says 503.
            *response.status_mut() = StatusCode::GATEWAY_TIMEOUT;
        }
        response
    }
}

impl From<Error> for LokiError {
    fn from(error: Error) -> Self {
        Self(error)
    }
}
