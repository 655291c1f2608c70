//! A querier's process, and the readers that ask it.

use super::{INGESTERS, Life, QUERIERS, ring_config};
use crate::{
    bugs::{Bug, BuggySource},
    net, workload,
    world::{Host, World},
};
use block_store::{BlockCacheConfig, BlockMeta, BlocksReader};
use hash_ring::{Disk, Kv, Lifecycler, Member, Ring, RingConfig, RingMetrics, RingView};
use model::{Signal, TenantId};
use parking_lot::Mutex;
use querier::{
    BlockClients, Connect, DistributedBlocks, Querier, QuerierConfig, QuerierMetrics, ReplicatedReader,
    ViewSource, Without,
};
use rpc::{BlockSources, ReaderDeps, ServerConfig, Services};
use service_api::Source;
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;

pub async fn live(world: &Arc<World>, host: &Host) -> Result<(), String> {
    let mut life = Life::new(world, host);
    let blocks = Arc::new(BlocksReader::new(Arc::clone(&life.manifests), &BlockCacheConfig::default()));
    let querier = querier(world, host, &mut life, &blocks);
    let services = services(&mut life, blocks);
    let connections = net::incoming().await.map_err(|error| error.to_string())?;
    tokio::spawn(async move { services.serve(connections).await });
    let kv = Arc::new(host.kv.clone());
    let (config, clock) = (ring_config(world, host), Arc::clone(&life.clock));
    let member = Lifecycler::new(kv, QUERIERS, &config, Disk::default(), clock, &RingMetrics::default());
    member.activate();
    let drain = life.drain.clone();
    tokio::spawn(async move { member.run(drain).await });
    workload::ask(world, host, &querier).await
}

fn querier(world: &Arc<World>, host: &Host, life: &mut Life, blocks: &Arc<BlocksReader>) -> Querier {
    let metrics = QuerierMetrics::register(&mut life.registry);
    let mut config = ring_config(world, host);
    if world.has(Bug::OneMissingTooMany) {
        config.replication_factor = 5;
    }
    let pool = Arc::clone(&life.pool);
    let connect: Connect = Arc::new(move |member| pool.ingester_on(&member.address, &member.disk));
    let mut recent: Arc<dyn Source> =
        Arc::new(ReplicatedReader::new(ingesters(world, host, life, config), connect, metrics.clone()));
    if world.has(Bug::OldManifest) {
        recent = Arc::new(BuggySource { inner: recent, empty_until: None, deaf: true });
    }
    let queriers = RingConfig { replication_factor: 2, ..ring_config(world, host) };
    let queriers = life.ring(world, host, QUERIERS, &queriers);
    let pool = Arc::clone(&life.pool);
    let clients = BlockClients::new(Arc::clone(blocks), move |member: &Member, signal, blocks| {
        pool.blocks(&member.address, signal, blocks)
    });
    // Nothing is small: blocks are read by their owners.
    let config = QuerierConfig { small_query_bytes: 0, ..QuerierConfig::default() };
    let view: ViewSource = Arc::new(move || queriers.view());
    let recent = Without::of_heads(recent, Arc::clone(&clients.list), Arc::clone(&life.clock));
    let blocks = DistributedBlocks::new(view, host.name.as_str().into(), clients, config, metrics.clone());
    Querier::new(Arc::new(recent), Arc::new(blocks), metrics)
}

fn ingesters(world: &Arc<World>, host: &Host, life: &Life, config: RingConfig) -> ViewSource {
    let ring = life.ring(world, host, INGESTERS, &config);
    if !world.has(Bug::EmptyRingBelieved) {
        return Arc::new(move || ring.view());
    }
    let believed = Arc::new(Mutex::new(ring));
    let view = Arc::clone(&believed);
    let (kv, clock, drain) = (host.kv.clone(), Arc::clone(&life.clock), life.drain.clone());
    tokio::spawn(async move {
        let mut store = None;
        loop {
            sleep(Duration::from_millis(50)).await;
            let Ok(listing) = kv.list("").await else { continue };
            if store.replace(listing.cluster).is_some_and(|known| known != listing.cluster) {
                let metrics = RingMetrics::default();
                let ring =
                    Ring::new(Arc::new(kv.clone()), INGESTERS, &config, None, Arc::clone(&clock), &metrics);
                *believed.lock() = ring.clone();
                let drain = drain.clone();
                tokio::spawn(async move { ring.run(drain).await });
            }
        }
    });
    Arc::new(move || -> Arc<RingView> { view.lock().view() })
}

struct Blocks(Arc<BlocksReader>);

impl BlockSources for Blocks {
    fn blocks(&self, _: &TenantId, _: Signal, blocks: Vec<BlockMeta>) -> Arc<dyn Source> {
        self.0.only(blocks)
    }
}

fn services(life: &mut Life, blocks: Arc<BlocksReader>) -> Services {
    let deps = ReaderDeps {
        heads: None,
        blocks: Some(Arc::new(Blocks(blocks))),
        evaluator: None,
        limits: Arc::clone(&life.limits),
    };
    let clock = Arc::clone(&life.clock);
    Services::new(ServerConfig::default(), life.drain.clone(), clock, &mut life.registry)
        .reader(deps)
        .health(|| true, || true)
}
