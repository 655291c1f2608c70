//! An ingester's way out of its cluster for good: at once, or when the process is told to stop.

use super::MANIFEST_POLL;
use futures::future::BoxFuture;
use hash_ring::{Lifecycler, State};
use http_api::Departs;
use ingester::Ingester;
use service_api::{Error, Result};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// Lies in the data folder, so that a process that is killed or crashes before it is told to stop still knows.
const MARKER: &str = "leave-when-stopped";

/// How long the ring's store may take to note that we leave.
const NOTED_WITHIN: Duration = Duration::from_secs(30);

/// How old the lists of blocks may be that queriers read by.
const LISTS_WITHIN: Duration = MANIFEST_POLL.saturating_add(Duration::from_secs(1));

/// From one try to the next, for who is to leave and cannot.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Whether the process that works in this folder is to leave.
pub fn leaves_when_stopped(data: &Path) -> bool {
    data.join(MARKER).exists()
}

pub struct Departure {
    ingester: Arc<Ingester>,
    place: Lifecycler,
    marker: PathBuf,
    stop: CancellationToken,
}

impl Departure {
    pub fn new(ingester: Arc<Ingester>, place: Lifecycler, data: &Path, stop: CancellationToken) -> Self {
        let marker = data.join(MARKER);
        if marker.exists() {
            tracing::info!("leaves the ring for good when it is stopped, as was asked for");
        }
        Self { ingester, place, marker, stop }
    }

    /// For a process that is told to stop: if it is to leave then, returns when it has left, however often that
    /// has to be tried.
    pub async fn before_the_end(&self) {
        while self.marker.exists() {
            let Err(error) = self.leave().await else { return };
            let again_in = AGAIN_AFTER.as_secs();
            tracing::error!(%error, again_in, "cannot leave; a second signal ends the process as it is");
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }

    /// Everything into blocks, and out of the ring.
    async fn leave(&self) -> Result<()> {
        tracing::info!("leaving the ring: everything goes to the bucket");
        self.place.set_state(State::Leaving);
        let noted = tokio::time::timeout(NOTED_WITHIN, self.place.written()).await;
        noted.map_err(|_| {
            Error::unavailable("the ring's store does not answer: nobody would know that we leave")
        })?;
        self.ingester.leave().await?;
        // Until then somebody may still read by a list that has not all of our blocks, and must find us.
        tokio::time::sleep(LISTS_WITHIN).await;
        self.place.leave(true).await?;
        // Who is started here again is new, and is to stay.
        if let Err(error) = note(self.marker.clone(), false).await {
            tracing::warn!(%error, "what is started here again will leave, too, when it is stopped");
        }
        tracing::info!("left the ring");
        Ok(())
    }
}

impl Departs for Departure {
    fn now(self: Arc<Self>) -> BoxFuture<'static, Result<()>> {
        // A task of its own: whoever asked may go away, what was begun goes on.
        let leaving = tokio::spawn(async move {
            self.leave().await?;
            self.stop.cancel();
            Ok(())
        });
        Box::pin(async move { leaving.await.map_err(|e| Error::internal(e.to_string()))? })
    }

    fn is_prepared(&self) -> bool {
        self.marker.exists()
    }

    fn prepare(&self, wanted: bool) -> BoxFuture<'static, Result<()>> {
        let path = self.marker.clone();
        Box::pin(async move {
            note(path, wanted)
                .await
                .map_err(|e| Error::unavailable(format!("cannot note it in the data folder: {e}")))?;
            tracing::info!(wanted, "whether to leave the ring for good when stopped");
            Ok(())
        })
    }
}

/// Makes or removes the marker, where that holds nobody up.
async fn note(marker: PathBuf, wanted: bool) -> io::Result<()> {
    let marked = tokio::task::spawn_blocking(move || mark(&marker, wanted)).await;
    marked.map_err(io::Error::other).flatten()
}

/// Makes or removes the file, durably.
fn mark(path: &Path, wanted: bool) -> io::Result<()> {
    if wanted {
        File::create(path)?.sync_all()?;
    } else if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
