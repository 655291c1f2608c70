//! Log pages that are read elsewhere if who held them fails before they are fetched.
//!
//! A selection names pages that are fetched later. When an ingester dies in between, others have its
//! lines, but in other pages. The selection is then made again, and each lost page is put together
//! from the lines of its stream and its times that are found now. A line counts once by time and text,
//! so it does no harm that pages which were not lost have some of these lines, too.

use crate::{QuerierMetrics, merge, stores};
use async_trait::async_trait;
use model::{Labels, Lines, NanoRange};
use service_api::{
    Error, LineSource, LogPage, LogsReader, MemoryBudget, Needles, PageData, PageStore, ReadContext,
    Reservation, Result, StreamSet, StreamsRequest, fetch_pages,
};
use std::{collections::HashMap, sync::Arc};
use tokio::sync::Mutex;

/// How often a selection is made again for pages that cannot be fetched.
const ATTEMPTS: usize = 3;

/// Makes all stored pages of `set`, which answers `request`, such that `fallback` is asked if their
/// store fails.
pub(crate) fn guard(
    ctx: &ReadContext,
    set: &mut StreamSet,
    request: &StreamsRequest,
    fallback: &Arc<dyn LogsReader>,
    metrics: &QuerierMetrics,
) -> Result<()> {
    // By the address of the store.
    let mut by_store: HashMap<usize, (Arc<dyn PageStore>, Vec<Held>)> = HashMap::new();
    for stream in &mut set.streams {
        for page in &mut stream.pages {
            let PageData::Stored(store, number) = &mut page.data else { continue };
            let (_, held) =
                by_store.entry(stores::address(store)).or_insert_with(|| (Arc::clone(store), Vec::new()));
            held.push(Held { labels: stream.labels.clone(), range: page.range, number: *number });
            *number = held.len() as u64 - 1;
        }
    }
    let mut guarded: HashMap<usize, Arc<dyn PageStore>> = HashMap::with_capacity(by_store.len());
    for (at, (store, pages)) in by_store {
        let reservation = ctx.budget.reserve(pages.capacity() * size_of::<Held>())?;
        let guard = Guarded {
            store,
            pages,
            request: request.clone(),
            fallback: Arc::clone(fallback),
            instead: Mutex::default(),
            metrics: metrics.clone(),
            _reservation: reservation,
        };
        guarded.insert(at, Arc::new(guard));
    }
    stores::replace(set, |store| Arc::clone(guarded.get(&stores::address(store)).unwrap_or(store)));
    Ok(())
}

struct Held {
    labels: Labels,
    range: NanoRange,
    /// In its store.
    number: u64,
}

struct Guarded {
    store: Arc<dyn PageStore>,
    pages: Vec<Held>,
    request: StreamsRequest,
    fallback: Arc<dyn LogsReader>,
    /// The same selection made again, once the store has failed.
    instead: Mutex<Option<Arc<StreamSet>>>,
    metrics: QuerierMetrics,
    _reservation: Reservation,
}

#[async_trait]
impl PageStore for Guarded {
    async fn fetch(&self, ctx: &ReadContext, pages: &[u64]) -> Result<Vec<Arc<dyn LineSource>>> {
        let held: Option<Vec<&Held>> = pages.iter().map(|page| self.pages.get(*page as usize)).collect();
        let held = held.ok_or_else(|| Error::internal("a page was asked for that was not selected"))?;
        // Whoever asks while the selection is made again waits for it.
        let mut instead = self.instead.lock().await;
        if instead.is_none() {
            drop(instead);
            let numbers: Vec<u64> = held.iter().map(|page| page.number).collect();
            match self.store.fetch(ctx, &numbers).await {
                Err(error) if !merge::ends_query(ctx, &error) => {
                    tracing::warn!(%error, pages = pages.len(), "log pages are read elsewhere");
                }
                answer => return answer,
            }
            instead = self.instead.lock().await;
        }
        self.metrics.rescued_pages.inc_by(pages.len() as u64);
        for attempt in 1.. {
            let set = match &*instead {
                Some(set) => Arc::clone(set),
                None => Arc::clone(instead.insert(Arc::new(self.fallback.select(ctx, &self.request).await?))),
            };
            match put_together(ctx, &set, &held).await {
                Err(error) if attempt < ATTEMPTS && !merge::ends_query(ctx, &error) => *instead = None,
                answer => return answer,
            }
        }
        Err(Error::unavailable("log pages cannot be read"))
    }
}

/// Each of the lost pages, from what is in `set`.
async fn put_together(
    ctx: &ReadContext,
    set: &StreamSet,
    lost: &[&Held],
) -> Result<Vec<Arc<dyn LineSource>>> {
    // Pages that are needed, once each, and for which of the lost ones.
    let mut needed: Vec<(&LogPage, Vec<usize>)> = Vec::new();
    let mut known: HashMap<(usize, usize), usize> = HashMap::new();
    for (at, page) in lost.iter().enumerate() {
        let found = set.streams.binary_search_by(|stream| stream.labels.cmp(&page.labels));
        let Ok(stream) = found else { continue };
        let pages = set.streams[stream].pages.iter().enumerate();
        for (number, source) in pages.filter(|(_, source)| source.range.overlaps(&page.range)) {
            let place = *known.entry((stream, number)).or_insert_with(|| {
                needed.push((source, Vec::new()));
                needed.len() - 1
            });
            needed[place].1.push(at);
        }
    }
    let pages: Vec<&LogPage> = needed.iter().map(|(page, _)| *page).collect();
    let sources = fetch_pages(ctx, &pages).await?;
    let of: Vec<Vec<usize>> = needed.into_iter().map(|(_, of)| of).collect();
    let ranges: Vec<NanoRange> = lost.iter().map(|page| page.range).collect();
    let budget = Arc::clone(&ctx.budget);
    merge::off_thread(move || lines(&budget, &sources, &of, &ranges)).await?
}

/// The lines of each range, of those sources that are for it.
fn lines(
    budget: &Arc<MemoryBudget>,
    sources: &[Arc<dyn LineSource>],
    of: &[Vec<usize>],
    ranges: &[NanoRange],
) -> Result<Vec<Arc<dyn LineSource>>> {
    let mut found = Vec::with_capacity(ranges.len());
    for _ in ranges {
        found.push(Found { lines: Lines::default(), counted: 0, held: budget.reserve(0)? });
    }
    let mut buffer = Lines::default();
    for (source, of) in sources.iter().zip(of) {
        source.read(&Needles::default(), &mut buffer)?;
        let _buffer = budget.reserve(buffer.heap_bytes())?;
        for &at in of {
            let (first, behind) = (
                buffer.timestamps.partition_point(|time| *time < ranges[at].start),
                buffer.timestamps.partition_point(|time| *time <= ranges[at].end),
            );
            (first..behind).for_each(|line| found[at].lines.push_from(&buffer, line));
            found[at].count()?;
        }
    }
    found.iter_mut().for_each(|found| found.lines.normalize());
    Ok(found.into_iter().map(|found| Arc::new(found) as Arc<dyn LineSource>).collect())
}

/// Lines in the place of a lost page.
struct Found {
    lines: Lines,
    counted: usize,
    held: Reservation,
}

impl Found {
    fn count(&mut self) -> Result<()> {
        let more = self.lines.heap_bytes().saturating_sub(self.counted);
        self.counted += more;
        self.held.grow(more)
    }
}

impl LineSource for Found {
    fn read(&self, needles: &Needles, out: &mut Lines) -> Result<bool> {
        out.clear();
        if !needles.may_be_in(&self.lines.text) {
            return Ok(false);
        }
        out.clone_from(&self.lines);
        Ok(true)
    }
}
