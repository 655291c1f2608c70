//! Merges blocks of logs.
//!
//! Streams come in label order, and the lines of one in time order; of one time in the order of their
//! blocks, as in reads, and within a block as they lie there. A line that repeats one of its stream with its
//! time and text is left out, with its metadata, as everywhere else (`Lines::normalize`). So what comes out
//! depends on the set of inputs alone, and a merge of what was merged gives the same bytes again.

mod input;
mod one_stream;
mod output;
mod repeats;

use super::{
    Merge, MergeError, MergeFigures, Tuning,
    indexes::{Opened, read_indexes},
    labels::LabelMerge,
    memory::Memory,
    outputs::Outputs,
    pieces::Pieces,
    read_ahead::{ReadAhead, SequentialReader},
    scratch::Room,
    work::{Step, Work, drive},
};
use crate::block::{LOGS_MAGIC, LogsFooter, blocking};
use input::Input;
use one_stream::{StreamMerge, Wants};
use output::Output;
pub(super) use output::PageShape;
use service_api::{Error, Omit};
use std::sync::Arc;

pub(super) async fn merge(
    merge: Merge<'_>,
    tuning: Tuning,
    outputs: &mut Outputs<'_>,
) -> Result<MergeFigures, MergeError> {
    let (work, readers) = begin(merge, tuning).await?;
    drive(work, readers, outputs).await
}

/// Reads the indexes, divides the memory, and begins to read ahead.
async fn begin(merge: Merge<'_>, tuning: Tuning) -> Result<(LogsMerge, Vec<SequentialReader>), MergeError> {
    let room = Room::of(merge.config, merge.inputs);
    let room = blocking(move || room.check().map(|()| room)).await??;
    let (opened, memory) = read_indexes::<LogsFooter>(merge, tuning.max_run).await?;
    let read_ahead = ReadAhead::new(&memory);
    let (mut tables, mut merged, mut readers) = (Vec::new(), Vec::new(), Vec::new());
    for (Opened { stored, labels, pages }, meta) in opened.into_iter().zip(merge.inputs) {
        let pieces = pages.all().iter().map(|page| (page.len, page.checksum));
        let pieces = Pieces::new(LOGS_MAGIC.len() as u64, pieces);
        tables.push((stored.block, labels));
        merged.push(Input::new(stored.block, meta.level, pages));
        readers.push(SequentialReader::new(stored, pieces, &read_ahead));
    }
    let work = LogsMerge {
        labels: LabelMerge::new(tables)?,
        inputs: merged,
        stream: StreamMerge::new(memory.open, tuning.lines, merge.stop.clone()),
        omissions: merge.inputs.iter().map(|meta| merge.omissions.get(&meta.id).cloned()).collect(),
        output: Output::new(room, tuning.lines),
        rows: Vec::new(),
        read_ahead,
        memory,
    };
    Ok((work, readers))
}

/// A merge between two waits.
struct LogsMerge {
    inputs: Vec<Input>,
    labels: LabelMerge,
    stream: StreamMerge,
    output: Output,
    /// Reused from stream to stream.
    rows: Vec<(usize, u32)>,
    /// Of each input.
    omissions: Vec<Option<Arc<dyn Omit>>>,
    read_ahead: ReadAhead,
    memory: Memory,
}

impl Work for LogsMerge {
    type Wants = Wants;
    type Readers = Vec<SequentialReader>;

    fn run(&mut self) -> Result<Step<Wants>, MergeError> {
        loop {
            if let Some(wants) = self.stream.run(&mut self.inputs, &mut self.output)? {
                return Ok(Step::Read(wants));
            }
            self.output.end_page()?;
            if self.output.is_full() {
                return self.output.end_block().map(Step::Put);
            }
            let Some(labels) = self.labels.next(&mut self.rows)? else { break };
            if self.stream.begin(&labels, &self.inputs, &self.rows, &self.omissions) {
                self.output.begin_stream(labels);
            }
        }
        match self.output.is_open() {
            true => self.output.end_block().map(Step::Put),
            false => self.figures().map(Step::Done),
        }
    }

    async fn read(
        &mut self,
        readers: &mut Vec<SequentialReader>,
        Wants(input): Wants,
    ) -> Result<(), MergeError> {
        let arrived = readers[input].next().await?;
        let input = &mut self.inputs[input];
        let missing = || Error::internal(format!("block {} has less than its index says", input.block));
        input.arrived = Some(arrived.ok_or_else(missing)?);
        Ok(())
    }
}

impl LogsMerge {
    fn figures(&self) -> Result<MergeFigures, MergeError> {
        let mut figures = self.output.figures();
        figures.repeats = self.stream.repeats();
        let written = figures.samples;
        figures.omitted = self.stream.omitted();
        figures.samples = self.inputs.iter().map(Input::lines).sum();
        figures.check(written)?;
        if !self.inputs.iter().all(Input::is_used_up) {
            return Err(Error::internal("a merge went wrong: not all pages were used").into());
        }
        figures.index_bytes = self.memory.index_bytes;
        figures.open_peak = self.stream.open_peak();
        (figures.read_ahead_peak, figures.read_ahead_limit) =
            (self.read_ahead.peak(), self.memory.read_ahead);
        Ok(figures)
    }
}
