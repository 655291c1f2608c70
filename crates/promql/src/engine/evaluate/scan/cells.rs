//! Reads series piece by piece: figures where there are rollups, samples elsewhere.

use super::source::Joined;
use crate::engine::{
    kernel::{Cells, remove_stale},
    plan::Figures,
    rollups::Source,
};
use service_api::{Aggregate, Result, SampleBuffer};

pub(super) struct Pieces<'a> {
    joined: &'a Joined<'a>,
    scratch: SampleBuffer,
    /// Of the series that was read last.
    pub cells: Cells,
    /// The longest buckets that it has figures of.
    pub resolution: Option<i64>,
}

impl<'a> Pieces<'a> {
    pub fn new(joined: &'a Joined<'a>) -> Self {
        Self { joined, scratch: SampleBuffer::default(), cells: Cells::default(), resolution: None }
    }

    pub fn figures(&self) -> Figures {
        self.joined.cover.figures
    }

    /// Whether what was read gives other digits than samples do; `has_several_resets` says so of some bucket.
    pub fn is_inexact(&self, has_several_resets: bool) -> bool {
        let figures = self.figures();
        self.resolution.is_some()
            && (figures.adds_values() || figures.adds_drops() && has_several_resets)
            && !self.joined.cover.is_exact
    }

    /// Reads a series; how much that was. None if there are native histograms, or not all figures of each
    /// bucket: then only samples do.
    pub fn read(&mut self, at: usize) -> Result<Option<u64>> {
        self.cells.clear();
        self.resolution = None;
        let aggregates = self.figures().aggregates();
        let (mut set, mut count) = (0, 0);
        for piece in &self.joined.cover.pieces {
            match piece.source {
                Source::Samples(_) => {
                    self.read_from(at, set, piece.range)?;
                    count += self.scratch.timestamps.len() + self.scratch.histograms.len();
                    set += 1;
                    if !self.scratch.histograms.is_empty() {
                        return Ok(None);
                    }
                    self.add_samples(aggregates);
                }
                Source::Rollups { resolution, .. } => {
                    let first = self.cells.times.len();
                    for (nth, aggregate) in aggregates.iter().enumerate() {
                        self.read_from(at, set, piece.range)?;
                        count += self.scratch.timestamps.len();
                        set += 1;
                        if nth == 0 {
                            self.cells.times.extend_from_slice(&self.scratch.timestamps);
                        }
                        if self.cells.times[first..] != self.scratch.timestamps {
                            return Ok(None);
                        }
                        self.cells.column_mut(*aggregate).extend_from_slice(&self.scratch.values);
                    }
                    if self.cells.times.len() > first {
                        self.resolution = self.resolution.max(Some(resolution));
                    }
                }
            }
        }
        Ok(Some(count as u64))
    }

    /// Hands over a function's only figure in the place of samples.
    pub fn only_figure(&mut self, samples: &mut SampleBuffer) {
        samples.clear();
        if let [aggregate] = self.figures().aggregates() {
            std::mem::swap(&mut samples.timestamps, &mut self.cells.times);
            std::mem::swap(&mut samples.values, self.cells.column_mut(*aggregate));
        }
    }

    pub fn heap_bytes(&self) -> usize {
        (self.scratch.timestamps.capacity() + self.scratch.values.capacity()) * 8 + self.cells.heap_bytes()
    }

    fn read_from(&mut self, at: usize, set: usize, range: model::TimeRange) -> Result<()> {
        self.scratch.clear();
        self.joined.series(at, set).map_or(Ok(()), |series| series.data.read(range, &mut self.scratch))
    }

    fn add_samples(&mut self, aggregates: &[Aggregate]) {
        let SampleBuffer { timestamps, values, .. } = &mut self.scratch;
        // Of stale markers a selector wants to know.
        if aggregates != [Aggregate::Latest] {
            remove_stale(timestamps, values);
        }
        for (time, value) in timestamps.iter().zip(values) {
            self.cells.push(aggregates, *time, *value);
        }
    }
}
