//! An ingester's process.

use super::{INGESTERS, Life, MANIFEST_POLL, ids, ring_config};
use crate::{
    bugs::{Bug, BuggyFs, BuggySource, Syncs},
    net,
    world::{Host, Order, World},
};
use hash_ring::{Disk, Lifecycler, RingMetrics, State};
use ingester::{
    Dependencies, FlushWhich, Ingester, IngesterConfig,
    fs::{Fs, sim::Random},
    wal::{Threads, WalConfig},
};
use rpc::{Heads, ReaderDeps, ServerConfig, Services};
use service_api::Source;
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};

/// The longest that a log takes to be read back, in milliseconds.
const LONGEST_REPLAY: u64 = 2500;

pub async fn live(world: &World, host: &Host) -> Result<(), String> {
    let mut life = Life::new(world, host);
    let replay = Duration::from_millis(Random(life.seed).below(LONGEST_REPLAY));
    let too_early = world.has(Bug::ActiveBeforeReplay);
    if !too_early {
        sleep(replay).await;
    }
    let ingester = start(world, host, &mut life)?;
    let id =
        if world.has(Bug::ErasedDiskUntold) { String::from("disk") } else { ingester.disk_id().to_string() };
    let disk = Disk { id: id.clone(), holds_data: ingester.holds_data() };
    let config = ring_config(world, host);
    let kv = Arc::new(host.kv.clone());
    let clock = Arc::clone(&life.clock);
    let member = Lifecycler::new(kv, INGESTERS, &config, disk, clock, &RingMetrics::default());
    let mut heads: Arc<dyn Source> = ingester.clone();
    if too_early {
        heads =
            Arc::new(BuggySource { inner: heads, empty_until: Some(Instant::now() + replay), deaf: false });
    }
    let services = services(&mut life, &ingester, &id, heads);
    let connections = net::incoming().await.map_err(|error| error.to_string())?;
    let serving = tokio::spawn(async move { services.serve(connections).await });
    let keeping = tokio::spawn({
        let (member, drain) = (member.clone(), life.drain.clone());
        async move { member.run(drain).await }
    });
    let running = tokio::spawn(Arc::clone(&ingester).run(life.drain.clone()));
    member.activate();
    world.history.note(&host.name, format_args!("starts with disk {}", ingester.disk_id()));
    tokio::select! {
        biased;
        ended = running => Err(format!("the ingester ended: {ended:?}")),
        ended = serving => Err(format!("the server ended: {ended:?}")),
        ended = keeping => Err(format!("the membership ended: {ended:?}")),
        left = obey(world, host, &ingester, &member) => left,
    }
}

fn start(world: &World, host: &Host, life: &mut Life) -> Result<Arc<Ingester>, String> {
    let disk = host.disk.lock().clone();
    let fs: Arc<dyn Fs> = match world.shape.bug {
        Some(Bug::NoSync) => Arc::new(BuggyFs { inner: disk, syncs: Syncs::NotMade }),
        Some(Bug::SyncRetried) => Arc::new(BuggyFs { inner: disk, syncs: Syncs::Retried }),
        _ => Arc::new(disk),
    };
    let wal = WalConfig { threads: Threads::Inline, segment_size: 64 << 10, ..WalConfig::default() };
    let config = IngesterConfig { block_duration: 60, flush_interval: 5, wal, ..IngesterConfig::default() };
    let dependencies = Dependencies {
        fs,
        dir: PathBuf::from("data"),
        clock: Arc::clone(&life.clock),
        limits: Arc::clone(&life.limits),
        manifests: Arc::clone(&life.manifests),
        new_id: ids(life),
        instance: host.name.clone(),
    };
    Ingester::start(config, dependencies, &mut life.registry).map_err(|error| format!("no start: {error}"))
}

fn services(life: &mut Life, ingester: &Arc<Ingester>, disk: &str, heads: Arc<dyn Source>) -> Services {
    let deps = ReaderDeps {
        heads: Some(Heads { source: heads, changes: ingester.clone(), disk: disk.into() }),
        blocks: None,
        evaluator: None,
        limits: Arc::clone(&life.limits),
    };
    let clock = Arc::clone(&life.clock);
    Services::new(ServerConfig::default(), life.drain.clone(), clock, &mut life.registry)
        .ingester(ingester.clone(), ingester.clone())
        .reader(deps)
        .health(|| true, || true)
}

/// Does what an operator asks for. Ends when the ingester has left.
async fn obey(
    world: &World,
    host: &Host,
    ingester: &Arc<Ingester>,
    member: &Lifecycler,
) -> Result<(), String> {
    loop {
        sleep(Duration::from_millis(100)).await;
        let order = host.orders.lock().pop_front();
        match order {
            None => {}
            Some(Order::Flush) => {
                let flushed = ingester.flush(FlushWhich::All).await;
                world.history.note(&host.name, format_args!("flushed: {flushed:?}"));
            }
            Some(Order::Leave) => {
                member.set_state(State::Leaving);
                member.written().await;
                while let Err(error) = ingester.leave().await {
                    world.history.note(&host.name, format_args!("leaving: {error}"));
                    sleep(Duration::from_secs(1)).await;
                }
                // Until then somebody may have a list of blocks without the last ones, and needs to be told.
                sleep(2 * MANIFEST_POLL).await;
                while member.leave(true).await.is_err() {
                    sleep(Duration::from_secs(1)).await;
                }
                return Ok(());
            }
        }
    }
}
