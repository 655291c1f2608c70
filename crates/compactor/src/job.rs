//! Does one job: merges, and lists the new blocks in the place of the old ones.

mod roll_up;

use crate::{CompactorConfig, CompactorMetrics, Job, Owed};
use block_store::{
    BlockMeta, Manifests, Merge, MergeConfig, MergeError, Merged, Omissions, Settled, Ulid, is_touched,
    merge_blocks,
};
use service_api::{Error, Result};
use tokio_util::sync::CancellationToken;

/// What jobs need.
pub struct Worker<'a> {
    pub manifests: &'a Manifests,
    pub owed: &'a Owed,
    pub config: &'a CompactorConfig,
    pub new_id: &'a (dyn Fn() -> Ulid + Send + Sync),
    pub metrics: &'a CompactorMetrics,
    pub stop: &'a CancellationToken,
}

impl Worker<'_> {
    /// Merges what is to be merged, or as much of it as there is memory and room for. It is no failure that others
    /// have changed the list meanwhile, or that a block had to be set aside: what is to be done then follows from
    /// the list.
    pub async fn run(&self, job: &Job) -> Result<()> {
        let mut inputs = job.inputs.as_slice();
        let (config, omissions) = (self.merge_config(), self.owed.omissions(job.signal, inputs)?);
        loop {
            match merge_blocks(self.merge(job, inputs, &omissions, &config)).await {
                Ok(merged) => return self.publish(job, inputs, merged).await,
                // Fewer need less.
                Err(MergeError::TooLarge { .. } | MergeError::NoRoom { .. }) if inputs.len() > 2 => {
                    inputs = &inputs[..inputs.len().div_ceil(2)];
                }
                Err(error) => return self.failed(job, error).await,
            }
        }
    }

    /// What is known of the job's blocks if there is nothing in them to be left out, which is for the caller to
    /// note; if there may be, they are written again, and it is none.
    pub async fn settle(&self, job: &Job) -> Result<Option<Settled>> {
        let (config, omissions) = (self.merge_config(), self.owed.omissions(job.signal, &job.inputs)?);
        match is_touched(self.merge(job, &job.inputs, &omissions, &config)).await {
            Ok(false) => Ok(Some(self.owed.settled(&job.inputs))),
            Ok(true) => self.run(job).await.map(|()| None),
            Err(error) => self.failed(job, error).await.map(|()| None),
        }
    }

    fn merge_config(&self) -> MergeConfig {
        MergeConfig {
            scratch: self.config.scratch_dir.clone(),
            memory: usize::try_from(self.config.memory).unwrap_or(usize::MAX),
            block_bytes: self.config.block_bytes,
        }
    }

    fn merge<'m>(
        &'m self,
        job: &'m Job,
        inputs: &'m [BlockMeta],
        omissions: &'m Omissions,
        config: &'m MergeConfig,
    ) -> Merge<'m> {
        Merge {
            bucket: self.manifests.bucket(),
            tenant: &job.tenant,
            signal: job.signal,
            inputs,
            omissions,
            config,
            new_id: self.new_id,
            stop: self.stop,
        }
    }

    async fn failed(&self, job: &Job, error: MergeError) -> Result<()> {
        match error {
            MergeError::Damaged { block, why } => self.set_aside(job, block, &why).await,
            MergeError::Missing { block } => self.set_aside(job, block, "it is not in the bucket").await,
            MergeError::Failed(error) => Err(error),
            error => Err(Error::unavailable(error.to_string())),
        }
    }

    async fn publish(
        &self,
        job: &Job,
        inputs: &[BlockMeta],
        Merged { mut blocks, figures }: Merged,
    ) -> Result<()> {
        let Job { tenant, signal, .. } = job;
        let (applied, Settled { cleared, rules }) = (self.owed.applied(inputs), self.owed.settled(inputs));
        for block in &mut blocks {
            (block.cleared, block.rules) = (cleared.clone(), rules);
        }
        let listed = self.manifests.replace(tenant, *signal, inputs, &blocks, &applied).await?;
        if listed.is_none() {
            // Somebody may read the new blocks nevertheless: whoever collects garbage removes them.
            self.metrics.fenced_merges.inc();
            tracing::info!(%tenant, %signal, "a merge came too late: its blocks are not listed any more");
            return Ok(());
        }
        let bytes = |blocks: &[BlockMeta]| blocks.iter().map(|block| block.bytes).sum::<u64>();
        self.metrics.merges.inc();
        self.metrics.merged_blocks.inc_by(inputs.len() as u64);
        self.metrics.merged_bytes.inc_by(bytes(inputs));
        self.metrics.new_blocks.inc_by(blocks.len() as u64);
        self.metrics.new_bytes.inc_by(bytes(&blocks));
        self.metrics.repeats.inc_by(figures.repeats);
        self.metrics.omitted.inc_by(figures.omitted);
        tracing::info!(
            %tenant, %signal, window = job.window.start, inputs = inputs.len(), input_bytes = bytes(inputs),
            blocks = blocks.len(), bytes = bytes(&blocks), repeats = figures.repeats, omitted = figures.omitted,
            "blocks merged"
        );
        Ok(())
    }

    /// The block stays listed, so that queries can say that they miss it.
    async fn set_aside(&self, job: &Job, block: Ulid, why: &str) -> Result<()> {
        let Job { tenant, signal, .. } = job;
        if self.manifests.set_aside(tenant, *signal, block, why).await? {
            tracing::error!(
                %tenant, %signal, %block, why,
                "a block is damaged and set aside: queries over its time warn, and merges go on without it"
            );
        }
        Ok(())
    }
}
