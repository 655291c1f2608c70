//! The new block: pages go to disk as they are full, and what is known of them stays here.

use crate::{
    BlockMeta, EncodedPage,
    block::{LOGS_MAGIC, LogIndexWriter},
    merge::{MergeError, MergeFigures, scratch::Scratch},
    page::ends_before,
};
use model::{Labels, Lines};
use service_api::{Error, Result};

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
    scratch: Scratch,
    index: LogIndexWriter,
    shape: PageShape,
    /// Lines of the page that is being filled.
    lines: Lines,
    figures: MergeFigures,
}

impl Output {
    pub fn new(mut scratch: Scratch, shape: PageShape) -> Result<Self> {
        scratch.write(LOGS_MAGIC)?;
        let (index, lines, figures) = Default::default();
        Ok(Self { scratch, index, shape, lines, figures })
    }

    pub fn begin_stream(&mut self, labels: &Labels) -> Result<()> {
        self.index.begin_stream(labels)
    }

    /// Adds line `at` of `lines`.
    #[inline]
    pub fn push(&mut self, lines: &Lines, at: usize) -> Result<()> {
        if ends_before(&self.lines, lines, at, self.shape.bytes) {
            self.end_page()?;
        }
        self.lines.push_from(lines, at);
        Ok(())
    }

    pub fn end_page(&mut self) -> Result<()> {
        if !self.lines.is_empty() {
            let page = EncodedPage::encode_at(&self.lines, self.shape.zstd_level)?;
            self.lines.clear();
            self.write(&page)?;
        }
        Ok(())
    }

    /// Adds a page that comes behind all lines so far.
    pub fn take_over(&mut self, page: &EncodedPage) -> Result<()> {
        self.end_page()?;
        self.figures.pages_taken_over += 1;
        self.write(page)
    }

    fn write(&mut self, page: &EncodedPage) -> Result<()> {
        self.figures.pages += 1;
        self.index.add_page(page)?;
        self.scratch.write(page.bytes())
    }

    /// The whole block, and what is known of it.
    pub fn finish(mut self) -> Result<(Scratch, BlockMeta, MergeFigures), MergeError> {
        let nothing = || Error::internal("a merge of nothing");
        let (tail, meta) = self.index.finish()?.ok_or_else(nothing)?;
        tail.iter().try_for_each(|part| self.scratch.write(part))?;
        if self.scratch.len() != meta.bytes {
            return Err(Error::internal("a merged block has another length than it should").into());
        }
        Ok((self.scratch, meta, self.figures))
    }
}
