//! Figures of buckets of time, each block of them read by the querier that owns it, as other blocks are.

use super::{DistributedBlocks, found};
use crate::merge;
use block_store::{BlockMeta, BlocksInRange, BlocksReader, EraRequest, eras};
use futures::{FutureExt, future::BoxFuture, future::try_join_all};
use model::Signal;
use service_api::{MetricsReader, ReadContext, Result, RollupRequest, SeriesSet, Source, Warned};
use std::sync::Arc;

/// The blocks of figures of a query's tenant that cover all of a request; none if not all is covered.
pub type ListRollups = Arc<
    dyn Fn(ReadContext, RollupRequest) -> BoxFuture<'static, Result<Option<Vec<BlockMeta>>>> + Send + Sync,
>;

pub(super) fn lister(reader: &Arc<BlocksReader>) -> ListRollups {
    let reader = Arc::clone(reader);
    Arc::new(move |ctx, request| {
        let reader = Arc::clone(&reader);
        async move { reader.rolled_up(&ctx, &request).await }.boxed()
    })
}

impl DistributedBlocks {
    pub(super) async fn figures(
        &self,
        ctx: &ReadContext,
        request: &RollupRequest,
    ) -> Result<Option<Vec<SeriesSet>>> {
        let Some(eras) = eras(request) else { return Ok(None) };
        let rolled_up = (self.clients.rolled_up)(ctx.clone(), request.clone());
        let Some(blocks) = rolled_up.await? else { return Ok(None) };
        match try_join_all(eras.iter().map(|era| self.figure(ctx, &blocks, era))).await {
            Ok(sets) => Ok(Some(sets)),
            Err(error) if merge::ends_query(ctx, &error) => Err(error),
            // The samples are there in any case.
            Err(error) => {
                tracing::warn!(tenant = %ctx.tenant, %error, "rollups cannot be read; the samples are");
                Ok(None)
            }
        }
    }

    /// One figure of all series.
    async fn figure(&self, ctx: &ReadContext, blocks: &[BlockMeta], era: &EraRequest) -> Result<SeriesSet> {
        let ask =
            |source: Arc<dyn Source>| async move { MetricsReader::select(&*source, ctx, &era.select).await };
        // None that a deletion concerns is listed.
        let listed = BlocksInRange { blocks: blocks.to_vec(), ..BlocksInRange::default() };
        let Warned { value, .. } = self.ask_blocks(ctx, Signal::Metrics, listed, ask).await?;
        Ok(era.found(merge::series_sets(ctx, found(value)).await?))
    }
}
