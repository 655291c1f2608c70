//! A bucket in memory whose answers are late, lost, cut short or damaged on demand.

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream, stream::BoxStream};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, memory::InMemory,
    path::Path,
};
use parking_lot::Mutex;
use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering::SeqCst},
    time::Duration,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Fails,
    /// There is no answer.
    Hangs,
    Slow,
    Short,
    /// One bit is another one.
    Damaged,
}

impl Fault {
    pub const ALL: [Self; 5] = [Self::Fails, Self::Hangs, Self::Slow, Self::Short, Self::Damaged];
}

/// What happens at the next operation.
type Next = Box<dyn FnMut() -> Option<Fault> + Send>;

pub struct FaultyStore {
    inner: InMemory,
    next: Mutex<Next>,
    gets: AtomicU64,
}

impl Default for FaultyStore {
    fn default() -> Self {
        Self { inner: InMemory::new(), next: Mutex::new(Box::new(|| None)), gets: AtomicU64::new(0) }
    }
}

impl FaultyStore {
    pub fn set(&self, next: impl FnMut() -> Option<Fault> + Send + 'static) {
        *self.next.lock() = Box::new(next);
    }

    pub fn heal(&self) {
        self.set(|| None);
    }

    /// How often something was read since this was asked last.
    pub fn gets(&self) -> u64 {
        self.gets.swap(0, SeqCst)
    }

    /// What is to be done to the answer, if there is one.
    async fn step(&self) -> Result<Option<Fault>> {
        let fault = (self.next.lock())();
        match fault {
            Some(Fault::Fails) => return Err(broken()),
            Some(Fault::Hangs) => std::future::pending().await,
            Some(Fault::Slow) => tokio::time::sleep(Duration::from_secs(3)).await,
            _ => {}
        }
        Ok(fault)
    }
}

fn broken() -> Error {
    Error::Generic { store: "faulty", source: "out of order".into() }
}

fn spoil(bytes: &Bytes, fault: Option<Fault>) -> Bytes {
    match fault {
        Some(Fault::Short) => bytes.slice(..bytes.len() / 2),
        Some(Fault::Damaged) => {
            let mut damaged = bytes.to_vec();
            let at = damaged.len() / 2;
            damaged[at] ^= 4;
            damaged.into()
        }
        _ => bytes.clone(),
    }
}

impl fmt::Debug for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("faulty")
    }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("faulty")
    }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(&self, at: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.step().await?;
        self.inner.put_opts(at, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(at, options).await
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        self.gets.fetch_add(1, SeqCst);
        let fault = self.step().await?;
        let found = self.inner.get_opts(at, options).await?;
        let (meta, range, attributes) = (found.meta.clone(), found.range.clone(), found.attributes.clone());
        let bytes = spoil(&found.bytes().await?, fault);
        let payload = GetResultPayload::Stream(stream::iter([Ok(bytes)]).boxed());
        Ok(GetResult { payload, meta, range, attributes, extensions: Default::default() })
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match (self.next.lock())() {
            Some(Fault::Fails) => stream::iter([Err(broken())]).boxed(),
            Some(Fault::Hangs) => stream::pending().boxed(),
            _ => self.inner.list(prefix),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
