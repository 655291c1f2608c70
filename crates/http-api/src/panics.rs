//! A panic in one request's handler is that request's 500 and nobody else's end.

use crate::error::plain_text;
use axum::{extract::Request, middleware::Next, response::Response};
use futures::FutureExt;
use service_api::Error;
use std::panic::AssertUnwindSafe;

pub async fn contain(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    // What the handler shares with others is locks that do not poison, and atomics.
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_) => {
            tracing::error!(path, "a handler panicked");
            plain_text(&Error::internal("internal error"))
        }
    }
}
