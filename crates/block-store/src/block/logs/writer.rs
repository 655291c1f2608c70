//! Makes a block out of streams that come in label order, with their pages.

use super::{
    MAGIC,
    footer::{LogsFooter, PAGES, POSTINGS, STREAMS, SYMBOLS},
    index::{PageEntry, encode_pages},
};
use crate::{
    BlockMeta, EncodedPage, Ulid,
    block::{
        BlockObject,
        labels::{LabelSections, LabelsWriter},
        section::Section,
    },
};
use bytes::Bytes;
use chunk::put_uvarint;
use model::{Labels, NanoRange};
use service_api::{Error, Result};

/// Collects streams and their pages, whose bytes are not copied.
#[derive(Default)]
pub struct LogBlockWriter {
    labels: LabelsWriter,
    /// Of each stream the number of its pages.
    stream_pages: Vec<u32>,
    entries: Vec<PageEntry>,
    pages: Vec<Bytes>,
    /// Of all pages.
    bytes: u64,
    lines: u64,
    text_bytes: u64,
    range: Option<NanoRange>,
}

impl LogBlockWriter {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a stream with its pages. Streams come in label order, each once; one without pages is
    /// left out.
    pub fn add(&mut self, labels: &Labels, mut pages: Vec<EncodedPage>) -> Result<()> {
        if !self.labels.may_follow(labels) {
            return Err(Error::internal(format!("stream {labels} is not in label order")));
        }
        if pages.is_empty() {
            return Ok(());
        }
        pages.sort_by_key(|page| (page.range().start, page.range().end));
        self.labels.add(labels);
        self.stream_pages.push(pages.len() as u32);
        for page in pages {
            self.add_page(page)?;
        }
        Ok(())
    }

    fn add_page(&mut self, page: EncodedPage) -> Result<()> {
        let too_large = |_| Error::internal("a page is too large");
        let (range, bytes) = (page.range(), page.bytes());
        self.entries.push(PageEntry {
            offset: MAGIC.len() as u64 + self.bytes,
            len: u32::try_from(bytes.len()).map_err(too_large)?,
            lines: page.lines(),
            text_bytes: u32::try_from(page.text_bytes()).map_err(too_large)?,
            range,
            checksum: crc32c::crc32c(bytes),
        });
        self.bytes += bytes.len() as u64;
        self.lines += u64::from(page.lines());
        self.text_bytes += page.text_bytes();
        self.range = Some(self.range.map_or(range, |before| before.union(&range)));
        self.pages.push(page.into_bytes());
        Ok(())
    }

    /// Ends the block; `None` if it has no streams. `source` says what it was made of,
    /// `created` when, in milliseconds.
    pub fn finish(self, id: Ulid, source: &str, created: i64) -> Result<Option<BlockObject>> {
        let Some(range) = self.range else { return Ok(None) };
        let streams = self.labels.len() as u64;
        let count = |row: usize, out: &mut Vec<u8>| put_uvarint(out, u64::from(self.stream_pages[row]));
        let LabelSections { symbols, rows, postings } = self.labels.finish(count);
        let raw =
            [(PAGES, encode_pages(&self.entries)), (SYMBOLS, symbols), (STREAMS, rows), (POSTINGS, postings)];
        let mut parts = vec![Bytes::from_static(MAGIC)];
        parts.extend(self.pages);
        let mut offset = MAGIC.len() as u64 + self.bytes;
        let mut sections = Vec::with_capacity(raw.len());
        for (number, raw) in raw {
            let (place, packed) = Section::compress(&raw, offset)?;
            sections.push((number, place));
            offset += packed.len() as u64;
            parts.push(packed.into());
        }
        let (lines, text_bytes) = (self.lines, self.text_bytes);
        parts.push(LogsFooter { sections, range, streams, lines, text_bytes }.encode().into());
        let meta = BlockMeta {
            id,
            min_time: range.millis().start,
            max_time: range.millis().end,
            series: streams,
            samples: lines,
            text_bytes,
            bytes: parts.iter().map(|part| part.len() as u64).sum(),
            level: 0,
            source: source.to_owned(),
            created,
        };
        Ok(Some(BlockObject { parts, meta }))
    }
}
