//! Refuses or cuts log lines that break the tenant's limits.

use crate::{bounds::Bounds, entry_rejection, metrics::Metrics, retain};
use model::NANOS_A_MILLI;
use service_api::{Limits, LogBatch, LogEntry, PushOutcome, RejectReason, TextSpan};

/// Refuses lines out of bounds in time and size, and those with too much structured metadata. A batch
/// without such lines, the usual one, is only looked at.
pub fn drop_out_of_bounds(
    batch: &mut LogBatch,
    limits: &Limits,
    bounds: Bounds,
    metrics: &Metrics,
    outcome: &mut PushOutcome,
) {
    if limits.truncate_long_lines {
        truncate(batch, limits.max_line_size);
    }
    let metadata = std::mem::take(&mut batch.metadata);
    refuse(batch, limits, metrics, outcome, |_, entry| {
        bounds
            .check(entry.timestamp.div_euclid(NANOS_A_MILLI))
            .or_else(|| check_size(entry, limits))
            .or_else(|| check_metadata(entry, &metadata, limits))
    });
    batch.metadata = metadata;
}

/// Refuses the lines for which `check` gives a reason. It is asked once for each line, with the index of the
/// line's stream.
pub fn refuse(
    batch: &mut LogBatch,
    limits: &Limits,
    metrics: &Metrics,
    outcome: &mut PushOutcome,
    mut check: impl FnMut(usize, &LogEntry) -> Option<RejectReason>,
) {
    let mut refused = Vec::new();
    let mut number = 0_u32;
    for (index, stream) in batch.streams.iter().enumerate() {
        for entry in &batch.entries[stream.entries.start as usize..stream.entries.end as usize] {
            if let Some(reason) = check(index, entry) {
                refused.push(number);
                metrics.discard(&reason, 1);
                let discover = limits.discover_service_name;
                outcome
                    .reject(1, || entry_rejection(&*batch.labels, index, discover, reason, entry.timestamp));
            }
            number += 1;
        }
    }
    if refused.is_empty() {
        return;
    }
    let mut refused = refused.into_iter().peekable();
    let mut number = 0_u32;
    retain::lines(batch, |_| {
        let keep = refused.next_if_eq(&number).is_none();
        number += 1;
        keep
    });
}

fn check_size(entry: &LogEntry, limits: &Limits) -> Option<RejectReason> {
    let (bytes, limit) = (u64::from(entry.line.len), limits.max_line_size);
    (limit > 0 && bytes > limit).then_some(RejectReason::LineTooLong { bytes, limit })
}

/// The sentences are Loki's.
fn check_metadata(
    entry: &LogEntry,
    metadata: &[(TextSpan, TextSpan)],
    limits: &Limits,
) -> Option<RejectReason> {
    let pairs = &metadata[entry.metadata.start as usize..entry.metadata.end as usize];
    if pairs.is_empty() {
        return None;
    }
    let bytes: u64 = pairs.iter().map(|(name, value)| u64::from(name.len) + u64::from(value.len)).sum();
    let (limit, most) = (limits.max_structured_metadata_size, limits.max_structured_metadata_entries);
    if bytes > limit {
        return Some(RejectReason::Metadata(format!(
            "structured metadata too large: '{bytes}' bytes, limit: '{limit}' bytes (limits.max_structured_metadata_size)"
        )));
    }
    let count = pairs.len();
    (count > most).then(|| {
        RejectReason::Metadata(format!(
            "too many structured metadata labels: '{count}', limit: '{most}' (limits.max_structured_metadata_entries)"
        ))
    })
}

/// Cuts lines to at most `limit` bytes, at the end of a character.
fn truncate(batch: &mut LogBatch, limit: u64) {
    let Some(limit) = u32::try_from(limit).ok().filter(|limit| *limit > 0) else { return };
    for entry in &mut batch.entries {
        if entry.line.len > limit {
            let start = entry.line.start as usize;
            let line = &batch.text[start..start + entry.line.len as usize];
            let is_middle = |len: &u32| line[*len as usize] & 0xc0 == 0x80;
            // No character has more than three bytes after its first.
            entry.line.len = (0..=limit).rev().take(4).find(|len| !is_middle(len)).unwrap_or(0);
        }
    }
}
