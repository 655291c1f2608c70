//! Reads from the bucket that are tried again before they count as failed, and end with their query.

use service_api::{Code, Error, ReadContext, Result};
use std::{future::Future, time::Duration};

/// What is waited before the second attempt, and before those after it. S3's client has tried a request that
/// was refused several times before it counts as one attempt here.
const DELAYS: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(400), Duration::from_millis(1_600)];
/// An answer that takes longer than this, and than `PATIENCE_PER_MIB` allows for its size, is given up.
const PATIENCE: Duration = Duration::from_secs(20);
const PATIENCE_PER_MIB: Duration = Duration::from_secs(1);

/// Tries until there is an answer: again if the bucket is out of order or silent, and once again if what it says
/// cannot be right. `bytes`: how much is read. `again` is told of each error that is not the last.
pub(crate) async fn attempts<T, F: Future<Output = Result<T>>>(
    bytes: u64,
    again: impl Fn(&Error),
    mut attempt: impl FnMut() -> F,
) -> Result<T> {
    let mib = u32::try_from(bytes >> 20).unwrap_or(u32::MAX);
    let limit = PATIENCE.saturating_add(PATIENCE_PER_MIB.saturating_mul(mib));
    let silent = |_| Err(Error::unavailable(format!("object storage: no answer in {limit:?}")));
    for (tried, delay) in DELAYS.into_iter().enumerate() {
        match tokio::time::timeout(limit, attempt()).await.unwrap_or_else(silent) {
            Err(e) if e.code == Code::Unavailable || (e.code == Code::Internal && tried == 0) => again(&e),
            done => return done,
        }
        tokio::time::sleep(delay).await;
    }
    tokio::time::timeout(limit, attempt()).await.unwrap_or_else(silent)
}

/// Waits for `work` no longer than the query may take.
pub(crate) async fn within<T>(ctx: &ReadContext, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        biased;
        done = work => done,
        () = ctx.cancel.cancelled() => {
            ctx.check().and_then(|()| Err(Error::new(Code::Canceled, "the query was canceled")))
        }
    }
}
