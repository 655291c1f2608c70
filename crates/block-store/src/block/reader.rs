//! Opens a block that lies in the bucket and answers from it.

use super::{
    BlockIndex,
    footer::{FOOTER_LEN, Footer},
    select::{Plan, PlanError},
    series::Row,
};
use crate::{BlockMeta, Bucket, Ulid, error::corrupt};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use model::{Labels, Matcher, TenantId, TimeRange};
use quick_cache::{OptionsBuilder, Weighter, sync::Cache};
use service_api::{Code, Error, ReadContext, Reservation, Result, Series};
use std::{collections::BTreeSet, ops::Range, sync::Arc};

/// What is read first of a block: small blocks have their whole index in it.
const TAIL_BYTES: u64 = 64 << 10;
/// Page groups with no more between them are read in one go.
const MAX_GAP: u64 = 64 << 10;
/// And no more than this in one go.
const MAX_READ: u64 = 8 << 20;
const CONCURRENT_READS: usize = 8;
/// Values that are listed where they are asked for: less work than a change of threads.
const FEW_VALUES: usize = 1024;
/// Series or texts between two looks at whether a query is to go on.
const CHECK_EVERY: usize = 1024;

/// What is kept in memory of blocks, by bytes.
pub(crate) struct BlockCaches {
    indexes: Cache<Ulid, Arc<BlockIndex>, IndexWeight>,
    groups: Cache<(Ulid, u32), Bytes, GroupWeight>,
}

#[derive(Clone)]
struct IndexWeight;

impl Weighter<Ulid, Arc<BlockIndex>> for IndexWeight {
    fn weight(&self, _: &Ulid, index: &Arc<BlockIndex>) -> u64 {
        index.heap_bytes() as u64 + 256
    }
}

#[derive(Clone)]
struct GroupWeight;

impl Weighter<(Ulid, u32), Bytes> for GroupWeight {
    fn weight(&self, _: &(Ulid, u32), group: &Bytes) -> u64 {
        group.len() as u64 + 128
    }
}

impl BlockCaches {
    pub(crate) fn new(index_bytes: u64, page_bytes: u64) -> Self {
        let items =
            |bytes: u64, each: u64| usize::try_from(bytes / each).unwrap_or(usize::MAX).clamp(16, 1 << 20);
        // One shard, so that an index may fill the cache if it must.
        let options = OptionsBuilder::new()
            .shards(1)
            .estimated_items_capacity(items(index_bytes, 1 << 20))
            .weight_capacity(index_bytes)
            .build();
        let indexes = match options {
            Ok(options) => Cache::with_options(options, IndexWeight, Default::default(), Default::default()),
            Err(_) => Cache::with_weighter(16, index_bytes, IndexWeight),
        };
        Self { indexes, groups: Cache::with_weighter(items(page_bytes, 32 << 10), page_bytes, GroupWeight) }
    }
}

/// One block in the bucket.
pub(crate) struct BlockReader<'a> {
    bucket: &'a Bucket,
    caches: &'a BlockCaches,
    name: String,
    meta: &'a BlockMeta,
}

impl<'a> BlockReader<'a> {
    pub(crate) fn new(
        bucket: &'a Bucket,
        caches: &'a BlockCaches,
        tenant: &TenantId,
        meta: &'a BlockMeta,
    ) -> Self {
        Self { bucket, caches, name: meta.object(tenant), meta }
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
        let plan = blocking(move || planning.plan(&context, &matchers, range)).await?;
        let plan: Plan = plan.map_err(|e| self.plan_error(e))?;
        let pages: u64 = plan.groups.iter().map(|g| index.groups.range(*g)).map(|r| r.end - r.start).sum();
        let reservation = ctx.budget.reserve(plan.heap_bytes() + pages as usize)?;
        let groups = self.groups(&index, &plan.groups).await?;
        ctx.check()?;
        Ok(plan.into_series(self.block(), groups, reservation))
    }

    /// The label sets that match any of the matcher sets (all, if there is none), sorted.
    pub(crate) async fn series(
        &self,
        ctx: &ReadContext,
        matcher_sets: &[Vec<Matcher>],
    ) -> Result<Counted<Vec<Labels>>> {
        let sets = matcher_sets.to_vec();
        self.ask(
            ctx,
            |_| false,
            move |index, count| {
                let (mut row, mut found) = (Row::default(), Vec::new());
                for series in matching_any(index, &sets, count)? {
                    index.series.read(series, &mut row)?;
                    let labels = index.series.labels(&row, &index.symbols);
                    count.item(size_of::<Labels>() + labels.heap_bytes())?;
                    found.push(labels);
                }
                Ok(found)
            },
        )
        .await
    }

    pub(crate) async fn label_names(
        &self,
        ctx: &ReadContext,
        matcher_sets: &[Vec<Matcher>],
    ) -> Result<Counted<BTreeSet<String>>> {
        let sets = matcher_sets.to_vec();
        self.ask(
            ctx,
            |_| false,
            move |index, count| {
                let mut found: BTreeSet<u32> = BTreeSet::new();
                if sets.is_empty() {
                    found.extend(index.postings.names());
                } else {
                    let mut row = Row::default();
                    for series in matching_any(index, &sets, count)? {
                        count.item(0)?;
                        index.series.read(series, &mut row)?;
                        found.extend(index.series.names(&row));
                    }
                }
                texts(index, found, count)
            },
        )
        .await
    }

    pub(crate) async fn label_values(
        &self,
        ctx: &ReadContext,
        name: &str,
        matcher_sets: &[Vec<Matcher>],
    ) -> Result<Counted<BTreeSet<String>>> {
        let here = |index: &BlockIndex| {
            let values = index.symbols.find(name).map_or(0, |name| index.postings.values(name).len());
            matcher_sets.is_empty() && values <= FEW_VALUES
        };
        let (name, sets) = (name.to_owned(), matcher_sets.to_vec());
        self.ask(ctx, here, move |index, count| {
            let Some(name) = index.symbols.find(&name) else { return Ok(BTreeSet::new()) };
            let mut found: BTreeSet<u32> = BTreeSet::new();
            if sets.is_empty() {
                found.extend(index.postings.values(name).iter().map(|v| v.symbol));
            } else {
                let mut row = Row::default();
                for series in matching_any(index, &sets, count)? {
                    count.item(0)?;
                    index.series.read(series, &mut row)?;
                    let at = index.series.names(&row).binary_search(&name).ok();
                    found.extend(at.and_then(|at| row.values.get(at)));
                }
            }
            texts(index, found, count)
        })
        .await
    }

    /// Answers a question to the index: off the async threads, unless it is so small that it
    /// can be answered `here`.
    async fn ask<T: Send + 'static>(
        &self,
        ctx: &ReadContext,
        here: impl FnOnce(&BlockIndex) -> bool,
        question: impl FnOnce(&BlockIndex, &mut Count) -> Result<T, PlanError> + Send + 'static,
    ) -> Result<Counted<T>> {
        ctx.check()?;
        let index = self.index().await?;
        let here = here(&index);
        let mut count = Count { reservation: ctx.budget.reserve(0)?, ctx: ctx.clone(), items: 0 };
        let answer =
            move || Ok(Counted { found: question(&index, &mut count)?, reservation: count.reservation });
        let answer = if here { answer() } else { blocking(answer).await? };
        answer.map_err(|e| self.plan_error(e))
    }

    fn plan_error(&self, error: PlanError) -> Error {
        match error {
            PlanError::Stop(e) => e,
            PlanError::Corrupt(e) => corrupt(&self.block(), e),
        }
    }

    async fn index(&self) -> Result<Arc<BlockIndex>> {
        self.caches.indexes.get_or_insert_async(&self.meta.id, self.load_index()).await
    }

    async fn load_index(&self) -> Result<Arc<BlockIndex>> {
        let size = self.meta.bytes;
        if size < FOOTER_LEN as u64 {
            return Err(corrupt(&self.block(), "it is too small"));
        }
        let tail_start = size.saturating_sub(TAIL_BYTES);
        let tail = self.read(tail_start..size).await?;
        let footer =
            Footer::decode(&tail[tail.len() - FOOTER_LEN..], size).map_err(|e| corrupt(&self.block(), e))?;
        let range = footer.index_range();
        let bytes = if range.start >= tail_start {
            tail.slice((range.start - tail_start) as usize..)
        } else {
            self.read(range.clone()).await?
        };
        let index = blocking(move || BlockIndex::decode(&footer, &bytes, range.start)).await?;
        index.map(Arc::new).map_err(|e| corrupt(&self.block(), e))
    }

    /// The bytes of page groups, from the cache or read in as few goes as is sensible.
    async fn groups(&self, index: &BlockIndex, wanted: &[u32]) -> Result<Vec<Bytes>> {
        let mut found: Vec<Option<Bytes>> =
            wanted.iter().map(|g| self.caches.groups.get(&(self.meta.id, *g))).collect();
        let missing: Vec<usize> = (0..wanted.len()).filter(|at| found[*at].is_none()).collect();
        let place = |at: &usize| index.groups.range(wanted[*at]);
        let reads = coalesce(&missing, place).into_iter().map(|(places, range)| async move {
            let bytes = self.read(range.clone()).await?;
            Ok::<_, Error>((places, range.start, bytes))
        });
        let mut reads = stream::iter(reads).buffer_unordered(CONCURRENT_READS);
        while let Some((places, start, bytes)) = reads.try_next().await? {
            for at in &missing[places] {
                let range = place(at);
                // A copy of its own, so that a cached group does not hold on to its neighbours.
                let group = Bytes::copy_from_slice(
                    &bytes[(range.start - start) as usize..(range.end - start) as usize],
                );
                index.groups.check(wanted[*at], &group).map_err(|e| corrupt(&self.block(), e))?;
                self.caches.groups.insert((self.meta.id, wanted[*at]), group.clone());
                found[*at] = Some(group);
            }
        }
        let all: Option<Vec<Bytes>> = found.into_iter().collect();
        all.ok_or_else(|| corrupt(&self.block(), "a page group was not read"))
    }

    async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        self.bucket.get_range(&self.name, range).await.map_err(|e| match e.code {
            // The manifest lists it, so that it must be there: never a hole in the answer.
            Code::NotFound => Error::unavailable(format!("{} is listed but not in the bucket", self.block())),
            code => Error::new(code, format!("{}: {}", self.block(), e.message)),
        })
    }

    fn block(&self) -> String {
        format!("block {}", self.name)
    }
}

/// What a block has answered, and the memory that it takes.
pub(crate) struct Counted<T> {
    pub(crate) found: T,
    pub(crate) reservation: Reservation,
}

/// Keeps an answer that is being collected within its query's bounds.
struct Count {
    ctx: ReadContext,
    reservation: Reservation,
    items: usize,
}

impl Count {
    /// Counts one thing looked at, and the memory that is kept of it.
    fn item(&mut self, bytes: usize) -> Result<()> {
        self.items += 1;
        if self.items.is_multiple_of(CHECK_EVERY) {
            self.ctx.check()?;
        }
        if bytes == 0 { Ok(()) } else { self.reservation.grow(bytes) }
    }
}

fn texts(
    index: &BlockIndex,
    symbols: BTreeSet<u32>,
    count: &mut Count,
) -> Result<BTreeSet<String>, PlanError> {
    let mut found = BTreeSet::new();
    for symbol in symbols {
        let text = index.symbols.get(symbol);
        count.item(size_of::<String>() + text.len())?;
        found.insert(text.to_owned());
    }
    Ok(found)
}

fn matching_any(index: &BlockIndex, sets: &[Vec<Matcher>], count: &mut Count) -> Result<Vec<u32>, PlanError> {
    let [first, rest @ ..] = sets else { return Ok(index.matching(&[])?) };
    let mut found = index.matching(first)?;
    for set in rest {
        count.ctx.check()?;
        found.extend(index.matching(set)?);
    }
    if !rest.is_empty() {
        found.sort_unstable();
        found.dedup();
    }
    Ok(found)
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
    tokio::task::spawn_blocking(work).await.map_err(|e| Error::internal(format!("a task was lost: {e}")))
}
