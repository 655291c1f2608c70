//! A block in the bucket, of which every part is checked when it is read.

use super::MergeError;
use crate::{
    BlockMeta, Bucket, Ulid,
    attempts::attempts,
    block::{LabelTable, TAIL_BYTES, WholeFooter, blocking},
};
use bytes::Bytes;
use chunk::Corrupt;
use model::{Signal, TenantId};
use service_api::Code;
use std::{ops::Range, sync::Arc};

/// Cloning it counts references and copies a name.
#[derive(Clone, Debug)]
pub struct Stored {
    pub block: Ulid,
    bucket: Bucket,
    name: String,
    size: u64,
}

impl Stored {
    pub fn new(bucket: &Bucket, tenant: &TenantId, signal: Signal, meta: &BlockMeta) -> Self {
        let name = meta.object(tenant, signal);
        Self { block: meta.id, bucket: bucket.clone(), name, size: meta.bytes }
    }

    /// Reads a part and makes something of it, off the async threads. If that says that the part is
    /// damaged it is read once again, for what was damaged may be the answer and not the object.
    pub async fn read<T: Send + 'static>(
        &self,
        range: Range<u64>,
        make: impl Fn(Bytes) -> Result<T, Corrupt> + Clone + Send + 'static,
    ) -> Result<T, MergeError> {
        for again in [true, false] {
            let (bytes, make) = (self.part(range.clone()).await?, make.clone());
            match blocking(move || make(bytes)).await? {
                Ok(made) => return Ok(made),
                Err(why) if again => self.reading_again(&why),
                Err(why) => return Err(self.damaged(why)),
            }
        }
        Err(self.damaged("it cannot be read"))
    }

    async fn part(&self, range: Range<u64>) -> Result<Bytes, MergeError> {
        if range.is_empty() || range.end > self.size {
            return Err(self.damaged("a part out of bounds"));
        }
        let read = || self.bucket.get_part(&self.name, range.clone(), Some(self.size));
        let bytes = attempts(range.end - range.start, |e| self.reading_again(e), read).await;
        match bytes {
            Err(error) if error.code == Code::NotFound => Err(MergeError::Missing { block: self.block }),
            // The object has another size.
            Err(error) if error.code == Code::Internal => Err(self.damaged(error)),
            // So it may have here: a store refuses what is wholly beyond an object's end.
            Err(error) if self.has_other_size().await => Err(self.damaged(error)),
            done => Ok(done?),
        }
    }

    async fn has_other_size(&self) -> bool {
        let found = attempts(0, |e| self.reading_again(e), || self.bucket.size(&self.name)).await;
        found.is_ok_and(|size| size != self.size)
    }

    /// The index without the postings.
    pub async fn tables<F: WholeFooter>(&self) -> Result<(LabelTable, F::Pages), MergeError> {
        let (size, start) = (self.size, self.size.saturating_sub(TAIL_BYTES));
        let of_tail = move |tail: Bytes| {
            let footer = F::decode(&tail, size)?;
            let at = footer.index_range().start.checked_sub(start);
            // Small blocks have all of it in the tail.
            let tables = at.map(|at| footer.tables(tail.get(at as usize..).unwrap_or(&[]), start + at));
            Ok((footer, tables.transpose()?))
        };
        let (footer, tables) = self.read(start..size, of_tail).await?;
        match tables {
            Some(tables) => Ok(tables),
            None => {
                let (range, footer) = (footer.index_range(), Arc::new(footer));
                self.read(range.clone(), move |bytes| footer.tables(&bytes, range.start)).await
            }
        }
    }

    pub fn damaged(&self, why: impl ToString) -> MergeError {
        MergeError::Damaged { block: self.block, why: why.to_string() }
    }

    fn reading_again(&self, why: &dyn std::fmt::Display) {
        tracing::warn!(block = self.name, error = %why, "a part of a block cannot be read; trying again");
    }
}
