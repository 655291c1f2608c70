//! The lines of one stream in the head, by window of time.

mod open;
mod read;
#[cfg(test)]
mod tests;

use super::{BesideStreams, Slot, State, WindowBytes};
use block_store::EncodedPage;
use model::{NanoRange, Nanos, Signal, TimeRange, Timestamp};
use open::OpenPage;
use service_api::{Error, Result};
use std::{sync::Arc, time::Duration};

pub use open::{MAX_LINE_BYTES, MAX_LINE_METADATA, MAX_LINE_PAIRS, Piece};

/// A slot. Lines are kept as they come; sorting and dropping repeats happens when a page is sealed.
#[derive(Default)]
pub struct Stream {
    /// In no order; mostly one or two.
    windows: Vec<Window>,
    state: State,
}

/// No page lies in two windows, so that a block can take pages as they are.
#[derive(Default)]
struct Window {
    start: Timestamp,
    /// Of all lines that ever came while the window was held.
    range: Option<NanoRange>,
    /// In the order in which they were sealed; they may overlap.
    sealed: Vec<EncodedPage>,
    open: OpenPage,
}

/// What a window of a stream takes beside its lines.
const WINDOW_BYTES: i64 = size_of::<Window>() as i64;

/// Lines of a stream that a read found.
pub enum HeadPage {
    Sealed(EncodedPage),
    Open(Arc<Piece>),
}

impl Slot for Stream {
    const SIGNAL: Signal = Signal::Logs;
    type Beside = BesideStreams;

    fn state(&mut self) -> &mut State {
        &mut self.state
    }

    fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }

    fn time_range(&self) -> Option<TimeRange> {
        let ranges = self.windows.iter().filter_map(|window| window.range);
        ranges.reduce(|a, b| a.union(&b)).map(|range| range.millis())
    }
}

impl Stream {
    /// Appends lines of the window that starts at `start`; `bytes` gets what that has changed.
    pub fn append<'a, M>(
        &mut self,
        start: Timestamp,
        now: Duration,
        lines: impl Iterator<Item = (Nanos, &'a [u8], M)>,
        bytes: &mut WindowBytes,
    ) where
        M: IntoIterator<Item = (&'a str, &'a str)>,
    {
        let at = match self.windows.iter().position(|window| window.start == start) {
            Some(at) => at,
            None => {
                if self.windows.len() < 2 {
                    self.windows.reserve_exact(1);
                }
                self.windows.push(Window { start, ..Window::default() });
                bytes.open += WINDOW_BYTES;
                self.windows.len() - 1
            }
        };
        let window = &mut self.windows[at];
        let before = window.open.heap_bytes();
        for (timestamp, line, metadata) in lines {
            let own = NanoRange::new(timestamp, timestamp);
            window.range = Some(window.range.map_or(own, |range| range.union(&own)));
            window.open.push(timestamp, line, metadata);
            if window.open.is_full() {
                window.seal(bytes);
            }
        }
        window.open.touched = now;
        bytes.open += window.open.heap_bytes() as i64 - before as i64;
    }

    /// Whether there is anything of a window.
    pub fn has_window(&self, start: Timestamp) -> bool {
        self.windows.iter().any(|window| window.start == start)
    }

    /// Seals what is open of a window, and returns all of it; it stays until it is dropped.
    pub fn seal_window(&mut self, start: Timestamp, bytes: &mut WindowBytes) -> Result<Vec<EncodedPage>> {
        let Some(window) = self.windows.iter_mut().find(|window| window.start == start) else {
            return Ok(Vec::new());
        };
        window.close(bytes);
        match window.open.is_empty() {
            true => Ok(window.sealed.clone()),
            false => Err(Error::internal("a page of lines cannot be sealed")),
        }
    }

    /// Whether there is an open page that has got nothing since `before`.
    pub fn is_idle(&self, before: Duration) -> bool {
        self.windows.iter().any(|window| window.open.is_idle(before))
    }

    /// Seals the pages that have got nothing since `before`, and gives back their memory.
    pub fn seal_idle(&mut self, before: Duration, mut sealed: impl FnMut(Timestamp, &WindowBytes)) {
        for window in self.windows.iter_mut().filter(|window| window.open.is_idle(before)) {
            let mut bytes = WindowBytes::default();
            window.close(&mut bytes);
            sealed(window.start, &bytes);
        }
        self.windows.shrink_to_fit();
    }

    /// Drops pages of a window that are in a block now, and only those.
    pub fn drop_pages(&mut self, start: Timestamp, pages: &[EncodedPage], bytes: &mut WindowBytes) {
        let Some(window) = self.windows.iter_mut().find(|window| window.start == start) else { return };
        // Both are held, so no two pages have one address.
        let dropped =
            |page: &EncodedPage| pages.iter().any(|other| other.bytes().as_ptr() == page.bytes().as_ptr());
        window.sealed.retain(|page| {
            let dropped = dropped(page);
            bytes.sealed -= if dropped { held_bytes(page) as i64 } else { 0 };
            !dropped
        });
        window.sealed.shrink_to_fit();
        self.windows.retain(|window| {
            let empty = window.sealed.is_empty() && window.open.is_empty();
            bytes.open -= if empty { WINDOW_BYTES + window.open.heap_bytes() as i64 } else { 0 };
            !empty
        });
    }

    /// Adds the pages that may have lines in the range, none of them copied.
    pub fn pages(&mut self, range: &NanoRange) -> Vec<HeadPage> {
        let mut found = Vec::new();
        for window in self.windows.iter_mut().filter(|w| w.range.is_some_and(|r| r.overlaps(range))) {
            let sealed = window.sealed.iter().filter(|page| page.range().overlaps(range));
            found.extend(sealed.cloned().map(HeadPage::Sealed));
            let open = window.open.share().iter().filter(|piece| piece.range.overlaps(range));
            found.extend(open.cloned().map(HeadPage::Open));
        }
        found
    }
}

impl Window {
    /// Seals the open page; the next one is written where it was.
    fn seal(&mut self, bytes: &mut WindowBytes) {
        let mut lines = self.open.take();
        lines.normalize();
        match EncodedPage::encode(&lines) {
            Ok(page) => {
                bytes.sealed += held_bytes(&page) as i64;
                bytes.pages += 1;
                self.sealed.push(page);
                lines.clear();
            }
            Err(error) => tracing::error!(%error, lines = lines.len(), "a page of lines stays open"),
        }
        self.open.put_back(lines);
    }

    /// Seals the open page, if it has lines, and gives back its memory.
    fn close(&mut self, bytes: &mut WindowBytes) {
        let before = self.open.heap_bytes();
        if !self.open.is_empty() {
            self.seal(bytes);
        }
        self.open.release();
        bytes.open += self.open.heap_bytes() as i64 - before as i64;
        self.sealed.shrink_to_fit();
    }
}

/// What a sealed page holds in memory.
fn held_bytes(page: &EncodedPage) -> usize {
    size_of::<EncodedPage>() + page.bytes().len()
}
