//! Merges blocks of metrics.
//!
//! Series come in label order, and the entries of one in time order, floats and histograms each on their
//! own. Of entries of one kind and time that of the first input stays, with its start timestamp; inputs count
//! in the order in which reads merge them. So what comes out depends on the set of inputs alone, reads find
//! what they found before, and a merge of what was merged gives the same bytes again.
//!
//! A series goes through in four steps: its pages are gathered from all inputs, encoded (`gather.rs`); those
//! that repeat others are dropped unread (`overlaps.rs`); others are taken over as they are, or are
//! decoded and merged (`one_series.rs`); and what comes out goes to disk (`output.rs`).

mod gather;
mod input;
mod one_series;
mod output;
mod overlaps;
mod roll_up;
mod stored_page;
mod times_cache;

use super::{
    Made, Merge, MergeError, MergeFigures, Tuning,
    indexes::{Opened, read_indexes},
    labels::LabelMerge,
    memory::Memory,
    outputs::Outputs,
    pieces::{Pieces, Run},
    read_ahead::{ReadAhead, SequentialReader},
    scratch::Room,
    stored::Stored,
    work::{Step, Work, drive},
};
use crate::{
    block::{MetricsFooter, PageLimits, blocking},
    rollup::ERA,
};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use gather::Gathered;
use input::Input;
use one_series::SeriesMerge;
use output::Output;
use roll_up::RollUp;
use service_api::Omit;
use std::sync::Arc;
use times_cache::TimesCache;
use tokio_util::sync::CancellationToken;

/// How pages of a merged block are made.
#[derive(Clone, Copy, Debug)]
pub struct PageShape {
    /// A page has entries of one such stretch of time alone, in milliseconds; stretches begin at the Unix
    /// epoch, for all series alike. So the series of one target go on to share vectors of timestamps, of which
    /// each takes several times what values do, behind a page in which one of them differs from the others.
    pub span: i64,
    pub limits: PageLimits,
}

impl PageShape {
    /// Six hours: 1,440 scrapes every 15 s. Of a day's blocks of two hours (`benches/merge.rs`) pages of six
    /// hours save 0.010 bytes a sample and those of a day 0.012, which cost four times as much to read at one
    /// moment.
    pub const MERGED: Self = Self { span: 6 * 3_600_000, limits: PageLimits::BLOCKS };

    /// Of rollups a page has one figure.
    pub const ROLLED_UP: Self = Self { span: ERA, limits: PageLimits::BLOCKS };
}

/// Requests for vectors of timestamps that are under way at once.
const REQUESTS: usize = 16;

/// What is to be read of an input.
pub enum Want {
    /// The values that come next.
    Values(usize),
    /// Vectors of timestamps.
    Times(usize, Run),
}

pub(super) async fn merge(
    made: Made,
    merge: Merge<'_>,
    tuning: Tuning,
    outputs: &mut Outputs<'_>,
) -> Result<MergeFigures, MergeError> {
    let (work, readers) = begin(made, merge, tuning).await?;
    drive(work, readers, outputs).await
}

/// Reads the indexes, divides the memory, and begins to read ahead.
async fn begin(made: Made, merge: Merge<'_>, tuning: Tuning) -> Result<(MetricsMerge, Readers), MergeError> {
    let room = Room::of(merge.config, merge.inputs);
    let room = blocking(move || room.check().map(|()| room)).await??;
    let (opened, memory) = read_indexes::<MetricsFooter>(merge, tuning.max_run).await?;
    let read_ahead = ReadAhead::new(&memory);
    let mut readers = Readers { values: Vec::new(), times: Vec::new() };
    let (mut tables, mut inputs) = (Vec::new(), Vec::new());
    for Opened { stored, labels, pages } in opened {
        let (values_start, times_start) = pages.starts_of_groups();
        let values = Pieces::new(values_start, pages.value_groups());
        let times = Arc::new(Pieces::new(times_start, pages.time_groups()));
        tables.push((stored.block, labels));
        inputs.push(Input::new(stored.block, pages, Arc::clone(&times)));
        readers.times.push((stored.clone(), times));
        readers.values.push(SequentialReader::new(stored, values, &read_ahead));
    }
    // What is kept of the inputs' vectors may take half of what is not read ahead of its use.
    let times = TimesCache::new(memory.open / 2, inputs.len());
    let (roll_up, shape) = match made {
        Made::Merged => (None, tuning.samples),
        Made::RolledUp => (Some(RollUp::default()), PageShape::ROLLED_UP),
    };
    let work = MetricsMerge {
        labels: LabelMerge::new(tables)?,
        series: SeriesMerge::new(memory.open - memory.open / 2, tuning.samples),
        output: Output::new(room, shape),
        roll_up,
        gathered: Gathered::default(),
        rows: Vec::new(),
        omissions: merge.inputs.iter().map(|meta| merge.omissions.get(&meta.id).cloned()).collect(),
        stop: merge.stop.clone(),
        inputs,
        times,
        read_ahead,
        memory,
    };
    Ok((work, readers))
}

/// Of each input what reads its values, one group behind the other, and where its vectors are.
struct Readers {
    values: Vec<SequentialReader>,
    times: Vec<(Stored, Arc<Pieces>)>,
}

/// A merge between two waits.
struct MetricsMerge {
    inputs: Vec<Input>,
    labels: LabelMerge,
    times: TimesCache,
    gathered: Gathered,
    series: SeriesMerge,
    /// If not the entries are written but figures of them.
    roll_up: Option<RollUp>,
    output: Output,
    /// Reused from series to series.
    rows: Vec<(usize, u32)>,
    /// Of each input.
    omissions: Vec<Option<Arc<dyn Omit>>>,
    stop: CancellationToken,
    read_ahead: ReadAhead,
    memory: Memory,
}

impl Work for MetricsMerge {
    type Wants = Vec<Want>;
    type Readers = Readers;

    fn run(&mut self) -> Result<Step<Vec<Want>>, MergeError> {
        loop {
            if self.stop.is_cancelled() {
                return Err(MergeError::Stopped);
            }
            let wants = self.gathered.gather(&mut self.inputs, &mut self.times)?;
            if !wants.is_empty() {
                return Ok(Step::Read(wants));
            }
            if let Some(labels) = self.gathered.take_labels() {
                let (series, gathered) = (&mut self.series, &mut self.gathered);
                match &mut self.roll_up {
                    None => series.merge(gathered, &self.inputs, &mut self.output)?,
                    Some(roll_up) => roll_up.series(series, gathered, &self.inputs, &mut self.output)?,
                }
                self.output.end_series(&labels)?;
                let index = self.output.index_bytes().saturating_sub(self.memory.new_index());
                let figures = self.roll_up.as_ref().map_or(0, RollUp::heap_bytes);
                self.series.count_open(&self.gathered, index + self.times.excess() + figures)?;
            }
            if self.output.is_full() {
                return self.output.end_block().map(Step::Put);
            }
            let Some(labels) = self.labels.next(&mut self.rows)? else { break };
            let (rows, omissions) = (&self.rows, &self.omissions);
            self.gathered.begin(labels, rows, &self.labels, &mut self.inputs, omissions)?;
        }
        match self.output.is_open() {
            true => self.output.end_block().map(Step::Put),
            false => self.figures().map(Step::Done),
        }
    }

    async fn read(&mut self, readers: &mut Readers, wants: Vec<Want>) -> Result<(), MergeError> {
        let mut runs = Vec::new();
        for want in wants {
            match want {
                Want::Values(number) => {
                    let arrived = readers.values[number].next().await?;
                    self.inputs[number].arrived(arrived)?;
                }
                Want::Times(number, run) => runs.push((number, run)),
            }
        }
        self.times.make_room(runs.iter().map(|(_, run)| run.len()).sum());
        let reads = runs.into_iter().map(|(number, run)| read_times(&readers.times[number], number, run));
        let mut reads = stream::iter(reads).buffer_unordered(REQUESTS);
        while let Some((number, run, groups)) = reads.try_next().await? {
            self.times.insert(number, run, groups);
        }
        Ok(())
    }
}

async fn read_times(
    (stored, pieces): &(Stored, Arc<Pieces>),
    number: usize,
    run: Run,
) -> Result<(usize, Run, Vec<Bytes>), MergeError> {
    let (splitting, pieces) = (run.clone(), Arc::clone(pieces));
    let groups = stored.read(run.bytes.clone(), move |bytes| pieces.split(&splitting, &bytes)).await?;
    Ok((number, run, groups))
}

impl MetricsMerge {
    fn figures(&self) -> Result<MergeFigures, MergeError> {
        self.inputs.iter().try_for_each(Input::check_end)?;
        let mut figures = self.output.figures();
        let written = self.roll_up.as_ref().map_or(figures.samples, RollUp::samples);
        figures.repeats = self.series.repeats();
        figures.omitted = self.series.omitted() + self.gathered.omitted;
        figures.samples = self.inputs.iter().map(Input::samples).sum();
        figures.check(written)?;
        figures.index_bytes = self.memory.index_bytes;
        figures.open_peak = self.series.open_peak() + self.times.peak();
        (figures.read_ahead_peak, figures.read_ahead_limit) =
            (self.read_ahead.peak(), self.memory.read_ahead);
        Ok(figures)
    }
}
