//! Prometheus's text exposition format, version 0.0.4.
//!
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>

use super::Newest;
use crate::json;
use http::{HeaderMap, header};
use model::METRIC_NAME;

/// How names outside `[a-zA-Z_:][a-zA-Z0-9_:]*` are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escaping {
    /// Other characters become `_`: for clients that do not say they know UTF-8 names.
    Underscores,
    Utf8,
}

impl Escaping {
    pub fn accepted_by(headers: &HeaderMap) -> Self {
        let mut accept = headers.get_all(header::ACCEPT).iter().filter_map(|v| v.to_str().ok());
        if accept.any(|v| v.contains("escaping=allow-utf-8")) { Self::Utf8 } else { Self::Underscores }
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Self::Underscores => "text/plain; version=0.0.4; charset=utf-8; escaping=underscores",
            Self::Utf8 => "text/plain; version=0.0.4; charset=utf-8; escaping=allow-utf-8",
        }
    }
}

/// Series of one name must be neighbours.
pub fn write(series: &[Newest], escaping: Escaping) -> Vec<u8> {
    let mut out = Vec::with_capacity(series.len() * 128);
    let mut family = None;
    for newest in series {
        let name = newest.labels.metric_name().unwrap_or("");
        if family != Some(name) {
            out.extend_from_slice(b"# TYPE ");
            metric_name(&mut out, name, escaping);
            out.extend_from_slice(b" untyped\n");
            family = Some(name);
        }
        line(&mut out, newest, name, escaping);
    }
    out
}

fn line(out: &mut Vec<u8>, newest: &Newest, name: &str, escaping: Escaping) {
    let quoted = escaping == Escaping::Utf8 && !is_plain(name, true);
    if quoted {
        out.push(b'{');
        quote(out, name);
    } else {
        metric_name(out, name, escaping);
        out.push(b'{');
    }
    let mut comma = quoted;
    for (label, value) in newest.labels.iter().filter(|(n, _)| *n != METRIC_NAME) {
        if std::mem::replace(&mut comma, true) {
            out.push(b',');
        }
        label_name(out, label, escaping);
        out.push(b'=');
        quote(out, value);
    }
    // Without it a scraper with `honor_labels` would put its own instance label on.
    if newest.labels.get("instance").is_none() {
        if comma {
            out.push(b',');
        }
        out.extend_from_slice(b"instance=\"\"");
    }
    out.extend_from_slice(b"} ");
    value(out, newest.value);
    out.push(b' ');
    if newest.timestamp < 0 {
        out.push(b'-');
    }
    json::unsigned(out, newest.timestamp.unsigned_abs());
    out.push(b'\n');
}

/// Plain names are ASCII letters, digits (not first) and `_`; of metrics also `:`.
fn is_plain(name: &str, colon: bool) -> bool {
    !name.is_empty() && name.bytes().enumerate().all(|(i, b)| is_plain_byte(i, b, colon))
}

fn is_plain_byte(at: usize, b: u8, colon: bool) -> bool {
    b.is_ascii_alphabetic() || b == b'_' || colon && b == b':' || at > 0 && b.is_ascii_digit()
}

fn metric_name(out: &mut Vec<u8>, name: &str, escaping: Escaping) {
    write_name(out, name, true, escaping);
}

fn label_name(out: &mut Vec<u8>, name: &str, escaping: Escaping) {
    write_name(out, name, false, escaping);
}

fn write_name(out: &mut Vec<u8>, name: &str, colon: bool, escaping: Escaping) {
    if is_plain(name, colon) {
        out.extend_from_slice(name.as_bytes());
    } else if escaping == Escaping::Utf8 {
        quote(out, name);
    } else {
        out.extend(name.chars().enumerate().map(|(i, c)| match u8::try_from(c) {
            Ok(b) if is_plain_byte(i, b, colon) => b,
            _ => b'_',
        }));
    }
}

fn quote(out: &mut Vec<u8>, s: &str) {
    out.push(b'"');
    for b in s.bytes() {
        match b {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b => out.push(b),
        }
    }
    out.push(b'"');
}

/// As Go's `%g`: an exponent below 1e-4 and from 1e6 on.
fn value(out: &mut Vec<u8>, v: f64) {
    // In Go's words: the precision that decides is 6, however many digits there are.
    if v.is_finite() && v != 0.0 && !(1e-4..1e6).contains(&v.abs()) {
        json::exponent(out, v);
    } else {
        json::float(out, v);
    }
}
