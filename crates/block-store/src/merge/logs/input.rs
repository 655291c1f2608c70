//! One of the blocks that are merged: what is known of its pages, and those that have been read.

use crate::{
    EncodedPage, Ulid,
    block::{PageEntry, StreamPages},
    merge::{MergeError, read_ahead::Arrived},
};
use chunk::Corrupt;

pub struct Input {
    pub block: Ulid,
    /// As of its meta.
    pub level: u8,
    pub pages: StreamPages,
    pub arrived: Option<Arrived>,
    /// Pages that have been taken so far.
    taken: usize,
}

impl Input {
    pub fn new(block: Ulid, level: u8, pages: StreamPages) -> Self {
        Self { block, level, pages, arrived: None, taken: 0 }
    }

    pub fn lines(&self) -> u64 {
        self.pages.all().iter().map(|page| u64::from(page.lines)).sum()
    }

    pub fn is_used_up(&self) -> bool {
        self.taken == self.pages.all().len()
    }

    /// The next page, which must be the one that is described; nothing if it has to be read first.
    pub fn take(&mut self, described: &PageEntry) -> Result<Option<EncodedPage>, MergeError> {
        let Some(bytes) = self.arrived.as_mut().and_then(Iterator::next) else {
            self.arrived = None;
            return Ok(None);
        };
        self.taken += 1;
        let page = EncodedPage::new(bytes).map_err(|e| self.damaged(e))?;
        let known = (page.range(), page.lines(), page.text_bytes(), page.bytes().len());
        let said = (described.range, described.lines, described.text_bytes.into(), described.len as usize);
        if known == said {
            Ok(Some(page))
        } else {
            Err(self.damaged(Corrupt("a page is not as it is said to be")))
        }
    }

    pub fn damaged(&self, why: Corrupt) -> MergeError {
        MergeError::Damaged { block: self.block, why: why.to_string() }
    }
}
