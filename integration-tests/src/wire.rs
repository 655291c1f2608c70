//! The protocols that a ledger can speak.

use crate::{
    http::Http,
    loki::{JSON, LogQuery, LogStream, PROTOBUF, PUSH, push_json, push_protobuf},
    query::{Query, Series},
    remote_write::{TimeSeries, Version},
};

/// How entries travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    RemoteWrite(Version),
    LokiProtobuf,
    LokiJson,
}

impl From<Version> for Wire {
    fn from(version: Version) -> Self {
        Self::RemoteWrite(version)
    }
}

impl Wire {
    pub fn path(self) -> &'static str {
        match self {
            Self::RemoteWrite(_) => "/api/v1/write",
            Self::LokiProtobuf | Self::LokiJson => PUSH,
        }
    }

    pub fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::RemoteWrite(version) => version.headers(),
            Self::LokiProtobuf => PROTOBUF,
            Self::LokiJson => JSON,
        }
    }

    /// The series as a request; as logs each sample is a line that says its value.
    pub fn body(self, series: &[TimeSeries]) -> Vec<u8> {
        match self {
            Self::RemoteWrite(version) => version.body(series),
            Self::LokiProtobuf => push_protobuf(&as_streams(series)),
            Self::LokiJson => push_json(&as_streams(series)),
        }
    }

    /// What the server at `base` has of one writer from `first` to before `last` (milliseconds), which
    /// is about so many `entries`.
    pub async fn read(
        self,
        http: &Http,
        base: &str,
        metric: &str,
        writer: &str,
        (first, last): (i64, i64),
        entries: usize,
    ) -> Vec<Series> {
        if let Self::RemoteWrite(_) = self {
            let range = (last - first) / 1000 + 2;
            let query = Query::new(http.clone(), base);
            return query.series(&format!("{metric}{{writer=\"{writer}\"}}[{range}s]"), last).await;
        }
        let selector = format!("{{writer=\"{writer}\"}}");
        let query = LogQuery::new(http.clone(), base);
        let mut found: Vec<Series> = Vec::new();
        // A query has at most so many lines, so time goes in steps.
        let steps = (entries / 1000).max(20) as i64;
        let step = ((last - first) / steps).max(1);
        for from in (first..last).step_by(step as usize) {
            let to = (from + step).min(last);
            for stream in query.lines(&selector, from * 1_000_000, to * 1_000_000).await {
                let points = stream.lines.iter().map(|line| (line.nanos / 1_000_000, value(&line.text)));
                match found.iter_mut().find(|series| series.labels == stream.labels) {
                    Some(series) => series.points.extend(points),
                    None => found.push(Series { points: points.collect(), labels: stream.labels }),
                }
            }
        }
        found
    }
}

fn as_streams(series: &[TimeSeries]) -> Vec<LogStream> {
    let one = |series: &TimeSeries| {
        let labels: Vec<(&str, &str)> = series.labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let lines: Vec<(i64, String)> =
            series.samples.iter().map(|(t, v)| (t * 1_000_000, text(*v))).collect();
        let lines: Vec<(i64, &str)> = lines.iter().map(|(t, text)| (*t, text.as_str())).collect();
        let named = labels.into_iter().filter(|(name, _)| *name != "__name__").collect::<Vec<_>>();
        LogStream::new(&named, &lines)
    };
    series.iter().map(one).collect()
}

fn text(value: f64) -> String {
    format!("level=info msg=\"entry of the ledger\" value={value}")
}

fn value(line: &str) -> f64 {
    line.rsplit_once("value=").unwrap_or_else(|| panic!("not of this ledger: {line}")).1.parse().unwrap()
}
