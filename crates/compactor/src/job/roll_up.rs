//! Makes a day's figures, and lists them.

use super::Worker;
use crate::Job;
use block_store::{MergeError, Omissions, Rollup, roll_up};
use service_api::Result;

impl Worker<'_> {
    /// Of native histograms there are no figures; that is noted. It is no failure that others have changed the list
    /// meanwhile.
    pub async fn roll_up(&self, job: &Job) -> Result<()> {
        let Job { tenant, signal, window, inputs } = job;
        let (start, end) = (window.start - 1, window.end);
        let (config, omissions) = (self.merge_config(), Omissions::new());
        let made = roll_up(self.merge(job, inputs, &omissions, &config), start, end).await;
        let (blocks, unsuitable) = match made {
            Ok(merged) => (merged.blocks, false),
            Err(MergeError::Histograms) => (Vec::new(), true),
            Err(error) => return self.failed(job, error).await,
        };
        let mut of: Vec<_> = inputs.iter().map(|input| input.id).collect();
        of.sort_unstable();
        let bytes: u64 = blocks.iter().map(|block| block.bytes).sum();
        let rollup = Rollup { start, end, of, blocks, unsuitable };
        if !self.manifests.add_rollup(tenant, *signal, &rollup).await? {
            self.metrics.fenced_merges.inc();
            tracing::info!(%tenant, day = start, "a rollup came too late: its blocks are not those of the list any more");
            return Ok(());
        }
        if unsuitable {
            tracing::info!(%tenant, day = start, "a day is not rolled up: it has native histograms");
            return Ok(());
        }
        self.metrics.rollups.inc();
        self.metrics.rollup_bytes.inc_by(bytes);
        let input_bytes: u64 = inputs.iter().map(|block| block.bytes).sum();
        tracing::info!(%tenant, day = start, inputs = inputs.len(), input_bytes, bytes, "a day was rolled up");
        Ok(())
    }
}
