//! Bounds exemplars and metadata, which are kept beside the samples as far as they fit.

use crate::retain;
use service_api::WriteBatch;

/// Characters of all names and values of an exemplar's labels (OpenMetrics 1.0).
const MAX_EXEMPLAR_CHARACTERS: usize = 128;

/// Bytes of a metric's name, help and unit together.
const MAX_METADATA_BYTES: usize = 8192;

/// Drops what is too long and returns how many that were. As in Prometheus this fails no
/// request: the samples beside them matter more.
pub fn drop_too_long(batch: &mut WriteBatch) -> u64 {
    let before = batch.exemplars.len() + batch.metadata.len();
    let fits = |e: &model::Exemplar| {
        e.labels.iter().map(|(n, v)| n.chars().count() + v.chars().count()).sum::<usize>()
            <= MAX_EXEMPLAR_CHARACTERS
    };
    if !batch.exemplars.iter().all(fits) {
        retain::exemplars(batch, fits);
    }
    batch
        .metadata
        .retain(|m| m.metric.len() + m.metadata.help.len() + m.metadata.unit.len() <= MAX_METADATA_BYTES);
    (before - batch.exemplars.len() - batch.metadata.len()) as u64
}
