//! Removes blocks past their tenant's retention, and objects that nobody lists any more.

use block_store::{Manifests, apply_retention, collect_garbage};
use model::{Signal, TenantId};
use prometheus_client::{metrics::counter::Counter, registry::Registry};
use runtime::Clock;
use service_api::{LimitsSource, Result};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_secs(600);

/// Longer than any query, and than any time between a block's upload and its listing.
const GRACE: Duration = Duration::from_secs(3600);

pub struct Retention {
    manifests: Arc<Manifests>,
    limits: Arc<dyn LimitsSource>,
    clock: Arc<dyn Clock>,
    expired: Counter,
    removed: Counter,
    failures: Counter,
}

impl Retention {
    pub fn new(
        manifests: Arc<Manifests>,
        limits: Arc<dyn LimitsSource>,
        clock: Arc<dyn Clock>,
        registry: &mut Registry,
    ) -> Self {
        let (expired, removed, failures) = (Counter::default(), Counter::default(), Counter::default());
        let registry = registry.sub_registry_with_prefix("yagura_retention");
        registry.register(
            "expired_blocks",
            "Blocks dropped because they were past limits.retention",
            expired.clone(),
        );
        registry.register(
            "removed_objects",
            "Objects removed that no manifest listed any more",
            removed.clone(),
        );
        registry.register("failures", "Rounds that ended early; the next one tries again", failures.clone());
        Self { manifests, limits, clock, expired, removed, failures }
    }

    /// Makes its rounds, the first one at once.
    pub async fn run(self, drain: CancellationToken) -> Result<(), Infallible> {
        while let Some(round) = drain.run_until_cancelled(self.round()).await {
            if let Err(error) = round {
                self.failures.inc();
                tracing::warn!(%error, "old blocks could not be removed; trying again later");
            }
            if drain.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none() {
                break;
            }
        }
        Ok(())
    }

    async fn round(&self) -> Result<()> {
        for tenant in self.manifests.tenants().await? {
            for signal in Signal::ALL {
                self.tenant(&tenant, signal).await?;
            }
        }
        Ok(())
    }

    async fn tenant(&self, tenant: &TenantId, signal: Signal) -> Result<()> {
        let now = self.clock.now_ms();
        let retention = Duration::from_secs(self.limits.limits(tenant).retention);
        if !retention.is_zero() {
            let expired = apply_retention(&self.manifests, tenant, signal, now, retention).await?;
            self.expired.inc_by(expired.len() as u64);
        }
        let collected = collect_garbage(&self.manifests, tenant, signal, now, GRACE).await?;
        self.removed.inc_by(collected.blocks + collected.manifests);
        Ok(())
    }
}
