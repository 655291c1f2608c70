//! Successful answers in Prometheus's JSON envelope, large ones sent piece by piece.

use crate::json;
use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use http::header;
use std::convert::Infallible;

/// An answer's body goes out in pieces of about this many bytes.
pub const PIECE_BYTES: usize = 64 << 10;

/// How many warnings, and how many infos, are spelled out (Prometheus's number).
const MAX_NOTES: usize = 10;

/// What a reader must know besides the data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    pub warnings: Vec<String>,
    pub infos: Vec<String>,
}

impl From<Vec<String>> for Notes {
    fn from(warnings: Vec<String>) -> Self {
        Self { warnings, infos: Vec::new() }
    }
}

impl Notes {
    /// Cuts a result at the request's limit and says so.
    pub fn truncate<T>(&mut self, items: &mut Vec<T>, limit: Option<usize>) {
        if let Some(limit) = limit.filter(|limit| items.len() > *limit) {
            items.truncate(limit);
            self.warnings.push("results truncated due to limit".to_owned());
        }
    }

    /// The end of the envelope.
    fn close(&self, out: &mut Vec<u8>) {
        for (key, kind, notes) in [("warnings", "warning", &self.warnings), ("infos", "info", &self.infos)] {
            if notes.is_empty() {
                continue;
            }
            out.extend_from_slice(format!(",\"{key}\":").as_bytes());
            let omitted = notes.len().saturating_sub(MAX_NOTES);
            let last = (omitted > 0).then(|| format!("{omitted} more {kind} annotations omitted"));
            json::strings(out, notes.iter().take(MAX_NOTES).chain(&last).map(String::as_str));
        }
        out.push(b'}');
    }
}

/// An answer whose data is written at once.
pub fn data(write: impl FnOnce(&mut Vec<u8>), notes: &Notes) -> Response {
    let mut out = br#"{"status":"success","data":"#.to_vec();
    write(&mut out);
    notes.close(&mut out);
    whole(out)
}

/// An answer that is always the same.
pub fn fixed(json: &'static str) -> Response {
    data(|out| out.extend_from_slice(json.as_bytes()), &Notes::default())
}

/// An answer that is one array, which may be large: `open` and `close` are the data around
/// its elements.
pub fn array<T: Send + 'static>(
    open: &str,
    items: Vec<T>,
    mut each: impl FnMut(&mut Vec<u8>, T) + Send + 'static,
    close: &[u8],
    notes: &Notes,
) -> Response {
    let whole = move |out: &mut Vec<u8>, item: &mut Option<T>| {
        item.take().into_iter().for_each(|item| each(out, item));
        true
    };
    array_in_parts(open, items.into_iter().map(Some), whole, close, notes)
}

/// As `array`, of elements that may be large: `part` writes of an element about as much as a piece has room for,
/// and says whether that was the last of it.
pub fn array_in_parts<T: Send + 'static>(
    open: &str,
    mut items: impl Iterator<Item = T> + Send + 'static,
    mut part: impl FnMut(&mut Vec<u8>, &mut T) -> bool + Send + 'static,
    close: &[u8],
    notes: &Notes,
) -> Response {
    let mut tail = close.to_vec();
    notes.close(&mut tail);
    let mut out = format!(r#"{{"status":"success","data":{open}"#).into_bytes();
    let mut comma = false;
    let mut begun: Option<T> = None;
    let mut fill = move |out: &mut Vec<u8>| {
        while out.len() < PIECE_BYTES {
            if begun.is_none() {
                begun = items.next();
                if begun.is_some() && std::mem::replace(&mut comma, true) {
                    out.push(b',');
                }
            }
            let Some(item) = &mut begun else {
                out.append(&mut tail);
                return false;
            };
            if part(out, item) {
                begun = None;
            }
        }
        true
    };
    if !fill(&mut out) {
        return whole(out);
    }
    let pieces = stream::unfold((Some(out), Some(fill)), async |(piece, fill)| {
        let piece = piece?;
        let (next, fill) = match fill {
            None => (None, None),
            Some(mut fill) => {
                let mut next = Vec::with_capacity(PIECE_BYTES + PIECE_BYTES / 4);
                let more = fill(&mut next);
                (Some(next), more.then_some(fill))
            }
        };
        Some((Ok::<_, Infallible>(Bytes::from(piece)), (next, fill)))
    });
    json_response(Body::from_stream(pieces.fuse()))
}

/// An answer that is all there: its JSON, envelope included if it has one.
pub fn whole(body: Vec<u8>) -> Response {
    json_response(Body::from(body))
}

fn json_response(body: Body) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}
