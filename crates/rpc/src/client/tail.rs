//! Watching an ingester's lines.

use super::IngesterClient;
use crate::{
    convert,
    pool::Method,
    proto::ingester::{TailRequest, TailResponse, TailedEntry as Entry},
};
use futures::stream;
use model::{Matcher, TenantId};
use prost::Message;
use service_api::{LogsTail, ReadContext, Result, TailItem, TailedEntry, TailedStream};
use std::sync::Arc;
use tokio::sync::mpsc;

const TAIL: Method = Method { name: "Tail", path: "/yagura.ingester.v1.Ingester/Tail" };

/// Items that wait here; what is more waits at the ingester, which counts it and drops what is too much.
const WAITING: usize = 4;

impl LogsTail for IngesterClient {
    /// The receiver also ends when the ingester cannot be reached or goes away.
    fn tail(&self, tenant: &TenantId, matchers: Vec<Matcher>) -> Result<mpsc::Receiver<TailItem>> {
        let (items, receiver) = mpsc::channel(WAITING);
        let request = TailRequest { matchers: convert::matchers_out(&matchers) }.encode_to_vec();
        let (peer, ctx) = (Arc::clone(&self.peer), ReadContext::new(tenant.clone(), u64::MAX));
        tokio::spawn(async move {
            let forward = async {
                let mut answer =
                    peer.read::<TailResponse>(&TAIL, &ctx, "", stream::iter([request.into()])).await?;
                while let Some(message) = answer.next(&ctx).await? {
                    if items.send(item(message)?).await.is_err() {
                        break;
                    }
                }
                Ok::<_, service_api::Error>(())
            };
            let ended = tokio::select! {
                biased;
                ended = forward => ended,
                () = items.closed() => Ok(()),
            };
            if let Err(error) = ended {
                tracing::debug!(peer = peer.address(), %error, "a tail ended");
            }
        });
        Ok(receiver)
    }
}

fn item(message: TailResponse) -> Result<TailItem> {
    let labels = convert::labels_in(&message.labels)?;
    if let Some(missed) = message.missed {
        return Ok(TailItem::Missed { labels, timestamp: missed.timestamp, lines: missed.lines });
    }
    let entry = |entry: Entry| {
        let mut words = entry.metadata.into_iter();
        let pairs = std::iter::from_fn(|| Some((words.next()?, words.next()?)));
        TailedEntry { timestamp: entry.timestamp, line: entry.line, metadata: pairs.collect() }
    };
    let entries = message.entries.into_iter().map(entry).collect();
    Ok(TailItem::Stored(TailedStream { labels, entries }))
}
