//! What a head has of one window, on its way into a block.

use crate::head::{Head, WindowData};
use block_store::BlockWriter;
use model::{Labels, TimeRange};
use service_api::{Result, SampleBuffer, SeriesData};

/// The data of a window, sorted by labels, as it was at one moment.
pub struct Job {
    series: Vec<(Labels, u32, WindowData)>,
}

/// Series whose labels are looked up at once.
const BATCH: usize = 512;

/// Seals and copies what the head has of a window. Data that comes later stays apart.
pub fn snapshot(head: &Head, window: TimeRange) -> Job {
    let mut sealed = Vec::new();
    head.slab.for_each(|reference, series| {
        let data = series.seal_window(&window);
        if !data.is_empty() {
            sealed.push((reference, data));
        }
    });
    let mut series = Vec::with_capacity(sealed.len());
    let mut sealed = sealed.into_iter().peekable();
    while sealed.peek().is_some() {
        let index = head.index.read();
        for (reference, data) in sealed.by_ref().take(BATCH) {
            // A series with data is in the index, so its labels are there.
            series.extend(index.labels(reference).map(|labels| (labels, reference, data)));
        }
    }
    series.sort_unstable_by(|(a, ..), (b, ..)| a.cmp(b));
    Job { series }
}

impl Job {
    /// Merges what came in and out of order, series by series.
    pub fn write(&self, writer: &mut BlockWriter) -> Result<()> {
        let mut buffer = SampleBuffer::default();
        for (labels, _, data) in &self.series {
            buffer.clear();
            data.read(TimeRange::ALL, &mut buffer)?;
            writer.add(labels, &buffer.timestamps, &buffer.values, &buffer.histograms)?;
        }
        Ok(())
    }

    /// Drops from the head what was copied, and only that.
    pub fn drop_from(&self, head: &Head) {
        for (_, reference, data) in &self.series {
            head.slab.with(*reference, |series| series.drop_data(data));
        }
    }
}
