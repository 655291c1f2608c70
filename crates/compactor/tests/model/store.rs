//! The bucket as one process sees it, which may come to an end at any request.

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt};
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, memory::InMemory, path::Path,
};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};
use tokio::sync::Notify;

/// Whether the request at which a process ends, or stands still, is carried out before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Before,
    After,
}

pub struct ProcessStore {
    inner: Arc<InMemory>,
    /// Requests so far, of all processes.
    requests: Arc<AtomicUsize>,
    /// How many more there will be before the one that is not answered.
    left: AtomicUsize,
    end: End,
    /// Told when that one has come.
    pub ended: Arc<Notify>,
    /// Tells that one to go on.
    pub goes_on: Arc<Notify>,
}

impl ProcessStore {
    pub fn new(inner: &Arc<InMemory>, requests: &Arc<AtomicUsize>, end: Option<(usize, End)>) -> Self {
        let (left, end) = end.unwrap_or((usize::MAX / 2, End::Before));
        Self {
            inner: Arc::clone(inner),
            requests: Arc::clone(requests),
            left: AtomicUsize::new(left),
            end,
            ended: Arc::default(),
            goes_on: Arc::default(),
        }
    }

    /// Whether this is the request that is not answered.
    fn is_last(&self) -> bool {
        self.requests.fetch_add(1, SeqCst);
        let left = self.left.fetch_sub(1, SeqCst);
        if left == 0 {
            // Those that come behind it, once it has gone on.
            self.left.store(usize::MAX / 2, SeqCst);
        }
        left == 0
    }

    async fn step<T>(&self, work: impl Future<Output = T>) -> T {
        if !self.is_last() {
            return work.await;
        }
        match self.end {
            End::Before => {
                self.stand_still().await;
                work.await
            }
            End::After => {
                let done = work.await;
                self.stand_still().await;
                done
            }
        }
    }

    async fn stand_still(&self) {
        self.ended.notify_one();
        self.goes_on.notified().await;
    }
}

impl fmt::Debug for ProcessStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("of a process")
    }
}

impl fmt::Display for ProcessStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("of a process")
    }
}

#[async_trait]
impl ObjectStore for ProcessStore {
    async fn put_opts(&self, at: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.step(self.inner.put_opts(at, payload, options)).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.step(self.inner.put_multipart_opts(at, options)).await
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        self.step(self.inner.get_opts(at, options)).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        // Each process deletes one object at a time; that one may be the last request.
        match self.is_last() {
            true => {
                self.ended.notify_one();
                stream::pending().boxed()
            }
            false => self.inner.delete_stream(paths),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        if !self.is_last() {
            return self.inner.list(prefix);
        }
        self.ended.notify_one();
        let (goes_on, inner, prefix) = (Arc::clone(&self.goes_on), Arc::clone(&self.inner), prefix.cloned());
        let listing = async move {
            goes_on.notified().await;
            inner.list(prefix.as_ref())
        };
        stream::once(listing).flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.step(self.inner.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
