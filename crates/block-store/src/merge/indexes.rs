//! Reads the indexes of all inputs: nothing can be merged without them.

use super::{Merge, MergeError, memory::Memory, stored::Stored};
use crate::block::{LabelTable, WholeFooter};
use futures::{StreamExt, TryStreamExt, stream};

/// Indexes that are read and decoded at once, when it is not known yet how large they are.
const INDEXES_AT_ONCE: usize = 4;

/// An input whose index has been read; `P` is what that says of its pages.
pub struct Opened<P> {
    pub stored: Stored,
    pub labels: LabelTable,
    pub pages: P,
}

/// The indexes of all inputs, in their order, and how the memory is divided that is left beside them.
pub async fn read_indexes<F: WholeFooter>(
    merge: Merge<'_>,
    max_run: u64,
) -> Result<(Vec<Opened<F::Pages>>, Memory), MergeError> {
    let Merge { bucket, tenant, signal, inputs, config, .. } = merge;
    let (limit, count) = (config.memory as u64, inputs.len() as u64);
    let mut memory = Memory::divide(limit, count, 0, max_run)?;
    let open = |stored: Stored| async move {
        let (labels, pages) = stored.tables::<F>().await?;
        Ok::<_, MergeError>(Opened { stored, labels, pages })
    };
    let stored: Vec<_> = inputs.iter().map(|meta| Stored::new(bucket, tenant, signal, meta)).collect();
    let mut opening = stream::iter(stored.into_iter().map(open)).buffered(INDEXES_AT_ONCE);
    let (mut opened, mut bytes) = (Vec::with_capacity(inputs.len()), 0);
    while let Some(one) = opening.try_next().await? {
        bytes += (one.labels.heap_bytes() + F::heap_bytes(&one.pages)) as u64;
        memory = Memory::divide(limit, count, bytes, max_run)?;
        opened.push(one);
    }
    Ok((opened, memory))
}
