//! The new blocks: each goes up into the bucket once it is whole, and all go again if one of them fails.

use super::{Made, Merge, MergeError, scratch::Scratch};
use crate::{BlockMeta, Bucket, SourceBlock};
use service_api::Error;
use tokio::runtime::Handle;

/// A new block on disk, and what its index says of it.
pub struct WholeBlock {
    pub scratch: Scratch,
    pub meta: BlockMeta,
}

pub struct Outputs<'a> {
    merge: Merge<'a>,
    level: u8,
    /// As of every new block.
    source: String,
    sources: Vec<SourceBlock>,
    put: Unfinished,
}

impl WholeBlock {
    pub fn new(scratch: Scratch, meta: BlockMeta) -> Result<Self, MergeError> {
        if scratch.len() == meta.bytes {
            return Ok(Self { scratch, meta });
        }
        Err(Error::internal("a merged block has another length than it should").into())
    }
}

impl<'a> Outputs<'a> {
    pub fn new(merge: Merge<'a>, made: Made) -> Self {
        // Those of a merge that leaves something out are not told: the new blocks do not hold all that they held.
        let mut sources: Vec<_> = merge.inputs.iter().map(SourceBlock::of).collect();
        sources.sort_unstable_by_key(|source| source.id);
        let level = merge.inputs.iter().map(|input| input.level).max().unwrap_or(0).saturating_add(1);
        let source = match (sources.first(), sources.last()) {
            (Some(first), Some(last)) => {
                let what = if made == Made::RolledUp { "rollup" } else { "merge" };
                format!("{what} of {} blocks, {} to {}", sources.len(), first.id, last.id)
            }
            _ => String::new(),
        };
        let holds_all = made == Made::Merged && merge.omissions.is_empty();
        let sources = if holds_all { sources } else { Vec::new() };
        let put = Unfinished { bucket: merge.bucket.clone(), objects: Vec::new(), blocks: Vec::new() };
        Self { merge, level, source, sources, put }
    }

    pub async fn put(&mut self, block: WholeBlock) -> Result<(), MergeError> {
        let id = (self.merge.new_id)();
        let meta = BlockMeta {
            id,
            created: i64::try_from(id.timestamp_ms()).unwrap_or(i64::MAX),
            level: self.level,
            source: self.source.clone(),
            sources: self.sources.clone(),
            ..block.meta
        };
        let object = meta.object(self.merge.tenant, self.merge.signal);
        // Before it is there: it may be in spite of an error.
        self.put.objects.push(object.clone());
        self.merge.bucket.put_parts(&object, block.scratch.into_parts()?).await?;
        self.put.blocks.push(meta);
        Ok(())
    }

    /// If something was left out it may have been everything.
    pub fn finish(mut self, omitted: u64) -> Result<Vec<BlockMeta>, MergeError> {
        if self.put.blocks.is_empty() && omitted == 0 {
            return Err(Error::internal("a merge of nothing").into());
        }
        self.put.objects.clear();
        Ok(std::mem::take(&mut self.put.blocks))
    }
}

/// Objects that nobody will list: they go when this does. What cannot be removed is left to the collection
/// of garbage.
struct Unfinished {
    bucket: Bucket,
    objects: Vec<String>,
    blocks: Vec<BlockMeta>,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let (bucket, objects) = (self.bucket.clone(), std::mem::take(&mut self.objects));
        if let Some(runtime) = Handle::try_current().ok().filter(|_| !objects.is_empty()) {
            runtime.spawn(async move {
                for object in objects {
                    if let Err(error) = bucket.delete(&object).await {
                        tracing::warn!(object, %error, "a block that was given up stays in the bucket");
                    }
                }
            });
        }
    }
}
