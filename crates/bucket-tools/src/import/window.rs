//! An object that is read from its front to its back, mostly: a stretch of it is in memory, and the next one on
//! its way.

use anyhow::{Context, Result, bail};
use block_store::Bucket;
use bytes::Bytes;
use std::ops::Range;
use tokio_util::task::AbortOnDropHandle;

/// The bytes of a stretch.
const STRETCH: u64 = 4 << 20;

type Reading = AbortOnDropHandle<service_api::Result<Bytes>>;

pub struct Window {
    bucket: Bucket,
    pub name: String,
    size: u64,
    start: u64,
    bytes: Bytes,
    ahead: Option<(Range<u64>, Reading)>,
}

impl Window {
    pub fn new(bucket: &Bucket, name: String, size: u64) -> Self {
        Self { bucket: bucket.clone(), name, size, start: 0, bytes: Bytes::new(), ahead: None }
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    /// What there is from a place on without reading more, but at least `len` bytes.
    pub async fn at(&mut self, offset: u64, len: u64) -> Result<Bytes> {
        if offset.saturating_add(len) > self.size {
            bail!("{} is cut short: {len} bytes at {offset} are wanted, and it has {}", self.name, self.size);
        }
        if offset < self.start || offset + len > self.start + self.bytes.len() as u64 {
            self.load(offset, len).await.with_context(|| format!("cannot read {}", self.name))?;
        }
        Ok(self.bytes.slice((offset - self.start) as usize..))
    }

    async fn load(&mut self, offset: u64, len: u64) -> Result<()> {
        // An entry that goes over the end of a stretch: its front is here already.
        let end = self.start + self.bytes.len() as u64;
        let front = if (self.start..end).contains(&offset) {
            self.bytes.slice((offset - self.start) as usize..)
        } else {
            Bytes::new()
        };
        let from = offset + front.len() as u64;
        let wanted = from..(from + STRETCH.max(len - front.len() as u64)).min(self.size);
        let read = match self.ahead.take() {
            Some((range, reading)) if range.start == from && range.end >= offset + len => reading.await??,
            _ => self.bucket.get_range(&self.name, wanted).await?,
        };
        let end = from + read.len() as u64;
        self.bytes = if front.is_empty() { read } else { [front, read].concat().into() };
        self.start = offset;
        self.look_ahead(end);
        Ok(())
    }

    fn look_ahead(&mut self, from: u64) {
        let range = from..(from + STRETCH).min(self.size);
        if !range.is_empty() {
            let (bucket, name, wanted) = (self.bucket.clone(), self.name.clone(), range.clone());
            let read = async move { bucket.get_range(&name, wanted).await };
            self.ahead = Some((range, AbortOnDropHandle::new(tokio::spawn(read))));
        }
    }
}
