//! A sender of Loki's push API, protobuf and JSON, and a reader of lines.

use crate::{
    http::{Answer, Http, form},
    protobuf::Message,
    remote_write::snappy,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Where lines are pushed to.
pub const PUSH: &str = "/loki/api/v1/push";

pub const PROTOBUF: &[(&str, &str)] =
    &[("content-type", "application/x-protobuf"), ("content-encoding", "snappy")];
pub const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

/// One stream with its lines.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogStream {
    pub labels: BTreeMap<String, String>,
    pub lines: Vec<LogLine>,
}

/// Nanoseconds, text and structured metadata.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogLine {
    pub nanos: i64,
    pub text: String,
    pub metadata: BTreeMap<String, String>,
}

impl LogStream {
    pub fn new(labels: &[(&str, &str)], lines: &[(i64, &str)]) -> Self {
        let labels = labels.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let line = |(nanos, text): &(i64, &str)| LogLine {
            nanos: *nanos,
            text: (*text).to_owned(),
            metadata: BTreeMap::new(),
        };
        Self { labels, lines: lines.iter().map(line).collect() }
    }

    fn selector(&self) -> String {
        let pairs: Vec<String> = self.labels.iter().map(|(n, v)| format!("{n}={}", json!(v))).collect();
        format!("{{{}}}", pairs.join(", "))
    }
}

/// logproto.PushRequest: streams = 1 { labels = 1, entries = 2 { timestamp = 1 { seconds = 1,
/// nanos = 2 }, line = 2, structuredMetadata = 3 { name = 1, value = 2 } } }.
pub fn push_message(streams: &[LogStream]) -> Vec<u8> {
    let mut request = Message::default();
    for stream in streams {
        let mut body = Message::default().bytes(1, stream.selector().as_bytes());
        for line in &stream.lines {
            let (seconds, nanos) =
                (line.nanos.div_euclid(1_000_000_000), line.nanos.rem_euclid(1_000_000_000));
            let time = Message::default().varint(1, seconds as u64).varint(2, nanos as u64);
            let mut entry = Message::default().message(1, &time).bytes(2, line.text.as_bytes());
            for (name, value) in &line.metadata {
                entry = entry
                    .message(3, &Message::default().bytes(1, name.as_bytes()).bytes(2, value.as_bytes()));
            }
            body = body.message(2, &entry);
        }
        request = request.message(1, &body);
    }
    request.0
}

/// The request as it goes over the wire with [`PROTOBUF`].
pub fn push_protobuf(streams: &[LogStream]) -> Vec<u8> {
    snappy(&push_message(streams))
}

/// The request as it goes over the wire with [`JSON`].
pub fn push_json(streams: &[LogStream]) -> Vec<u8> {
    let value = |line: &LogLine| match line.metadata.is_empty() {
        true => json!([line.nanos.to_string(), line.text]),
        false => json!([line.nanos.to_string(), line.text, line.metadata]),
    };
    let stream = |stream: &LogStream| json!({"stream": stream.labels, "values": stream.lines.iter().map(value).collect::<Vec<_>>()});
    json!({"streams": streams.iter().map(stream).collect::<Vec<_>>()}).to_string().into_bytes()
}

/// The log API as a client sees it.
#[derive(Clone, Debug)]
pub struct LogQuery {
    http: Http,
    base: String,
}

impl LogQuery {
    /// Asks the server at `base`.
    pub fn new(http: Http, base: &str) -> Self {
        Self { http, base: base.to_owned() }
    }

    pub async fn get(&self, endpoint: &str, fields: &[(&str, &str)]) -> Answer {
        let url = format!("{}/loki/api/v1/{endpoint}?{}", self.base, form(fields));
        self.http.get(&url).await.unwrap()
    }

    /// The lines of a query from `start` to before `end` (nanoseconds), oldest first, with their
    /// structured metadata apart from the streams' labels.
    pub async fn lines(&self, query: &str, start: i64, end: i64) -> Vec<LogStream> {
        let (start, end) = (start.to_string(), end.to_string());
        let fields =
            [("query", query), ("start", &start), ("end", &end), ("limit", "5000"), ("direction", "forward")];
        let url = format!("{}/loki/api/v1/query_range?{}", self.base, form(&fields));
        let headers = [("x-loki-response-encoding-flags", "categorize-labels")];
        let answer = self.http.send("GET", &url, &headers, Vec::new()).await.unwrap();
        assert_eq!(answer.status, 200, "{query}: {}", answer.body);
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(body["data"]["resultType"], "streams", "{}", answer.body);
        streams(body["data"]["result"].as_array().unwrap())
    }
}

/// A result's streams have their lines' metadata among their labels; here they are as they were sent.
fn streams(result: &[Value]) -> Vec<LogStream> {
    let mut streams: BTreeMap<BTreeMap<String, String>, Vec<LogLine>> = BTreeMap::new();
    for stream in result {
        for entry in stream["values"].as_array().unwrap() {
            let metadata = pairs(&entry[2]["structuredMetadata"]);
            let mut labels = pairs(&stream["stream"]);
            labels.retain(|name, _| !metadata.contains_key(name));
            let nanos = entry[0].as_str().unwrap().parse().unwrap();
            let line = LogLine { nanos, text: entry[1].as_str().unwrap().to_owned(), metadata };
            streams.entry(labels).or_default().push(line);
        }
    }
    let mut streams: Vec<_> =
        streams.into_iter().map(|(labels, lines)| LogStream { labels, lines }).collect();
    streams.iter_mut().for_each(|stream| stream.lines.sort_by_key(|line| line.nanos));
    streams
}

fn pairs(object: &Value) -> BTreeMap<String, String> {
    let pairs = object.as_object().into_iter().flatten();
    pairs.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
}
