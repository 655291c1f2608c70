//! The way of a read of logs: streams, their pages, and the lines in them.
//!
//! A selection brings no lines: it names pages, with what the index knows of each. Whoever
//! evaluates a query decides which pages it needs, in which order, and fetches them some at
//! a time, so that a query that stops early reads little.

use crate::{LabelsReader, ReadContext, Result};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use memchr::memmem::Finder;
use model::{Labels, Lines, Matcher, NanoRange};
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

/// Log data of some extent: one ingester's head, the bucket's blocks, or everything.
#[async_trait]
pub trait LogsReader: LabelsReader {
    /// Streams that match all matchers, with their pages that may have lines in the range,
    /// sorted by labels, each once. What is held in memory is counted against the budget.
    async fn select(&self, ctx: &ReadContext, request: &StreamsRequest) -> Result<StreamSet>;
}

/// Somebody who has data of both signals.
pub trait Source: crate::MetricsReader + LogsReader {}

impl<T: crate::MetricsReader + LogsReader + ?Sized> Source for T {}

/// Wanted lines are wanted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StreamsRequest {
    pub matchers: Vec<Matcher>,
    pub range: NanoRange,
}

/// Selected streams, sorted by labels, each once.
#[derive(Clone, Default)]
pub struct StreamSet {
    pub streams: Vec<LogStream>,
    pub warnings: Vec<String>,
}

#[derive(Clone)]
pub struct LogStream {
    pub labels: Labels,
    /// In the order of their first lines. They may overlap, and where they do may hold the
    /// same line: same time and same text. Such a line counts once.
    pub pages: Vec<LogPage>,
}

/// Lines of one stream that are stored and read together, and what is known of them unread.
#[derive(Clone)]
pub struct LogPage {
    /// The times of its first and last line.
    pub range: NanoRange,
    pub lines: u32,
    /// Bytes of all lines' text.
    pub text_bytes: u64,
    /// Bytes that are to be read from storage for it; 0 if it is in the memory of whoever has it, where
    /// it may have repeats.
    pub stored_bytes: u64,
    /// The ingester that took the lines in, as of [`origin`]; 0 if that is nobody's alone. Pages of
    /// several ingesters with lines of the same times are replicas: whoever counts lines without
    /// reading them counts those of one ingester.
    pub origin: u64,
    /// Whether some of its lines are not to be seen: then what is known of it unread counts too many, and
    /// whoever needs to know exactly must read it.
    pub is_cut: bool,
    pub data: PageData,
}

/// Stands for an ingester, by its id on the ring, in [`LogPage::origin`].
pub fn origin(instance: &str) -> u64 {
    xxh3_64(instance.as_bytes()).max(1)
}

/// Where a page is.
#[derive(Clone)]
pub enum PageData {
    Here(Arc<dyn LineSource>),
    /// The page of that number in a store.
    Stored(Arc<dyn PageStore>, u64),
}

/// Pages that have to be fetched.
#[async_trait]
pub trait PageStore: Send + Sync {
    /// Fetches pages, those that lie side by side in one go. Answers in the order asked.
    async fn fetch(&self, ctx: &ReadContext, pages: &[u64]) -> Result<Vec<Arc<dyn LineSource>>>;
}

/// A page that is in memory, encoded or not. Reading one computes and does not wait.
pub trait LineSource: Send + Sync {
    /// Reads all lines into `out`, which is cleared first, in time order, unless it is found on
    /// the way that one of `needles` is nowhere in the text: then false, and `out` is in no order.
    fn read(&self, needles: &Needles, out: &mut Lines) -> Result<bool>;

    /// The page as it is stored, if it is encoded.
    fn encoded(&self) -> Option<Bytes> {
        None
    }
}

/// Texts all of which a line must contain to be wanted. A page in which one of them is nowhere
/// need not be taken apart. None at all wants every page.
#[derive(Clone, Debug, Default)]
pub struct Needles(Vec<Finder<'static>>);

impl Needles {
    pub fn new<'a>(texts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        Self(texts.into_iter().map(|text| Finder::new(text).into_owned()).collect())
    }

    /// Whether the text of a page, or any longer text that contains it, may have a wanted line.
    pub fn may_be_in(&self, text: &[u8]) -> bool {
        self.0.iter().all(|needle| needle.find(text).is_some())
    }

    pub fn texts(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(Finder::needle)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Stores that are asked for pages at once.
const STORES_AT_ONCE: usize = 8;

/// Brings pages into memory: one request to each store, answers in the order of the pages.
pub async fn fetch_pages(ctx: &ReadContext, pages: &[&LogPage]) -> Result<Vec<Arc<dyn LineSource>>> {
    let mut found: Vec<Option<Arc<dyn LineSource>>> = vec![None; pages.len()];
    let mut stores: Vec<(&Arc<dyn PageStore>, Vec<usize>)> = Vec::new();
    for (at, page) in pages.iter().enumerate() {
        match &page.data {
            PageData::Here(lines) => found[at] = Some(Arc::clone(lines)),
            PageData::Stored(store, _) => match stores.iter_mut().find(|(s, _)| Arc::ptr_eq(s, store)) {
                Some((_, wanted)) => wanted.push(at),
                None => stores.push((store, vec![at])),
            },
        }
    }
    let requests: Vec<_> = stores
        .into_iter()
        .map(|(store, wanted)| async {
            let numbers: Vec<u64> = wanted.iter().filter_map(|&at| pages[at].number()).collect();
            Ok::<_, crate::Error>((wanted, store.fetch(ctx, &numbers).await?))
        })
        .collect();
    let mut answers = stream::iter(requests).buffered(STORES_AT_ONCE);
    while let Some((wanted, sources)) = answers.try_next().await? {
        for (at, lines) in wanted.into_iter().zip(sources) {
            found[at] = Some(lines);
        }
    }
    let all: Option<Vec<_>> = found.into_iter().collect();
    all.ok_or_else(|| crate::Error::internal("a store gave fewer pages than it was asked for"))
}

impl LogPage {
    fn number(&self) -> Option<u64> {
        match self.data {
            PageData::Here(_) => None,
            PageData::Stored(_, number) => Some(number),
        }
    }
}

/// Joins what several sources hold. Streams with the same labels become one with the pages of all.
pub fn merge_stream_sets(sets: Vec<StreamSet>) -> StreamSet {
    let mut merged = StreamSet::default();
    let mut filled = 0;
    for set in sets {
        filled += usize::from(!set.streams.is_empty());
        merged.streams.extend(set.streams);
        for warning in set.warnings {
            if !merged.warnings.contains(&warning) {
                merged.warnings.push(warning);
            }
        }
    }
    if filled > 1 {
        merged.streams.sort_by(|a, b| a.labels.cmp(&b.labels));
        merged.streams.dedup_by(|later, kept| {
            let same = later.labels == kept.labels;
            if same {
                kept.pages.append(&mut later.pages);
            }
            same
        });
        for stream in &mut merged.streams {
            stream.pages.sort_by_key(|page| (page.range.start, page.range.end));
        }
    }
    merged
}

#[cfg(test)]
mod tests;
