//! One block of Prometheus, read series by series.

use super::{source::absent, window::Window};
use crate::progress::Progress;
use anyhow::{Context, Result, anyhow, bail};
use block_store::{Bucket, ObjectInfo};
use service_api::SampleBuffer;
use tsdb::{
    BlockMeta, ChunkPlace, Encoding, INDEX_HEADER_LEN, SEGMENT_HEADER_LEN, SeriesEntry, Split, StoredChunk,
    Symbols, TOC_LEN, Toc, Tombstones, check_index_header, check_segment_header, decode_floats,
    decode_histograms, read_entry, section_len, split_entry, stored_chunk_len,
};

/// Samples of one series in one block; more are not believed, and would not fit into memory.
const MOST_SAMPLES: usize = 128 << 20;
/// What is read of a chunk before its length is known.
const CHUNK_FRONT: u64 = 5;

pub struct SourceBlock {
    bucket: Bucket,
    /// Empty if the bucket itself is the block.
    folder: String,
    pub meta: BlockMeta,
    marked: bool,
    index: Option<ObjectInfo>,
    segments: Vec<ObjectInfo>,
}

impl SourceBlock {
    /// The block in a folder; `None` without a `meta.json`, which is what is written last. `marked`: somebody
    /// wants it deleted.
    pub async fn find(bucket: &Bucket, folder: &str, marked: bool) -> Result<Option<Self>> {
        let path = |name: &str| join(folder, name);
        let Some(meta) = absent(bucket.get(&path("meta.json")).await)? else { return Ok(None) };
        let meta = BlockMeta::parse(&meta).with_context(|| path("meta.json"))?;
        let files = bucket.list(folder).await?;
        let file = |name: &str| files.iter().find(|file| file.name == name);
        let marked = marked || file("deletion-mark.json").is_some();
        let index = file("index").cloned();
        // Places of chunks count the segments in the order of their names.
        let segments = bucket.list(&path("chunks")).await?;
        Ok(Some(Self { bucket: bucket.clone(), folder: folder.to_owned(), meta, marked, index, segments }))
    }

    pub fn ulid(&self) -> &str {
        &self.meta.ulid
    }

    /// Of all that is read of it.
    pub fn bytes(&self) -> u64 {
        self.index.iter().chain(&self.segments).map(|file| file.size).sum()
    }

    pub fn reason_to_skip(&self) -> Option<String> {
        if self.marked {
            return Some("it is marked for deletion (deletion-mark.json)".to_owned());
        }
        let resolution = self.meta.downsampled_to()?;
        Some(format!("it is downsampled to {} s; import the block that it was made of", resolution / 1000))
    }

    pub async fn open<'a>(&'a self, progress: &'a Progress) -> Result<BlockReader<'a>> {
        let path = join(&self.folder, "index");
        let Some(index) = &self.index else { bail!("there is no {path}") };
        let mut index = Window::new(&self.bucket, path.clone(), index.size);
        let (toc, symbols) = tables(&mut index).await.with_context(|| path)?;
        let path = join(&self.folder, "tombstones");
        let tombstones = match absent(self.bucket.get(&path).await)? {
            Some(file) => Tombstones::parse(&file).with_context(|| path)?,
            None => Tombstones::default(),
        };
        let at = toc.series.start;
        progress.add(at);
        Ok(BlockReader { block: self, progress, index, toc, symbols, tombstones, at, segments: Vec::new() })
    }
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// Reads where the sections are, and the symbols.
async fn tables(index: &mut Window) -> Result<(Toc, Symbols)> {
    let size = index.size();
    check_index_header(&index.at(0, INDEX_HEADER_LEN as u64).await?[..INDEX_HEADER_LEN])?;
    let toc = size.checked_sub(TOC_LEN as u64).ok_or_else(|| anyhow!("an index is cut short"))?;
    let toc = Toc::parse(&index.at(toc, TOC_LEN as u64).await?, size).context("the table of contents")?;
    let first = index.at(toc.symbols, 4).await?;
    let len = section_len(*first.first_chunk().ok_or_else(|| anyhow!("cut short"))?)?;
    let symbols = index.at(toc.symbols, len).await?;
    let symbols = Symbols::parse(&symbols[..len as usize]).context("the symbols")?;
    Ok((toc, symbols))
}

pub struct BlockReader<'a> {
    block: &'a SourceBlock,
    progress: &'a Progress,
    index: Window,
    toc: Toc,
    symbols: Symbols,
    tombstones: Tombstones,
    /// Where the next series is in the index.
    at: u64,
    /// Segments that were read last, the newest at the end.
    segments: Vec<(u32, Window)>,
}

impl BlockReader<'_> {
    /// The next series, with its reference.
    pub async fn next(&mut self) -> Result<Option<(u64, SeriesEntry)>> {
        let (end, mut needed) = (self.toc.series.end, 1);
        while self.at < end {
            let left = end - self.at;
            let stretch = self.index.at(self.at, left.min(needed)).await?;
            let stretch = &stretch[..stretch.len().min(left as usize)];
            let last = stretch.len() as u64 == left;
            let split = split_entry(stretch, self.at, last).with_context(|| self.place())?;
            match split {
                Split::Padding(len) => (self.at, needed) = (self.at + len as u64, 1),
                Split::Needs(len) => needed = len as u64,
                Split::Entry { reference, body, len } => {
                    let entry = read_entry(body, &self.symbols).with_context(|| self.place())?;
                    self.at += len as u64;
                    self.progress.add(len as u64);
                    return Ok(Some((reference, entry)));
                }
            }
        }
        Ok(None)
    }

    fn place(&self) -> String {
        format!("{} at byte {}", self.index.name, self.at)
    }

    /// Appends the samples of a series that were not deleted; gives how many were.
    pub async fn samples(
        &mut self,
        reference: u64,
        entry: &SeriesEntry,
        out: &mut SampleBuffer,
    ) -> Result<u64> {
        for place in &entry.chunks {
            let found = self.chunk(*place, out).await;
            found.with_context(|| format!("a chunk of {}", entry.labels))?;
            if out.timestamps.len() + out.histograms.len() > MOST_SAMPLES {
                bail!("{} has more than {MOST_SAMPLES} samples", entry.labels);
            }
        }
        let deleted = self.tombstones.of(reference);
        if deleted.is_empty() {
            return Ok(0);
        }
        let before = out.timestamps.len() + out.histograms.len();
        let kept: Vec<bool> = out.timestamps.iter().map(|t| !Tombstones::has(deleted, *t)).collect();
        retain(&mut out.timestamps, &kept);
        retain(&mut out.values, &kept);
        out.histograms.retain(|sample| !Tombstones::has(deleted, sample.timestamp));
        Ok((before - out.timestamps.len() - out.histograms.len()) as u64)
    }

    async fn chunk(&mut self, place: ChunkPlace, out: &mut SampleBuffer) -> Result<()> {
        let (block, ChunkPlace { segment, offset, .. }) = (self.block, place);
        let window = self.segment(segment).await?;
        let (offset, size) = (u64::from(offset), window.size());
        let name = || format!("{} at byte {offset}", join(&block.folder, &segment_name(block, segment)));
        let front = window.at(offset, CHUNK_FRONT.min(size.saturating_sub(offset)).max(1)).await?;
        let len = stored_chunk_len(&front[..front.len().min(CHUNK_FRONT as usize)]).with_context(name)?;
        let stored = window.at(offset, len as u64).await?;
        let chunk = StoredChunk::parse(&stored[..len]).with_context(name)?;
        match chunk.encoding {
            Encoding::Xor => decode_floats(chunk.data, &mut out.timestamps, &mut out.values),
            encoding => decode_histograms(encoding, chunk.data, &mut out.histograms),
        }
        .with_context(name)?;
        self.progress.add(len as u64);
        Ok(())
    }

    async fn segment(&mut self, number: u32) -> Result<&mut Window> {
        if let Some(at) = self.segments.iter().position(|(open, _)| *open == number) {
            let last = self.segments.len() - 1;
            self.segments.swap(at, last);
        } else {
            let Some(file) = self.block.segments.get(number as usize) else {
                bail!("segment {} is missing in {}", number + 1, join(&self.block.folder, "chunks"));
            };
            let name = join(&self.block.folder, &segment_name(self.block, number));
            let mut window = Window::new(&self.block.bucket, name.clone(), file.size);
            let header = window.at(0, SEGMENT_HEADER_LEN as u64).await?;
            check_segment_header(&header[..SEGMENT_HEADER_LEN]).with_context(|| name)?;
            // Series come in the order of their chunks, but near the border of two segments.
            if self.segments.len() > 1 {
                self.segments.remove(0);
            }
            self.segments.push((number, window));
        }
        let last = self.segments.last_mut().ok_or_else(|| anyhow!("no segment is open"))?;
        Ok(&mut last.1)
    }
}

fn segment_name(block: &SourceBlock, number: u32) -> String {
    let name = block.segments.get(number as usize).map_or("", |file| &file.name);
    format!("chunks/{name}")
}

fn retain<T: Copy>(values: &mut Vec<T>, kept: &[bool]) {
    let mut at = 0;
    values.retain(|_| {
        at += 1;
        kept[at - 1]
    });
}

/// Chunks of one series may overlap where senders or replicas did. Of samples with one time the first stays;
/// gives how many went.
pub fn in_time_order(samples: &mut SampleBuffer) -> u64 {
    let mut dropped = 0;
    if !samples.timestamps.is_sorted_by(|a, b| a < b) {
        let pairs = samples.timestamps.iter().copied().zip(samples.values.iter().copied());
        let mut pairs: Vec<(i64, f64)> = pairs.collect();
        pairs.sort_by_key(|(time, _)| *time);
        pairs.dedup_by_key(|(time, _)| *time);
        dropped += samples.timestamps.len() - pairs.len();
        (samples.timestamps, samples.values) = pairs.into_iter().unzip();
    }
    if !samples.histograms.is_sorted_by(|a, b| a.timestamp < b.timestamp) {
        let before = samples.histograms.len();
        samples.histograms.sort_by_key(|sample| sample.timestamp);
        samples.histograms.dedup_by_key(|sample| sample.timestamp);
        dropped += before - samples.histograms.len();
    }
    dropped as u64
}
