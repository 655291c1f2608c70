//! Opens a block that lies in the bucket and answers from it.

use super::{
    BlockIndex,
    caches::BlockCaches,
    fetch::Origin,
    footer::AnyFooter,
    select::{Plan, PlanError},
};
use crate::{BlockMeta, Bucket, error::corrupt};
use chunk::Corrupt;
use model::{Matcher, Signal, TenantId, TimeRange};
use service_api::{Error, ReadContext, Result, Series};
use std::sync::Arc;

/// What is read first of a block: small blocks have their whole index in it.
pub(crate) const TAIL_BYTES: u64 = 64 << 10;

/// One block in the bucket. Cloning it counts references.
#[derive(Clone)]
pub(crate) struct BlockReader {
    pub(super) bucket: Bucket,
    pub(super) caches: Arc<BlockCaches>,
    /// The object's.
    pub(super) name: Arc<str>,
    signal: Signal,
    /// As the manifest, or whoever asks us to read the block, has it.
    pub(super) size: u64,
    /// Of its lines, as of a [`service_api::LogPage`].
    pub(super) origin: u64,
}

impl BlockReader {
    pub(crate) fn new(
        bucket: &Bucket,
        caches: &Arc<BlockCaches>,
        tenant: &TenantId,
        signal: Signal,
        meta: &BlockMeta,
    ) -> Self {
        Self {
            bucket: bucket.clone(),
            caches: Arc::clone(caches),
            name: meta.object(tenant, signal).into(),
            signal,
            size: meta.bytes,
            origin: meta.origin(),
        }
    }

    /// The series that match and have pages in the range, sorted, with their pages in memory.
    pub(crate) async fn select(
        &self,
        ctx: &ReadContext,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<Series>> {
        ctx.check()?;
        let index = self.index().await?;
        let (planning, matchers, context) = (Arc::clone(&index), matchers.to_vec(), ctx.clone());
        let plan = blocking(move || planning.metrics()?.plan(&context, &matchers, range)).await?;
        let plan = plan.map_err(|e| self.plan_error(e))?;
        self.planned(ctx, &index, plan).await
    }

    /// Brings what a plan needs into memory.
    pub(super) async fn planned(
        &self,
        ctx: &ReadContext,
        index: &BlockIndex,
        plan: Plan,
    ) -> Result<Vec<Series>> {
        let groups = &index.metrics().map_err(|e| self.corrupt(e))?.groups;
        let pages: u64 = plan.groups.iter().map(|g| groups.range(*g)).map(|r| r.end - r.start).sum();
        let reservation = ctx.budget.reserve(plan.heap_bytes() + pages as usize)?;
        let groups = self
            .pages(&plan.groups, |group| groups.range(group), |group, bytes| groups.check(group, bytes))
            .await?;
        ctx.check()?;
        Ok(plan.into_series(self.block(), groups, reservation))
    }

    pub(super) fn plan_error(&self, error: PlanError) -> Error {
        match error {
            PlanError::Stop(e) => e,
            PlanError::Corrupt(e) => self.corrupt(e),
        }
    }

    pub(super) fn corrupt(&self, error: Corrupt) -> Error {
        corrupt(&self.block(), error)
    }

    pub(super) async fn index(&self) -> Result<Arc<BlockIndex>> {
        self.caches.indexes.get_or_insert_async(&self.name, self.load_index()).await
    }

    async fn load_index(&self) -> Result<Arc<BlockIndex>> {
        let loaded = match self.load_index_from(Origin::Anywhere).await {
            Err(PlanError::Corrupt(error)) => {
                self.reading_again(&error);
                self.load_index_from(Origin::Bucket).await
            }
            done => done,
        };
        loaded.map_err(|e| self.plan_error(e))
    }

    async fn load_index_from(&self, origin: Origin) -> Result<Arc<BlockIndex>, PlanError> {
        let start = self.size.saturating_sub(TAIL_BYTES);
        let tail = self.part(start..self.size, origin).await?;
        let footer = AnyFooter::decode(self.signal, &tail, self.size)?;
        let range = footer.index_range();
        let in_tail = range.start >= start;
        let bytes = if in_tail {
            tail.slice((range.start - start) as usize..)
        } else {
            self.part(range.clone(), origin).await?
        };
        let decoding = bytes.clone();
        let index = blocking(move || footer.index(&decoding, range.start)).await??;
        self.keep(start, tail);
        if !in_tail {
            self.keep(range.start, bytes);
        }
        Ok(Arc::new(index))
    }

    pub(super) fn block(&self) -> String {
        format!("block {}", self.name)
    }
}

/// Runs CPU work off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    runtime::blocking(work).await.map_err(|e| Error::internal(format!("a task was lost: {e}")))
}
