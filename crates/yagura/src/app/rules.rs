//! Rules: where they are kept, who runs them, and where alerts go.

use super::{Shared, cluster::Cluster, roles::Reads};
use crate::{config::Config, reread::Reread, target::Role};
use anyhow::Context;
use async_trait::async_trait;
use distributor::Distributor;
use hash_ring::Ring;
use notifier::{Alerting, Networks, Notifier, NotifierConfig, Trust};
use prometheus_client::registry::Registry;
use rpc::Pool;
use ruler::{
    AskStore, Claims, ConnectRuler, Dependencies, Folder, Owns, Processes, Remote, Ruler, RulerMetrics,
    Rulers, Stored,
};
use rules::{Engines, Pushed, Queries, Reading, RuleStore};
use runtime::Supervisor;
use service_api::{Push, RuleLanguage, RuleStates};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use vectors::Evaluate;

pub struct Rules {
    pub store: Arc<dyn RuleStore>,
    /// What all rulers run.
    pub states: Arc<dyn RuleStates>,
    /// None if this process is no ruler.
    own: Option<(Arc<Ruler>, Arc<Notifier>)>,
}

impl Rules {
    pub fn build(
        config: &Config,
        shared: &Shared,
        cluster: &Cluster,
        reads: &Reads,
        distributor: &Arc<Distributor>,
        reread: &Reread,
        registry: &mut Registry,
    ) -> anyhow::Result<Self> {
        let reading = |lang| Reading { lang, promql: reads.engine.config().features.parse_options() };
        let folder =
            |path: &Path, lang| (!path.as_os_str().is_empty()).then(|| Folder::new(path, reading(lang)));
        let folders = [
            folder(&config.ruler.rules_dir, None),
            folder(&config.ruler.log_rules_dir, Some(RuleLanguage::Logql)),
        ];
        let bucket = shared.manifests.bucket().clone();
        let networks = networks(config)?;
        let limits = Arc::clone(&shared.limits);
        let folders = folders.into_iter().flatten().collect();
        let store = Arc::new(Stored::new(bucket, folders, reading(None), limits, networks.clone()));
        let own = match config.targets().has(Role::Ruler) {
            false => None,
            true => {
                let notifier = notifier(config, networks, shared, reread, registry)?;
                let tenants = Arc::clone(&notifier);
                let metrics = RulerMetrics::default();
                metrics.register(registry);
                let dependencies = Dependencies {
                    store: Arc::clone(&store),
                    queries: queries(config, shared, cluster, reads),
                    results: Arc::new(Pushed(Arc::clone(distributor) as Arc<dyn Push>)),
                    notifier: notifier.clone(),
                    set_alerting: Arc::new(move |tenant, alerting| tenants.set_tenants(tenant, alerting)),
                    claims: Arc::new(claims(config, shared, cluster)),
                    ring: cluster.rulers.clone(),
                    owns: owned_groups(cluster),
                    clock: Arc::clone(&shared.clock),
                    metrics,
                };
                Some((Ruler::new(&config.ruler, config.external_url(), dependencies), notifier))
            }
        };
        let (pool, is_here) = (Arc::clone(&cluster.pool), cluster.is_here());
        let here = own.as_ref().map(|(ruler, _)| Arc::clone(ruler));
        let connect: ConnectRuler = Arc::new(move |member| match &here {
            Some(ruler) if is_here(member) => Arc::clone(ruler) as Arc<dyn RuleStates>,
            _ => pool.ruler(&member.address),
        });
        let states = Arc::new(Rulers::new(cluster.rulers.clone(), connect));
        Ok(Self { store, states, own })
    }

    /// This process's ruler.
    pub fn own(&self) -> Option<Arc<dyn RuleStates>> {
        self.own.as_ref().map(|(ruler, _)| Arc::clone(ruler) as Arc<dyn RuleStates>)
    }

    pub fn spawn(self, cluster: &Cluster, services: &mut Supervisor) {
        let Some((ruler, notifier)) = self.own else { return };
        services.spawn("notifier", |drain| notifier.run(drain));
        // Before that nothing is ours.
        let joined = cluster.joined(&cluster.rulers);
        services.spawn("ruler", |drain| async move {
            match drain.run_until_cancelled(joined).await {
                Some(()) => ruler.run(drain).await,
                None => Ok(()),
            }
        });
    }
}

fn networks(config: &Config) -> anyhow::Result<Networks> {
    config.ruler.tenant_networks.parse().map_err(anyhow::Error::msg).context("ruler.tenant_networks")
}

fn notifier(
    config: &Config,
    tenant_networks: Networks,
    shared: &Shared,
    reread: &Reread,
    registry: &mut Registry,
) -> anyhow::Result<Arc<Notifier>> {
    let settings = NotifierConfig { tenant_networks, ..NotifierConfig::default() };
    let notifier = Notifier::new(settings, Arc::clone(&shared.clock), registry);
    let urls = config.ruler.alertmanager_url.as_ref().map_or("", runtime::Secret::reveal);
    let by_url = Alerting::from_urls(urls);
    let by_url = by_url.map_err(anyhow::Error::msg).context("ruler.alertmanager_url")?;
    let file = &config.ruler.alertmanagers_file;
    if file.as_os_str().is_empty() {
        notifier.set_operators(by_url);
    } else {
        let taken = Arc::clone(&notifier);
        reread.watch("ruler.alertmanagers_file", vec![PathBuf::from(file)], move |texts| {
            let more = Alerting::parse(&texts.concat(), Trust::Operator).map_err(anyhow::Error::msg)?;
            taken.set_operators(by_url.clone().and(more));
            Ok(())
        })?;
    }
    Ok(notifier)
}

/// The engines of this process; with `ruler.remote_evaluation` queriers before them.
fn queries(config: &Config, shared: &Shared, cluster: &Cluster, reads: &Reads) -> Arc<dyn Queries> {
    let engines = Engines {
        promql: Arc::clone(&reads.engine),
        logql: Arc::clone(&reads.log_engine),
        metrics: reads.reader.clone(),
        logs: reads.reader.clone(),
        limits: Arc::clone(&shared.limits),
        clock: Arc::clone(&shared.clock),
    };
    match config.ruler.remote_evaluation && config.is_clustered() {
        false => Arc::new(engines),
        true => Arc::new(Remote {
            queriers: Arc::new(AnyQuerier {
                ring: cluster.queriers.clone(),
                pool: Arc::clone(&cluster.pool),
            }),
            here: Arc::new(engines),
            limits: Arc::clone(&shared.limits),
            lookback: reads.engine.config().lookback_ms,
        }),
    }
}

/// Has a querier evaluate: always the same one for an expression, as long as it is healthy.
struct AnyQuerier {
    ring: Ring,
    pool: Arc<Pool>,
}

#[async_trait]
impl Evaluate for AnyQuerier {
    async fn evaluate(
        &self,
        ctx: &service_api::ReadContext,
        stretch: &vectors::Stretch,
    ) -> service_api::Result<Option<vectors::Table>> {
        let view = self.ring.view();
        let token = xxhash_rust::xxh3::xxh3_64(stretch.query.as_bytes());
        match view.owner(token, None, |_| false) {
            None => Ok(None),
            Some(at) => {
                let address = &view.members()[usize::from(at)].address;
                self.pool.evaluator(address).evaluate(ctx, stretch).await
            }
        }
    }
}

fn claims(config: &Config, shared: &Shared, cluster: &Cluster) -> Claims {
    let pool = Arc::clone(&cluster.pool);
    let ask: AskStore = Arc::new(move |address| {
        let (pool, address) = (Arc::clone(&pool), address.to_owned());
        Box::pin(async move { pool.store_alive(&address).await })
    });
    let others = cluster.rings().map(|(_, ring)| ring.clone()).into();
    let (rulers, instance) = (cluster.rulers.clone(), Arc::clone(&cluster.instance));
    let witnesses = Processes { rulers, others, instance, ask };
    Claims::new(
        Arc::clone(&cluster.kv),
        &cluster.prefix,
        Arc::clone(&cluster.instance),
        config.ruler.claim_timeout(),
        Arc::clone(&shared.clock),
        Arc::new(witnesses),
    )
}

/// The groups whose first healthy ruler on the ring we are.
fn owned_groups(cluster: &Cluster) -> Owns {
    let (ring, instance) = (cluster.rulers.clone(), Arc::clone(&cluster.instance));
    Arc::new(move |token| {
        let view = ring.view();
        let us = view.position(&instance);
        us.is_some() && view.owner(token, us, |_| false) == us
    })
}
