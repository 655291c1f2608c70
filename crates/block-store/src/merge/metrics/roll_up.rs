//! Writes of each series figures of its samples.

use super::{
    gather::Gathered,
    input::Input,
    one_series::{SeriesMerge, heap_bytes},
    output::Output,
};
use crate::{merge::MergeError, rollup::FiguresMaker};
use service_api::SampleBuffer;

#[derive(Default)]
pub struct RollUp {
    maker: FiguresMaker,
    /// All of one series; reused.
    given: SampleBuffer,
    figures: SampleBuffer,
    samples: u64,
}

impl RollUp {
    /// Writes the figures of what the pages hold that were gathered.
    pub fn series(
        &mut self,
        series: &mut SeriesMerge,
        gathered: &mut Gathered,
        inputs: &[Input],
        output: &mut Output,
    ) -> Result<(), MergeError> {
        let given = &mut self.given;
        given.clear();
        series.read(gathered, inputs, |merged| {
            given.timestamps.extend_from_slice(&merged.timestamps);
            given.values.extend_from_slice(&merged.values);
            if merged.histograms.is_empty() { Ok(()) } else { Err(MergeError::Histograms) }
        })?;
        self.samples += given.timestamps.len() as u64;
        self.figures.clear();
        self.maker.make(&given.timestamps, &given.values, &mut self.figures);
        if self.figures.timestamps.is_empty() { Ok(()) } else { output.write(&self.figures) }
    }

    /// Of which figures were made.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    pub fn heap_bytes(&self) -> u64 {
        (heap_bytes(&self.given) + heap_bytes(&self.figures) + self.maker.heap_bytes()) as u64
    }
}
