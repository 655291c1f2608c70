//! A page of log lines as it lies in blocks and in heads.

use bytes::Bytes;
use chunk::{Corrupt, LinePage, MAX_PAGE_LINES, encode_lines};
use model::{Lines, NanoRange};
use service_api::{Error, LineSource, LogPage, Needles, PageData, Result};
use std::sync::Arc;

/// Bytes of text at which a page is full: enough to compress well, and little to read in vain.
pub const LOG_PAGE_BYTES: usize = 256 << 10;

/// Measured on logs of a dozen programs: higher levels cost more and gain nothing before 9.
const ZSTD_LEVEL: i32 = 1;

/// What a pair of metadata counts beside its text.
const PAIR_BYTES: usize = 8;

/// Lines of one stream, encoded, with what is known of them unread. Cloning it counts a reference.
#[derive(Clone, Debug)]
pub struct EncodedPage {
    bytes: Bytes,
    range: NanoRange,
    lines: u32,
    text_bytes: u32,
}

impl EncodedPage {
    /// Whether a page of these lines is to be ended, and another one begun.
    pub fn is_full(lines: &Lines) -> bool {
        is_full(lines, LOG_PAGE_BYTES)
    }

    /// Encodes lines that are normalized, as many as fit into one page.
    pub fn encode(lines: &Lines) -> Result<Self> {
        Self::encode_at(lines, ZSTD_LEVEL)
    }

    pub(crate) fn encode_at(lines: &Lines, zstd_level: i32) -> Result<Self> {
        let mut bytes = Vec::with_capacity(lines.text.len() / 4);
        encode_lines(lines, zstd_level, &mut bytes).map_err(|e| Error::internal(e.to_string()))?;
        bytes.shrink_to_fit();
        Self::new(bytes.into()).map_err(|e| Error::internal(e.to_string()))
    }

    /// Encodes normalized lines into as many pages as they fill.
    pub fn encode_all(lines: &Lines) -> Result<Vec<Self>> {
        if !lines.is_empty() && !Self::is_full(lines) {
            return Ok(vec![Self::encode(lines)?]);
        }
        let (mut pages, mut page) = (Vec::new(), Lines::default());
        for at in 0..lines.len() {
            if ends_before(&page, lines, at, LOG_PAGE_BYTES) {
                pages.push(Self::encode(&page)?);
                page.clear();
            }
            page.push_from(lines, at);
        }
        if !page.is_empty() {
            pages.push(Self::encode(&page)?);
        }
        Ok(pages)
    }

    /// Takes the bytes of a page; of those only the header is looked at.
    pub fn new(bytes: Bytes) -> Result<Self, Corrupt> {
        let page = LinePage::parse(&bytes)?;
        let (range, lines, text_bytes) = (page.range(), page.lines() as u32, page.text_bytes() as u32);
        Ok(Self { bytes, range, lines, text_bytes })
    }

    /// The times of its first and last line.
    pub fn range(&self) -> NanoRange {
        self.range
    }

    pub fn lines(&self) -> u32 {
        self.lines
    }

    /// Bytes of all lines' text.
    pub fn text_bytes(&self) -> u64 {
        u64::from(self.text_bytes)
    }

    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// The page for a selection.
    pub fn to_log_page(&self) -> LogPage {
        LogPage {
            range: self.range,
            lines: self.lines,
            text_bytes: self.text_bytes(),
            stored_bytes: 0,
            origin: 0,
            is_cut: false,
            data: PageData::Here(Arc::new(self.clone())),
        }
    }

    pub(crate) fn read_lines(&self, needles: &Needles, out: &mut Lines) -> Result<bool, Corrupt> {
        let page = LinePage::parse(&self.bytes)?;
        page.text(&mut out.text)?;
        if !needles.may_be_in(&out.text) {
            return Ok(false);
        }
        page.rest(out)?;
        Ok(true)
    }
}

/// Whether lines take as many bytes, with their metadata, as fill a page, or are as many as it holds.
fn is_full(lines: &Lines, page_bytes: usize) -> bool {
    let metadata = lines.metadata.text.len() + PAIR_BYTES * lines.metadata.pairs.len();
    lines.text.len() + metadata >= page_bytes || lines.len() >= MAX_PAGE_LINES
}

/// Whether `page` is to be ended before line `at` of `lines` is added.
pub(crate) fn ends_before(page: &Lines, lines: &Lines, at: usize, page_bytes: usize) -> bool {
    let pair = |(name, value): (&str, &str)| PAIR_BYTES + name.len() + value.len();
    // A line that would fill a page gets one of its own, lest the two be more than a page holds.
    let large = || lines.span(at).len() + lines.metadata(at).map(pair).sum::<usize>() >= page_bytes;
    !page.is_empty() && (is_full(page, page_bytes) || large())
}

impl LineSource for EncodedPage {
    fn read(&self, needles: &Needles, out: &mut Lines) -> Result<bool> {
        self.read_lines(needles, out).map_err(|e| Error::internal(format!("a page of lines: {e}")))
    }

    fn encoded(&self) -> Option<Bytes> {
        Some(self.bytes.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(pages: &[EncodedPage]) -> Lines {
        let (mut all, mut out) = (Lines::default(), Lines::default());
        for page in pages {
            assert!(page.read(&Needles::default(), &mut out).unwrap());
            let texts: usize = (0..out.len()).map(|at| out.span(at).len()).sum();
            assert_eq!((page.lines() as usize, page.text_bytes()), (out.len(), texts as u64));
            (0..out.len()).for_each(|at| all.push_from(&out, at));
        }
        all
    }

    #[test]
    fn lines_fill_as_many_pages_as_they_need() {
        assert!(EncodedPage::encode_all(&Lines::default()).unwrap().is_empty());
        let mut lines = Lines::default();
        for n in 0..10_000 {
            let text = match n {
                5_000 | 5_001 => "x".repeat(10 << 20),
                _ => format!("line {n} {}", n * n),
            };
            let value = "v".repeat(if n == 7_000 { 10 << 20 } else { n as usize % 50 });
            lines.push(n, text.as_bytes(), [("k", value.as_str())]);
        }
        let pages = EncodedPage::encode_all(&lines).unwrap();
        assert_eq!(read_all(&pages), lines);
        assert_eq!(pages.iter().filter(|page| page.lines() == 1).count(), 3);
        let mut empty = Lines::default();
        (0..200_000).for_each(|n| empty.push(n, b"", []));
        let pages = EncodedPage::encode_all(&empty).unwrap();
        assert_eq!((pages.len(), read_all(&pages)), (4, empty));
    }

    #[test]
    fn a_page_without_a_needle_is_not_taken_apart() {
        let mut lines = Lines::default();
        lines.push(1, b"an error", [("level", "warn")]);
        lines.push(2, b"more", []);
        let page = EncodedPage::encode(&lines).unwrap();
        let mut out = Lines::default();
        let mut has = |texts: &[&[u8]]| page.read(&Needles::new(texts.iter().copied()), &mut out).unwrap();
        assert!(has(&[b"error", b"more"]));
        assert!(!has(&[b"error", b"less"]));
        // Needles are looked for in the text alone.
        assert!(!has(&[b"warn"]));
        assert!(has(&[]));
        assert_eq!(out, lines);
    }
}
