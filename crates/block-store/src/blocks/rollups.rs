//! Figures of buckets of time in the place of samples, where a tenant's list has them.

use super::BlocksReader;
use crate::{
    BlockMeta,
    attempts::{attempts, within},
    rollup::eras,
};
use futures::future::try_join_all;
use model::Signal;
use service_api::{Code, MetricsReader, ReadContext, Result, RollupRequest, SeriesSet, Source};
use std::sync::Arc;

impl BlocksReader {
    /// The blocks of figures that cover all of a request, by the newest list, which is no older than the query has
    /// heard of. None if that has not all of them.
    pub async fn rolled_up(
        &self,
        ctx: &ReadContext,
        request: &RollupRequest,
    ) -> Result<Option<Vec<BlockMeta>>> {
        if request.ends.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let at_least =
            || self.manifests.at_least(&ctx.tenant, Signal::Metrics, ctx.listed.get(Signal::Metrics));
        let manifest = within(ctx, attempts(0, |_| {}, at_least)).await?;
        Ok(manifest.rolled_up(request.ends, request.resolution))
    }

    pub(super) async fn figures(
        &self,
        ctx: &ReadContext,
        request: &RollupRequest,
    ) -> Result<Option<Vec<SeriesSet>>> {
        // What is not listed here may not be all.
        if self.only.is_some() {
            return Ok(None);
        }
        let Some(eras) = eras(request) else { return Ok(None) };
        let Some(blocks) = self.rolled_up(ctx, request).await? else { return Ok(None) };
        let reader: Arc<dyn Source> = self.only(blocks);
        let ask = |era: &crate::EraRequest| {
            let (reader, era) = (Arc::clone(&reader), era.clone());
            async move { MetricsReader::select(&*reader, ctx, &era.select).await.map(|set| era.found(set)) }
        };
        match try_join_all(eras.iter().map(ask)).await {
            Ok(sets) => Ok(Some(sets)),
            // The samples are there in any case.
            Err(error) if matches!(error.code, Code::Internal | Code::Unavailable) => {
                tracing::warn!(tenant = %ctx.tenant, %error, "rollups cannot be read; the samples are");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
