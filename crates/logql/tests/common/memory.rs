//! Log streams in memory, behind the trait that engines read through.

use async_trait::async_trait;
use model::{Labels, Lines, Matcher, NanoRange, Nanos};
use service_api::{
    LabelQuery, LabelsReader, LineSource, LogPage, LogStream, LogsReader, Needles, PageData, PageStore,
    ReadContext, Result, StreamSet, StreamsRequest, Warned,
};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// A line as a test loads it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub time: Nanos,
    pub text: String,
    pub metadata: Vec<(String, String)>,
}

/// Pages of streams; those in the store are counted when they are fetched.
#[derive(Default)]
pub struct Memory {
    streams: Vec<LogStream>,
    store: Arc<Store>,
}

#[derive(Default)]
struct Store {
    pages: std::sync::Mutex<Vec<Arc<Page>>>,
    fetched: AtomicUsize,
}

struct Page(Lines);

impl Entry {
    pub fn new(time: Nanos, text: impl Into<String>) -> Self {
        Self { time, text: text.into(), metadata: Vec::new() }
    }
}

impl Memory {
    /// Adds a page of a stream; `stored` ones have to be fetched.
    pub fn add(&mut self, labels: &Labels, entries: &[Entry], stored: bool) {
        let mut lines = Lines::default();
        for entry in entries {
            let metadata = entry.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            lines.push(entry.time, entry.text.as_bytes(), metadata);
        }
        lines.normalize();
        let (Some(&start), Some(&end)) = (lines.timestamps.first(), lines.timestamps.last()) else { return };
        let text_bytes = (lines.text.len() - lines.len()) as u64;
        let count = lines.len() as u32;
        let source = Arc::new(Page(lines));
        let data = if stored {
            let mut pages = self.store.pages.lock().unwrap();
            pages.push(source);
            PageData::Stored(Arc::clone(&self.store) as Arc<dyn PageStore>, pages.len() as u64 - 1)
        } else {
            PageData::Here(source)
        };
        let stored_bytes = if stored { text_bytes } else { 0 };
        let page = LogPage {
            range: NanoRange::new(start, end),
            lines: count,
            text_bytes,
            stored_bytes,
            origin: 0,
            is_cut: false,
            data,
        };
        let at = match self.streams.binary_search_by(|stream| stream.labels.cmp(labels)) {
            Ok(at) => at,
            Err(at) => {
                self.streams.insert(at, LogStream { labels: labels.clone(), pages: Vec::new() });
                at
            }
        };
        self.streams[at].pages.push(page);
        self.streams[at].pages.sort_by_key(|page| (page.range.start, page.range.end));
    }

    /// Adds the only stream and its only page.
    pub fn add_page(&mut self, labels: &Labels, range: NanoRange, lines: Arc<dyn LineSource>) {
        let page = LogPage {
            range,
            lines: 1000,
            text_bytes: 3000,
            stored_bytes: 0,
            origin: 0,
            is_cut: false,
            data: PageData::Here(lines),
        };
        self.streams = vec![LogStream { labels: labels.clone(), pages: vec![page] }];
    }

    /// Pages that were fetched so far.
    pub fn fetched(&self) -> usize {
        self.store.fetched.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl LogsReader for Memory {
    async fn select(&self, _: &ReadContext, request: &StreamsRequest) -> Result<StreamSet> {
        let matches = |matchers: &[Matcher], labels| matchers.iter().all(|m| m.matches_labels(labels));
        let mut streams = Vec::new();
        for stream in self.streams.iter().filter(|stream| matches(&request.matchers, &stream.labels)) {
            let pages = stream.pages.iter().filter(|page| page.range.overlaps(&request.range));
            streams.push(LogStream { labels: stream.labels.clone(), pages: pages.cloned().collect() });
        }
        streams.retain(|stream| !stream.pages.is_empty());
        Ok(StreamSet { streams, warnings: Vec::new() })
    }
}

#[async_trait]
impl LabelsReader for Memory {
    async fn series(&self, _: &ReadContext, _: &LabelQuery) -> Result<Warned<Vec<Labels>>> {
        Ok(Warned::default())
    }

    async fn label_names(&self, _: &ReadContext, _: &LabelQuery) -> Result<Warned<Vec<String>>> {
        Ok(Warned::default())
    }

    async fn label_values(&self, _: &ReadContext, _: &str, _: &LabelQuery) -> Result<Warned<Vec<String>>> {
        Ok(Warned::default())
    }
}

#[async_trait]
impl PageStore for Store {
    async fn fetch(&self, _: &ReadContext, pages: &[u64]) -> Result<Vec<Arc<dyn LineSource>>> {
        self.fetched.fetch_add(pages.len(), Ordering::Relaxed);
        let all = self.pages.lock().unwrap();
        Ok(pages.iter().map(|page| Arc::clone(&all[*page as usize]) as Arc<dyn LineSource>).collect())
    }
}

impl LineSource for Page {
    fn read(&self, needles: &Needles, out: &mut Lines) -> Result<bool> {
        out.clear();
        if !needles.may_be_in(&self.0.text) {
            return Ok(false);
        }
        for at in 0..self.0.len() {
            out.push_from(&self.0, at);
        }
        Ok(true)
    }
}
