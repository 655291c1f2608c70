//! A sender of remote write, both versions, written from the specification alone.

use crate::protobuf::Message;
use std::{
    collections::HashMap,
    time::{SystemTime, UNIX_EPOCH},
};

/// One series with its samples: milliseconds and values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TimeSeries {
    pub labels: Vec<(String, String)>,
    pub samples: Vec<(i64, f64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    V1,
    V2,
}

impl TimeSeries {
    /// Labels must be sorted by name, as senders have to.
    pub fn new(labels: &[(&str, &str)], samples: &[(i64, f64)]) -> Self {
        let labels = labels.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Self { labels, samples: samples.to_vec() }
    }
}

impl Version {
    pub fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Version::V1 => &[
                ("content-type", "application/x-protobuf"),
                ("content-encoding", "snappy"),
                ("x-prometheus-remote-write-version", "0.1.0"),
            ],
            Version::V2 => &[
                ("content-type", "application/x-protobuf;proto=io.prometheus.write.v2.Request"),
                ("content-encoding", "snappy"),
                ("x-prometheus-remote-write-version", "2.0.0"),
            ],
        }
    }

    /// The request as it goes over the wire.
    pub fn body(self, series: &[TimeSeries]) -> Vec<u8> {
        snappy(&self.message(series))
    }

    /// The request before compression.
    pub fn message(self, series: &[TimeSeries]) -> Vec<u8> {
        match self {
            Version::V1 => version_1(series),
            Version::V2 => version_2(series),
        }
    }
}

pub fn snappy(message: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(message).unwrap()
}

/// prometheus.WriteRequest: timeseries = 1 { labels = 1 { name = 1, value = 2 },
/// samples = 2 { value = 1, timestamp = 2 } }.
fn version_1(series: &[TimeSeries]) -> Vec<u8> {
    let mut request = Message::default();
    for one in series {
        let mut body = Message::default();
        for (name, value) in &one.labels {
            let label = Message::default().bytes(1, name.as_bytes()).bytes(2, value.as_bytes());
            body = body.message(1, &label);
        }
        for (timestamp, value) in &one.samples {
            body = body.message(2, &Message::default().double(1, *value).varint(2, *timestamp as u64));
        }
        request = request.message(1, &body);
    }
    request.0
}

/// io.prometheus.write.v2.Request: symbols = 4, timeseries = 5 { labels_refs = 1,
/// samples = 2 { value = 1, timestamp = 2 } }. The first symbol is the empty string.
fn version_2(series: &[TimeSeries]) -> Vec<u8> {
    let mut symbols: Vec<&str> = vec![""];
    let mut known: HashMap<&str, u64> = HashMap::from([("", 0)]);
    let mut bodies = Vec::new();
    for one in series {
        let mut refs = Vec::new();
        for text in one.labels.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]) {
            refs.push(*known.entry(text).or_insert_with(|| {
                symbols.push(text);
                symbols.len() as u64 - 1
            }));
        }
        let mut body = Message::default().packed(1, refs);
        for (timestamp, value) in &one.samples {
            body = body.message(2, &Message::default().double(1, *value).varint(2, *timestamp as u64));
        }
        bodies.push(body);
    }
    let mut request = Message::default();
    for symbol in symbols {
        request = request.bytes(4, symbol.as_bytes());
    }
    for body in bodies {
        request = request.message(5, &body);
    }
    request.0
}

/// The machine's time in milliseconds, as a sender stamps its samples.
#[allow(clippy::disallowed_methods, reason = "real processes live in real time")]
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}
