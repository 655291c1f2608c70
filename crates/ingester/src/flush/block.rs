//! What a head has of one window, on its way into a block.

use crate::head::{Head, Series, Slot, WindowData};
use block_store::{BlockObject, BlockWriter, Ulid};
use model::{Labels, TimeRange};
use service_api::{Result, SampleBuffer, SeriesData};

/// Slots whose data goes into blocks.
pub trait Flush: Slot {
    /// The data of a window as it was at one moment.
    type Job: Send + 'static;

    /// Seals and copies what the head has of a window. Data that comes later stays apart.
    fn snapshot(head: &Head<Self>, window: TimeRange) -> Result<Self::Job>;

    /// Nothing if there is no data.
    fn encode(job: &Self::Job, id: Ulid, source: &str, created: i64) -> Result<Option<BlockObject>>;

    /// Drops from the head what was copied, and only that.
    fn drop_from(job: &Self::Job, head: &Head<Self>);
}

/// Series whose labels are looked up at once.
const BATCH: usize = 512;

/// Adds the labels, and sorts by them.
pub fn labelled<S: Slot, D>(head: &Head<S>, sealed: Vec<(u32, D)>) -> Vec<(Labels, u32, D)> {
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
    series
}

impl Flush for Series {
    type Job = Vec<(Labels, u32, WindowData)>;

    fn snapshot(head: &Head<Self>, window: TimeRange) -> Result<Self::Job> {
        let mut sealed = Vec::new();
        head.slab.for_each(|reference, series| {
            let data = series.seal_window(&window);
            if !data.is_empty() {
                sealed.push((reference, data));
            }
        });
        Ok(labelled(head, sealed))
    }

    /// Merges what came in and out of order, series by series.
    fn encode(job: &Self::Job, id: Ulid, source: &str, created: i64) -> Result<Option<BlockObject>> {
        let (mut writer, mut buffer) = (BlockWriter::new(), SampleBuffer::default());
        for (labels, _, data) in job {
            buffer.clear();
            data.read(TimeRange::ALL, &mut buffer)?;
            writer.add(labels, &buffer)?;
        }
        writer.finish(id, source, created)
    }

    fn drop_from(job: &Self::Job, head: &Head<Self>) {
        for (_, reference, data) in job {
            head.slab.with(*reference, |series| series.drop_data(data));
        }
    }
}
