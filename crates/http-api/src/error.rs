//! The one place that says which HTTP answer an error code gets.

use crate::{complaints::Complaint, json};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use service_api::{Code, Error};

/// An error that is answered in the JSON form of Prometheus's API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError(pub Error);

/// Seconds after which a sender should try again when we were short of something.
pub const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// Status and Prometheus's `errorType`, which has fewer words than there are codes.
fn answer(code: Code) -> (StatusCode, &'static str) {
    match code {
        Code::BadRequest => (StatusCode::BAD_REQUEST, "bad_data"),
        Code::Unauthenticated => (StatusCode::UNAUTHORIZED, "bad_data"),
        Code::Forbidden => (StatusCode::FORBIDDEN, "bad_data"),
        Code::NotFound => (StatusCode::NOT_FOUND, "not_found"),
        Code::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "bad_data"),
        // Mimir's word; Prometheus has no rate limits.
        Code::RateLimited => (StatusCode::TOO_MANY_REQUESTS, "too_many_requests"),
        Code::Unprocessable => (StatusCode::UNPROCESSABLE_ENTITY, "execution"),
        Code::Timeout => (StatusCode::SERVICE_UNAVAILABLE, "timeout"),
        Code::Canceled => (client_closed_request(), "canceled"),
        Code::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        Code::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
    }
}

/// The HTTP status of an error code.
pub fn status(code: Code) -> StatusCode {
    answer(code).0
}

/// nginx's 499, which Prometheus uses too.
fn client_closed_request() -> StatusCode {
    StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST)
}

/// The error as a line of text, for senders and people.
pub fn plain_text(error: &Error) -> Response {
    let (status, _) = answer(error.code);
    let text = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    finish(error, (status, text, format!("{}\n", error.message)).into_response())
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, error_type) = answer(self.0.code);
        let mut body = Vec::with_capacity(128);
        body.extend_from_slice(br#"{"status":"error","errorType":"#);
        json::string(&mut body, error_type);
        body.extend_from_slice(br#","error":"#);
        json::string(&mut body, &self.0.message);
        body.push(b'}');
        finish(&self.0, (status, [(header::CONTENT_TYPE, "application/json")], body).into_response())
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

/// Tells the sender when to come again, and the log why.
fn finish(error: &Error, mut response: Response) -> Response {
    response.extensions_mut().insert(Complaint(error.clone()));
    if error.code == Code::Unavailable {
        response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
    }
    response
}
