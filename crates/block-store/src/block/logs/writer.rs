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
    index: LogIndexWriter,
    pages: Vec<Bytes>,
}

impl LogBlockWriter {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a stream with its pages. Streams come in label order, each once; one without pages is
    /// left out.
    pub fn add(&mut self, labels: &Labels, mut pages: Vec<EncodedPage>) -> Result<()> {
        if pages.is_empty() {
            return self.index.check_order(labels);
        }
        pages.sort_by_key(|page| (page.range().start, page.range().end));
        self.index.begin_stream(labels)?;
        for page in pages {
            self.index.add_page(&page)?;
            self.pages.push(page.into_bytes());
        }
        Ok(())
    }

    /// Ends the block; `None` if it has no streams. `source` says what it was made of,
    /// `created` when, in milliseconds.
    pub fn finish(self, id: Ulid, source: &str, created: i64) -> Result<Option<BlockObject>> {
        let Some((tail, mut meta)) = self.index.finish()? else { return Ok(None) };
        (meta.id, meta.source, meta.created) = (id, source.to_owned(), created);
        let mut parts = vec![Bytes::from_static(MAGIC)];
        parts.extend(self.pages);
        parts.extend(tail);
        Ok(Some(BlockObject { parts, meta }))
    }
}

/// Everything of a block but its pages, of which it is told in the order in which they lie behind
/// the object's first bytes.
#[derive(Default)]
pub(crate) struct LogIndexWriter {
    labels: LabelsWriter,
    /// Of each stream the number of its pages.
    stream_pages: Vec<u32>,
    entries: Vec<PageEntry>,
    /// Of all pages.
    bytes: u64,
    lines: u64,
    text_bytes: u64,
    range: Option<NanoRange>,
}

impl LogIndexWriter {
    fn check_order(&self, labels: &Labels) -> Result<()> {
        if self.labels.may_follow(labels) {
            return Ok(());
        }
        Err(Error::internal(format!("stream {labels} is not in label order")))
    }

    /// The pages that follow are this stream's; there must be some.
    pub(crate) fn begin_stream(&mut self, labels: &Labels) -> Result<()> {
        self.check_order(labels)?;
        self.labels.add(labels);
        self.stream_pages.push(0);
        Ok(())
    }

    /// Adds a page of the stream that was begun last; they come in the order of their first times.
    pub(crate) fn add_page(&mut self, page: &EncodedPage) -> Result<()> {
        let too_large = |_| Error::internal("a page is too large");
        let (range, bytes) = (page.range(), page.bytes());
        let stream = self.stream_pages.last_mut().ok_or_else(|| Error::internal("a page of no stream"))?;
        *stream += 1;
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
        Ok(())
    }

    /// What comes behind the pages, and what the manifest is to say but for how the block came about;
    /// `None` if there are no streams.
    pub(crate) fn finish(self) -> Result<Option<(Vec<Bytes>, BlockMeta)>> {
        let Some(range) = self.range else { return Ok(None) };
        let streams = self.labels.len() as u64;
        let count = |row: usize, out: &mut Vec<u8>| put_uvarint(out, u64::from(self.stream_pages[row]));
        let LabelSections { symbols, rows, postings } = self.labels.finish(count);
        let raw =
            [(PAGES, encode_pages(&self.entries)), (SYMBOLS, symbols), (STREAMS, rows), (POSTINGS, postings)];
        let mut offset = MAGIC.len() as u64 + self.bytes;
        let (mut sections, mut tail) = (Vec::with_capacity(raw.len()), Vec::with_capacity(raw.len() + 1));
        for (number, raw) in raw {
            let (place, packed) = Section::compress(&raw, offset)?;
            sections.push((number, place));
            offset += packed.len() as u64;
            tail.push(Bytes::from(packed));
        }
        let (lines, text_bytes) = (self.lines, self.text_bytes);
        let footer = LogsFooter { sections, range, streams, lines, text_bytes }.encode();
        let meta = BlockMeta {
            id: Ulid::nil(),
            min_time: range.millis().start,
            max_time: range.millis().end,
            series: streams,
            samples: lines,
            text_bytes,
            bytes: offset + footer.len() as u64,
            level: 0,
            source: String::new(),
            created: 0,
            sources: Vec::new(),
            damaged: None,
            cleared: Vec::new(),
            rules: 0,
        };
        tail.push(footer.into());
        Ok(Some((tail, meta)))
    }
}
