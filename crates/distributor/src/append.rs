//! The two steps of an append, which both signals take: by key, and by labels what was not known by its key.

use crate::{batch::Batch, labels, metrics::Metrics};
use hashbrown::HashMap;
use model::{Labels, LabelsBuilder, Signal, TenantId};
use service_api::{IngestAll, Limits, PushOutcome, Rejection, Result, Wanted};
use std::sync::Arc;

/// Hands a batch on to the one ingester that there is, and adds to `outcome` what became of it.
pub async fn append<B: Batch>(
    batch: B,
    (tenant, limits): (&TenantId, &Limits),
    ingester: &dyn IngestAll,
    metrics: &Metrics,
    outcome: &mut PushOutcome,
) -> Result<()> {
    let batch = Arc::new(batch);
    let appended = Arc::clone(&batch).append(ingester, tenant, Wanted::All).await?;
    outcome.merge(appended.pushed);
    let named = name(&*batch, &appended.unknown, limits, metrics, outcome)?;
    if !named.is_empty() {
        outcome.merge(batch.append(ingester, tenant, Wanted::Named(named)).await?.pushed);
    }
    Ok(())
}

/// The checked labels of the series or streams that the ingester did not know. Those with bad labels are
/// refused here, with all their entries.
fn name<B: Batch>(
    batch: &B,
    unknown: &[u32],
    limits: &Limits,
    metrics: &Metrics,
    outcome: &mut PushOutcome,
) -> Result<Vec<(u32, Labels)>> {
    let mut builder = LabelsBuilder::new();
    let mut named = Vec::with_capacity(unknown.len());
    for &index in unknown {
        let entries = batch.entries_of(index as usize);
        if entries == 0 && B::SIGNAL == Signal::Logs {
            continue; // as in Loki, a stream comes into being with its first line
        }
        match labels::read(batch.labels(), index as usize, B::SIGNAL, limits, &mut builder)? {
            Ok(labels) => named.push((index, labels)),
            Err(rejection) => {
                let entries = (entries as u64).max(1);
                metrics.discard(&rejection.reason, entries);
                outcome.reject(entries, || rejection);
            }
        }
    }
    Ok(named)
}

/// The checked labels of the series of a batch that several ingesters ask for: read once.
#[derive(Default)]
pub struct Names {
    read: HashMap<u32, Result<Labels, Rejection>>,
    builder: LabelsBuilder,
}

impl Names {
    /// The labels of series or stream `index`. The outer error is a fault of ours, the inner one a label set
    /// that is refused.
    pub fn get<B: Batch>(
        &mut self,
        batch: &B,
        index: u32,
        limits: &Limits,
    ) -> Result<&Result<Labels, Rejection>> {
        let Self { read, builder } = self;
        match read.entry(index) {
            hashbrown::hash_map::Entry::Occupied(known) => Ok(known.into_mut()),
            hashbrown::hash_map::Entry::Vacant(free) => {
                Ok(free.insert(labels::read(batch.labels(), index as usize, B::SIGNAL, limits, builder)?))
            }
        }
    }

    /// Why the labels of series or stream `index` were refused, if they were.
    pub fn refused(&self, index: u32) -> Option<&Rejection> {
        self.read.get(&index)?.as_ref().err()
    }
}
