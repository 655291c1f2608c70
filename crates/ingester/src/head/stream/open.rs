//! The open page of a stream and window: lines in the order in which they come.

use block_store::LOG_PAGE_BYTES;
use chunk::MAX_PAGE_LINES;
use model::{Lines, NanoRange, Nanos};
use std::{sync::Arc, time::Duration};

/// The largest line that is taken in, and the most structured metadata of one: what `chunk::encode_lines` takes
/// of a page less what a page may have when they come.
pub const MAX_LINE_BYTES: usize = 8 << 20;
pub const MAX_LINE_METADATA: usize = 8 << 20;
pub const MAX_LINE_PAIRS: usize = 256 << 10;

/// Lines are written to `current` until a reader comes. What a reader has got is not written any more; the page goes
/// on in a new piece, and its pieces are joined when it is sealed.
#[derive(Default)]
pub struct OpenPage {
    current: Lines,
    shared: Vec<Arc<Piece>>,
    shared_size: Size,
    /// When the last line came.
    pub touched: Duration,
}

/// A part of an open page: at least one line, in the order in which they came.
#[derive(Debug)]
pub struct Piece {
    pub lines: Lines,
    /// The first and the last time.
    pub range: NanoRange,
}

#[derive(Clone, Copy, Default)]
struct Size {
    lines: usize,
    /// As a page counts them.
    bytes: usize,
    heap: usize,
}

impl OpenPage {
    #[inline]
    pub fn push<'a>(
        &mut self,
        timestamp: Nanos,
        line: &[u8],
        metadata: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) {
        if self.current.is_empty() && !self.shared.is_empty() {
            self.reclaim();
        }
        self.current.push(timestamp, line, metadata);
    }

    /// As `EncodedPage::is_full`, of all pieces together.
    #[inline]
    pub fn is_full(&self) -> bool {
        let mut size = Size::of(&self.current);
        size.add(&self.shared_size);
        size.bytes >= LOG_PAGE_BYTES || size.lines >= MAX_PAGE_LINES
    }

    pub fn is_empty(&self) -> bool {
        self.current.is_empty() && self.shared.is_empty()
    }

    pub fn is_idle(&self, before: Duration) -> bool {
        self.touched < before && self.heap_bytes() > 0
    }

    pub fn heap_bytes(&self) -> usize {
        self.current.heap_bytes() + self.shared_size.heap
    }

    /// All lines, for whoever reads them.
    pub fn share(&mut self) -> &[Arc<Piece>] {
        if !self.current.is_empty() {
            let lines = std::mem::take(&mut self.current);
            self.shared_size.add(&Size::of(&lines));
            self.shared.push(Arc::new(Piece::new(lines)));
        }
        &self.shared
    }

    /// Goes on where the last reader has left off, if it has gone.
    fn reclaim(&mut self) {
        match self.shared.pop().map(Arc::try_unwrap) {
            Some(Ok(piece)) => {
                self.shared_size.subtract(&Size::of(&piece.lines));
                self.current = piece.lines;
            }
            Some(Err(piece)) => self.shared.push(piece),
            None => {}
        }
    }

    /// All lines, joined; the page is empty.
    pub fn take(&mut self) -> Lines {
        if self.shared.is_empty() {
            return std::mem::take(&mut self.current);
        }
        let mut joined = Lines::default();
        joined.text.reserve(LOG_PAGE_BYTES);
        let pieces = self.shared.iter().map(|piece| &piece.lines).chain([&self.current]);
        pieces.for_each(|lines| (0..lines.len()).for_each(|at| joined.push_from(lines, at)));
        *self = Self { touched: self.touched, ..Self::default() };
        joined
    }

    /// Gives back what was taken: lines that could not be sealed, or only their memory.
    pub fn put_back(&mut self, lines: Lines) {
        self.current = lines;
    }

    /// Gives back the memory of what is empty.
    pub fn release(&mut self) {
        if self.current.is_empty() {
            self.current = Lines::default();
        }
    }
}

impl Piece {
    fn new(lines: Lines) -> Self {
        let times = lines.timestamps.iter().map(|&t| NanoRange::new(t, t));
        let range = times.reduce(|a, b| a.union(&b)).unwrap_or(NanoRange::new(0, -1));
        Self { lines, range }
    }

    pub fn text_bytes(&self) -> u64 {
        (self.lines.text.len() - self.lines.len()) as u64
    }
}

impl Size {
    fn of(lines: &Lines) -> Self {
        Self {
            lines: lines.len(),
            bytes: lines.text.len() + lines.metadata.text.len() + 8 * lines.metadata.pairs.len(),
            heap: lines.heap_bytes(),
        }
    }

    fn add(&mut self, other: &Self) {
        self.lines += other.lines;
        self.bytes += other.bytes;
        self.heap += other.heap;
    }

    fn subtract(&mut self, other: &Self) {
        self.lines -= other.lines;
        self.bytes -= other.bytes;
        self.heap -= other.heap;
    }
}
