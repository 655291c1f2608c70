//! The head of a tenant's logs: applying the log's records of lines, in log order, and reading.

use super::{
    Beside, LogHead, Minutes, Slot, Stream,
    memory::{LogMemory, WindowBytes, WindowsMemory},
    stream::HeadPage,
    tail::Watchers,
};
use model::{Matcher, NANOS_A_MILLI, NanoRange, Nanos, TimeRange, Timestamp};
use service_api::{LogStream, ReadContext, Result};
use smallvec::SmallVec;
use std::{ops::Range, sync::Arc, time::Duration};

pub struct BesideStreams {
    pub memory: WindowsMemory,
    pub watchers: Watchers,
}

impl BesideStreams {
    pub fn new(memory: Arc<LogMemory>) -> Self {
        Self { memory: WindowsMemory::new(memory), watchers: Watchers::default() }
    }
}

impl Beside for BesideStreams {
    fn forget(&self, _: &[u32]) {}
}

/// Lines of one stream that lie side by side in a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub stream: u32,
    pub lines: Range<u32>,
}

/// What became of the lines of one record.
#[derive(Debug, Default)]
pub struct LineCounts {
    pub lines: u64,
    /// Of their text.
    pub bytes: u64,
    pub pages: u64,
    /// Starts of the windows that got lines.
    pub windows: SmallVec<[Timestamp; 4]>,
}

impl LogHead {
    /// Adds the lines of a record. `line` gives the line of a number. When it returns, the lines can be
    /// read and the head says that it has changed, in this order.
    pub fn apply_lines<'a, M>(
        &self,
        runs: &[Run],
        now: Duration,
        line: impl Fn(u32) -> (Nanos, &'a [u8], M),
    ) -> LineCounts
    where
        M: IntoIterator<Item = (&'a str, &'a str)>,
    {
        let mut counts = LineCounts::default();
        let mut changes: SmallVec<[(Timestamp, WindowBytes); 4]> = SmallVec::new();
        let mut range = NanoRange::new(Nanos::MAX, Nanos::MIN);
        let (mut minute, mut minutes) = (range, Minutes::default());
        let mut apply = |slot: &mut Stream, run: &Run| {
            each_window(self, run, &line, |window, lines| {
                let at = match changes.iter().position(|(start, _)| *start == window) {
                    Some(at) => at,
                    None => {
                        changes.push((window, WindowBytes::default()));
                        changes.len() - 1
                    }
                };
                counts.lines += lines.len() as u64;
                let lines = lines.map(|at| {
                    let line = line(at);
                    if !minute.contains(line.0) {
                        minute = minutes.touch(line.0.div_euclid(NANOS_A_MILLI)).into();
                    }
                    range = range.union(&NanoRange::new(line.0, line.0));
                    counts.bytes += line.1.len() as u64;
                    line
                });
                slot.append(window, now, lines, &mut changes[at].1);
            });
        };
        for run in runs {
            let mut stream = run.stream;
            // One lock a run and none between them: sealing pages takes long, and new streams wait for the
            // list of slots with the index in their hands. What has come back may be condemned once more.
            while let Some(false) = self.slab.with(stream, |slot| {
                let awake = slot.wake();
                if awake {
                    apply(slot, run);
                }
                awake
            }) {
                stream = self.resurrect(run.stream);
            }
        }
        if counts.lines > 0 {
            self.widen(&range.millis());
        }
        for (window, bytes) in &changes {
            counts.windows.push(*window);
            counts.pages += bytes.pages;
            self.beside.memory.note(*window, bytes);
        }
        self.changes.note(&minutes);
        counts
    }

    /// Seals what has got nothing since `before`; returns how many pages that were.
    pub fn seal_idle(&self, before: Duration) -> u64 {
        let mut idle = Vec::new();
        self.slab.for_each(|reference, stream| {
            if stream.is_idle(before) {
                idle.push(reference);
            }
        });
        let mut pages = 0;
        // One at a time, so that the applier never waits for more than one page.
        for reference in idle {
            self.slab.with(reference, |stream| {
                stream.seal_idle(before, |window, bytes| {
                    pages += bytes.pages;
                    self.beside.memory.note(window, bytes);
                });
            });
        }
        pages
    }

    /// Streams with pages that may have lines in the range, sorted by labels.
    pub fn select(
        &self,
        ctx: &ReadContext,
        matchers: &[Matcher],
        range: &NanoRange,
    ) -> Result<Vec<LogStream>> {
        let pages = |stream: &mut Stream| Some(stream.pages(range)).filter(|pages| !pages.is_empty());
        let bytes = |pages: &Vec<_>| pages.iter().map(HeadPage::held_bytes).sum();
        let (found, reservation) = self.select_with(ctx, matchers, &range.millis(), pages, bytes)?;
        let reservation = Arc::new(reservation);
        let streams = found.into_iter().map(|(labels, pages)| {
            let mut pages: Vec<_> = pages.into_iter().map(|page| page.into_log_page(&reservation)).collect();
            pages.sort_by_key(|page| (page.range.start, page.range.end));
            LogStream { labels, pages }
        });
        Ok(streams.collect())
    }

    pub fn window_of_line(&self, timestamp: Nanos) -> TimeRange {
        self.window(timestamp.div_euclid(NANOS_A_MILLI))
    }
}

/// Takes a run apart where its lines go from one window into another.
fn each_window<'a, M>(
    head: &LogHead,
    run: &Run,
    line: &impl Fn(u32) -> (Nanos, &'a [u8], M),
    mut each: impl FnMut(Timestamp, Range<u32>),
) {
    let mut from = run.lines.start;
    while from < run.lines.end {
        let window = head.window_of_line(line(from).0);
        let range = NanoRange::from(window);
        let inside = run.lines.start.max(from)..run.lines.end;
        let to = inside.clone().find(|&at| !range.contains(line(at).0)).unwrap_or(inside.end);
        each(window.start, from..to);
        from = to;
    }
}

#[cfg(test)]
mod tests;
