//! A block's object, read past all caches.

use crate::{BlockMeta, Bucket, attempts::attempts};
use bytes::Bytes;
use chunk::Corrupt;
use model::{Signal, TenantId};
use service_api::{Code, Error, Result};
use std::ops::Range;

/// Why a block is not looked at any further.
#[derive(Debug)]
pub enum Stop {
    Damaged(String),
    /// Nothing can be said of the block.
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Corrupt> for Stop {
    fn from(why: Corrupt) -> Self {
        Self::Damaged(why.to_string())
    }
}

#[derive(Debug)]
pub struct Object {
    bucket: Bucket,
    name: String,
    /// As it is listed.
    size: u64,
}

impl Object {
    pub fn new(bucket: &Bucket, tenant: &TenantId, signal: Signal, meta: &BlockMeta) -> Self {
        Self { bucket: bucket.clone(), name: meta.object(tenant, signal), size: meta.bytes }
    }

    /// Whether it is there, as large as it should be.
    pub async fn check_size(&self) -> Result<(), Stop> {
        match attempts(0, |_| {}, || self.bucket.size(&self.name)).await {
            Ok(size) if size == self.size => Ok(()),
            Ok(size) => Err(Stop::Damaged(format!(
                "the object has {size} bytes, and by the list it should have {}",
                self.size
            ))),
            Err(error) if error.code == Code::NotFound => {
                Err(Stop::Damaged(format!("it is listed, but {} is not in the bucket", self.name)))
            }
            Err(error) => Err(error.into()),
        }
    }

    pub async fn part(&self, range: Range<u64>) -> Result<Bytes, Stop> {
        if range.is_empty() || range.end > self.size {
            return Err(Corrupt("a part out of bounds").into());
        }
        let read = || self.bucket.get_part(&self.name, range.clone(), Some(self.size));
        match attempts(range.end - range.start, |_| {}, read).await {
            Err(error) if error.code == Code::Internal => Err(Stop::Damaged(error.message.into_owned())),
            done => Ok(done?),
        }
    }
}
