//! Lists rollups, and takes them off the list.

use super::{Manifest, Manifests, Rollup};
use model::{Signal, TenantId};
use service_api::Result;

impl Manifests {
    /// Lists the figures of a day, whose blocks are in the bucket, in one step. False if they are not those of
    /// what is listed now, or there are some: then nothing is changed.
    ///
    /// # Errors
    /// As of `add_block`.
    pub async fn add_rollup(&self, tenant: &TenantId, signal: Signal, rollup: &Rollup) -> Result<bool> {
        let in_time = || rollup.blocks.iter().try_for_each(|block| self.in_time(block));
        in_time()?;
        let mut added = false;
        let add = |current: &Manifest| {
            let is_there = current.rollups.contains(rollup);
            let of_day = |other: &Rollup| other.start < rollup.end && rollup.start < other.end;
            let may = !current.rollups.iter().any(of_day) && current.is_valid(rollup);
            added = is_there || may;
            let all = || current.rollups.iter().chain([rollup]).cloned().collect();
            may.then(|| current.with_rollups(all()))
        };
        self.update(tenant, signal, add).await?;
        if let (true, Err(late)) = (added, in_time()) {
            // The process stood still: a collector may have looked at the list before we wrote it.
            self.drop_rollups(tenant, signal, |listed| listed == rollup).await?;
            return Err(late);
        }
        Ok(added)
    }

    /// Takes rollups off the list; gives how many. Their blocks go with a later `collect_garbage`.
    pub async fn drop_rollups(
        &self,
        tenant: &TenantId,
        signal: Signal,
        which: impl Fn(&Rollup) -> bool + Send + Sync,
    ) -> Result<usize> {
        let mut dropped = 0;
        let drop = |current: &Manifest| {
            let kept: Vec<Rollup> = current.rollups.iter().filter(|rollup| !which(rollup)).cloned().collect();
            dropped = current.rollups.len() - kept.len();
            (dropped > 0).then(|| current.with_rollups(kept))
        };
        self.update(tenant, signal, drop).await?;
        Ok(dropped)
    }
}
