//! Brings parts of a block here: from the disk if they are there, or else from the bucket.

use super::reader::BlockReader;
use crate::{attempts::attempts, error::corrupt};
use bytes::Bytes;
use service_api::{Code, Error, Result};
use std::{fmt::Display, ops::Range};

/// Where a part may come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Anywhere,
    /// What came before was damaged: from the bucket, by a request of its own.
    Bucket,
}

impl BlockReader {
    /// A part of the object, unchecked.
    pub(super) async fn part(&self, range: Range<u64>, origin: Origin) -> Result<Bytes> {
        if origin == Origin::Bucket {
            return self.fetch_again(range).await;
        }
        match self.on_disk(vec![(0, range.clone())]).await.pop() {
            Some((_, bytes)) => Ok(bytes),
            None => self.fetch(range).await,
        }
    }

    /// Those of some numbered parts that are on disk, in no order.
    pub(super) async fn on_disk(&self, parts: Vec<(usize, Range<u64>)>) -> Vec<(usize, Bytes)> {
        match &self.caches.disk {
            Some(disk) => disk.read(&self.name, parts).await,
            None => Vec::new(),
        }
    }

    /// Keeps a part that has proved good on disk.
    pub(super) fn keep(&self, offset: u64, bytes: Bytes) {
        if let Some(disk) = &self.caches.disk {
            disk.keep(&self.name, offset, bytes);
        }
    }

    /// A part from the bucket; several who want the same part at once read it once.
    pub(super) async fn fetch(&self, range: Range<u64>) -> Result<Bytes> {
        let read = || {
            let (block, range) = (self.clone(), range.clone());
            async move { block.fetch_again(range).await }
        };
        self.caches.flights.join(&self.name, &range, read).await
    }

    pub(super) async fn fetch_again(&self, range: Range<u64>) -> Result<Bytes> {
        if range.is_empty() || range.end > self.size {
            return Err(corrupt(&self.block(), "a part out of bounds"));
        }
        let read = || self.bucket.get_part(&self.name, range.clone(), Some(self.size));
        attempts(range.end - range.start, |e| self.reading_again(e), read).await.map_err(|e| match e.code {
            // The manifest lists it, so that it must be there: never a hole in the answer.
            Code::NotFound => Error::unavailable(format!("{} is listed but not in the bucket", self.block())),
            code => Error::new(code, format!("{}: {}", self.block(), e.message)),
        })
    }

    pub(super) fn reading_again(&self, why: &dyn Display) {
        self.caches.repeated.inc();
        tracing::warn!(block = &*self.name, error = %why, "a part of a block could not be read; reading it again");
    }
}
