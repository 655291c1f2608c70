//! Makes blocks out of series that come in label order: one or more for each UTC day, listed all at once.
//!
//! As many blocks are open as there are days. One is ended when it is large, or the largest when all
//! together are; the next one goes on behind it in label order. What is ended lies on disk until it is put into
//! the bucket at the end, as a block's id must not be old when it is listed.

use crate::{
    Tools,
    scratch::{Scratch, Written},
};
use anyhow::{Context, Result};
use block_store::{BlockMeta, BlockWriter, Ulid};
use bytes::Bytes;
use futures::stream;
use model::{Labels, Signal, TenantId, TimeRange, Timestamp};
use service_api::{SampleBuffer, StartTimestamps};
use std::{collections::BTreeMap, ops::Range, path::Path};

const DAY_MS: i64 = 86_400_000;

/// The bytes of each part but the last in which a block goes up.
const PART_BYTES: u64 = 8 << 20;

/// When a block is ended.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub block_samples: u64,
    pub block_bytes: usize,
    /// Of all that are open.
    pub all_bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { block_samples: 64 << 20, block_bytes: 256 << 20, all_bytes: 512 << 20 }
    }
}

pub struct DayBlocks {
    bounds: Bounds,
    /// By the day since the epoch.
    open: BTreeMap<i64, Open>,
    open_bytes: usize,
    done: Vec<(BlockMeta, Range<u64>)>,
    scratch: Scratch,
    /// What all blocks are made of.
    source: String,
}

#[derive(Default)]
struct Open {
    writer: BlockWriter,
    last: Option<Labels>,
}

/// Blocks that are whole, and not in the bucket yet.
pub struct Finished {
    blocks: Vec<(BlockMeta, Range<u64>)>,
    scratch: Written,
}

impl DayBlocks {
    pub fn new(folder: &Path, source: &str, bounds: Bounds) -> Result<Self> {
        Ok(Self {
            bounds,
            open: BTreeMap::new(),
            open_bytes: 0,
            done: Vec::new(),
            scratch: Scratch::create(folder)?,
            source: source.to_owned(),
        })
    }

    /// Adds a series, whose samples are in time order. Series should come in label order: one that does not
    /// begins another block.
    pub fn add(&mut self, labels: &Labels, samples: &SampleBuffer) -> Result<()> {
        let floats = samples.timestamps.iter().copied();
        let histograms = samples.histograms.iter().map(|sample| sample.timestamp);
        let (mut next_float, mut next_histogram) = (0, 0);
        loop {
            let first = [
                samples.timestamps.get(next_float).copied(),
                samples.histograms.get(next_histogram).map(|sample| sample.timestamp),
            ];
            let Some(first) = first.into_iter().flatten().min() else { return Ok(()) };
            let day = first.div_euclid(DAY_MS);
            let of_day = |time: &Timestamp| time.div_euclid(DAY_MS) == day;
            let float_end = next_float + floats.clone().skip(next_float).take_while(of_day).count();
            let histogram_end =
                next_histogram + histograms.clone().skip(next_histogram).take_while(of_day).count();
            let part = part(samples, next_float..float_end, next_histogram..histogram_end);
            self.add_day(day, labels, &part)?;
            (next_float, next_histogram) = (float_end, histogram_end);
        }
    }

    fn add_day(&mut self, day: i64, labels: &Labels, samples: &SampleBuffer) -> Result<()> {
        let count = (samples.timestamps.len() + samples.histograms.len()) as u64;
        let Bounds { block_samples, block_bytes, all_bytes } = self.bounds;
        if let Some(open) = self.open.get(&day) {
            let full = open.writer.samples() > 0 && open.writer.samples() + count > block_samples;
            let in_order = open.last.as_ref().is_none_or(|last| last < labels);
            if full || !in_order || open.writer.heap_bytes() > block_bytes {
                self.end(day)?;
            }
        }
        let open = self.open.entry(day).or_default();
        let before = open.writer.heap_bytes();
        open.writer.add(labels, samples)?;
        open.last = Some(labels.clone());
        self.open_bytes += open.writer.heap_bytes() - before;
        if self.open_bytes > all_bytes {
            let largest = self.open.iter().max_by_key(|(_, open)| open.writer.heap_bytes());
            if let Some(day) = largest.map(|(day, _)| *day) {
                self.end(day)?;
            }
        }
        Ok(())
    }

    /// Ends the block of a day.
    fn end(&mut self, day: i64) -> Result<()> {
        let Some(Open { writer, .. }) = self.open.remove(&day) else { return Ok(()) };
        self.open_bytes -= writer.heap_bytes();
        let start = self.scratch.len();
        if let Some(block) = writer.finish(Ulid::nil(), &self.source, 0)? {
            block.parts.iter().try_for_each(|part| self.scratch.write(part))?;
            self.done.push((block.meta, start..self.scratch.len()));
        }
        Ok(())
    }

    /// Ends all blocks.
    pub fn finish(mut self) -> Result<Finished> {
        while let Some(day) = self.open.keys().next().copied() {
            self.end(day)?;
        }
        Ok(Finished { blocks: self.done, scratch: self.scratch.written()? })
    }
}

/// Some of a series' samples.
fn part(samples: &SampleBuffer, floats: Range<usize>, histograms: Range<usize>) -> SampleBuffer {
    SampleBuffer {
        timestamps: samples.timestamps[floats.clone()].to_vec(),
        values: samples.values[floats].to_vec(),
        histograms: samples.histograms[histograms].to_vec(),
        // Prometheus's chunks have none.
        starts: StartTimestamps::default(),
    }
}

impl Finished {
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    pub fn samples(&self) -> u64 {
        self.blocks.iter().map(|(meta, _)| meta.samples).sum()
    }

    pub fn bytes(&self) -> u64 {
        self.blocks.iter().map(|(meta, _)| meta.bytes).sum()
    }

    /// The times that they cover; `None` if there are no blocks.
    pub fn range(&self) -> Option<TimeRange> {
        let start = self.blocks.iter().map(|(meta, _)| meta.min_time).min()?;
        Some(TimeRange::new(start, self.blocks.iter().map(|(meta, _)| meta.max_time).max()?))
    }

    /// The same with `source`, which was not known before.
    pub fn with_source(mut self, source: &str) -> Self {
        self.blocks.iter_mut().for_each(|(meta, _)| source.clone_into(&mut meta.source));
        self
    }

    /// Puts all blocks into the bucket and lists them in one step; false, and nothing is listed, if one of the
    /// same source is listed already.
    pub async fn list(self, tools: &Tools, tenant: &TenantId) -> Result<bool> {
        let progress = tools.progress("writing blocks", Some(self.bytes()));
        let (bucket, mut listed) = (tools.manifests.bucket(), Vec::new());
        for (meta, place) in &self.blocks {
            let mut meta = meta.clone();
            // As late as can be: a block whose id is old counts as what somebody has left.
            meta.id = (tools.new_id)();
            meta.created = tools.clock.now_ms();
            let parts = stream::unfold(place.start, |at| {
                let end = (at + PART_BYTES).min(place.end);
                let part = (at < end).then(|| {
                    progress.add(end - at);
                    let read = self.scratch.read(at..end).map(Bytes::from);
                    read.map_err(|e| service_api::Error::unavailable(format!("{e:#}")))
                });
                async move { part.map(|part| (part, end)) }
            });
            let name = meta.object(tenant, Signal::Metrics);
            bucket
                .put_parts(&name, parts)
                .await
                .with_context(|| format!("cannot put {name} into {}", tools.url))?;
            listed.push(meta);
        }
        if listed.is_empty() {
            return Ok(true);
        }
        let source = listed[0].source.clone();
        let like = |block: &BlockMeta| block.source == source;
        let added = tools.manifests.add_blocks(tenant, Signal::Metrics, &listed, like).await;
        let added = added.with_context(|| {
            format!(
                "cannot list the new blocks of tenant {tenant}; nothing has changed, and it can be done again"
            )
        })?;
        // If not, the new objects are left to the collection of garbage: it alone knows that nobody lists them.
        Ok(added)
    }
}
