//! Whether anything is to be left out of a block, as far as its index can tell.

use super::{Merge, MergeError, stored::Stored};
use crate::{
    BlockMeta,
    block::{LogsFooter, MetricsFooter, WholeFooter, blocking},
};
use model::Signal;
use service_api::Omit;
use std::sync::Arc;

/// Whether a series or stream of an input may have something that is to be left out. If none has, none of the
/// blocks need be written again.
///
/// # Errors
/// As those of a merge.
pub async fn is_touched(merge: Merge<'_>) -> Result<bool, MergeError> {
    for meta in merge.inputs {
        let Some(omit) = merge.omissions.get(&meta.id) else { continue };
        let stored = Stored::new(merge.bucket, merge.tenant, merge.signal, meta);
        let look = async {
            match merge.signal {
                Signal::Metrics => look::<MetricsFooter>(&stored, meta, omit).await,
                Signal::Logs => look::<LogsFooter>(&stored, meta, omit).await,
            }
        };
        let found = merge.stop.run_until_cancelled(look).await;
        if found.unwrap_or(Err(MergeError::Stopped))? {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn look<F: WholeFooter>(
    stored: &Stored,
    meta: &BlockMeta,
    omit: &Arc<dyn Omit>,
) -> Result<bool, MergeError> {
    let (mut labels, _) = stored.tables::<F>().await?;
    let (omit, range) = (Arc::clone(omit), meta.time_range());
    let any = move || {
        for row in 0..labels.len() as u32 {
            if omit.of(&labels.labels(row)?).touches(range) {
                return Ok(true);
            }
        }
        Ok(false)
    };
    blocking(any).await?.map_err(|e: chunk::Corrupt| stored.damaged(e))
}
