//! The new blocks: pages go to disk as they come, and what is known of them stays here.

use super::{
    PageShape,
    input::Input,
    stored_page::{Kind, StoredPage},
};
use crate::{
    block::{EncodedTimes, METRICS_MAGIC, PageKind, PageSink, SeriesWriter, WrittenBlock},
    merge::{
        MergeError, MergeFigures,
        outputs::WholeBlock,
        scratch::{Room, Scratch},
    },
};
use chunk::Corrupt;
use model::{Labels, TimeRange, Timestamp};
use service_api::{Error, Result, SampleBuffer};

pub struct Output {
    room: Room,
    shape: PageShape,
    /// The block that is being written, if any.
    block: Option<SeriesWriter<Scratch>>,
    /// What pages that are taken over hold; reused.
    buffer: SampleBuffer,
    /// Entries of all blocks so far count as samples.
    figures: MergeFigures,
}

impl PageSink for Scratch {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        Self::write(self, bytes)
    }
}

impl Output {
    pub fn new(room: Room, shape: PageShape) -> Self {
        let (block, buffer, figures) = Default::default();
        Self { room, shape, block, buffer, figures }
    }

    pub fn figures(&self) -> MergeFigures {
        self.figures
    }

    pub fn is_open(&self) -> bool {
        self.block.is_some()
    }

    /// Whether the block has as much as it should have.
    pub fn is_full(&self) -> bool {
        self.block.as_ref().is_some_and(|block| block.page_bytes() >= self.room.block_bytes)
    }

    /// What the index of the block takes, and as much again for its sections when they are made.
    pub fn index_bytes(&self) -> u64 {
        self.block.as_ref().map_or(0, |block| 2 * block.heap_bytes() as u64)
    }

    fn block(&mut self) -> Result<&mut SeriesWriter<Scratch>, MergeError> {
        if self.block.is_none() {
            let (mut values, times) = (self.room.create()?, self.room.create()?);
            values.write(METRICS_MAGIC)?;
            self.block = Some(SeriesWriter::new(values, times, self.shape.limits));
        }
        Ok(self.block.as_mut().ok_or_else(|| Error::internal("a page of no block"))?)
    }

    /// Adds entries of the next series, which come behind those it has; there is one stretch of time to a page.
    pub fn write(&mut self, samples: &SampleBuffer) -> Result<(), MergeError> {
        let (shape, before) = (self.shape, self.pages()?);
        let SampleBuffer { timestamps, values, histograms, starts } = samples;
        let block = self.block()?;
        let mut from = 0;
        while let Some(first) = timestamps.get(from) {
            let span = shape.span_of(*first);
            let to = from + timestamps[from..].partition_point(|time| shape.span_of(*time) == span);
            block.floats(&timestamps[from..to], &values[from..to], part(&starts.floats, from, to))?;
            from = to;
        }
        from = 0;
        while let Some(first) = histograms.get(from) {
            let span = shape.span_of(first.timestamp);
            let to = from + histograms[from..].partition_point(|h| shape.span_of(h.timestamp) == span);
            block.histograms(&histograms[from..to], part(&starts.histograms, from, to))?;
            from = to;
        }
        self.figures.pages += self.pages()? - before;
        Ok(())
    }

    /// Of the series that is being written.
    fn pages(&mut self) -> Result<u64, MergeError> {
        Ok(self.block()?.pages() as u64)
    }

    /// Adds a page as it is, if it holds what is said of it: what cannot be read is not to go on in a block
    /// that looks sound. `bytes`: of all pages of the series.
    pub fn take_over(&mut self, page: &StoredPage, bytes: &[u8], input: &Input) -> Result<(), MergeError> {
        self.buffer.clear();
        let damaged = |e: Corrupt| input.damaged(e);
        let kind = match page.kind {
            Kind::Float => {
                page.decode_values(bytes, &mut self.buffer.values).map_err(damaged)?;
                PageKind::Float { time: self.times(page, bytes, input)? }
            }
            Kind::Histogram => {
                page.decode_histograms(bytes, &mut self.buffer.histograms).map_err(damaged)?;
                PageKind::Histogram { count: page.count, range: page.range }
            }
        };
        let starts = match page.starts.is_empty() {
            true => None,
            false => Some(self.starts(page, bytes, input)?),
        };
        self.block()?.take_over(&bytes[page.values.clone()], kind, page.count, page.range, starts)?;
        self.figures.pages += 1;
        self.figures.pages_taken_over += 1;
        Ok(())
    }

    fn times(&mut self, page: &StoredPage, bytes: &[u8], input: &Input) -> Result<u32, MergeError> {
        let times = encoded(page, &bytes[page.times.clone()], page.range, true);
        if let Some(number) = self.block()?.known_times(times) {
            return Ok(number);
        }
        let mut decoded = std::mem::take(&mut self.buffer.timestamps);
        page.decode_times(bytes, &mut decoded).map_err(|e| input.damaged(e))?;
        let number = self.block()?.note_times(times, &decoded)?;
        self.buffer.timestamps = decoded;
        Ok(number)
    }

    fn starts(&mut self, page: &StoredPage, bytes: &[u8], input: &Input) -> Result<u32, MergeError> {
        let starts = encoded(page, &bytes[page.starts.clone()], page.starts_range, false);
        if let Some(number) = self.block()?.known_times(starts) {
            return Ok(number);
        }
        let mut decoded = std::mem::take(&mut self.buffer.starts.floats);
        page.decode_starts(bytes, 0, &mut decoded).map_err(|e| input.damaged(e))?;
        let number = self.block()?.note_times(starts, &decoded)?;
        self.buffer.starts.floats = decoded;
        Ok(number)
    }

    pub fn end_series(&mut self, labels: &Labels) -> Result<(), MergeError> {
        match &mut self.block {
            Some(block) if block.may_follow(labels) => block.end_series(labels),
            Some(_) => return Err(Error::internal(format!("series {labels} is not in label order")).into()),
            // It had no pages, nor had any before it.
            None => {}
        }
        Ok(())
    }

    /// The whole block, behind the last series of which another one may begin.
    pub fn end_block(&mut self) -> Result<WholeBlock, MergeError> {
        let nothing = || Error::internal("a new block of nothing");
        let block = self.block.take().ok_or_else(nothing)?;
        let WrittenBlock { values: mut scratch, times, tail, meta } = block.finish()?.ok_or_else(nothing)?;
        scratch.append(times)?;
        tail.iter().try_for_each(|part| scratch.write(part))?;
        self.figures.samples += meta.samples;
        WholeBlock::new(scratch, meta)
    }
}

/// Of starts, if there are any.
fn part(starts: &[Timestamp], from: usize, to: usize) -> &[Timestamp] {
    starts.get(from..to).unwrap_or_default()
}

fn encoded<'a>(page: &StoredPage, bytes: &'a [u8], range: TimeRange, ascending: bool) -> EncodedTimes<'a> {
    EncodedTimes { page: bytes, count: page.count, range, ascending }
}
