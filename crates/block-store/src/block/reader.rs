//! Opens a block that lies in the bucket and answers from it.

use super::{
    BlockIndex,
    caches::BlockCaches,
    footer::AnyFooter,
    select::{Plan, PlanError},
};
use crate::{BlockMeta, Bucket, Ulid, error::corrupt};
use bytes::Bytes;
use chunk::Corrupt;
use futures::{StreamExt, TryStreamExt, stream};
use model::{Matcher, Signal, TenantId, TimeRange};
use service_api::{Code, Error, ReadContext, Result, Series};
use std::{ops::Range, sync::Arc};

/// What is read first of a block: small blocks have their whole index in it.
const TAIL_BYTES: u64 = 64 << 10;
/// Pages or page groups with no more between them are read in one go.
const MAX_GAP: u64 = 64 << 10;
/// And no more than this in one go.
const MAX_READ: u64 = 8 << 20;
const CONCURRENT_READS: usize = 8;

/// One block in the bucket. Cloning it counts references.
#[derive(Clone)]
pub(crate) struct BlockReader {
    bucket: Bucket,
    caches: Arc<BlockCaches>,
    /// The object's.
    name: String,
    signal: Signal,
    id: Ulid,
    size: u64,
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
            name: meta.object(tenant, signal),
            signal,
            id: meta.id,
            size: meta.bytes,
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
        let plan: Plan = plan.map_err(|e| self.plan_error(e))?;
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
        self.caches.indexes.get_or_insert_async(&self.id, self.load_index()).await
    }

    async fn load_index(&self) -> Result<Arc<BlockIndex>> {
        let start = self.size.saturating_sub(TAIL_BYTES);
        let tail = self.read(start..self.size).await?;
        let footer = AnyFooter::decode(self.signal, &tail, self.size).map_err(|e| self.corrupt(e))?;
        let range = footer.index_range();
        let bytes = if range.start >= start {
            tail.slice((range.start - start) as usize..)
        } else {
            self.read(range.clone()).await?
        };
        let index = blocking(move || footer.index(&bytes, range.start)).await?;
        index.map(Arc::new).map_err(|e| self.corrupt(e))
    }

    /// The bytes of pages or page groups, whose numbers ascend, from the cache or read in as few
    /// goes as is sensible.
    pub(super) async fn pages(
        &self,
        wanted: &[u32],
        range_of: impl Fn(u32) -> Range<u64>,
        check: impl Fn(u32, &[u8]) -> Result<(), Corrupt>,
    ) -> Result<Vec<Bytes>> {
        let mut found: Vec<Option<Bytes>> =
            wanted.iter().map(|number| self.caches.pages.get(&(self.id, *number))).collect();
        let missing: Vec<usize> = (0..wanted.len()).filter(|at| found[*at].is_none()).collect();
        let place = |at: &usize| range_of(wanted[*at]);
        let reads = coalesce(&missing, place).into_iter().map(|(places, range)| async move {
            let bytes = self.read(range.clone()).await?;
            Ok::<_, Error>((places, range.start, bytes))
        });
        let mut reads = stream::iter(reads).buffer_unordered(CONCURRENT_READS);
        while let Some((places, start, bytes)) = reads.try_next().await? {
            for at in &missing[places] {
                let range = place(at);
                let page = &bytes[(range.start - start) as usize..(range.end - start) as usize];
                check(wanted[*at], page).map_err(|e| self.corrupt(e))?;
                // A copy of its own, so that a cached page does not hold on to its neighbours.
                let whole = page.len() == bytes.len();
                let page = if whole { bytes.clone() } else { Bytes::copy_from_slice(page) };
                self.caches.pages.insert((self.id, wanted[*at]), page.clone());
                found[*at] = Some(page);
            }
        }
        let all: Option<Vec<Bytes>> = found.into_iter().collect();
        all.ok_or_else(|| corrupt(&self.block(), "a page was not read"))
    }

    async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        self.bucket.get_range(&self.name, range).await.map_err(|e| match e.code {
            // The manifest lists it, so that it must be there: never a hole in the answer.
            Code::NotFound => Error::unavailable(format!("{} is listed but not in the bucket", self.block())),
            code => Error::new(code, format!("{}: {}", self.block(), e.message)),
        })
    }

    pub(super) fn block(&self) -> String {
        format!("block {}", self.name)
    }
}

/// Joins places that lie close together; gives of each join the places and the range.
fn coalesce(places: &[usize], range_of: impl Fn(&usize) -> Range<u64>) -> Vec<(Range<usize>, Range<u64>)> {
    let mut joined: Vec<(Range<usize>, Range<u64>)> = Vec::new();
    for (number, place) in places.iter().enumerate() {
        let range = range_of(place);
        match joined.last_mut() {
            Some((numbers, whole))
                if range.start - whole.end <= MAX_GAP && range.end - whole.start <= MAX_READ =>
            {
                numbers.end = number + 1;
                whole.end = range.end;
            }
            _ => joined.push((number..number + 1, range)),
        }
    }
    joined
}

/// Runs CPU work off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    runtime::blocking(work).await.map_err(|e| Error::internal(format!("a task was lost: {e}")))
}
