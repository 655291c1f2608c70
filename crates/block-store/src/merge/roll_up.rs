//! Makes blocks of figures of a day's samples.

use super::{Made, Merge, MergeError, Merged, Omissions, Tuning, make};
use crate::rollup::ERA;
use model::{Labels, Signal, TimeRange, Timestamp};
use service_api::{Cut, Error, Omit};
use std::sync::Arc;

/// Makes few blocks of the figures of all samples behind `start` and up to `end`, which are ends of buckets of all
/// resolutions, and puts them into the bucket. Nothing is listed or removed. Inputs must hold nothing that is to
/// be left out. There are no blocks if there are no samples.
///
/// # Errors
/// As of [`merge_blocks`](super::merge_blocks), and [`MergeError::Histograms`].
pub async fn roll_up(merge: Merge<'_>, start: Timestamp, end: Timestamp) -> Result<Merged, MergeError> {
    let wrong = |why: &str| Err(Error::internal(format!("a rollup from {start} to {end}: {why}")).into());
    if merge.signal != Signal::Metrics || !merge.omissions.is_empty() {
        return wrong("of metrics alone, of which nothing is left out");
    }
    if !(0 <= start && start < end && end < ERA) {
        return wrong("of times that have no place in a block");
    }
    let day = TimeRange::new(start + 1, end);
    let others: Arc<dyn Omit> = Arc::new(AllBut(day));
    let is_within = |range: TimeRange| day.contains(range.start) && day.contains(range.end);
    let reach_out = merge.inputs.iter().filter(|input| !is_within(input.time_range()));
    let omissions: Omissions = reach_out.map(|input| (input.id, Arc::clone(&others))).collect();
    make(Made::RolledUp, Merge { omissions: &omissions, ..merge }, Tuning::MERGED).await
}

/// All entries outside of a range.
struct AllBut(TimeRange);

impl Omit for AllBut {
    fn of(&self, _: &Labels) -> Cut {
        let mut cut = Cut::default();
        cut.add(TimeRange::new(Timestamp::MIN, self.0.start - 1), None);
        cut.add(TimeRange::new(self.0.end + 1, Timestamp::MAX), None);
        cut
    }
}
