//! Selections of log streams: the pages stay with the peer and are fetched over the same call.

use super::{
    IngesterClient,
    read::{of_peer, take_head},
};
use crate::{
    convert,
    pool::{Answer, Method, SILENCE},
    proto::reader::{
        PagesRequest, SelectStreamsRequest, SelectStreamsResponse, Selection, Stream as Message,
    },
};
use async_trait::async_trait;
use block_store::EncodedPage;
use bytes::Bytes;
use futures::{StreamExt, stream};
use model::{Lines, NanoRange, Signal};
use prost::Message as _;
use service_api::{
    Error, LineSource, LogPage, LogStream, LogsReader, Needles, PageData, PageStore, ReadContext,
    Reservation, Result, StreamSet, StreamsRequest,
};
use std::sync::Arc;
use tokio::{
    sync::{Mutex, mpsc},
    time::timeout,
};
use tokio_stream::wrappers::ReceiverStream;

const SELECT_STREAMS: Method =
    Method { name: "SelectStreams", path: "/yagura.reader.v1.Reader/SelectStreams" };

#[async_trait]
impl LogsReader for IngesterClient {
    async fn select(&self, ctx: &ReadContext, request: &StreamsRequest) -> Result<StreamSet> {
        let selection = Selection {
            matchers: convert::matchers_out(&request.matchers),
            start: request.range.start,
            end: request.range.end,
            blocks: self.blocks.clone(),
        };
        let first = SelectStreamsRequest { selection: Some(selection), pages: None };
        let (requests, later) = mpsc::channel::<Bytes>(1);
        let messages = stream::iter([Bytes::from(first.encode_to_vec())]).chain(ReceiverStream::new(later));
        let mut answer =
            self.peer.read::<SelectStreamsResponse>(&SELECT_STREAMS, ctx, &self.disk, messages).await?;
        let mut listing = Listing { streams: Vec::new(), pages: 0, held: ctx.budget.reserve(0)? };
        let mut warnings = Vec::new();
        loop {
            let mut frame = answer.more(ctx).await?;
            take_head(&mut frame, ctx, Signal::Logs, &mut warnings);
            listing.add(frame.streams)?;
            if frame.last {
                break;
            }
        }
        let conversation = Mutex::new(Conversation { requests, answer, fetch: 0 });
        Ok(StreamSet { streams: listing.finish(conversation), warnings })
    }
}

/// Streams and descriptions of their pages, as the messages come.
struct Listing {
    streams: Vec<(model::Labels, Vec<crate::proto::reader::Page>)>,
    pages: u64,
    held: Reservation,
}

impl Listing {
    fn add(&mut self, streams: Vec<Message>) -> Result<()> {
        for message in streams {
            self.held.grow(message.pages.len() * size_of::<LogPage>())?;
            self.pages += message.pages.len() as u64;
            if message.continued {
                let Some((_, pages)) = self.streams.last_mut() else {
                    return Err(Error::internal("a peer went on with a stream that it did not begin"));
                };
                pages.extend(message.pages);
                continue;
            }
            let labels = convert::labels_in(&message.labels).map_err(of_peer)?;
            if self.streams.last().is_some_and(|(last, _)| *last >= labels) {
                return Err(Error::internal("a peer's streams are not in order"));
            }
            self.held.grow(labels.heap_bytes() + size_of::<LogStream>())?;
            self.streams.push((labels, message.pages));
        }
        Ok(())
    }

    fn finish(self, conversation: Mutex<Conversation>) -> Vec<LogStream> {
        let store: Arc<dyn PageStore> = Arc::new(RemotePages { conversation, _held: self.held });
        let mut number = 0;
        let mut page = |page: crate::proto::reader::Page| {
            let data = PageData::Stored(Arc::clone(&store), number);
            number += 1;
            LogPage {
                range: NanoRange::new(page.start, page.end),
                lines: page.lines,
                text_bytes: page.text_bytes,
                stored_bytes: page.stored_bytes,
                origin: page.origin,
                // Whoever asks leaves out what is not to be seen, and whoever is asked gives everything.
                is_cut: false,
                data,
            }
        };
        let streams = self.streams.into_iter();
        streams
            .map(|(labels, pages)| LogStream { labels, pages: pages.into_iter().map(&mut page).collect() })
            .collect()
    }
}

/// The pages of one selection. Dropping it ends the call, and the peer lets go of them.
struct RemotePages {
    conversation: Mutex<Conversation>,
    _held: Reservation,
}

struct Conversation {
    requests: mpsc::Sender<Bytes>,
    answer: Answer<SelectStreamsResponse>,
    /// The number of the last fetch: answers to one that was given up may still come.
    fetch: u64,
}

#[async_trait]
impl PageStore for RemotePages {
    async fn fetch(&self, ctx: &ReadContext, pages: &[u64]) -> Result<Vec<Arc<dyn LineSource>>> {
        let mut conversation = self.conversation.lock().await;
        let Conversation { requests, answer, fetch } = &mut *conversation;
        *fetch += 1;
        let request = PagesRequest { fetch: *fetch, pages: pages.to_vec() };
        let request = SelectStreamsRequest { selection: None, pages: Some(request) };
        // A call that has ended says why below. So does one to a frozen peer, which has not taken the request
        // before this one.
        let _ = timeout(SILENCE, requests.send(request.encode_to_vec().into())).await;
        let mut fetched: Vec<Arc<dyn LineSource>> = Vec::with_capacity(pages.len());
        while fetched.len() < pages.len() {
            let frame = answer.more(ctx).await?;
            let Some(answered) = frame.pages.filter(|pages| pages.fetch == *fetch) else { continue };
            for page in answered.pages {
                let held = ctx.budget.reserve(page.len())?;
                let page =
                    EncodedPage::new(page).map_err(|e| Error::internal(format!("a page of lines: {e}")))?;
                fetched.push(Arc::new(FetchedPage { page, _held: held }));
            }
        }
        if fetched.len() > pages.len() {
            return Err(Error::internal("a peer gave more pages than it was asked for"));
        }
        Ok(fetched)
    }
}

struct FetchedPage {
    page: EncodedPage,
    _held: Reservation,
}

impl LineSource for FetchedPage {
    fn read(&self, needles: &Needles, out: &mut Lines) -> Result<bool> {
        self.page.read(needles, out)
    }

    fn encoded(&self) -> Option<Bytes> {
        self.page.encoded()
    }
}
