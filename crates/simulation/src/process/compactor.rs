//! A compactor's process.

use super::{COMPACTORS, Life, ids, ring_config};
use crate::{
    clock::EPOCH_MS,
    net,
    world::{Host, World},
};
use compactor::{Compactor, CompactorConfig, CompactorMetrics, Owns};
use hash_ring::{Disk, Lifecycler, RingConfig, RingMetrics};
use rpc::{ServerConfig, Services};
use runtime::Clock;
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::time::sleep;

/// All of the simulated data lies in days that are over.
const AHEAD: i64 = 3 * 86_400_000;

/// By which a compactor plans: what it merges is as old as what it would merge after days.
struct Later(Arc<dyn Clock>);

impl Clock for Later {
    fn now_ms(&self) -> i64 {
        self.0.now_ms() + AHEAD
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }
}

pub async fn live(world: &Arc<World>, host: &Host) -> Result<(), String> {
    let mut life = Life::new(world, host);
    // Whoever leads the ring asks by this whether we live.
    let clock = Arc::clone(&life.clock);
    let services = Services::new(ServerConfig::default(), life.drain.clone(), clock, &mut life.registry);
    let services = services.health(|| true, || true);
    let connections = net::incoming().await.map_err(|error| error.to_string())?;
    tokio::spawn(async move { services.serve(connections).await });
    let (kv, config) = (Arc::new(host.kv.clone()), ring_config(world, host));
    let clock = Arc::clone(&life.clock);
    let member = Lifecycler::new(kv, COMPACTORS, &config, Disk::default(), clock, &RingMetrics::default());
    member.activate();
    let drain = life.drain.clone();
    tokio::spawn(async move { member.run(drain).await });
    let metrics = CompactorMetrics::default();
    let compactor = compactor(world, host, &life, &metrics);
    let mut merges = 0;
    loop {
        sleep(Duration::from_millis(700)).await;
        // Nothing is garbage yet: what would be by the clock that it plans by may be on its way into a list.
        compactor.round(false, &life.drain).await;
        world.counts.merges.fetch_add(metrics.merges.get() - merges, Ordering::Relaxed);
        merges = metrics.merges.get();
    }
}

fn compactor(world: &Arc<World>, host: &Host, life: &Life, metrics: &CompactorMetrics) -> Compactor {
    let config = RingConfig { replication_factor: 2, ..ring_config(world, host) };
    let (ring, name) = (life.ring(world, host, COMPACTORS, &config), host.name.clone());
    let owns: Owns = Arc::new(move |_, signal, day| {
        let (view, token) = (ring.view(), day.unwrap_or(EPOCH_MS) as u64 ^ (signal as u64) << 60);
        let us = view.position(&name);
        us.is_some() && view.owner(token.wrapping_mul(0x9e37_79b9_7f4a_7c15), us, |_| false) == us
    });
    let config = CompactorConfig {
        delay: 0,
        // Several blocks of a merge.
        block_bytes: 1 << 10,
        scratch_dir: std::env::temp_dir(),
        ..CompactorConfig::default()
    };
    Compactor::new(
        config,
        Arc::clone(&life.manifests),
        Arc::clone(&life.limits),
        Arc::new(Later(Arc::clone(&life.clock))),
        ids(life),
        owns,
        metrics.clone(),
    )
}
