//! Merges blocks of logs into one.
//!
//! Streams come in label order, and the lines of one in time order; of one time in the order of their
//! blocks' ids, and within a block as they lie there. A line that repeats one of its stream with its time
//! and text is left out, with its metadata, as everywhere else (`Lines::normalize`). So what comes out
//! depends on the set of inputs alone, and a merge of what was merged gives the same bytes again.

mod input;
mod one_stream;
mod output;
mod repeats;

use super::{
    MergeConfig, MergeError, Merged, NewBlock, describe, in_order,
    labels::LabelMerge,
    memory::{MAX_RUN, Memory},
    pieces::Pieces,
    read_ahead::{ReadAhead, SequentialReader},
    scratch::Scratch,
    stored::Stored,
};
use crate::{
    BlockMeta, Bucket,
    block::{LOGS_MAGIC, LabelTable, StreamPages, blocking},
};
use futures::{StreamExt, TryStreamExt, stream};
use input::Input;
use model::{Signal, TenantId};
use one_stream::{StreamMerge, Wants};
use output::Output;
pub(super) use output::PageShape;
use service_api::Error;
use tokio_util::sync::CancellationToken;

/// Indexes that are read and decoded at once, when it is not known yet how large they are.
const INDEXES_AT_ONCE: usize = 4;

/// An input whose index has been read.
type Opened = (Stored, LabelTable, StreamPages);

/// Makes one block of several of one tenant, and puts it into the bucket. Nothing is listed or removed.
///
/// # Errors
/// A block that is damaged or missing is named. After any error nothing is left of the new block, but that
/// an object of its name may be in the bucket if the last request was answered too late.
pub async fn merge_logs(
    bucket: &Bucket,
    tenant: &TenantId,
    inputs: &[BlockMeta],
    new: NewBlock,
    config: &MergeConfig,
    stop: &CancellationToken,
) -> Result<Merged, MergeError> {
    merge_into(bucket, tenant, inputs, new, config, stop, Tuning::MERGED).await
}

/// What only tests want otherwise.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tuning {
    pub(super) pages: PageShape,
    /// Bytes that are read of an input at once at most.
    pub(super) max_run: u64,
}

impl Tuning {
    pub(super) const MERGED: Self = Self { pages: PageShape::MERGED, max_run: MAX_RUN };
}

pub(super) async fn merge_into(
    bucket: &Bucket,
    tenant: &TenantId,
    inputs: &[BlockMeta],
    new: NewBlock,
    config: &MergeConfig,
    stop: &CancellationToken,
    tuning: Tuning,
) -> Result<Merged, MergeError> {
    // So that work on other threads ends when this future is dropped.
    let stop = stop.child_token();
    let _at_the_end = stop.clone().drop_guard();
    let work = async {
        let inputs = in_order(inputs);
        let (merge, readers) = begin(bucket, tenant, &inputs, new, config, tuning, stop.clone()).await?;
        let (scratch, mut merged) = run(merge, readers).await?;
        merged.meta = describe(merged.meta, new, &inputs);
        bucket.put_parts(&merged.meta.object(tenant, Signal::Logs), scratch.into_parts()?).await?;
        Ok(merged)
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => Err(MergeError::Stopped),
        done = work => done,
    }
}

/// Reads the indexes, divides the memory, and begins to read ahead.
async fn begin(
    bucket: &Bucket,
    tenant: &TenantId,
    inputs: &[BlockMeta],
    new: NewBlock,
    config: &MergeConfig,
    tuning: Tuning,
    stop: CancellationToken,
) -> Result<(LogsMerge, Vec<SequentialReader>), MergeError> {
    let needed = inputs.iter().fold(0u64, |sum, meta| sum.saturating_add(meta.bytes));
    let (folder, name) = (config.scratch.clone(), format!("{}.merge", new.id));
    let scratch = blocking(move || Scratch::create(&folder, &name, needed)).await??;
    let stored = inputs.iter().map(|meta| Stored::new(bucket, tenant, Signal::Logs, meta)).collect();
    let (opened, memory) = read_indexes(stored, config.memory as u64, tuning.max_run).await?;
    let read_ahead = ReadAhead::new(&memory);
    let (mut tables, mut merged, mut readers) = (Vec::new(), Vec::new(), Vec::new());
    for ((stored, labels, pages), meta) in opened.into_iter().zip(inputs) {
        let pieces = pages.all().iter().map(|page| (page.len, page.checksum));
        let pieces = Pieces::new(LOGS_MAGIC.len() as u64, pieces);
        tables.push((stored.block, labels));
        merged.push(Input::new(stored.block, meta.level, pages));
        readers.push(SequentialReader::new(stored, pieces, &read_ahead));
    }
    let merge = LogsMerge {
        labels: LabelMerge::new(tables)?,
        inputs: merged,
        stream: StreamMerge::new(memory.open, tuning.pages, stop),
        output: Output::new(scratch, tuning.pages)?,
        rows: Vec::new(),
        read_ahead,
        memory,
    };
    Ok((merge, readers))
}

/// The indexes of all inputs, and what is left of the memory beside them.
async fn read_indexes(
    inputs: Vec<Stored>,
    limit: u64,
    max_run: u64,
) -> Result<(Vec<Opened>, Memory), MergeError> {
    let count = inputs.len() as u64;
    let (mut opened, mut memory) =
        (Vec::with_capacity(inputs.len()), Memory::divide(limit, count, 0, max_run)?);
    let open = |stored: Stored| async move {
        let (labels, pages) = stored.log_tables().await?;
        Ok::<Opened, MergeError>((stored, labels, pages))
    };
    let mut opening = stream::iter(inputs.into_iter().map(open)).buffered(INDEXES_AT_ONCE);
    let mut bytes = 0;
    while let Some((stored, labels, pages)) = opening.try_next().await? {
        bytes += (labels.heap_bytes() + pages.heap_bytes()) as u64;
        memory = Memory::divide(limit, count, bytes, max_run)?;
        opened.push((stored, labels, pages));
    }
    Ok((opened, memory))
}

/// Computes until an input has to be read, reads it, and so on.
async fn run(
    mut merge: LogsMerge,
    mut readers: Vec<SequentialReader>,
) -> Result<(Scratch, Merged), MergeError> {
    loop {
        let step;
        (merge, step) = blocking(move || {
            let step = merge.run();
            (merge, step)
        })
        .await?;
        match step? {
            Some(Wants(input)) => {
                let arrived = readers[input].next().await?;
                merge.inputs[input].arrived = Some(arrived.ok_or_else(|| {
                    Error::internal(format!(
                        "block {} has less than its index says",
                        merge.inputs[input].block
                    ))
                })?);
            }
            None => return blocking(move || merge.finish()).await?,
        }
    }
}

/// A merge between two reads of its inputs.
struct LogsMerge {
    inputs: Vec<Input>,
    labels: LabelMerge,
    stream: StreamMerge,
    output: Output,
    /// Reused from stream to stream.
    rows: Vec<(usize, u32)>,
    read_ahead: ReadAhead,
    memory: Memory,
}

impl LogsMerge {
    /// Until a page is wanted that is not here, or all is done.
    fn run(&mut self) -> Result<Option<Wants>, MergeError> {
        loop {
            if let Some(wants) = self.stream.run(&mut self.inputs, &mut self.output)? {
                return Ok(Some(wants));
            }
            self.output.end_page()?;
            let Some(labels) = self.labels.next(&mut self.rows)? else { return Ok(None) };
            if self.stream.begin(&self.inputs, &self.rows) {
                self.output.begin_stream(&labels)?;
            }
        }
    }

    fn finish(self) -> Result<(Scratch, Merged), MergeError> {
        let (scratch, meta, mut figures) = self.output.finish()?;
        figures.repeats = self.stream.repeats();
        figures.lines = self.inputs.iter().map(Input::lines).sum();
        // Nothing that went in may be lost without a word.
        if figures.lines != meta.samples + figures.repeats || !self.inputs.iter().all(Input::is_used_up) {
            let (lines, repeats) = (figures.lines, figures.repeats);
            let why = format!("of {lines} lines {} were written and {repeats} repeat others", meta.samples);
            return Err(Error::internal(format!("a merge went wrong: {why}")).into());
        }
        figures.index_bytes = self.memory.index_bytes;
        figures.open_peak = self.stream.open_peak();
        (figures.read_ahead_peak, figures.read_ahead_limit) =
            (self.read_ahead.peak(), self.memory.read_ahead);
        Ok((scratch, Merged { meta, figures }))
    }
}
