//! Requests to delete, kept in the manifests of their tenants.

mod bounds;

use async_trait::async_trait;
use block_store::{Deletion, Manifest, Manifests, Ulid};
use model::{Signal, TenantId, TimeRange};
use service_api::{Code, DeletionRequest, DeletionRequests, Error, LimitsSource, Result};
use std::sync::Arc;

/// A head lets go of an entry when its window can get no more, which is `ingester.block_duration` (12 h at most) and
/// the tenant's out-of-order window after it came, or as soon afterwards as the bucket can be reached. For so much
/// longer than that window heads are taken to hold what was deleted,
const HEADS_HOLD: i64 = 23 * 3_600_000;
/// and at least for so long.
const A_DAY: i64 = 24 * 3_600_000;

/// Makes ids of requests: random, and of the time at which they are made.
pub type NewId = Arc<dyn Fn() -> Ulid + Send + Sync>;

/// Takes requests to delete and lists them. All that is known of them is in the bucket, so any process may be
/// asked.
pub struct Requests {
    manifests: Arc<Manifests>,
    limits: Arc<dyn LimitsSource>,
    new_id: NewId,
}

impl Requests {
    pub fn new(manifests: Arc<Manifests>, limits: Arc<dyn LimitsSource>, new_id: NewId) -> Self {
        Self { manifests, limits, new_id }
    }

    fn now(&self) -> i64 {
        self.manifests.clock().now_ms()
    }

    /// The request, if it may be made.
    async fn checked(
        &self,
        tenant: &TenantId,
        signal: Signal,
        queries: Vec<String>,
        range: TimeRange,
        now: i64,
    ) -> Result<Deletion> {
        let limits = self.limits.limits(tenant);
        if !limits.deletions {
            let why = format!("tenant {tenant} may not delete (limits.deletions)");
            return Err(Error::new(Code::Forbidden, why));
        }
        // The largest take longer to parse than other tasks should wait.
        let parsed =
            runtime::blocking(move || bounds::check_queries(signal, &queries).map(|()| queries)).await;
        let queries =
            parsed.map_err(|e| Error::internal(format!("parsing what to delete failed: {e}")))??;
        if range.start > range.end.min(now) {
            let why = match range.start > now {
                true => "the start lies in the future: only what is there can be deleted",
                false => "start time can't be greater than end time",
            };
            return Err(Error::bad_request(why));
        }
        let millis = |seconds| i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000);
        let hold = millis(limits.out_of_order_window).saturating_add(HEADS_HOLD).max(A_DAY);
        Ok(Deletion {
            id: (self.new_id)(),
            queries,
            min_time: range.start,
            // What is deleted is what is there.
            max_time: range.end.min(now),
            due: now.saturating_add(millis(limits.deletion_delay)),
            heads_until: now.saturating_add(hold),
        })
    }
}

#[async_trait]
impl DeletionRequests for Requests {
    async fn request(
        &self,
        tenant: &TenantId,
        signal: Signal,
        queries: Vec<String>,
        range: TimeRange,
    ) -> Result<String> {
        let now = self.now();
        let asked = self.checked(tenant, signal, queries, range, now).await?;
        // None is that there is no room.
        let mut id = None;
        let add = |current: &Manifest| {
            let equal =
                current.deletions.iter().find(|listed| listed.asks_the_same(&asked) && !listed.is_due(now));
            id = equal.map(|listed| listed.id);
            if equal.is_some() {
                return None;
            }
            let deletions = bounds::with_one_more(current, &asked, now)?;
            id = Some(asked.id);
            Some(current.with_deletions(deletions))
        };
        self.manifests.update(tenant, signal, add).await?;
        let id = id.ok_or_else(bounds::too_many)?;
        let Deletion { queries, min_time, max_time, due, .. } = &asked;
        if id == asked.id {
            tracing::info!(%tenant, %signal, %id, ?queries, min_time, max_time, due, "data is to be deleted");
        } else {
            tracing::info!(%tenant, %signal, %id, ?queries, min_time, max_time, "asked again for a deletion");
        }
        Ok(id.to_string())
    }

    async fn list(&self, tenant: &TenantId, signal: Signal) -> Result<Vec<DeletionRequest>> {
        let manifest = self.manifests.refresh(tenant, signal).await?;
        let now = self.now();
        let shown = |deletion: &Deletion| DeletionRequest {
            id: deletion.id.to_string(),
            queries: deletion.queries.clone(),
            range: deletion.range(),
            requested: deletion.requested(),
            due: deletion.due,
            state: manifest.state(deletion, now),
        };
        Ok(manifest.deletions.iter().map(shown).collect())
    }

    async fn cancel(&self, tenant: &TenantId, signal: Signal, id: &str, force: bool) -> Result<()> {
        let now = self.now();
        let mut cancelled = Err(not_found());
        let remove = |current: &Manifest| {
            let (found, others): (Vec<_>, Vec<_>) =
                current.deletions.iter().cloned().partition(|deletion| deletion.id.to_string() == id);
            cancelled = match found.first() {
                None => Err(not_found()),
                Some(deletion) if deletion.is_due(now) && !force => Err(too_late(deletion)),
                Some(_) => Ok(found),
            };
            cancelled.is_ok().then(|| current.with_deletions(others))
        };
        self.manifests.update(tenant, signal, remove).await?;
        for Deletion { queries, min_time, max_time, .. } in cancelled? {
            tracing::info!(%tenant, %signal, id, ?queries, min_time, max_time, force, "a deletion is cancelled");
        }
        Ok(())
    }
}

/// Loki's sentence.
fn not_found() -> Error {
    Error::new(Code::NotFound, "could not find delete request with given id")
}

fn too_late(deletion: &Deletion) -> Error {
    let since = jiff::Timestamp::from_millisecond(deletion.due).map(|time| time.to_string());
    let since = since.unwrap_or_else(|_| format!("{} ms", deletion.due));
    Error::bad_request(format!(
        "request {} has been carried out since {since} and can no longer be cancelled; with force=true it is, \
         but what has been taken out by now is gone",
        deletion.id
    ))
}

#[cfg(test)]
mod tests;
