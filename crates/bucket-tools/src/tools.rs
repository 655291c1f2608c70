//! What all commands use, and how they find tenants and blocks by what was typed.

use crate::{human::bytes, progress::Progress};
use anyhow::{Context, Result, bail};
use block_store::{BlockMeta, Manifests, S3Config, Ulid};
use model::{Signal, TenantId, Timestamp};
use removal::Retention;
use runtime::Clock;
use service_api::LimitsSource;
use std::{path::PathBuf, sync::Arc};

/// Makes the id of a new block, with the time of the call.
pub type NewId = Arc<dyn Fn() -> Ulid + Send + Sync>;

/// Where it is said how far a command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Console {
    /// Bars that move.
    Terminal,
    /// Now and then a line.
    Lines,
    Quiet,
}

/// How a command ended that did all that it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Good,
    /// Something is wrong with the blocks, or was refused; it has been said.
    Bad,
}

pub struct Tools {
    pub manifests: Arc<Manifests>,
    /// The bucket, for people.
    pub url: String,
    /// For buckets of others.
    pub s3: S3Config,
    pub clock: Arc<dyn Clock>,
    pub limits: Arc<dyn LimitsSource>,
    pub new_id: NewId,
    /// The folder for what does not fit into memory.
    pub scratch: PathBuf,
    pub console: Console,
}

impl Tools {
    /// Whether nothing of what ends then is kept for the tenant. Rules that cannot be understood keep everything: a
    /// server does not start with them.
    pub(crate) fn is_past_retention(&self, tenant: &TenantId, end: Timestamp) -> bool {
        let retention = Retention::new(&self.limits.limits(tenant)).ok();
        retention
            .and_then(|retention| retention.oldest(self.clock.now_ms()))
            .is_some_and(|oldest| end < oldest)
    }

    pub(crate) fn progress(&self, what: &str, total: Option<u64>) -> Progress {
        Progress::new(self.console, Arc::clone(&self.clock), what, total)
    }

    /// Everybody's name, or the one that was typed, if there is such a tenant.
    pub(crate) async fn tenants(&self, typed: Option<&str>) -> Result<Vec<TenantId>> {
        match typed {
            Some(name) => Ok(vec![self.tenant(name).await?]),
            None => self.all_tenants().await,
        }
    }

    pub(crate) async fn tenant(&self, name: &str) -> Result<TenantId> {
        let tenant = TenantId::new(name)?;
        let all = self.all_tenants().await?;
        if all.contains(&tenant) {
            return Ok(tenant);
        }
        let url = &self.url;
        if all.is_empty() {
            bail!("the bucket {url} is empty: if it should not be, look at bucket.url and data_dir");
        }
        let names: Vec<&str> = all.iter().map(TenantId::as_str).collect();
        bail!("there is no tenant {name} in the bucket {url}; there are: {}", names.join(", "))
    }

    async fn all_tenants(&self) -> Result<Vec<TenantId>> {
        self.manifests.tenants().await.with_context(|| format!("cannot read the bucket {}", self.url))
    }

    /// The signals that were asked for.
    pub(crate) fn signals(typed: Option<Signal>) -> Vec<Signal> {
        typed.map_or(Signal::ALL.to_vec(), |signal| vec![signal])
    }

    /// The blocks that a tenant's newest list of a signal has, oldest first.
    pub(crate) async fn listed(&self, tenant: &TenantId, signal: Signal) -> Result<Vec<BlockMeta>> {
        let manifest = self.manifests.refresh(tenant, signal).await;
        let manifest = manifest.with_context(|| format!("the list of {signal} blocks of tenant {tenant}"))?;
        let mut blocks = manifest.blocks.clone();
        blocks.sort_by_key(|block| (block.min_time, block.id));
        Ok(blocks)
    }

    /// The listed block whose id begins with what was typed.
    pub(crate) async fn find(
        &self,
        tenant: &TenantId,
        signal: Option<Signal>,
        typed: &str,
    ) -> Result<(Signal, BlockMeta)> {
        let prefix = typed.to_ascii_uppercase();
        let mut found = Vec::new();
        for signal in Self::signals(signal) {
            let blocks = self.listed(tenant, signal).await?.into_iter();
            let wanted =
                blocks.filter(|block| !prefix.is_empty() && block.id.to_string().starts_with(&prefix));
            found.extend(wanted.map(|block| (signal, block)));
        }
        match found.len() {
            1 => Ok(found.swap_remove(0)),
            0 => bail!(
                "no block {typed} is listed for tenant {tenant}: `yagura bucket ls --tenant {tenant}` shows those that are"
            ),
            several => {
                let (signal, first) = &found[0];
                let bytes = bytes(first.bytes);
                bail!("{several} blocks begin with {typed}, the first is {} ({signal}, {bytes})", first.id)
            }
        }
    }
}
