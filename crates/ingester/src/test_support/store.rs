//! A bucket in memory that fails on demand.

use async_trait::async_trait;
use futures::{StreamExt, stream::BoxStream};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, memory::InMemory, path::Path,
};
use std::{
    fmt,
    sync::atomic::{AtomicBool, AtomicI64, Ordering},
};

/// After so many operations every one fails; those that write may have been carried out all the same.
#[derive(Debug)]
pub struct FaultyStore {
    inner: InMemory,
    left: AtomicI64,
    answers_get_lost: AtomicBool,
    hangs: AtomicBool,
    hanging: AtomicBool,
}

impl Default for FaultyStore {
    fn default() -> Self {
        Self {
            inner: InMemory::new(),
            left: AtomicI64::new(i64::MAX),
            answers_get_lost: AtomicBool::new(false),
            hangs: AtomicBool::new(false),
            hanging: AtomicBool::new(false),
        }
    }
}

impl FaultyStore {
    pub fn fail_after(&self, operations: i64, answers_get_lost: bool) {
        self.left.store(operations, Ordering::SeqCst);
        self.answers_get_lost.store(answers_get_lost, Ordering::SeqCst);
    }

    /// From now on nothing that is written is ever answered.
    pub fn hang(&self) {
        self.hangs.store(true, Ordering::SeqCst);
    }

    /// Whether somebody waits for such an answer.
    pub fn hanging(&self) -> bool {
        self.hanging.load(Ordering::SeqCst)
    }

    pub fn heal(&self) {
        self.fail_after(i64::MAX, false);
    }

    /// Works until it is resumed with what this returns.
    pub fn pause(&self) -> i64 {
        self.left.swap(i64::MAX, Ordering::SeqCst)
    }

    pub fn resume(&self, left: i64) {
        self.left.store(left, Ordering::SeqCst);
    }

    fn step(&self) -> Result<()> {
        if self.left.fetch_sub(1, Ordering::SeqCst) > 0 { Ok(()) } else { Err(broken()) }
    }
}

fn broken() -> Error {
    Error::Generic { store: "faulty", source: "out of order".into() }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("faulty")
    }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(&self, at: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        if self.hangs.load(Ordering::SeqCst) {
            self.hanging.store(true, Ordering::SeqCst);
            return futures::future::pending().await;
        }
        let broken = self.step();
        if broken.is_ok() || self.answers_get_lost.load(Ordering::SeqCst) {
            let done = self.inner.put_opts(at, payload, options).await;
            return broken.and(done);
        }
        Err(self::broken())
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.step()?;
        self.inner.put_multipart_opts(at, options).await
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        self.step()?;
        self.inner.get_opts(at, options).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.step() {
            Ok(()) => self.inner.list(prefix),
            Err(error) => futures::stream::iter([Err(error)]).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.step()?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.step()?;
        self.inner.copy_opts(from, to, options).await
    }
}
