//! What has changed in all of a tenant's data: in the heads, and by which blocks there are.

use crate::ListBlocks;
use async_trait::async_trait;
use model::{Signal, TimeRange};
use service_api::{Change, Changes, DataVersion, ListedBlock, ReadContext, Result};
use std::sync::Arc;

/// Asks the heads before the list of blocks, as every read does: a head forgets a change when a listed
/// block has it, and says which list that is. So a change is told by the one or by the other.
pub struct DataChanges {
    recent: Arc<dyn Changes>,
    list: ListBlocks,
}

impl DataChanges {
    pub fn new(recent: Arc<dyn Changes>, list: ListBlocks) -> Self {
        Self { recent, list }
    }
}

#[async_trait]
impl Changes for DataChanges {
    async fn changes(
        &self,
        ctx: &ReadContext,
        signal: Signal,
        range: TimeRange,
        since: &DataVersion,
    ) -> Result<Change> {
        let Change { earliest, mut version, counted } =
            self.recent.changes(ctx, signal, range, since).await?;
        let listed = (self.list)(ctx.clone(), signal, range).await?;
        let block =
            |block: &block_store::BlockMeta| ListedBlock { id: block.id.0, range: block.time_range() };
        version.blocks = listed.iter().map(block).collect();
        // Blocks never change: one that has come, or gone, is a change from its start on.
        let other = version.earliest_other_block(since, range);
        Ok(Change { earliest: earliest.into_iter().chain(other).min(), version, counted })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use block_store::{BlockMeta, Ulid};
    use futures::FutureExt;
    use model::TenantId;
    use parking_lot::Mutex;

    struct Heads(Mutex<Change>);

    #[async_trait]
    impl Changes for Heads {
        async fn changes(
            &self,
            ctx: &ReadContext,
            _: Signal,
            _: TimeRange,
            _: &DataVersion,
        ) -> Result<Change> {
            ctx.listed.raise(Signal::Metrics, 7);
            Ok(self.0.lock().clone())
        }
    }

    fn block(id: u64, min_time: i64) -> BlockMeta {
        BlockMeta {
            id: Ulid::from_parts(id, 0),
            min_time,
            max_time: min_time + 9,
            series: 1,
            samples: 1,
            text_bytes: 0,
            bytes: 1,
            level: 0,
            source: String::new(),
            created: 0,
            sources: Vec::new(),
        }
    }

    #[tokio::test]
    async fn a_change_is_told_by_the_heads_or_by_another_list_of_blocks() {
        let heads = Arc::new(Heads(Mutex::default()));
        let blocks = Arc::new(Mutex::new(vec![block(1, 0), block(2, 10)]));
        let list: ListBlocks = {
            let blocks = Arc::clone(&blocks);
            Arc::new(move |ctx, _, range| {
                assert_eq!(ctx.listed.get(Signal::Metrics), 7, "the heads are asked first");
                let mut found = blocks.lock().clone();
                found.retain(|block| block.time_range().overlaps(&range));
                async move { Ok(found) }.boxed()
            })
        };
        let changes = DataChanges::new(Arc::clone(&heads) as Arc<dyn Changes>, list);
        let ctx = || ReadContext::new(TenantId::anonymous(), 1000);
        let ask = async |range, since: &DataVersion| {
            changes.changes(&ctx(), Signal::Metrics, range, since).await.unwrap()
        };
        let since = ask(TimeRange::new(0, 30), &DataVersion::default()).await.version;
        assert_eq!(since.blocks.len(), 2);
        assert_eq!(ask(TimeRange::new(0, 30), &since).await.earliest, None);
        heads.0.lock().earliest = Some(15);
        assert_eq!(ask(TimeRange::new(0, 30), &since).await.earliest, Some(15));
        blocks.lock().push(block(3, 12));
        assert_eq!(ask(TimeRange::new(0, 30), &since).await.earliest, Some(12));
        blocks.lock().remove(0);
        assert_eq!(ask(TimeRange::new(0, 30), &since).await.earliest, Some(0));
        assert_eq!(ask(TimeRange::new(10, 30), &since).await.earliest, Some(12));
    }
}
