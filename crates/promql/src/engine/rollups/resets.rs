//! Days on which a bucket has several resets of a counter.
//!
//! What a counter lost is known of all resets of a bucket together. Prometheus adds it reset by reset, and where
//! values are not whole or very large the order tells in the last digit.

use super::search::day_of;
use crate::engine::plan::Figures;
use model::{TimeRange, Timestamp};
use service_api::{Aggregate, Error, ReadContext, Result, SampleBuffer, SeriesSet};
use std::{collections::BTreeSet, sync::Arc};

/// The starts of those days, ascending; none if the figures are not among `sets`.
pub(super) async fn days_with_several(
    ctx: &ReadContext,
    figures: Figures,
    sets: &Arc<[SeriesSet]>,
    ends: TimeRange,
) -> Result<Vec<Timestamp>> {
    let Some(at) = figures.aggregates().iter().position(|a| *a == Aggregate::Resets) else {
        return Ok(Vec::new());
    };
    let (ctx, sets) = (ctx.clone(), Arc::clone(sets));
    let look = move || sets.get(at).map_or(Ok(Vec::new()), |set| days(&ctx, set, ends));
    let looked = runtime::blocking(look).await;
    looked.map_err(|e| Error::internal(format!("looking for resets failed: {e}")))?
}

fn days(ctx: &ReadContext, set: &SeriesSet, ends: TimeRange) -> Result<Vec<Timestamp>> {
    let mut found = BTreeSet::new();
    let mut figures = SampleBuffer::default();
    let (mut held, mut held_bytes) = (ctx.budget.reserve(0)?, 0);
    for series in &set.series {
        ctx.check()?;
        figures.clear();
        series.data.read(ends, &mut figures)?;
        let bytes = (figures.timestamps.capacity() + figures.values.capacity()) * 8;
        if bytes > held_bytes {
            held.grow(bytes - held_bytes)?;
            held_bytes = bytes;
        }
        let several = figures.timestamps.iter().zip(&figures.values).filter(|(_, count)| **count > 1.0);
        // A bucket that ends at midnight is of the day before.
        found.extend(several.map(|(end, _)| day_of(end - 1)));
    }
    Ok(found.into_iter().collect())
}
