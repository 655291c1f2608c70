//! All series of one block that match, some at a time: however large the block is, little of it is in memory.

use super::{
    BlockIndex,
    caches::BlockCaches,
    index::{MetricsIndex, SeriesRow},
    reader::{BlockReader, blocking},
};
use crate::{BlockMeta, Bucket};
use chunk::Corrupt;
use model::{Matcher, Signal, TimeRange};
use service_api::{ReadContext, Result, Series};
use std::sync::Arc;

/// Bytes of pages that are brought in one go.
const MOST_BYTES: u64 = 8 << 20;
const MOST_SERIES: usize = 4_096;
/// Vectors of timestamps are shared: what was read for some series is kept for the next.
const CACHED_BYTES: u64 = 64 << 20;

/// Reads the series of a block of metrics, in label order.
pub struct BlockScan {
    block: BlockReader,
    index: Arc<BlockIndex>,
    range: TimeRange,
    matched: Vec<u32>,
    /// Of `matched`, those that have been given.
    given: usize,
}

impl BlockScan {
    /// Reads the block's index.
    pub async fn open(
        ctx: &ReadContext,
        bucket: &Bucket,
        meta: &BlockMeta,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Self> {
        let caches = Arc::new(BlockCaches::new(u64::MAX, CACHED_BYTES, None));
        let block = BlockReader::new(bucket, &caches, &ctx.tenant, Signal::Metrics, meta);
        let index = block.index().await?;
        let (planning, matchers, context) = (Arc::clone(&index), matchers.to_vec(), ctx.clone());
        let matched = blocking(move || planning.metrics()?.labels.matching(&context, &matchers)).await?;
        let matched = matched.map_err(|e| block.plan_error(e))?;
        Ok(Self { block, index, range, matched, given: 0 })
    }

    /// The next series that have pages in the range, which are in memory; `None` if there are no more.
    pub async fn next(&mut self, ctx: &ReadContext) -> Result<Option<Vec<Series>>> {
        while self.given < self.matched.len() {
            let metrics = self.index.metrics().map_err(|e| self.block.corrupt(e))?;
            let rest = &self.matched[self.given..];
            let some = some(metrics, rest, self.range).map_err(|e| self.block.corrupt(e))?;
            let plan = metrics.plan_series(ctx, &rest[..some], self.range);
            let plan = plan.map_err(|e| self.block.plan_error(e))?;
            self.given += some;
            let series = self.block.planned(ctx, &self.index, plan).await?;
            if !series.is_empty() {
                return Ok(Some(series));
            }
        }
        Ok(None)
    }
}

/// How many of these series are to be read together; at least one.
fn some(index: &MetricsIndex, series: &[u32], range: TimeRange) -> Result<usize, Corrupt> {
    let (mut row, mut bytes) = (SeriesRow::default(), 0);
    for (at, number) in series.iter().enumerate() {
        index.read(*number, &mut row)?;
        let pages = row.pages.iter().filter(|p| p.range(&index.times).is_some_and(|r| r.overlaps(&range)));
        bytes += pages.map(|page| u64::from(page.len)).sum::<u64>();
        if at > 0 && (bytes > MOST_BYTES || at >= MOST_SERIES) {
            return Ok(at);
        }
    }
    Ok(series.len())
}
