//! Reads every byte of a block and says what is wrong with it: checksums, order, and whether all that is said
//! twice is said alike.
//!
//! The index is in memory as for any reader; pages are read in runs of a few MiB.

mod labels;
mod metrics;
mod object;
mod problems;

pub(super) use object::{Object, Stop};
pub(super) use problems::Problems;

use super::{
    METRICS_MAGIC,
    footer::AnyFooter,
    inspect::sections,
    logs::{LogsCheck, MAGIC as LOGS_MAGIC},
    reader::{TAIL_BYTES, blocking},
};
use crate::{BlockMeta, Bucket};
use chunk::Corrupt;
use metrics::MetricsCheck;
use model::{Signal, TenantId};
use service_api::Result;
use std::{ops::Range, sync::Arc};

/// What a block of either signal begins with.
const MAGIC_BYTES: u64 = METRICS_MAGIC.len() as u64;
/// Pages that are read in one go.
const RUN_BYTES: u64 = 4 << 20;

/// What came out of looking at a block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// A sentence each; none if the block is good.
    pub problems: Vec<String>,
    /// Further ones, which were only counted.
    pub more: u64,
}

/// Reads all of a block. `progress` is told of bytes that have been read.
///
/// # Errors
/// The bucket cannot be read. That the block is not there, or damaged, is none.
pub async fn verify_block(
    bucket: &Bucket,
    tenant: &TenantId,
    signal: Signal,
    meta: &BlockMeta,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<Verified> {
    let object = Object::new(bucket, tenant, signal, meta);
    let mut problems = Problems::default();
    match verify(&object, signal, meta, &mut problems, progress).await {
        Ok(()) => {}
        Err(Stop::Damaged(why)) => problems.add(why),
        Err(Stop::Failed(error)) => return Err(error),
    }
    Ok(problems.into_verified())
}

async fn verify(
    object: &Object,
    signal: Signal,
    meta: &BlockMeta,
    problems: &mut Problems,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<(), Stop> {
    object.check_size().await?;
    let size = meta.bytes;
    let magic = if signal == Signal::Metrics { METRICS_MAGIC } else { LOGS_MAGIC };
    let front = object.part(0..MAGIC_BYTES.min(size)).await?;
    if &front[..] != magic {
        problems.add(format!("it does not begin as a block of {signal}"));
    }
    let tail = object.part(size.saturating_sub(TAIL_BYTES)..size).await?;
    let footer = AnyFooter::decode(signal, &tail, size).map_err(|e| said("the footer", e))?;
    let (sections, footer_bytes) = sections(&footer, &tail, size)?;
    let index_range = footer.index_range();
    let mut end = index_range.start;
    for section in &sections {
        // Each byte belongs to something that has a checksum.
        if section.offset != end {
            problems.add(format!("the section {} does not follow what is before it", section.name));
        }
        end = section.offset + section.stored;
    }
    if end + footer_bytes != size {
        problems.add("the footer does not follow the sections".to_owned());
    }
    let bytes = object.part(index_range.clone()).await?;
    progress(MAGIC_BYTES + size - index_range.start);
    let start = index_range.start;
    let (footer, index) = blocking(move || footer.index(&bytes, start).map(|index| (footer, index)))
        .await?
        .map_err(|e| said("the index", e))?;
    let index = Arc::new(index);
    let labels = Arc::clone(&index);
    problems.extend(blocking(move || labels::check(labels.labels())).await?);
    match &footer {
        AnyFooter::Metrics(footer) => {
            problems.extend(metrics::totals(footer, meta));
            let check = MetricsCheck::new(Arc::clone(&index), *footer, start - MAGIC_BYTES);
            check_pages(object, check, problems, progress).await
        }
        AnyFooter::Logs(footer) => {
            problems.extend(LogsCheck::totals(footer, meta));
            let check = LogsCheck::new(Arc::clone(&index), footer.clone(), start);
            check_pages(object, check, problems, progress).await
        }
    }
}

/// Looks at the pieces of a block in their order: groups of pages, or pages of lines.
pub(super) trait PageCheck: Send + 'static {
    /// Where a piece lies in the object; `None` behind the last.
    fn place(&self, number: u32) -> Option<Range<u64>>;

    /// Whether a piece has the right checksum.
    fn sum(&self, number: u32, bytes: &[u8]) -> Result<(), Corrupt>;

    /// Looks at a piece's pages; `None` if its checksum is wrong.
    fn piece(&mut self, number: u32, bytes: Option<&[u8]>, problems: &mut Problems);

    /// What can be told when all pieces have been seen.
    fn finish(&mut self, problems: &mut Problems);
}

async fn check_pages<C: PageCheck>(
    object: &Object,
    mut check: C,
    problems: &mut Problems,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<(), Stop> {
    let mut next = 0;
    while let Some((numbers, range)) = run(&check, next) {
        next = numbers.end;
        let bytes = object.part(range.clone()).await?;
        let mut pieces = Vec::with_capacity(numbers.len());
        for (number, place) in numbers.filter_map(|number| Some((number, check.place(number)?))) {
            let mut piece =
                bytes.slice((place.start - range.start) as usize..(place.end - range.start) as usize);
            if check.sum(number, &piece).is_err() && !place.is_empty() {
                // It may have been damaged on its way.
                piece = object.part(place).await?;
            }
            pieces.push((number, piece));
        }
        let (back, found) = blocking(move || {
            let mut found = Problems::default();
            for (number, piece) in pieces {
                let good = check.sum(number, &piece).is_ok();
                check.piece(number, good.then_some(&piece[..]), &mut found);
            }
            (check, found)
        })
        .await?;
        check = back;
        problems.join(found);
        progress(range.end - range.start);
    }
    check.finish(problems);
    Ok(())
}

/// The pieces from one on that are read together, at least one if there is any.
fn run(check: &impl PageCheck, from: u32) -> Option<(Range<u32>, Range<u64>)> {
    let first = check.place(from)?;
    let (mut numbers, mut range) = (from..from + 1, first);
    while let Some(place) = check.place(numbers.end)
        && place.end - range.start <= RUN_BYTES
    {
        numbers.end += 1;
        range.end = place.end;
    }
    Some((numbers, range))
}

fn said(what: &str, why: Corrupt) -> Stop {
    Stop::Damaged(format!("{what}: {why}"))
}

#[cfg(test)]
mod tests;
