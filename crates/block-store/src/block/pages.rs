//! Brings pages of a block into memory, in as few goes as is sensible.

use super::{fetch::Origin, reader::BlockReader};
use crate::error::corrupt;
use bytes::Bytes;
use chunk::Corrupt;
use futures::{StreamExt, TryStreamExt, stream};
use service_api::{Error, Result};
use std::{ops::Range, sync::Arc};

/// Pages or page groups with no more between them are read in one go.
const MAX_GAP: u64 = 64 << 10;
/// And no more than this in one go.
const MAX_READ: u64 = 8 << 20;
const CONCURRENT_READS: usize = 8;

impl BlockReader {
    /// The bytes of pages or page groups, whose numbers ascend: from memory, from disk, or else from the bucket.
    pub(super) async fn pages(
        &self,
        wanted: &[u32],
        range_of: impl Fn(u32) -> Range<u64>,
        check: impl Fn(u32, &[u8]) -> Result<(), Corrupt>,
    ) -> Result<Vec<Bytes>> {
        let place = |at: usize| range_of(wanted[at]);
        let mut found: Vec<Option<Bytes>> =
            wanted.iter().map(|number| self.caches.pages.get(&self.page_key(*number))).collect();
        let on_disk = missing(&found).into_iter().map(|at| (at, place(at))).collect();
        for (at, page) in self.on_disk(on_disk).await {
            if check(wanted[at], &page).is_ok() {
                self.caches.pages.insert(self.page_key(wanted[at]), page.clone());
                found[at] = Some(page);
            }
        }
        let missing = missing(&found);
        let reads = coalesce(&missing, place).into_iter().map(|(places, range)| async move {
            let bytes = self.fetch(range.clone()).await?;
            Ok::<_, Error>((places, range, bytes))
        });
        let mut reads = stream::iter(reads).buffer_unordered(CONCURRENT_READS);
        while let Some((places, range, bytes)) = reads.try_next().await? {
            let missing = &missing[places];
            let cut = |bytes: &Bytes| -> Result<Vec<Bytes>, Corrupt> {
                let page = |at: &usize| {
                    let page = page_of(bytes, range.start, place(*at)).ok_or(Corrupt("cut short"))?;
                    check(wanted[*at], &page).map(|()| page)
                };
                missing.iter().map(page).collect()
            };
            let pages = match cut(&bytes) {
                Ok(pages) => pages,
                // It may have been damaged on its way.
                Err(error) => {
                    self.reading_again(&error);
                    cut(&self.part(range.clone(), Origin::Bucket).await?).map_err(|e| self.corrupt(e))?
                }
            };
            for (at, page) in missing.iter().zip(pages) {
                self.keep(place(*at).start, page.clone());
                self.caches.pages.insert(self.page_key(wanted[*at]), page.clone());
                found[*at] = Some(page);
            }
        }
        let all: Option<Vec<Bytes>> = found.into_iter().collect();
        all.ok_or_else(|| corrupt(&self.block(), "a page was not read"))
    }

    fn page_key(&self, number: u32) -> (Arc<str>, u32) {
        (Arc::clone(&self.name), number)
    }
}

/// The places of what is not there.
fn missing(found: &[Option<Bytes>]) -> Vec<usize> {
    (0..found.len()).filter(|at| found[*at].is_none()).collect()
}

/// A page out of what was read from `start` on: a copy of its own, so that a page that is kept does not hold
/// on to its neighbours.
fn page_of(bytes: &Bytes, start: u64, range: Range<u64>) -> Option<Bytes> {
    let (from, to) = (range.start.checked_sub(start)? as usize, range.end.checked_sub(start)? as usize);
    let page = bytes.get(from..to)?;
    Some(if page.len() == bytes.len() { bytes.clone() } else { Bytes::copy_from_slice(page) })
}

/// Joins places that lie close together; gives of each join the places and the range.
fn coalesce(places: &[usize], range_of: impl Fn(usize) -> Range<u64>) -> Vec<(Range<usize>, Range<u64>)> {
    let mut joined: Vec<(Range<usize>, Range<u64>)> = Vec::new();
    for (number, place) in places.iter().enumerate() {
        let range = range_of(*place);
        match joined.last_mut() {
            Some((numbers, whole))
                if range.start.saturating_sub(whole.end) <= MAX_GAP
                    && range.end - whole.start <= MAX_READ =>
            {
                numbers.end = number + 1;
                whole.end = range.end;
            }
            _ => joined.push((number..number + 1, range)),
        }
    }
    joined
}
