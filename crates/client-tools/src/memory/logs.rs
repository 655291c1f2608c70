//! Streams in memory.

use super::not_asked;
use async_trait::async_trait;
use model::{Labels, Lines, NanoRange, Nanos};
use parking_lot::RwLock;
use service_api::{
    LabelQuery, LabelsReader, LineSource, LogPage, LogStream, LogsReader, Needles, PageData, ReadContext,
    Result, StreamSet, StreamsRequest, Warned,
};
use std::{collections::BTreeMap, sync::Arc};

/// A line with its structured metadata.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub time: Nanos,
    pub text: Arc<str>,
    pub metadata: Arc<[(String, String)]>,
}

/// Lines can be read up to the time that [`MemoryLogs::show_until`] was told.
pub struct MemoryLogs {
    /// In time order.
    streams: BTreeMap<Labels, Vec<Line>>,
    until: RwLock<Nanos>,
}

impl MemoryLogs {
    pub fn new(lines: impl IntoIterator<Item = (Labels, Line)>) -> Self {
        let mut streams: BTreeMap<Labels, Vec<Line>> = BTreeMap::new();
        for (labels, line) in lines {
            streams.entry(labels).or_default().push(line);
        }
        for lines in streams.values_mut() {
            lines.sort_by_key(|line| line.time);
        }
        Self { streams, until: RwLock::new(Nanos::MIN) }
    }

    pub fn show_until(&self, until: Nanos) {
        *self.until.write() = until;
    }
}

#[async_trait]
impl LogsReader for MemoryLogs {
    async fn select(&self, _: &ReadContext, request: &StreamsRequest) -> Result<StreamSet> {
        let end = request.range.end.min(*self.until.read());
        let mut streams = Vec::new();
        for (labels, lines) in &self.streams {
            if !request.matchers.iter().all(|m| m.matches_labels(labels)) {
                continue;
            }
            let from = lines.partition_point(|line| line.time < request.range.start);
            let to = lines.partition_point(|line| line.time <= end);
            if let Some(page) = lines.get(from..to).and_then(page) {
                streams.push(LogStream { labels: labels.clone(), pages: vec![page] });
            }
        }
        Ok(StreamSet { streams, warnings: Vec::new() })
    }
}

/// Lines as a page; none of no lines.
fn page(lines: &[Line]) -> Option<LogPage> {
    let range = NanoRange::new(lines.first()?.time, lines.last()?.time);
    let mut page = Lines::default();
    for line in lines {
        let metadata = line.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        page.push(line.time, line.text.as_bytes(), metadata);
    }
    page.normalize();
    Some(LogPage {
        range,
        lines: page.len() as u32,
        text_bytes: (page.text.len() - page.len()) as u64,
        stored_bytes: 0,
        origin: 0,
        is_cut: false,
        data: PageData::Here(Arc::new(Page(page))),
    })
}

struct Page(Lines);

impl LineSource for Page {
    fn read(&self, needles: &Needles, out: &mut Lines) -> Result<bool> {
        out.clone_from(&self.0);
        Ok(needles.may_be_in(&out.text))
    }
}

#[async_trait]
impl LabelsReader for MemoryLogs {
    async fn series(&self, _: &ReadContext, _: &LabelQuery) -> Result<Warned<Vec<Labels>>> {
        Err(not_asked())
    }

    async fn label_names(&self, _: &ReadContext, _: &LabelQuery) -> Result<Warned<Vec<String>>> {
        Err(not_asked())
    }

    async fn label_values(&self, _: &ReadContext, _: &str, _: &LabelQuery) -> Result<Warned<Vec<String>>> {
        Err(not_asked())
    }
}
