//! What has changed in all of a tenant's data: in the heads, and by which blocks there are.

use crate::ListBlocks;
use async_trait::async_trait;
use block_store::{BlockMeta, BlocksInRange, Deletion};
use model::{Signal, TimeRange, Timestamp};
use service_api::{Change, Changes, DataVersion, ListedBlock, ListedDeletion, ReadContext, Result};
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
        let BlocksInRange { blocks, deletions, .. } = (self.list)(ctx.clone(), signal, range).await?;
        let block = |block: &BlockMeta| ListedBlock { id: block.id.0, range: block.time_range() };
        version.blocks = blocks.iter().map(block).collect();
        let deletion = |listed: &Deletion| ListedDeletion { id: listed.id.0, range: listed.range() };
        version.deletions = deletions.iter().map(deletion).collect();
        let other_block = earliest_other_block(&blocks, &since.blocks, range);
        let other_deletion = earliest_other_deletion(&version.deletions, &since.deletions, range);
        let earliest = earliest.into_iter().chain(other_block).chain(other_deletion).min();
        Ok(Change { earliest, version, counted })
    }
}

/// What a deletion names is hidden when it comes, and there again when it goes. One that has been carried out
/// counts as long as it is listed: a result from before it came may still be kept, and that blocks have been
/// rewritten for it is no change.
fn earliest_other_deletion(
    listed: &[ListedDeletion],
    before: &[ListedDeletion],
    range: TimeRange,
) -> Option<Timestamp> {
    let ids = |deletions: &[ListedDeletion]| deletions.iter().map(|deletion| deletion.id).collect();
    let (there, known): (HashSet<u128>, HashSet<u128>) = (ids(listed), ids(before));
    let other = listed.iter().chain(before).filter(|d| !there.contains(&d.id) || !known.contains(&d.id));
    other.filter(|deletion| deletion.range.overlaps(&range)).map(|deletion| deletion.range.start).min()
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

    #[test]
    fn deletions_that_came_or_went_count_from_their_start() {
        let of = |id, start| ListedDeletion { id, range: TimeRange::new(start, start + 9) };
        let (a, b, range) = (of(1, 0), of(2, 10), TimeRange::new(5, 30));
        for (now, before, expected) in [
            (vec![a, b], vec![a, b], None),
            (vec![a, b], vec![a], Some(10)),
            (vec![a, b], vec![], Some(0)),
            (vec![b], vec![a, b], Some(0)),
            (vec![b, of(3, 20)], vec![b, of(4, 12)], Some(12)),
            // Of what is outside of the range nobody asked.
            (vec![b], vec![b, of(3, 40)], None),
            (vec![b, of(3, -10)], vec![b], None),
        ] {
            assert_eq!(earliest_other_deletion(&now, &before, range), expected, "{now:?} after {before:?}");
        }
    }

    #[tokio::test]
    async fn a_deletion_is_a_change_when_it_comes_and_when_it_goes_and_none_when_it_is_carried_out() {
        let listed = Arc::new(Mutex::new(BlocksInRange { blocks: vec![block(1, 0)], ..Default::default() }));
        let list: ListBlocks = {
            let listed = Arc::clone(&listed);
            Arc::new(move |_, _, _| {
                let listed = listed.lock().clone();
                async move { Ok(listed) }.boxed()
            })
        };
        let changes = DataChanges::new(Arc::new(Heads(Mutex::default())), list);
        let (ctx, range) = (ReadContext::new(TenantId::anonymous(), 1000), TimeRange::new(0, 30));
        let ask =
            async |since: &DataVersion| changes.changes(&ctx, Signal::Metrics, range, since).await.unwrap();
        let before = ask(&DataVersion::default()).await.version;
        let deletion = crate::test_support::deletion("up", 4, 6);
        listed.lock().deletions.push(deletion.clone());
        let hidden = ask(&before).await;
        assert_eq!((hidden.earliest, ask(&hidden.version).await.earliest), (Some(4), None));
        // Cancelled.
        listed.lock().deletions.clear();
        assert_eq!((ask(&hidden.version).await.earliest, ask(&before).await.earliest), (Some(4), None));
        // Carried out: the block is another one, of which nobody who did not see it may say it is the same.
        let mut rewritten = merged(9, &[block(1, 0)]);
        rewritten.cleared = vec![deletion.id];
        *listed.lock() =
            BlocksInRange { blocks: vec![rewritten], deletions: vec![deletion], ..Default::default() };
        assert_eq!((ask(&hidden.version).await.earliest, ask(&before).await.earliest), (None, Some(4)));
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
                async move { Ok(BlocksInRange { blocks: found, ..BlocksInRange::default() }) }.boxed()
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
