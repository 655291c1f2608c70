//! Selections of log streams that stay open while the caller fetches pages of them.

use super::{
    ServerConfig,
    query::{Query, blocking},
};
use crate::{
    FRAME_BYTES,
    convert::{self, bad},
    proto::reader::{Head, Page, Pages, SelectStreamsRequest, SelectStreamsResponse, Stream as Message},
    status::from_status,
};
use block_store::EncodedPage;
use bytes::Bytes;
use futures::{Stream, stream};
use model::Lines;
use service_api::{Error, LineSource, LogPage, LogStream, Needles, Result, fetch_pages};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tonic::Streaming;

/// Bounds how many are open at once.
pub struct Selections {
    places: Arc<Semaphore>,
    idle: Duration,
}

/// A selection's place among those that are open.
pub struct Place {
    idle: Duration,
    _permit: OwnedSemaphorePermit,
}

impl Selections {
    pub fn new(config: &ServerConfig) -> Self {
        let places = Arc::new(Semaphore::new(config.max_selections as usize));
        Self { places, idle: Duration::from_secs(config.selection_idle) }
    }

    pub fn open(&self) -> Result<Place> {
        let permit = Arc::clone(&self.places).try_acquire_owned();
        let _permit = permit.map_err(|_| Error::unavailable("too many selections of streams are open"))?;
        Ok(Place { idle: self.idle, _permit })
    }
}

/// The caller's next message; none if it is done.
pub async fn next_request(
    requests: &mut Streaming<SelectStreamsRequest>,
) -> Result<Option<SelectStreamsRequest>> {
    requests.message().await.map_err(|status| from_status(&status, "the caller"))
}

/// Lists the streams, and then gives the pages that are asked for.
pub fn serve(
    query: Query,
    place: Place,
    streams: Vec<LogStream>,
    head: Head,
    requests: Streaming<SelectStreamsRequest>,
    drain: CancellationToken,
) -> impl Stream<Item = Result<SelectStreamsResponse>> + Send {
    let (pages, list) = list(head, streams);
    let wanted = VecDeque::new();
    let selection = Selection { query, place, list, pages, requests, drain, fetch: 0, wanted };
    stream::try_unfold(selection, |mut selection| async move {
        Ok(selection.next().await?.map(|message| (message, selection)))
    })
}

struct Selection {
    query: Query,
    place: Place,
    /// Messages that list the streams and are not sent yet.
    list: VecDeque<SelectStreamsResponse>,
    /// By their numbers.
    pages: Vec<LogPage>,
    requests: Streaming<SelectStreamsRequest>,
    drain: CancellationToken,
    /// The fetch that is being answered, and what of it is not yet.
    fetch: u64,
    wanted: VecDeque<u64>,
}

impl Selection {
    async fn next(&mut self) -> Result<Option<SelectStreamsResponse>> {
        if let Some(message) = self.list.pop_front() {
            return Ok(Some(message));
        }
        while self.wanted.is_empty() {
            let Some(request) = self.request().await? else { return Ok(None) };
            let Some(pages) = request.pages else { return Err(bad("a message that asks for no pages")) };
            self.fetch = pages.fetch;
            self.wanted.extend(pages.pages);
        }
        let pages = self.query.within(self.some_pages()).await?;
        self.wanted.drain(..pages.len());
        let pages = Some(Pages { fetch: self.fetch, pages });
        Ok(Some(SelectStreamsResponse { pages, ..SelectStreamsResponse::default() }))
    }

    async fn request(&mut self) -> Result<Option<SelectStreamsRequest>> {
        let next = tokio::time::timeout(self.place.idle, next_request(&mut self.requests));
        let next = async { next.await.map_err(|_| Error::unavailable("the selection was not used"))? };
        tokio::select! {
            biased;
            request = self.query.within(next) => request,
            () = self.drain.cancelled() => Err(Error::unavailable("the process is about to end")),
        }
    }

    /// The first of the wanted pages, as many as make a message.
    async fn some_pages(&self) -> Result<Vec<Bytes>> {
        let (mut some, mut bytes) = (Vec::new(), 0);
        for number in &self.wanted {
            let page = usize::try_from(*number).ok().and_then(|number| self.pages.get(number));
            let page = page.ok_or_else(|| bad("there is no page of that number"))?;
            some.push(page);
            // What lies in memory has no stored size; text is seldom packed less than 1 in 4.
            bytes += page.stored_bytes.max(page.text_bytes / 4) as usize;
            if bytes >= FRAME_BYTES {
                break;
            }
        }
        let sources = fetch_pages(&self.query.ctx, &some).await?;
        if let Some(encoded) = sources.iter().map(|source| source.encoded()).collect() {
            return Ok(encoded);
        }
        blocking(move || sources.iter().map(|source| encode(&**source)).collect()).await
    }
}

fn encode(source: &dyn LineSource) -> Result<Bytes> {
    if let Some(encoded) = source.encoded() {
        return Ok(encoded);
    }
    let mut lines = Lines::default();
    source.read(&Needles::default(), &mut lines)?;
    Ok(EncodedPage::encode(&lines)?.into_bytes())
}

/// The pages by their numbers, and the messages that describe them.
fn list(head: Head, streams: Vec<LogStream>) -> (Vec<LogPage>, VecDeque<SelectStreamsResponse>) {
    const PAGE_BYTES: usize = 50;
    let (mut all, mut messages) = (Vec::new(), VecDeque::new());
    let mut message = SelectStreamsResponse { head: Some(head), ..SelectStreamsResponse::default() };
    let mut bytes = 0;
    for LogStream { labels, mut pages } in streams {
        let (mut labels, mut continued) = (convert::labels_out(&labels), false);
        loop {
            bytes += labels.len() + 8;
            let room = (FRAME_BYTES.saturating_sub(bytes) / PAGE_BYTES).clamp(1, pages.len().max(1));
            let described: Vec<Page> = pages.iter().take(room).map(describe).collect();
            bytes += described.len() * PAGE_BYTES;
            all.extend(pages.drain(..described.len()));
            message.streams.push(Message {
                labels: std::mem::take(&mut labels),
                pages: described,
                continued,
            });
            if bytes >= FRAME_BYTES - PAGE_BYTES {
                messages.push_back(std::mem::take(&mut message));
                bytes = 0;
            }
            if pages.is_empty() {
                break;
            }
            continued = true;
        }
    }
    message.last = true;
    messages.push_back(message);
    (all, messages)
}

fn describe(page: &LogPage) -> Page {
    Page {
        start: page.range.start,
        end: page.range.end,
        lines: page.lines,
        text_bytes: page.text_bytes,
        stored_bytes: page.stored_bytes,
        origin: page.origin,
    }
}
