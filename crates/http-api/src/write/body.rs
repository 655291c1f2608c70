//! Takes in a write request's body: bounded as it comes, bounded again while it is decompressed.

use super::{
    decode::{self, WriteConfig},
    in_flight::{Held, InFlight},
};
use crate::params;
use axum::body::Body;
use bytes::Bytes;
use flate2::bufread::{DeflateDecoder, GzDecoder, ZlibDecoder};
use http::{HeaderMap, header};
use service_api::{Code, Error, Result};
use std::io::{BufRead, Read};

/// Bodies up to this size are decoded where they arrive: handing them to another thread
/// would cost more than it saves.
const INLINE_BYTES: usize = 128 << 10;

/// Streamed decompression holds this many bytes more at a time.
const STEP: usize = 256 << 10;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Identity,
    /// Snappy's block format.
    Snappy,
    Gzip,
    /// With zlib's header, as the name means, or without it, as Go's clients send it.
    Deflate,
}

/// A body as it was sent. Its bytes count as in flight for as long as this is kept.
pub struct Sent {
    bytes: Bytes,
    _held: Held,
}

impl Sent {
    /// Whether the first character is that of a JSON object.
    pub fn begins_as_json(&self) -> bool {
        self.bytes.trim_ascii_start().starts_with(b"{")
    }
}

/// Reads a body of at most `write.max_body_bytes`.
pub async fn receive(
    config: &WriteConfig,
    in_flight: &InFlight,
    headers: &HeaderMap,
    body: Body,
) -> Result<Sent> {
    let claimed = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    let held = in_flight.hold(claimed.unwrap_or(config.max_body_bytes).min(config.max_body_bytes))?;
    Ok(Sent { bytes: params::read_body(body, config.max_body_bytes).await?, _held: held })
}

/// Decompresses a body and parses it, off the threads of the runtime if it is large. What is
/// returned beside the batch stands for its memory.
pub async fn decode<T: Send + 'static>(
    config: &WriteConfig,
    in_flight: &InFlight,
    encoding: Encoding,
    sent: &Sent,
    parse: impl FnOnce(Vec<u8>) -> Result<T> + Send + 'static,
) -> Result<(T, Held)> {
    let (body, in_flight, max) = (sent.bytes.clone(), in_flight.clone(), config.max_decompressed_bytes);
    let inline = body.len() <= INLINE_BYTES;
    let work = move || {
        let (raw, held) = decompress(encoding, &body, max, &in_flight)?;
        Ok((parse(raw)?, held))
    };
    if inline {
        return work();
    }
    runtime::blocking(work).await.map_err(|e| Error::internal(format!("decoding failed: {e}")))?
}

/// Decompresses a body to at most `max` bytes.
pub fn decompress(
    encoding: Encoding,
    body: &[u8],
    max: usize,
    in_flight: &InFlight,
) -> Result<(Vec<u8>, Held)> {
    match encoding {
        Encoding::Identity if body.len() > max => Err(too_large(max)),
        Encoding::Identity => Ok((body.to_vec(), in_flight.hold(body.len())?)),
        Encoding::Snappy => {
            let len = decode::decompressed_len(body, max)?;
            let held = in_flight.hold(len)?;
            Ok((decode::decompress(body, len)?, held))
        }
        Encoding::Gzip => inflate("gzip", GzDecoder::new(body), max, in_flight),
        Encoding::Deflate if has_zlib_header(body) => {
            inflate("deflate", ZlibDecoder::new(body), max, in_flight)
        }
        Encoding::Deflate => inflate("deflate", DeflateDecoder::new(body), max, in_flight),
    }
}

/// RFC 1950: method 8, a window of at most 32 KiB, and a checksum over both bytes.
fn has_zlib_header(body: &[u8]) -> bool {
    matches!(body, [method, flags, ..] if method & 0x0f == 8
        && method >> 4 <= 7
        && (u16::from(*method) << 8 | u16::from(*flags)).is_multiple_of(31))
}

/// Decompresses step by step, as nothing that can be believed says how long it will be.
fn inflate(name: &str, compressed: impl Read, max: usize, in_flight: &InFlight) -> Result<(Vec<u8>, Held)> {
    let mut held = in_flight.hold(0)?;
    let mut out = Vec::new();
    let mut reader = std::io::BufReader::with_capacity(32 << 10, compressed);
    loop {
        let piece = reader
            .fill_buf()
            .map_err(|e| Error::bad_request(format!("cannot decompress the {name} body: {e}")))?;
        let read = piece.len();
        if read == 0 {
            return Ok((out, held));
        }
        if out.len() + read > max {
            return Err(too_large(max));
        }
        if out.len() + read > out.capacity() {
            let more = STEP.max(out.capacity());
            held.add(in_flight.hold(more)?);
            out.reserve_exact(out.capacity() + more - out.len());
        }
        out.extend_from_slice(piece);
        reader.consume(read);
    }
}

fn too_large(max: usize) -> Error {
    let message = format!("the request has more than {max} bytes when decompressed");
    Error::new(Code::TooLarge, message)
}
