//! Sorts samples by series and time, within bounded memory: runs that are sorted lie one behind the other in a
//! file, and are merged.
//!
//! A run has its series in label order: the length of the packed labels and those, the number of samples, and of
//! each its time (difference to the one before) and the bits of its value (8 bytes). Numbers are varints.

use crate::scratch::{Scratch, Written};
use anyhow::{Result, anyhow, bail};
use chunk::{Cursor, put_ivarint, put_uvarint};
use model::Labels;
use service_api::SampleBuffer;
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    ops::Range,
    path::{Path, PathBuf},
};
use tsdb::Sample;

/// Bytes of samples and labels in memory before they make a run.
const MOST_BYTES: usize = 192 << 20;
/// What is read of a run at once.
const STRETCH: u64 = 128 << 10;
/// Samples of one series; it must fit into memory.
const MOST_SAMPLES: usize = 128 << 20;

type Points = Vec<(i64, f64)>;
type Map = HashMap<Labels, Points, foldhash::fast::RandomState>;

pub struct Runs {
    folder: PathBuf,
    most_bytes: usize,
    open: Map,
    open_bytes: usize,
    scratch: Option<Scratch>,
    runs: Vec<Range<u64>>,
}

/// What the merged series are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    pub series: u64,
    /// Samples with the time of one before them, which were left out.
    pub repeated: u64,
}

impl Runs {
    pub fn new(folder: &Path) -> Result<Self> {
        Self::with_memory(folder, MOST_BYTES)
    }

    fn with_memory(folder: &Path, most_bytes: usize) -> Result<Self> {
        let (open, runs) = (Map::default(), Vec::new());
        Ok(Self { folder: folder.to_owned(), most_bytes, open, open_bytes: 0, scratch: None, runs })
    }

    pub fn add(&mut self, sample: Sample) -> Result<()> {
        let Sample { labels, timestamp, value } = sample;
        self.open_bytes += size_of::<(i64, f64)>();
        if let Some(points) = self.open.get_mut(&labels) {
            points.push((timestamp, value));
        } else {
            self.open_bytes += 128 + labels.heap_bytes();
            self.open.insert(labels, vec![(timestamp, value)]);
        }
        if self.open_bytes > self.most_bytes { self.end_run() } else { Ok(()) }
    }

    fn end_run(&mut self) -> Result<()> {
        let scratch = match &mut self.scratch {
            Some(scratch) => scratch,
            none => none.insert(Scratch::create(&self.folder)?),
        };
        let (start, mut record) = (scratch.len(), Vec::new());
        for (labels, points) in sorted(std::mem::take(&mut self.open)) {
            record.clear();
            put_uvarint(&mut record, labels.as_packed().len() as u64);
            record.extend_from_slice(labels.as_packed().as_bytes());
            put_uvarint(&mut record, points.len() as u64);
            let mut before = 0i64;
            for (timestamp, value) in points {
                put_ivarint(&mut record, timestamp.wrapping_sub(before));
                record.extend_from_slice(&value.to_bits().to_le_bytes());
                before = timestamp;
            }
            scratch.write(&record)?;
        }
        self.runs.push(start..scratch.len());
        self.open_bytes = 0;
        Ok(())
    }

    /// Gives each series once, in label order, with its samples in time order. Of samples with one time the one
    /// counts that came first.
    pub fn merge(mut self, mut give: impl FnMut(&Labels, &SampleBuffer) -> Result<()>) -> Result<Merged> {
        let mut merged = Merged::default();
        let mut give = |labels: &Labels, mut points: Points| {
            let before = points.len();
            points.sort_by_key(|(timestamp, _)| *timestamp);
            points.dedup_by_key(|(timestamp, _)| *timestamp);
            merged.series += 1;
            merged.repeated += (before - points.len()) as u64;
            let (timestamps, values) = points.into_iter().unzip();
            give(labels, &SampleBuffer { timestamps, values, ..SampleBuffer::default() })
        };
        if self.scratch.is_none() {
            sorted(self.open).into_iter().try_for_each(|(labels, points)| give(&labels, points))?;
            return Ok(merged);
        }
        self.end_run()?;
        let Some(scratch) = self.scratch else { return Ok(merged) };
        let written = scratch.written()?;
        let mut runs: Vec<_> = self.runs.into_iter().map(|run| Run::new(&written, run)).collect();
        // The smallest labels first, and of those the oldest run.
        let mut next = BinaryHeap::new();
        for (number, run) in runs.iter_mut().enumerate() {
            next.extend(run.next()?.map(|(labels, points)| Reverse((labels, number, Waiting(points)))));
        }
        let mut series: Option<(Labels, Points)> = None;
        while let Some(Reverse((labels, number, Waiting(points)))) = next.pop() {
            next.extend(
                runs[number].next()?.map(|(labels, points)| Reverse((labels, number, Waiting(points)))),
            );
            match &mut series {
                Some((same, all)) if *same == labels => {
                    all.extend(points);
                    if all.len() > MOST_SAMPLES {
                        bail!("{labels} has more than {MOST_SAMPLES} samples: give them in several files");
                    }
                }
                _ => {
                    if let Some((labels, points)) = series.replace((labels, points)) {
                        give(&labels, points)?;
                    }
                }
            }
        }
        if let Some((labels, points)) = series {
            give(&labels, points)?;
        }
        Ok(merged)
    }
}

fn sorted(open: Map) -> Vec<(Labels, Points)> {
    let mut series: Vec<_> = open.into_iter().collect();
    series.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    series
}

/// Samples that have no order of their own.
struct Waiting(Points);

impl PartialEq for Waiting {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, _: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}

/// A run that is read.
struct Run {
    written: Written,
    rest: Range<u64>,
    /// What has been read of it, and from where on it is unused.
    bytes: Vec<u8>,
    used: usize,
}

impl Run {
    fn new(written: &Written, run: Range<u64>) -> Self {
        Self { written: written.clone(), rest: run, bytes: Vec::new(), used: 0 }
    }

    fn next(&mut self) -> Result<Option<(Labels, Points)>> {
        loop {
            let unused = &self.bytes[self.used..];
            if unused.is_empty() && self.rest.is_empty() {
                return Ok(None);
            }
            let mut input = Cursor::new(unused);
            match series(&mut input) {
                Ok(series) => {
                    self.used = self.bytes.len() - input.rest().len();
                    return Ok(Some(series));
                }
                // It goes on behind what has been read.
                Err(_) if !self.rest.is_empty() => self.load()?,
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads on: as much again as there is, so that a long series is not taken apart too often.
    fn load(&mut self) -> Result<()> {
        self.bytes.drain(..self.used);
        self.used = 0;
        let more = STRETCH.max(self.bytes.len() as u64).min(self.rest.end - self.rest.start);
        let end = self.rest.start + more;
        self.bytes.extend(self.written.read(self.rest.start..end)?);
        self.rest.start = end;
        Ok(())
    }
}

fn series(input: &mut Cursor<'_>) -> Result<(Labels, Points)> {
    let broken = || anyhow!("a file of our own is broken");
    let len = input.uvarint()? as usize;
    let packed = std::str::from_utf8(input.take(len)?).map_err(|_| broken())?;
    let labels = Labels::from_packed(packed).ok_or_else(broken)?;
    // Nine bytes are the least that a sample takes.
    let count = input.count(input.rest().len() / 9)?;
    let (mut points, mut time) = (Vec::with_capacity(count), 0i64);
    for _ in 0..count {
        time = time.wrapping_add(input.ivarint()?);
        points.push((time, f64::from_le_bytes(input.array()?)));
    }
    Ok((labels, points))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_the_order_and_the_memory_the_same_comes_out() {
        let mut expected = None;
        for most_bytes in [usize::MAX, 100_000, 3_000, 0] {
            let mut runs = Runs::with_memory(&std::env::temp_dir(), most_bytes).unwrap();
            for n in 0..2_000i64 {
                // Times go up and down; some are there twice.
                let time = (n * 7_919) % 1_500 - 200;
                let labels = Labels::from_pairs([("__name__", "m".to_owned()), ("n", (n % 13).to_string())]);
                runs.add(Sample { labels, timestamp: time, value: n as f64 }).unwrap();
            }
            let mut found = Vec::new();
            let merged = runs
                .merge(|labels, samples| {
                    assert!(samples.timestamps.is_sorted_by(|a, b| a < b));
                    found.push((labels.clone(), samples.timestamps.clone(), samples.values.clone()));
                    Ok(())
                })
                .unwrap();
            assert!(found.is_sorted_by(|a, b| a.0 < b.0));
            let samples: usize = found.iter().map(|(_, times, _)| times.len()).sum();
            assert_eq!((merged.series, samples as u64 + merged.repeated), (13, 2_000));
            assert_eq!(*expected.get_or_insert_with(|| found.clone()), found, "{most_bytes} bytes");
        }
    }
}
