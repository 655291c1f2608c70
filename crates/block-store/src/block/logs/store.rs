//! Selects streams of a block of logs, and brings their pages into memory.

use super::index::{LogsIndex, PageEntry};
use crate::{
    EncodedPage,
    attempts::within,
    block::{
        BlockIndex,
        reader::{BlockReader, blocking},
    },
};
use async_trait::async_trait;
use bytes::Bytes;
use chunk::Corrupt;
use model::{Lines, Matcher, NanoRange};
use service_api::{
    Error, LineSource, LogPage, LogStream, Needles, PageData, PageStore, ReadContext, Reservation, Result,
};
use std::{mem::size_of, sync::Arc};

/// The pages of one block, for one query.
struct BlockPages {
    block: BlockReader,
    index: Arc<BlockIndex>,
    /// Of the selection that names the pages.
    _reservation: Reservation,
}

impl BlockReader {
    /// The streams that match and have pages in the range, sorted; no page is read.
    pub(crate) async fn select_streams(
        &self,
        ctx: &ReadContext,
        matchers: &[Matcher],
        range: NanoRange,
    ) -> Result<Vec<LogStream>> {
        ctx.check()?;
        let index = self.index().await?;
        let (planning, matchers, context) = (Arc::clone(&index), matchers.to_vec(), ctx.clone());
        let plan = blocking(move || planning.logs()?.plan(&context, &matchers, range)).await?;
        let plan = plan.map_err(|e| self.plan_error(e))?;
        let held = |(labels, pages): &(model::Labels, Vec<u32>)| {
            size_of::<LogStream>() + labels.heap_bytes() + pages.len() * size_of::<LogPage>()
        };
        let reservation = ctx.budget.reserve(plan.iter().map(held).sum())?;
        let pages = BlockPages { block: self.clone(), index: Arc::clone(&index), _reservation: reservation };
        let (index, store) =
            (index.logs().map_err(|e| self.corrupt(e))?, Arc::new(pages) as Arc<dyn PageStore>);
        let named = |number: &u32| {
            let page = index.page(*number).ok_or_else(|| self.corrupt(Corrupt("page out of bounds")))?;
            Ok(page.named(self.origin, PageData::Stored(Arc::clone(&store), u64::from(*number))))
        };
        let streams = plan.into_iter().map(|(labels, pages)| {
            Ok(LogStream { labels, pages: pages.iter().map(named).collect::<Result<_>>()? })
        });
        streams.collect()
    }
}

impl PageEntry {
    fn named(&self, origin: u64, data: PageData) -> LogPage {
        LogPage {
            range: self.range,
            lines: self.lines,
            text_bytes: u64::from(self.text_bytes),
            stored_bytes: u64::from(self.len),
            origin,
            is_cut: false,
            data,
        }
    }
}

impl BlockPages {
    fn logs(&self) -> Result<&LogsIndex> {
        self.index.logs().map_err(|e| self.block.corrupt(e))
    }
}

#[async_trait]
impl PageStore for BlockPages {
    async fn fetch(&self, ctx: &ReadContext, pages: &[u64]) -> Result<Vec<Arc<dyn LineSource>>> {
        ctx.check()?;
        let index = self.logs()?;
        let entry = |number: u32| {
            index
                .page(number)
                .ok_or_else(|| Error::internal(format!("{} has no page {number}", self.block.block())))
        };
        let mut wanted: Vec<u32> =
            pages.iter().map(|page| u32::try_from(*page).unwrap_or(u32::MAX)).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut reservations = Vec::with_capacity(wanted.len());
        for number in &wanted {
            reservations.push(ctx.budget.reserve(entry(*number)?.len as usize)?);
        }
        // All numbers are known by now.
        let range = |number| index.page(number).map_or(0..0, |p| p.offset..p.offset + u64::from(p.len));
        let check = |number, bytes: &[u8]| match index.page(number) {
            Some(page) if page.checksum == crc32c::crc32c(bytes) => Ok(()),
            _ => Err(Corrupt("checksum of a page does not match")),
        };
        let bytes = within(ctx, self.block.pages(&wanted, range, check)).await?;
        let mut found: Vec<Arc<dyn LineSource>> = Vec::with_capacity(wanted.len());
        for (bytes, reservation) in bytes.into_iter().zip(reservations) {
            let page = EncodedPage::new(bytes).map_err(|e| self.block.corrupt(e))?;
            found.push(Arc::new(FetchedPage { page, block: self.block.clone(), _reservation: reservation }));
        }
        let place = |page: &u64| wanted.partition_point(|number| u64::from(*number) < *page);
        Ok(pages.iter().map(|page| Arc::clone(&found[place(page)])).collect())
    }
}

struct FetchedPage {
    page: EncodedPage,
    block: BlockReader,
    _reservation: Reservation,
}

impl LineSource for FetchedPage {
    fn read(&self, needles: &Needles, out: &mut Lines) -> Result<bool> {
        self.page.read_lines(needles, out).map_err(|e| self.block.corrupt(e))
    }

    fn encoded(&self) -> Option<Bytes> {
        Some(self.page.bytes().clone())
    }
}
