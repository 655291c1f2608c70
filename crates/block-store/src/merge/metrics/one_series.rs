//! Merges the pages of one series: as little of them as overlaps is taken apart.

use super::{
    PageShape,
    gather::Gathered,
    input::Input,
    output::Output,
    overlaps::{drop_repeats, first_group, is_as_merged, sort},
    stored_page::{Kind, StoredPage},
};
use crate::merge::MergeError;
use chunk::histogram_items;
use model::HistogramSample;
use service_api::{SampleBuffer, read_merged};
use std::ops::Range;

pub struct SeriesMerge {
    shape: PageShape,
    /// What a group of pages holds.
    merged: SampleBuffer,
    /// And one page of it.
    one: SampleBuffer,
    repeats: u64,
    omitted: u64,
    open_peak: u64,
    open_limit: u64,
}

impl SeriesMerge {
    pub fn new(open_limit: u64, shape: PageShape) -> Self {
        let (merged, one) = Default::default();
        Self { shape, merged, one, repeats: 0, omitted: 0, open_peak: 0, open_limit }
    }

    /// Writes what the pages hold that were gathered.
    pub fn merge(
        &mut self,
        gathered: &mut Gathered,
        inputs: &[Input],
        output: &mut Output,
    ) -> Result<(), MergeError> {
        sort(&mut gathered.pages);
        self.repeats += drop_repeats(&mut gathered.pages, &gathered.bytes);
        let mut from = 0;
        while from < gathered.pages.len() {
            let to = from + first_group(&gathered.pages[from..], &self.shape);
            let as_merged = is_as_merged(&gathered.pages[from..to], &self.shape);
            match as_merged {
                true => take_over(&gathered.pages[from..to], gathered, inputs, output)?,
                false => {
                    self.decode(gathered, from..to, inputs)?;
                    self.write(&gathered.pages[from..to], gathered, inputs, output)?;
                    self.merged.clear();
                }
            }
            from = to;
        }
        Ok(())
    }

    /// Hands out what the pages hold that were gathered, decoded: floats in time order, and then histograms.
    pub fn read(
        &mut self,
        gathered: &mut Gathered,
        inputs: &[Input],
        mut each: impl FnMut(&SampleBuffer) -> Result<(), MergeError>,
    ) -> Result<(), MergeError> {
        sort(&mut gathered.pages);
        self.repeats += drop_repeats(&mut gathered.pages, &gathered.bytes);
        let mut from = 0;
        while from < gathered.pages.len() {
            let to = from + first_group(&gathered.pages[from..], &self.shape);
            self.decode(gathered, from..to, inputs)?;
            each(&self.merged)?;
            self.merged.clear();
            from = to;
        }
        Ok(())
    }

    /// Puts together what a group of pages holds.
    fn decode(
        &mut self,
        gathered: &mut Gathered,
        group: Range<usize>,
        inputs: &[Input],
    ) -> Result<(), MergeError> {
        // Of one time those of the first input stay.
        gathered.pages[group.clone()].sort_unstable_by_key(|page| (page.input, page.range.start));
        let (gathered, mut entries) = (&*gathered, 0);
        for page in &gathered.pages[group] {
            let mut gone = 0;
            let decode = |out: &mut SampleBuffer| {
                let before = (out.timestamps.len(), out.histograms.len());
                page.decode(&gathered.bytes, out)?;
                if let Some(cut) = gathered.cut(page.input).filter(|_| page.is_cut) {
                    gone = cut.take_out(out, before) as u64;
                }
                Ok(())
            };
            read_merged(&mut self.merged, (0, 0), decode).map_err(|e| inputs[page.input].damaged(e))?;
            entries += u64::from(page.count) - gone;
            self.omitted += gone;
            self.count_open(gathered, 0)?;
        }
        self.repeats += entries - (self.merged.timestamps.len() + self.merged.histograms.len()) as u64;
        Ok(())
    }

    /// Writes what was put together; if one of the pages holds the same, that. Pages are in the order of their
    /// inputs.
    fn write(
        &mut self,
        group: &[StoredPage],
        gathered: &Gathered,
        inputs: &[Input],
        output: &mut Output,
    ) -> Result<(), MergeError> {
        let entries = self.merged.timestamps.len() + self.merged.histograms.len();
        if entries == 0 {
            return Ok(());
        }
        for page in group.iter().filter(|page| page.count as usize == entries && !page.is_cut) {
            let one = std::slice::from_ref(page);
            // All that the first input has is there: if it is as many, it is all.
            let is_first = page.input == group[0].input;
            if is_as_merged(one, &self.shape) && (is_first || self.is_merged(page, gathered, inputs)?) {
                return take_over(one, gathered, inputs, output);
            }
        }
        output.write(&self.merged)
    }

    /// Whether a page of floats holds what was put together, to the bit; of histograms that is not known.
    fn is_merged(
        &mut self,
        page: &StoredPage,
        gathered: &Gathered,
        inputs: &[Input],
    ) -> Result<bool, MergeError> {
        if page.kind == Kind::Histogram {
            return Ok(false);
        }
        self.one.clear();
        page.decode(&gathered.bytes, &mut self.one).map_err(|e| inputs[page.input].damaged(e))?;
        let (merged, one) = (&self.merged, &self.one);
        let bits = merged.values.iter().zip(&one.values).map(|(a, b)| a.to_bits() ^ b.to_bits());
        let (starts, others) = (&merged.starts.floats, &one.starts.floats);
        // No starts say the same as zeros.
        let same_starts = starts == others || starts.iter().chain(others).all(|start| *start == 0);
        Ok(merged.timestamps == one.timestamps
            && bits.fold(0, |all, differ| all | differ) == 0
            && same_starts)
    }

    /// Counts what is open: the pages that were gathered, what they hold, and `others`.
    pub fn count_open(&mut self, gathered: &Gathered, others: u64) -> Result<(), MergeError> {
        let buffers = heap_bytes(&self.merged) + heap_bytes(&self.one);
        let needed = (gathered.heap_bytes() + buffers) as u64 + others;
        self.open_peak = self.open_peak.max(needed);
        if needed > self.open_limit {
            let what = "the pages of a series, and the new index";
            return Err(MergeError::TooLarge { what, needed, limit: self.open_limit });
        }
        Ok(())
    }

    /// Entries of all series so far that were left out.
    pub fn repeats(&self) -> u64 {
        self.repeats
    }

    /// Entries of all series so far that were to be left out, of pages that stayed.
    pub fn omitted(&self) -> u64 {
        self.omitted
    }

    pub fn open_peak(&self) -> u64 {
        self.open_peak
    }
}

fn take_over(
    pages: &[StoredPage],
    gathered: &Gathered,
    inputs: &[Input],
    output: &mut Output,
) -> Result<(), MergeError> {
    pages.iter().try_for_each(|page| output.take_over(page, &gathered.bytes, &inputs[page.input]))
}

pub fn heap_bytes(samples: &SampleBuffer) -> usize {
    let SampleBuffer { timestamps, values, histograms, starts } = samples;
    let numbers =
        [timestamps.capacity(), values.capacity(), starts.floats.capacity(), starts.histograms.capacity()];
    let items = |sample: &HistogramSample| histogram_items(&sample.histogram) * size_of::<u64>();
    numbers.iter().sum::<usize>() * size_of::<u64>()
        + histograms.capacity() * size_of::<HistogramSample>()
        + histograms.iter().map(items).sum::<usize>()
}
