//! The processes of a simulated cluster: the wiring of `yagura`, with every seam simulated.

mod compactor;
mod distributor;
mod ingester;
mod querier;
mod ruler;

use crate::{
    bucket::SimBucket,
    bugs::Bug,
    clock::SimClock,
    net,
    world::{Host, Phase, Role, World},
};
use ::ingester::{NewId, fs::sim::Random};
use async_trait::async_trait;
use block_store::{Bucket, Manifests, Ulid};
use hash_ring::{Prober, Ring, RingConfig, RingMetrics};
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use rpc::{Pool, PoolConfig};
use runtime::Clock;
use service_api::{Limits, LimitsSource};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

pub const INGESTERS: &str = "ingester";
pub const QUERIERS: &str = "querier";
pub const COMPACTORS: &str = "compactor";
pub const RULERS: &str = "ruler";
/// How old a reader's list of blocks may be.
pub const MANIFEST_POLL: Duration = Duration::from_secs(4);

/// One life of the host's process. When it ends by itself it waits to be cleared away.
pub async fn run(world: Arc<World>, host: Arc<Host>) -> turmoil::Result {
    let ended = match host.role {
        Role::Ingester => ingester::live(&world, &host).await,
        Role::Distributor => distributor::live(&world, &host).await,
        Role::Querier => querier::live(&world, &host).await,
        Role::Compactor => compactor::live(&world, &host).await,
        Role::Ruler => ruler::live(&world, &host).await,
    };
    world.history.note(&host.name, format_args!("ended: {ended:?}"));
    host.ended.store(true, Ordering::SeqCst);
    std::future::pending().await
}

/// What every process has.
struct Life {
    seed: u64,
    clock: Arc<dyn Clock>,
    registry: Registry,
    pool: Arc<Pool>,
    manifests: Arc<Manifests>,
    limits: Arc<dyn LimitsSource>,
    drain: CancellationToken,
}

impl Life {
    fn new(world: &World, host: &Host) -> Self {
        let seed = host.new_life(world.seed);
        let clock: Arc<dyn Clock> = Arc::new(SimClock::new(world.time.clone(), host.skew.clone()));
        let mut registry = Registry::default();
        let config = PoolConfig { write_timeout: 3, ..PoolConfig::default() };
        let pool = Pool::new(config, net::connector(), Arc::clone(&clock), &mut registry);
        let mut bucket = SimBucket::new(Arc::clone(&world.bucket), Arc::clone(&host.weather), seed);
        bucket.loses_lists = world.has(Bug::DropBeforeListed) && host.role == Role::Ingester;
        let bucket = Bucket::new(Arc::new(bucket), "");
        let manifests = Arc::new(Manifests::new(bucket, Arc::clone(&clock), MANIFEST_POLL));
        let limits = Arc::new(Limits {
            // Data runs ahead of the clock, and clocks are wrong.
            max_sample_future: 86_400,
            out_of_order_window: 30,
            discover_service_name: false,
            ..Limits::default()
        });
        let drain = CancellationToken::new();
        Self { seed, clock, registry, pool, manifests, limits: Arc::new(limits), drain }
    }

    /// Follows the members of a role from now on.
    fn ring(&self, world: &Arc<World>, host: &Host, role: &str, config: &RingConfig) -> Ring {
        let prober: Arc<dyn Prober> = Arc::new(Health(Arc::clone(&self.pool)));
        let kv = Arc::new(host.kv.clone());
        let ring =
            Ring::new(kv, role, config, Some(prober), Arc::clone(&self.clock), &RingMetrics::default());
        let (running, drain) = (ring.clone(), self.drain.clone());
        tokio::spawn(async move { running.run(drain).await });
        tokio::spawn(watch(Arc::clone(world), host.name.clone(), ring.clone()));
        ring
    }
}

/// Who lives must not be taken for dead.
async fn watch(world: Arc<World>, who: String, ring: Ring) {
    loop {
        sleep(Duration::from_secs(1)).await;
        let view = ring.view();
        let unhealthy = view.members().iter().find(|member| !member.is_healthy());
        if let (Phase::Calm, Some(member)) = (world.phase(), unhealthy) {
            world.violation(&who, &format!("{} is taken for dead", member.id));
        }
    }
}

struct Health(Arc<Pool>);

#[async_trait]
impl Prober for Health {
    async fn alive(&self, address: &str) -> bool {
        self.0.alive(address).await
    }
}

/// Ids of blocks: of this life alone, and the same for the same seed.
fn ids(life: &Life) -> NewId {
    let (clock, random) = (Arc::clone(&life.clock), Mutex::new(Random(life.seed)));
    Arc::new(move || {
        let mut random = random.lock();
        let number = u128::from(random.draw()) << 64 | u128::from(random.draw());
        Ulid::from_parts(clock.now_ms() as u64, number)
    })
}

fn ring_config(world: &World, host: &Host) -> RingConfig {
    let early = world.has(Bug::ForgetTooEarly);
    RingConfig {
        instance_id: host.name.clone(),
        zone: host.zone.clone(),
        advertise: host.address(),
        replication_factor: world.shape.replication,
        heartbeat_timeout: 3,
        forget_after: if early { 6 } else { 600 },
        ..RingConfig::default()
    }
}
