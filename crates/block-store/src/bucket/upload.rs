//! Writes of objects that are too large to be held in memory, or to go up in one request.

use super::{Bucket, in_time};
use bytes::Bytes;
use futures::{
    Stream, StreamExt,
    stream::{self, FuturesUnordered},
};
use object_store::{MultipartUpload, ObjectStoreExt};
use service_api::{Error, Result};
use std::pin::pin;
use tokio::runtime::Handle;

/// Bytes of each part but the last. S3 wants 5 MiB and takes 10,000 parts; others want them all alike.
pub(crate) const PART_BYTES: usize = 8 << 20;
/// Parts that are on their way at once, and in memory.
const PARTS_AT_ONCE: usize = 4;

impl Bucket {
    /// Writes an object or replaces it, in parts that follow each other, all but the last of 8 MiB. When
    /// this returns it is there, whole and durable. It is not if a part is an error, or the bucket fails,
    /// or the future is dropped.
    pub async fn put_parts(&self, name: &str, parts: impl Stream<Item = Result<Bytes>> + Send) -> Result<()> {
        let mut parts = pin!(parts);
        let first = parts.next().await.transpose()?.unwrap_or_default();
        let Some(second) = parts.next().await.transpose()? else {
            return self.put(name, vec![first]).await;
        };
        self.metrics.request("begin_parts");
        let begun = in_time(self.store.put_multipart(&self.path(name))).await?;
        let mut unfinished = Unfinished(Some(self.metrics.result("begin_parts", begun)?));
        let Some(upload) = &mut unfinished.0 else { return Err(Error::internal("no upload")) };
        let mut parts = pin!(stream::iter([Ok(first), Ok(second)]).chain(parts));
        let mut under_way = FuturesUnordered::new();
        while let Some(part) = parts.next().await.transpose()? {
            if under_way.len() == PARTS_AT_ONCE {
                under_way.next().await.transpose()?;
            }
            self.metrics.request("put_part");
            self.metrics.written.inc_by(part.len() as u64);
            let sent = upload.put_part(part.into());
            under_way.push(async { self.metrics.result("put_part", in_time(sent).await?) });
        }
        while under_way.next().await.transpose()?.is_some() {}
        self.metrics.request("complete_parts");
        let done = in_time(upload.complete()).await?;
        self.metrics.result("complete_parts", done)?;
        unfinished.0 = None;
        Ok(())
    }
}

/// An object of which some parts are in the bucket: they go when this does. Where nobody is left to see to
/// that, as when the process is killed, a rule of the bucket has to.
struct Unfinished(Option<Box<dyn MultipartUpload>>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let (Some(mut upload), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(async move {
                if !matches!(in_time(upload.abort()).await, Ok(Ok(()))) {
                    tracing::warn!("parts of an object that was given up stay in the bucket");
                }
            });
        }
    }
}
