//! Makes a block of metrics in memory, out of series that come in label order.

use super::{
    METRICS_MAGIC,
    series_writer::{PageLimits, SeriesWriter, WrittenBlock},
};
use crate::{BlockMeta, Ulid};
use bytes::Bytes;
use model::{Labels, Timestamp};
use service_api::{Error, Result, SampleBuffer};

/// Collects series and encodes them as they come: pure CPU work, off the async threads.
pub struct BlockWriter(SeriesWriter<Vec<u8>>);

/// A block that is ready to be put into the bucket, and what the manifest is to say of it.
#[derive(Clone, Debug)]
pub struct BlockObject {
    pub parts: Vec<Bytes>,
    pub meta: BlockMeta,
}

impl Default for BlockWriter {
    fn default() -> Self {
        Self(SeriesWriter::new(Vec::new(), Vec::new(), PageLimits::BLOCKS))
    }
}

impl BlockWriter {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a series with its floats and histograms, each in time order, and their starts. Series
    /// come in label order, each once; one without any entry is left out.
    pub fn add(&mut self, labels: &Labels, samples: &SampleBuffer) -> Result<()> {
        let SampleBuffer { timestamps, values, histograms, starts } = samples;
        let ascending = timestamps.windows(2).all(|w| w[0] < w[1]);
        if !ascending || !histograms.windows(2).all(|w| w[0].timestamp < w[1].timestamp) {
            return Err(Error::internal(format!("samples of {labels} are not in time order")));
        }
        if timestamps.len() != values.len() || !self.0.may_follow(labels) {
            return Err(Error::internal(format!("series {labels} is not in label order, or uneven")));
        }
        let uneven = |starts: &[Timestamp], entries: usize| !starts.is_empty() && starts.len() != entries;
        if uneven(&starts.floats, timestamps.len()) || uneven(&starts.histograms, histograms.len()) {
            return Err(Error::internal(format!("starts of {labels} are not as many as its samples")));
        }
        let added = self.0.floats(timestamps, values, &starts.floats);
        added
            .and_then(|()| self.0.histograms(histograms, &starts.histograms))
            .map_err(|e| Error::internal(format!("{labels}: {e}")))?;
        self.0.end_series(labels);
        Ok(())
    }

    /// The series added so far.
    pub fn series(&self) -> usize {
        self.0.series()
    }

    /// The samples added so far.
    pub fn samples(&self) -> u64 {
        self.0.samples()
    }

    /// About how many bytes it takes in memory.
    pub fn heap_bytes(&self) -> usize {
        self.0.page_bytes() as usize + self.0.heap_bytes()
    }

    /// Ends the block; `None` if it has no series. `source` says what it was made of,
    /// `created` when, in milliseconds.
    pub fn finish(self, id: Ulid, source: &str, created: i64) -> Result<Option<BlockObject>> {
        let Some(WrittenBlock { values, times, tail, meta }) = self.0.finish()? else { return Ok(None) };
        let mut parts = vec![Bytes::from_static(METRICS_MAGIC), values.into(), times.into()];
        parts.extend(tail);
        let meta = BlockMeta { id, source: source.to_owned(), created, ..meta };
        Ok(Some(BlockObject { parts, meta }))
    }
}
