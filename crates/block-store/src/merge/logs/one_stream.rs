//! Merges the pages of one stream: those that overlap are open together, line by line.

use super::{
    input::Input,
    output::{Output, PageShape},
    repeats::Repeats,
};
use crate::{block::PageEntry, merge::MergeError};
use model::{Labels, Lines, Nanos};
use service_api::{Cut, LinesCut, Needles, Omit};
use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc};
use tokio_util::sync::CancellationToken;

/// The next page of the input of this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wants(pub usize);

/// A place in the order of lines: time, number of the input, number of the page in it. The lines of one
/// page are in order already.
type Place = (Nanos, usize, usize);

pub struct StreamMerge {
    /// Pages that are not open yet, the next at the end.
    waiting: Vec<Waiting>,
    /// Those that are open, by their next lines, with their places in `pages`.
    heads: BinaryHeap<Reverse<(Place, usize)>>,
    /// Of open pages, and of none in places that are free.
    pages: Vec<OpenPage>,
    free: Vec<usize>,
    repeats: Repeats,
    /// Of the stream: what is to be left out of inputs of which something is.
    cuts: Vec<InputCut>,
    omitted: u64,
    open_bytes: u64,
    open_peak: u64,
    open_limit: u64,
    shape: PageShape,
    stop: CancellationToken,
}

struct Waiting {
    input: usize,
    /// In the stream.
    number: usize,
    entry: PageEntry,
}

impl Waiting {
    fn place(&self) -> Place {
        (self.entry.range.start, self.input, self.number)
    }
}

/// What is to be left out of the stream's lines of an input.
struct InputCut {
    input: usize,
    cut: Cut,
    running: LinesCut,
}

#[derive(Default)]
struct OpenPage {
    lines: Lines,
    next: usize,
}

impl StreamMerge {
    pub fn new(open_limit: u64, shape: PageShape, stop: CancellationToken) -> Self {
        let (waiting, heads, pages, free, repeats) = Default::default();
        let (cuts, omitted, open_bytes, open_peak) = (Vec::new(), 0, 0, 0);
        Self {
            waiting,
            heads,
            pages,
            free,
            repeats,
            cuts,
            omitted,
            open_bytes,
            open_peak,
            open_limit,
            shape,
            stop,
        }
    }

    /// Begins a stream, of which an input has the pages of each row; false if there are none. `omissions`: of
    /// each input.
    pub fn begin(
        &mut self,
        labels: &Labels,
        inputs: &[Input],
        rows: &[(usize, u32)],
        omissions: &[Option<Arc<dyn Omit>>],
    ) -> bool {
        self.repeats.begin();
        self.cuts.clear();
        for (input, row) in rows {
            let cut = omissions[*input].as_ref().map(|omit| omit.of(labels)).unwrap_or_default();
            if !cut.is_empty() {
                let running = cut.of_stream(labels);
                self.cuts.push(InputCut { input: *input, cut, running });
            }
            let pages = inputs[*input].pages.of(*row).iter().enumerate();
            self.waiting.extend(pages.map(|(number, entry)| Waiting {
                input: *input,
                number,
                entry: *entry,
            }));
        }
        self.waiting.sort_unstable_by_key(|page| Reverse(page.place()));
        !self.waiting.is_empty()
    }

    /// Goes on until a page is wanted that is not here, or the stream is done.
    pub fn run(&mut self, inputs: &mut [Input], output: &mut Output) -> Result<Option<Wants>, MergeError> {
        loop {
            let head = self.heads.peek().map(|Reverse(((time, ..), _))| *time);
            match self.waiting.last() {
                None if head.is_none() => return Ok(None),
                // One that begins with the time of the next line may have lines before it.
                Some(next) if head.is_none_or(|time| next.entry.range.start <= time) => {
                    if self.stop.is_cancelled() {
                        return Err(MergeError::Stopped);
                    }
                    let (input, entry) = (next.input, next.entry);
                    let Some(page) = inputs[input].take(&entry)? else { return Ok(Some(Wants(input))) };
                    let range = entry.range.millis();
                    let of_input = |cut: &InputCut| cut.input == input && cut.cut.touches(range);
                    let cut = self.cuts.iter().position(of_input);
                    if cut.is_some_and(|at| self.cuts[at].cut.covers(range)) {
                        self.omitted += u64::from(entry.lines);
                        self.waiting.pop();
                        continue;
                    }
                    if cut.is_none() && head.is_none() && self.may_take_over(&inputs[input]) {
                        self.waiting.pop();
                        output.take_over(&page)?;
                        continue;
                    }
                    let mut lines = Lines::default();
                    let read = page.read_lines(&Needles::default(), &mut lines);
                    read.map_err(|e| inputs[input].damaged(e))?;
                    if let Some(cut) = cut {
                        self.omitted += self.cuts[cut].running.take_out(&mut lines) as u64;
                    }
                    self.open(lines)?;
                }
                _ => self.write(output)?,
            }
        }
    }

    /// Whether the next page may become one of the new block as it is, if none is open: a merge has made
    /// it, it has no times in common with others, and is not small.
    fn may_take_over(&self, input: &Input) -> bool {
        let Some((next, behind)) = self.waiting.split_last() else { return false };
        let alone = behind.last().is_none_or(|page| page.entry.range.start > next.entry.range.end)
            && self.repeats.time().is_none_or(|time| time < next.entry.range.start);
        alone && input.level > 0 && self.shape.is_large(next.entry.text_bytes)
    }

    /// Opens the next page, of which these lines are left.
    fn open(&mut self, lines: Lines) -> Result<(), MergeError> {
        let Some(Waiting { input, number, .. }) = self.waiting.pop() else { return Ok(()) };
        let Some(first) = lines.timestamps.first() else { return Ok(()) };
        let place = (*first, input, number);
        self.open_bytes += lines.heap_bytes() as u64;
        self.open_peak = self.open_peak.max(self.open_bytes);
        if self.open_bytes > self.open_limit {
            let (what, needed) = ("pages that overlap", self.open_bytes);
            return Err(MergeError::TooLarge { what, needed, limit: self.open_limit });
        }
        let page = OpenPage { lines, next: 0 };
        let at = match self.free.pop() {
            Some(at) => {
                self.pages[at] = page;
                at
            }
            None => {
                self.pages.push(page);
                self.pages.len() - 1
            }
        };
        self.heads.push(Reverse((place, at)));
        Ok(())
    }

    /// Writes lines of the page that has the next one, up to where another page is next.
    fn write(&mut self, output: &mut Output) -> Result<(), MergeError> {
        let Some(Reverse(((mut time, input, number), at))) = self.heads.pop() else { return Ok(()) };
        let until =
            self.heads.peek().map_or((Nanos::MAX, usize::MAX, usize::MAX), |Reverse((place, _))| *place);
        let opens = self.waiting.last().map(|page| page.entry.range.start);
        let OpenPage { lines, next } = &mut self.pages[at];
        loop {
            if !self.repeats.is_repeat(time, lines.line(*next)) {
                output.push(lines, *next)?;
            }
            *next += 1;
            match lines.timestamps.get(*next) {
                Some(following) => time = *following,
                None => break,
            }
            if (time, input, number) > until || opens.is_some_and(|start| start <= time) {
                self.heads.push(Reverse(((time, input, number), at)));
                return Ok(());
            }
        }
        self.open_bytes -= lines.heap_bytes() as u64;
        self.pages[at] = OpenPage::default();
        self.free.push(at);
        Ok(())
    }

    /// Lines of all streams so far that were left out.
    pub fn repeats(&self) -> u64 {
        self.repeats.count
    }

    /// Lines of all streams so far that were to be left out.
    pub fn omitted(&self) -> u64 {
        self.omitted
    }

    pub fn open_peak(&self) -> u64 {
        self.open_peak
    }
}
