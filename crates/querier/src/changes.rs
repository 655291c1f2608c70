//! What has changed in all of a tenant's data: in the heads, and by which blocks there are.

use crate::ListBlocks;
use async_trait::async_trait;
use block_store::BlockMeta;
use model::{Signal, TimeRange, Timestamp};
use service_api::{Change, Changes, DataVersion, ListedBlock, ReadContext, Result};
use std::{collections::HashSet, sync::Arc};

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
        let listed = (self.list)(ctx.clone(), signal, range).await?.blocks;
        let block = |block: &BlockMeta| ListedBlock { id: block.id.0, range: block.time_range() };
        version.blocks = listed.iter().map(block).collect();
        let other = earliest_other_block(&listed, &since.blocks, range);
        Ok(Change { earliest: earliest.into_iter().chain(other).min(), version, counted })
    }
}

/// Blocks never change: one that has come, or gone, is a change from its start on. A merge of blocks that were
/// there before, in the place of those, is none.
fn earliest_other_block(listed: &[BlockMeta], before: &[ListedBlock], range: TimeRange) -> Option<Timestamp> {
    let known: HashSet<u128> = before.iter().map(|block| block.id).collect();
    let mut there: HashSet<u128> = listed.iter().map(|block| block.id.0).collect();
    let mut earliest = None;
    let mut changed =
        |at: Timestamp| earliest = Some(earliest.map_or(at, |earliest: Timestamp| earliest.min(at)));
    for block in
        listed.iter().filter(|block| block.time_range().overlaps(&range) && !known.contains(&block.id.0))
    {
        // Of what lies outside of the range nobody asked, and nobody knows.
        let sources = || block.sources.iter().filter(|source| source.time_range().overlaps(&range));
        if sources().next().is_some() && sources().all(|source| known.contains(&source.id.0)) {
            there.extend(sources().map(|source| source.id.0));
        } else {
            changed(block.min_time);
        }
    }
    let gone = before.iter().filter(|block| block.range.overlaps(&range) && !there.contains(&block.id));
    gone.for_each(|block| changed(block.range.start));
    earliest
}

#[cfg(test)]
mod tests {
    use super::*;
    use block_store::{BlocksInRange, SourceBlock};
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
        crate::test_support::block(id, min_time, min_time + 9)
    }

    /// What a merge makes of blocks.
    fn merged(id: u64, of: &[BlockMeta]) -> BlockMeta {
        let min_time = of.iter().map(|block| block.min_time).min().unwrap();
        let max_time = of.iter().map(|block| block.max_time).max().unwrap();
        let sources = of.iter().map(SourceBlock::of).collect();
        BlockMeta { max_time, sources, ..block(id, min_time) }
    }

    #[test]
    fn blocks_that_came_or_went_count_from_their_start_and_others_do_not() {
        let (a, b, c) = (block(1, 0), block(2, 10), block(3, 20));
        let range = TimeRange::new(5, 30);
        let listed = |blocks: &[&BlockMeta]| -> Vec<ListedBlock> {
            let of = |block: &&BlockMeta| ListedBlock { id: block.id.0, range: block.time_range() };
            blocks.iter().map(of).collect()
        };
        let before = listed(&[&a, &b]);
        let with_c = merged(9, &[a.clone(), b.clone(), c.clone()]);
        for (now, expected) in [
            (vec![a.clone(), b.clone()], None),
            (vec![a.clone(), b.clone(), c.clone()], Some(20)),
            (vec![b.clone()], Some(0)),
            (vec![a.clone(), block(4, 12)], Some(10)),
            // Merged, and nothing else.
            (vec![merged(9, &[a.clone(), b.clone()])], None),
            (vec![merged(9, &[a.clone(), b.clone()]), c.clone()], Some(20)),
            (vec![a.clone(), merged(9, std::slice::from_ref(&b))], None),
            // Merged with one that was not there before.
            (vec![with_c.clone()], Some(0)),
            // Merged, and merged again: what lies between has not been seen.
            (vec![merged(10, &[merged(9, &[a.clone(), b.clone()])])], Some(0)),
        ] {
            assert_eq!(earliest_other_block(&now, &before, range), expected, "{now:?}");
        }
        // Of what is outside of the range nobody asked.
        assert_eq!(earliest_other_block(std::slice::from_ref(&b), &before, TimeRange::new(10, 30)), None);
        assert_eq!(earliest_other_block(&[with_c], &before, TimeRange::new(5, 19)), None);
        // A list that is older than what was seen.
        assert_eq!(
            earliest_other_block(&[a.clone(), b.clone()], &listed(&[&merged(9, &[a, b])]), range),
            Some(0)
        );
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
                async move { Ok(BlocksInRange { blocks: found, warnings: Vec::new() }) }.boxed()
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
