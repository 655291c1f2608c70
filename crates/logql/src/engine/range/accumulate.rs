//! What is kept of lines until a range aggregation can be computed: counts, or samples.

use super::{
    functions::{Function, Window, seconds},
    slide::slide,
    windows::Windows,
};
use model::{Labels, Nanos};
use service_api::{ReadContext, Reservation, Result};
use std::{
    collections::{HashMap, hash_map::Entry},
    ops::Range,
};
use vectors::{Row, Rows, absent, row_bytes};

/// What a range aggregation makes of its lines.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Count,
    /// Lines in a second.
    Rate,
    Bytes,
    BytesRate,
    /// A step has a value if it has no line.
    Absent,
    /// Needs the samples.
    Of(Function),
}

/// What is known of one series so far.
pub(super) struct Series {
    pub labels: Labels,
    kept: Kept,
}

enum Kept {
    /// Lines and their bytes by the steps in whose windows they are: what a step has more than
    /// the one before it.
    Changes(Vec<Change>),
    Samples(Vec<(Nanos, f64)>),
}

#[derive(Clone, Copy, Default)]
struct Change {
    lines: i64,
    bytes: i64,
}

/// The series that one thread found, by its numbers for them.
pub(super) struct Accumulator {
    kind: Kind,
    steps: usize,
    series: Vec<Series>,
    held: Reservation,
}

impl Accumulator {
    pub fn new(ctx: &ReadContext, kind: Kind, steps: usize) -> Result<Self> {
        Ok(Self { kind, steps, series: Vec::new(), held: ctx.budget.reserve(0)? })
    }

    pub fn len(&self) -> usize {
        self.series.len()
    }

    /// The next series; it gets the next number.
    pub fn start(&mut self, labels: Labels) -> Result<()> {
        let kept = match self.kind {
            Kind::Of(_) => Kept::Samples(Vec::new()),
            _ => {
                self.held.grow((self.steps + 1).saturating_mul(size_of::<Change>()))?;
                Kept::Changes(vec![Change::default(); self.steps + 1])
            }
        };
        // The labels are also the key by which the series is found again.
        self.held.grow(size_of::<Series>() + 2 * labels.heap_bytes())?;
        self.series.push(Series { labels, kept });
        Ok(())
    }

    /// Lines of a series that are all in the windows of the same steps.
    pub fn add(&mut self, series: usize, steps: Range<usize>, lines: u64, bytes: u64) {
        if let Kept::Changes(changes) = &mut self.series[series].kept
            && !steps.is_empty()
        {
            changes[steps.start].lines += lines as i64;
            changes[steps.start].bytes += bytes as i64;
            changes[steps.end].lines -= lines as i64;
            changes[steps.end].bytes -= bytes as i64;
        }
    }

    pub fn sample(&mut self, series: usize, time: Nanos, value: f64) -> Result<()> {
        if let Kept::Samples(samples) = &mut self.series[series].kept {
            if samples.len() == samples.capacity() {
                let more = samples.len().max(16);
                self.held.grow(more * size_of::<(Nanos, f64)>())?;
                samples.reserve_exact(more);
            }
            samples.push((time, value));
        }
        Ok(())
    }
}

/// Puts together what all threads found, and computes the aggregation at every step. Rows come
/// sorted by labels.
pub(super) fn finish(ctx: &ReadContext, found: Vec<Accumulator>, windows: &Windows) -> Result<Rows> {
    let Some(kind) = found.first().map(|first| first.kind) else { return Ok(Rows::default()) };
    let mut by_labels: HashMap<Labels, Kept> = HashMap::new();
    // Given back when the rows are there.
    let mut inputs = Vec::new();
    for accumulator in found {
        inputs.push(accumulator.held);
        for Series { labels, kept } in accumulator.series {
            match by_labels.entry(labels) {
                Entry::Vacant(vacant) => {
                    vacant.insert(kept);
                }
                Entry::Occupied(mut known) => known.get_mut().merge(kept),
            }
        }
    }
    let mut series: Vec<_> = by_labels.into_iter().map(|(labels, kept)| Series { labels, kept }).collect();
    series.sort_unstable_by(|a, b| a.labels.cmp(&b.labels));
    let mut held = ctx.budget.reserve(0)?;
    let mut rows = Vec::with_capacity(series.len());
    let mut scratch = Vec::new();
    for Series { labels, kept } in series {
        ctx.check()?;
        held.grow(row_bytes(&labels, windows.count()))?;
        let values = match kept {
            Kept::Changes(changes) => from_changes(kind, &changes, windows),
            Kept::Samples(samples) => from_samples(ctx, kind, samples, windows, &mut scratch)?,
        };
        rows.push(Row::floats(labels, values));
    }
    Ok(Rows { rows, held: vec![held] })
}

impl Kept {
    fn merge(&mut self, other: Self) {
        match (self, other) {
            (Self::Changes(changes), Self::Changes(others)) => {
                for (change, other) in changes.iter_mut().zip(others) {
                    change.lines += other.lines;
                    change.bytes += other.bytes;
                }
            }
            (Self::Samples(samples), Self::Samples(others)) => samples.extend(others),
            // All accumulators of an aggregation are of one kind.
            (Self::Changes(_), Self::Samples(_)) | (Self::Samples(_), Self::Changes(_)) => {}
        }
    }
}

fn from_changes(kind: Kind, changes: &[Change], windows: &Windows) -> Vec<f64> {
    let per = seconds(windows.range());
    let mut sum = Change::default();
    let value = |change: &Change| {
        sum.lines += change.lines;
        sum.bytes += change.bytes;
        if sum.lines == 0 {
            return absent();
        }
        match kind {
            Kind::Rate => sum.lines as f64 / per,
            Kind::Bytes => sum.bytes as f64,
            Kind::BytesRate => sum.bytes as f64 / per,
            Kind::Count | Kind::Absent | Kind::Of(_) => sum.lines as f64,
        }
    };
    changes[..windows.count()].iter().map(value).collect()
}

/// A window of so many samples is worth asking whether the query should go on.
const LONG_WINDOW: usize = 4096;
/// Windows slide where looking at each of them would look at each sample more often.
const SLIDES_FROM: usize = 4;

fn from_samples(
    ctx: &ReadContext,
    kind: Kind,
    mut samples: Vec<(Nanos, f64)>,
    windows: &Windows,
    scratch: &mut Vec<f64>,
) -> Result<Vec<f64>> {
    let Kind::Of(function) = kind else { return Ok(vec![absent(); windows.count()]) };
    // Of one time, those of the earlier stream stay first.
    samples.sort_by_key(|(time, _)| *time);
    let (mut first, mut behind, mut covered) = (0, 0, 0);
    let mut windowed = Vec::new();
    for step in 0..windows.count() {
        let (start, end) = (windows.start(step), windows.end(step));
        behind += samples[behind..].partition_point(|(time, _)| *time <= end);
        first += samples[first..behind].partition_point(|(time, _)| *time < start);
        if first < behind {
            covered += behind - first;
            windowed.push((step, first..behind));
        }
    }
    let mut values = vec![absent(); windows.count()];
    if covered > SLIDES_FROM * samples.len() {
        let ranges: Vec<_> = windowed.iter().map(|(_, range)| range.clone()).collect();
        if let Some(slid) = slide(function, &samples, &ranges, windows.range()) {
            windowed.iter().zip(slid).for_each(|((step, _), value)| values[*step] = value);
            return Ok(values);
        }
    }
    for (step, range) in windowed {
        if range.len() >= LONG_WINDOW {
            ctx.check()?;
        }
        let window = Window { samples: &samples[range], end: windows.end(step), range: windows.range() };
        values[step] = function.apply(window, scratch);
    }
    Ok(values)
}
