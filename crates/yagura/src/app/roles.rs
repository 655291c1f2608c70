//! The roles, made out of their parts.

use super::{Shared, cluster::Cluster, local_limits::LocalLimits};
use crate::{config::Config, target::Role};
use anyhow::Context;
use block_store::{BlockCacheConfig, BlocksReader, Ulid};
use compactor::{Compactor, CompactorMetrics, Owns};
use distributor::Distributor;
use http_api::{ResultCache, ResultMetrics};
use ingester::{Ingester, NewId, fs::RealFs};
use prometheus_client::registry::Registry;
use querier::{
    BlockClients, ConnectEvaluator, DataChanges, DistributedBlocks, Evaluator, Federation, Querier,
    QuerierMetrics, ReplicatedReader, RingTail, Spread, Without,
};
use runtime::Clock;
use service_api::{Changes, HeadSource, IngestAll, LimitsSource, LogsTail};
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};
use vectors::Evaluate;
use xxhash_rust::xxh3::xxh3_64;

/// Reads the log back; ready when it returns.
pub async fn ingester(
    config: &Config,
    dir: &Path,
    shared: &Shared,
    cluster: &Cluster,
    registry: Registry,
) -> anyhow::Result<(Arc<Ingester>, Registry)> {
    let limits: Arc<dyn LimitsSource> = match config.is_clustered() {
        false => Arc::clone(&shared.limits),
        true => Arc::new(LocalLimits::new(Arc::clone(&shared.limits), cluster.ingesters.clone())),
    };
    let dependencies = ingester::Dependencies {
        fs: Arc::new(RealFs),
        dir: dir.to_owned(),
        clock: Arc::clone(&shared.clock),
        limits,
        manifests: Arc::clone(&shared.manifests),
        new_id: block_ids(Arc::clone(&shared.clock)),
        instance: cluster.instance.to_string(),
    };
    let settings = config.ingester();
    let mut registry = registry;
    let (started, registry) = tokio::task::spawn_blocking(move || {
        let started = Ingester::start(settings, dependencies, &mut registry);
        (started, registry)
    })
    .await?;
    Ok((started.context("cannot start the ingester")?, registry))
}

/// Ids of blocks: random, and in the order of their making.
pub fn block_ids(clock: Arc<dyn Clock>) -> NewId {
    Arc::new(move || {
        let since = Duration::from_millis(clock.now_ms().try_into().unwrap_or(0));
        Ulid::from_datetime(UNIX_EPOCH + since)
    })
}

pub fn distributor(
    config: &Config,
    shared: &Shared,
    cluster: &Cluster,
    here: Option<Arc<Ingester>>,
    registry: &mut Registry,
) -> Arc<Distributor> {
    let (pool, is_here) = (Arc::clone(&cluster.pool), cluster.is_here());
    let dependencies = distributor::Dependencies {
        ring: cluster.ingesters.clone(),
        connect: Arc::new(move |member| match &here {
            Some(ingester) if is_here(member) => Arc::clone(ingester) as Arc<dyn IngestAll>,
            _ => pool.ingester(&member.address),
        }),
        distributors: cluster.count_distributors(),
        kv: Arc::clone(&cluster.kv),
        kv_prefix: cluster.prefix.clone(),
        limits: Arc::clone(&shared.limits),
        clock: Arc::clone(&shared.clock),
        instance: Arc::clone(&cluster.instance),
    };
    Arc::new(Distributor::new(config.distributor.clone(), dependencies, registry))
}

/// Merges blocks, and removes what is too old or listed by nobody.
pub fn compactor(
    config: &Config,
    dir: &Path,
    shared: &Shared,
    cluster: &Cluster,
    registry: &mut Registry,
) -> anyhow::Result<Compactor> {
    let settings = config.compactor(dir);
    std::fs::create_dir_all(&settings.scratch_dir).with_context(|| {
        let folder = settings.scratch_dir.display();
        format!("cannot make the folder {folder} for blocks that are being merged (compactor.scratch_dir)")
    })?;
    let metrics = CompactorMetrics::default();
    metrics.register(registry);
    Ok(Compactor::new(
        settings,
        Arc::clone(&shared.manifests),
        Arc::clone(&shared.limits),
        Arc::clone(&shared.clock),
        block_ids(Arc::clone(&shared.clock)),
        owned_days(cluster),
        metrics,
    ))
}

/// The days of tenants whose first healthy compactor on the ring we are.
fn owned_days(cluster: &Cluster) -> Owns {
    let (ring, instance) = (cluster.compactors.clone(), Arc::clone(&cluster.instance));
    Arc::new(move |tenant, signal, day| {
        let (view, key) = (ring.view(), format!("{tenant}/{signal}/{}", day.unwrap_or(-1)));
        let us = view.position(&instance);
        us.is_some() && view.owner(xxh3_64(key.as_bytes()), us, |_| false) == us
    })
}

/// Takes requests to delete.
pub fn deletions(shared: &Shared) -> removal::Requests {
    let Shared { clock, limits, manifests } = shared;
    removal::Requests::new(Arc::clone(manifests), Arc::clone(limits), block_ids(Arc::clone(clock)))
}

/// What answers queries, and what reads blocks for other queriers.
pub struct Reads {
    pub reader: Arc<Federation>,
    pub tail: Arc<dyn LogsTail>,
    pub blocks: Arc<BlocksReader>,
    pub results: Option<Arc<ResultCache>>,
    pub engine: Arc<promql::Engine>,
    pub log_engine: Arc<logql::Engine>,
    /// Those over the reader.
    pub evaluator: Arc<Evaluator>,
    /// None if we are alone.
    pub spread: Option<Arc<dyn Evaluate>>,
}

pub fn reads(
    config: &Config,
    dir: &Path,
    shared: &Shared,
    cluster: &Cluster,
    here: Option<Arc<Ingester>>,
    registry: &mut Registry,
) -> Reads {
    let metrics = QuerierMetrics::register(registry);
    let view = Cluster::view(&cluster.ingesters);
    let (pool, is_here, local) = (Arc::clone(&cluster.pool), cluster.is_here(), here.clone());
    let connect: querier::Connect = Arc::new(move |member| match &local {
        Some(ingester) if is_here(member) => Arc::clone(ingester) as Arc<dyn HeadSource>,
        _ => pool.ingester_on(&member.address, &member.disk),
    });
    let recent = Arc::new(ReplicatedReader::new(Arc::clone(&view), connect, metrics.clone()));
    let (pool, is_here) = (Arc::clone(&cluster.pool), cluster.is_here());
    let tail: Arc<dyn LogsTail> = match (&here, config.is_clustered()) {
        (Some(ingester), false) => Arc::clone(ingester) as Arc<dyn LogsTail>,
        _ => {
            let connect: querier::ConnectTail = Arc::new(move |member| match &here {
                Some(ingester) if is_here(member) => Arc::clone(ingester) as Arc<dyn LogsTail>,
                _ => pool.ingester(&member.address),
            });
            Arc::new(RingTail::new(view, connect, metrics.clone()))
        }
    };
    let cache = cache(config, dir);
    let blocks = Arc::new(BlocksReader::open(Arc::clone(&shared.manifests), &cache, registry));
    let pool = Arc::clone(&cluster.pool);
    let clients = BlockClients::new(Arc::clone(&blocks), move |member, signal, blocks| {
        pool.blocks(&member.address, signal, blocks)
    });
    let changes = DataChanges::new(Arc::clone(&recent) as Arc<dyn Changes>, Arc::clone(&clients.list));
    let bytes = config.cache.results_bytes;
    let results = ResultCache::new(bytes, Arc::new(changes), ResultMetrics::register(registry)).map(Arc::new);
    let recent = Without::of_heads(recent, Arc::clone(&clients.list), Arc::clone(&shared.clock));
    let stored = Arc::new(DistributedBlocks::new(
        Cluster::view(&cluster.queriers),
        Arc::clone(&cluster.instance),
        clients.clone(),
        config.querier.clone(),
        metrics.clone(),
    ));
    let querier = Arc::new(Querier::new(Arc::new(recent), stored, metrics.clone()));
    let reader = Arc::new(Federation::new(querier, config.querier.concurrent_tenants));
    let (engine, log_engine) = (Arc::new(promql::Engine::new(config.query.engine())), Arc::default());
    let at_once = config.querier.concurrent_stretches;
    let evaluator =
        Arc::new(Evaluator::new(Arc::clone(&reader), Arc::clone(&engine), Arc::clone(&log_engine), at_once));
    let spread = config.is_clustered().then(|| {
        let pool = Arc::clone(&cluster.pool);
        let ring = (Cluster::view(&cluster.queriers), Arc::clone(&cluster.instance));
        let connect: ConnectEvaluator = Arc::new(move |member| pool.evaluator(&member.address));
        let here = Arc::clone(&evaluator);
        Arc::new(Spread::new(ring, clients.list, here, connect, config.querier.clone(), metrics))
            as Arc<dyn Evaluate>
    });
    Reads { reader, tail, blocks, results, engine, log_engine, evaluator, spread }
}

/// A querier of a cluster keeps blocks on its disk unless it is told otherwise: it has nothing else there.
fn cache(config: &Config, dir: &Path) -> BlockCacheConfig {
    let mut cache = config.cache.blocks();
    if config.is_clustered() && cache.disk_dir.is_empty() && config.targets().has(Role::Querier) {
        cache.disk_dir = dir.join("cache").display().to_string();
    }
    cache
}
