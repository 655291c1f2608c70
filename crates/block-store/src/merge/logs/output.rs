//! The new blocks: pages go to disk as they are full, and what is known of them stays here.

use crate::{
    EncodedPage,
    block::{LOGS_MAGIC, LogIndexWriter},
    merge::{
        MergeError, MergeFigures,
        outputs::WholeBlock,
        scratch::{Room, Scratch},
    },
    page::ends_before,
};
use model::{Labels, Lines};
use service_api::Error;

/// How pages of a merged block are made.
#[derive(Clone, Copy, Debug)]
pub struct PageShape {
    /// Bytes of text, with its metadata, at which a page is full.
    pub bytes: usize,
    pub zstd_level: i32,
}

impl PageShape {
    /// Of 100 MB of text of real programs levels 3, 6, 9 and 12 make 22.9, 21.1, 20.2 and 19.8 MB, and a
    /// merge of three replicas takes 2.2, 3.6, 5.1 and 9.9 s of processor time. What 9 saves over 6 is
    /// worth its time to who keeps logs for a month, at the usual prices; what 12 saves, to nobody.
    pub const MERGED: Self = Self { bytes: 1 << 20, zstd_level: 9 };

    /// Whether a page that a merge has made is taken over as it is, if it may be.
    pub fn is_large(&self, text_bytes: u32) -> bool {
        text_bytes as usize >= self.bytes / 2
    }
}

pub struct Output {
    room: Room,
    /// The block that is being written, if any.
    block: Option<(Scratch, LogIndexWriter)>,
    shape: PageShape,
    /// Of the stream that follows, until it has a page.
    stream: Option<Labels>,
    /// Lines of the page that is being filled.
    lines: Lines,
    /// Lines of all blocks so far count as samples.
    figures: MergeFigures,
}

impl Output {
    pub fn new(room: Room, shape: PageShape) -> Self {
        let (block, stream, lines, figures) = Default::default();
        Self { room, block, shape, stream, lines, figures }
    }

    pub fn figures(&self) -> MergeFigures {
        self.figures
    }

    pub fn is_open(&self) -> bool {
        self.block.is_some()
    }

    /// Whether the block has as much as it should have.
    pub fn is_full(&self) -> bool {
        self.block.as_ref().is_some_and(|(scratch, _)| scratch.len() >= self.room.block_bytes)
    }

    /// What follows is this stream's; if nothing does it is left out.
    pub fn begin_stream(&mut self, labels: Labels) {
        self.stream = Some(labels);
    }

    /// Adds line `at` of `lines`.
    #[inline]
    pub fn push(&mut self, lines: &Lines, at: usize) -> Result<(), MergeError> {
        if ends_before(&self.lines, lines, at, self.shape.bytes) {
            self.end_page()?;
        }
        self.lines.push_from(lines, at);
        Ok(())
    }

    pub fn end_page(&mut self) -> Result<(), MergeError> {
        if !self.lines.is_empty() {
            let page = EncodedPage::encode_at(&self.lines, self.shape.zstd_level)?;
            self.lines.clear();
            self.write(&page)?;
        }
        Ok(())
    }

    /// Adds a page that comes behind all lines so far.
    pub fn take_over(&mut self, page: &EncodedPage) -> Result<(), MergeError> {
        self.end_page()?;
        self.figures.pages_taken_over += 1;
        self.write(page)
    }

    fn write(&mut self, page: &EncodedPage) -> Result<(), MergeError> {
        self.figures.pages += 1;
        if self.block.is_none() {
            let mut scratch = self.room.create()?;
            scratch.write(LOGS_MAGIC)?;
            self.block = Some((scratch, LogIndexWriter::default()));
        }
        let (scratch, index) = self.block.as_mut().ok_or_else(|| Error::internal("a page of no block"))?;
        if let Some(labels) = self.stream.take() {
            index.begin_stream(&labels)?;
        }
        index.add_page(page)?;
        Ok(scratch.write(page.bytes())?)
    }

    /// The whole block, behind the last stream of which another one may begin.
    pub fn end_block(&mut self) -> Result<WholeBlock, MergeError> {
        let nothing = || Error::internal("a new block of nothing");
        let (mut scratch, index) = self.block.take().ok_or_else(nothing)?;
        let (tail, meta) = index.finish()?.ok_or_else(nothing)?;
        tail.iter().try_for_each(|part| scratch.write(part))?;
        self.figures.samples += meta.samples;
        WholeBlock::new(scratch, meta)
    }
}
