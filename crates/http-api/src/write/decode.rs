//! From the headers and body of a remote write request to a batch.

use super::{v1, v2, wire::WireError};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use service_api::{Code, Error, Result, WriteBatch};

/// Bounds of one write request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WriteConfig {
    /// Bytes that the body of a write request may have as it is sent.
    pub max_body_bytes: usize,
    /// Bytes that the body of a write request may have when decompressed.
    pub max_decompressed_bytes: usize,
    /// Bytes, as sent and decompressed, that all write requests may have in memory at once;
    /// one that does not fit is answered 503.
    pub max_in_flight_bytes: usize,
}

impl Default for WriteConfig {
    fn default() -> Self {
        Self { max_body_bytes: 8 << 20, max_decompressed_bytes: 16 << 20, max_in_flight_bytes: 256 << 20 }
    }
}

/// Which of the two remote write messages a body holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    V1,
    V2,
}

/// What makes a request 415: the sender may then fall back to the other protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported(pub String);

impl IntoResponse for Unsupported {
    fn into_response(self) -> Response {
        (StatusCode::UNSUPPORTED_MEDIA_TYPE, self.0 + "\n").into_response()
    }
}

/// Tells the protocol by the content type (none means version 1) and checks the encoding.
pub fn negotiate(headers: &HeaderMap) -> Result<Protocol, Unsupported> {
    let header = |name| headers.get(name).map(|v: &http::HeaderValue| v.to_str().unwrap_or("?").trim());
    let encoding = header(header::CONTENT_ENCODING).unwrap_or("");
    if !(encoding.is_empty() || encoding.eq_ignore_ascii_case("snappy")) {
        return Err(Unsupported(format!("{encoding} encoding is not supported; only snappy is")));
    }
    let content_type = header(header::CONTENT_TYPE).unwrap_or("");
    if content_type.is_empty() {
        return Ok(Protocol::V1);
    }
    let mut parts = content_type.split(';').map(str::trim);
    if parts.next() != Some("application/x-protobuf") {
        return Err(Unsupported(format!(
            "expected application/x-protobuf as the content type, got {content_type}"
        )));
    }
    let proto = parts.find_map(|p| p.strip_prefix("proto=")).map(|p| p.trim_matches('"'));
    match proto {
        None | Some("prometheus.WriteRequest") => Ok(Protocol::V1),
        Some("io.prometheus.write.v2.Request") => Ok(Protocol::V2),
        Some(other) => Err(Unsupported(format!("unknown remote write protobuf message {other}"))),
    }
}

/// Reads a decompressed body. CPU work: some 70 ns a sample.
pub fn parse(protocol: Protocol, raw: Vec<u8>) -> Result<WriteBatch> {
    let raw = Bytes::from(raw);
    let batch = match protocol {
        Protocol::V1 => v1::parse(raw),
        Protocol::V2 => v2::parse(raw),
    };
    batch.map_err(|e| wire_error("remote write request", e))
}

/// What a sender is told of a message that cannot be read.
pub fn wire_error(message: &str, error: WireError) -> Error {
    match error {
        WireError::TooMany(_) => Error::new(Code::TooLarge, format!("the request is too large: {error}")),
        _ => Error::bad_request(format!("cannot decode the {message}: {error}")),
    }
}

/// The length that a body in snappy's block format claims to have when decompressed, checked
/// before anything is allocated for it.
pub fn decompressed_len(body: &[u8], max: usize) -> Result<usize> {
    let len = snap::raw::decompress_len(body).map_err(|e| cannot_decompress(&e))?;
    if len > max {
        let message = format!("the request has {len} bytes when decompressed; at most {max} are accepted");
        return Err(Error::new(Code::TooLarge, message));
    }
    // No snappy element of 3 bytes yields more than 64, so a longer claim is false, and not
    // worth the memory.
    if len / 64 > body.len() {
        return Err(Error::bad_request("cannot decompress the snappy body: its length is false"));
    }
    Ok(len)
}

/// Decompresses a body, of which `decompressed_len` gave the length.
pub fn decompress(body: &[u8], len: usize) -> Result<Vec<u8>> {
    let mut raw = vec![0; len];
    snap::raw::Decoder::new().decompress(body, &mut raw).map_err(|e| cannot_decompress(&e))?;
    Ok(raw)
}

fn cannot_decompress(error: &snap::Error) -> Error {
    Error::bad_request(format!("cannot decompress the snappy body: {error}"))
}
