//! Query results in Loki's JSON.

use super::stats::write_stats;
use crate::{answer, json, query::slots::Place};
use axum::response::Response;
use http::HeaderMap;
use logql::engine::{Answer, Data, Direction, MatrixSeries, ResultStream, VectorSample};
use model::{Labels, Nanos};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
    time::Duration,
};

/// The header in which Grafana asks for labels by where they come from, and the word.
const FLAGS_HEADER: &str = "x-loki-response-encoding-flags";
const CATEGORIZE: &str = "categorize-labels";

/// How the labels of lines are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// All as those of the stream.
    Together,
    /// Those of its structured metadata and of the parsers with each line, as a third element; only the stream's own
    /// as those of the stream.
    Apart,
}

impl Show {
    pub fn asked_by(headers: &HeaderMap) -> Self {
        let mut flags = headers.get_all(FLAGS_HEADER).iter().filter_map(|value| value.to_str().ok());
        let apart = flags.any(|value| value.split(',').any(|flag| flag.trim() == CATEGORIZE));
        if apart { Self::Apart } else { Self::Together }
    }

    /// What is added to a result, and to a tail's frame.
    pub fn flags(self) -> &'static str {
        match self {
            Self::Together => "",
            Self::Apart => r#","encodingFlags":["categorize-labels"]"#,
        }
    }
}

/// The streams as one array's elements: those that look the same become one.
pub fn shown_streams(streams: Vec<ResultStream>, show: Show, direction: Direction) -> Vec<ShownStream> {
    let mut shown: BTreeMap<Labels, ShownStream> = BTreeMap::new();
    for ResultStream { stream, structured, parsed, entries } in streams {
        let (labels, details) = match show {
            Show::Together => (together([&stream, &structured, &parsed]), None),
            Show::Apart => (stream, Some(Arc::new(Details { structured, parsed }))),
        };
        let lines = entries.into_iter().map(|(t, line)| ShownLine { t, line, details: details.clone() });
        match shown.entry(labels) {
            Entry::Vacant(vacant) => {
                let labels = vacant.key().clone();
                vacant.insert(ShownStream { labels, lines: lines.collect(), sources: 1 });
            }
            Entry::Occupied(mut occupied) => {
                occupied.get_mut().lines.extend(lines);
                occupied.get_mut().sources += 1;
            }
        }
    }
    let mut shown: Vec<ShownStream> = shown.into_values().collect();
    for stream in shown.iter_mut().filter(|stream| stream.sources > 1) {
        match direction {
            Direction::Forward => stream.lines.sort_by_key(|line| line.t),
            Direction::Backward => stream.lines.sort_by_key(|line| std::cmp::Reverse(line.t)),
        }
    }
    shown
}

/// One set of three that have no name in common. There may be thousands of labels, and as in Loki
/// some may be empty.
fn together(sets: [&Labels; 3]) -> Labels {
    let mut pairs: Vec<_> = sets.into_iter().flat_map(Labels::iter).collect();
    pairs.sort_unstable();
    Labels::from_sorted(pairs)
}

/// A stream as it is shown.
pub struct ShownStream {
    labels: Labels,
    lines: Vec<ShownLine>,
    sources: usize,
}

struct ShownLine {
    t: Nanos,
    line: String,
    details: Option<Arc<Details>>,
}

struct Details {
    structured: Labels,
    parsed: Labels,
}

impl ShownStream {
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"stream":"#);
        json::labels(out, &self.labels);
        out.extend_from_slice(br#","values":"#);
        json::array(out, &self.lines, |out, line| line.write(out));
        out.push(b'}');
    }
}

impl ShownLine {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"[\"");
        out.extend_from_slice(self.t.to_string().as_bytes());
        out.extend_from_slice(b"\",");
        json::string(out, &self.line);
        if let Some(details) = &self.details {
            out.extend_from_slice(b",{");
            let sets = [("structuredMetadata", &details.structured), ("parsed", &details.parsed)];
            for (i, (name, labels)) in sets.into_iter().filter(|(_, set)| !set.is_empty()).enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                json::string(out, name);
                out.push(b':');
                json::labels(out, labels);
            }
            out.push(b'}');
        }
        out.push(b']');
    }
}

/// The answer of a query; it keeps the query's place until its last piece is made.
pub fn answer(found: Answer, show: Show, direction: Direction, took: Duration, place: Place) -> Response {
    let Answer { data, stats, warnings } = found;
    let mut close = Vec::new();
    write_stats(&mut close, &stats, took);
    close.push(b'}');
    let notes = warnings.into();
    match data {
        Data::Scalar { timestamp, value } => answer::data(
            |out| {
                out.extend_from_slice(br#"{"resultType":"scalar","result":"#);
                json::scalar(out, timestamp, value);
                out.extend_from_slice(&close);
            },
            &notes,
        ),
        Data::Streams(streams) => {
            let each = move |out: &mut Vec<u8>, stream: ShownStream| {
                let _held = &place;
                stream.write(out);
            };
            close.insert(0, b']');
            let open = format!(r#"{{"resultType":"streams"{},"result":["#, show.flags());
            answer::array(&open, shown_streams(streams, show, direction), each, &close, &notes)
        }
        Data::Vector(samples) => {
            let each = move |out: &mut Vec<u8>, sample: VectorSample| {
                let _held = &place;
                metric(out, &sample.labels, "value");
                json::scalar(out, sample.timestamp, sample.value);
                out.push(b'}');
            };
            close.insert(0, b']');
            answer::array(r#"{"resultType":"vector","result":["#, samples, each, &close, &notes)
        }
        Data::Matrix(series) => {
            let each = move |out: &mut Vec<u8>, series: MatrixSeries| {
                let _held = &place;
                metric(out, &series.labels, "values");
                json::array(out, series.points, |out, (t, v)| json::scalar(out, t, v));
                out.push(b'}');
            };
            close.insert(0, b']');
            answer::array(r#"{"resultType":"matrix","result":["#, series, each, &close, &notes)
        }
    }
}

/// A series up to the point or points, which have no exponents in Loki.
pub fn metric(out: &mut Vec<u8>, labels: &Labels, key: &str) {
    out.extend_from_slice(br#"{"metric":"#);
    json::labels(out, labels);
    out.extend_from_slice(format!(r#","{key}":"#).as_bytes());
}
