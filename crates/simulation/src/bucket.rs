//! The bucket as one host reaches it: slow, failing, or answering too late for what it has done.

use async_trait::async_trait;
use futures::{FutureExt, StreamExt, stream::BoxStream};
use ingester::fs::sim::Random;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, memory::InMemory, path::Path,
};
use parking_lot::Mutex;
use std::{fmt, sync::Arc, time::Duration};

/// How the bucket treats a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weather {
    /// Milliseconds that an operation takes at most.
    pub slow_ms: u64,
    /// Of a hundred operations, how many fail. Every second one of these that writes has been carried out.
    pub failing: u64,
}

/// One host's way to the bucket that all share.
pub struct SimBucket {
    shared: Arc<InMemory>,
    weather: Arc<Mutex<Weather>>,
    random: Arc<Mutex<Random>>,
    /// A planted bug: every second list of blocks is said to be written, and is not.
    pub loses_lists: bool,
}

/// What becomes of an operation.
enum Fate {
    Done,
    AnswerLost,
    Refused,
}

impl SimBucket {
    pub fn new(shared: Arc<InMemory>, weather: Arc<Mutex<Weather>>, seed: u64) -> Self {
        Self { shared, weather, random: Arc::new(Mutex::new(Random(seed))), loses_lists: false }
    }

    async fn step(&self) -> Fate {
        step(&self.weather, &self.random).await
    }

    async fn read(&self) -> Result<()> {
        match self.step().await {
            Fate::Done => Ok(()),
            _ => Err(broken()),
        }
    }

    async fn write<T>(&self, write: impl Future<Output = Result<T>>) -> Result<T> {
        match self.step().await {
            Fate::Done => write.await,
            Fate::AnswerLost => write.await.and(Err(broken())),
            Fate::Refused => Err(broken()),
        }
    }
}

async fn step(weather: &Mutex<Weather>, random: &Mutex<Random>) -> Fate {
    let Weather { slow_ms, failing } = *weather.lock();
    let (wait, fails, lost) = {
        let mut random = random.lock();
        (random.below(slow_ms + 1), random.below(100) < failing, random.below(2) == 0)
    };
    tokio::time::sleep(Duration::from_millis(wait)).await;
    match (fails, lost) {
        (false, _) => Fate::Done,
        (true, true) => Fate::AnswerLost,
        (true, false) => Fate::Refused,
    }
}

fn broken() -> Error {
    Error::Generic { store: "simulated", source: "out of order".into() }
}

impl fmt::Debug for SimBucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimBucket")
    }
}

impl fmt::Display for SimBucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("simulated")
    }
}

#[async_trait]
impl ObjectStore for SimBucket {
    async fn put_opts(&self, at: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        if self.loses_lists && at.as_ref().contains("/manifest/") && self.random.lock().below(2) == 0 {
            let elsewhere = Path::from(format!("lost/{at}"));
            return self.write(self.shared.put_opts(&elsewhere, payload, PutOptions::default())).await;
        }
        self.write(self.shared.put_opts(at, payload, options)).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.write(self.shared.put_multipart_opts(at, options)).await
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        self.read().await?;
        self.shared.get_opts(at, options).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.shared.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (shared, prefix) = (Arc::clone(&self.shared), prefix.cloned());
        let (weather, random) = (Arc::clone(&self.weather), Arc::clone(&self.random));
        let listing = async move {
            match step(&weather, &random).await {
                Fate::Done => shared.list(prefix.as_ref()),
                _ => futures::stream::iter([Err(broken())]).boxed(),
            }
        };
        listing.into_stream().flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.read().await?;
        self.shared.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.write(self.shared.copy_opts(from, to, options)).await
    }
}
