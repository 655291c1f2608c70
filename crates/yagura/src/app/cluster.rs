//! The other processes as this one knows them: rings, clients, and its own places in the rings.

use crate::{config::Config, target::Role};
use anyhow::Context;
use async_trait::async_trait;
use hash_ring::{
    Disk, EtcdKv, Kv, Lifecycler, Member, MemoryKv, Prober, Ring, RingConfig, RingMetrics, RingView,
};
use http_api::RoleRing;
use prometheus_client::registry::Registry;
use rpc::Pool;
use runtime::Clock;
use std::sync::Arc;

/// Queriers that a block is looked for at, one after the other.
const OWNERS_OF_A_BLOCK: usize = 2;

/// Compactors that may do what is to be done for a day, if those before them are not healthy.
const OWNERS_OF_A_DAY: usize = 3;

/// Rulers that may run a group, if those before them are not healthy.
const OWNERS_OF_A_GROUP: usize = 3;

/// A process that is alone has the same, with nobody else in it.
pub struct Cluster {
    /// Our id in every ring that we are in.
    pub instance: Arc<str>,
    /// What a ring's keys start with.
    pub prefix: String,
    pub kv: Arc<dyn Kv>,
    pub ingesters: Ring,
    pub distributors: Ring,
    pub queriers: Ring,
    pub compactors: Ring,
    pub rulers: Ring,
    pub pool: Arc<Pool>,
    config: RingConfig,
    metrics: RingMetrics,
    clock: Arc<dyn Clock>,
    clustered: bool,
}

impl Cluster {
    pub fn new(config: &Config, clock: Arc<dyn Clock>, registry: &mut Registry) -> anyhow::Result<Self> {
        let mut ring = config.ring.clone();
        if ring.instance_id.is_empty() {
            ring.instance_id = host_name()?;
        }
        config.advertised().clone_into(&mut ring.advertise);
        let connector = match config.grpc.tls.enabled() {
            false => rpc::tcp_connector(),
            true => {
                let tls =
                    config.grpc.tls.client().context("cannot set up TLS between processes (grpc.tls)")?;
                rpc::tls_connector(tls, &config.grpc.tls.server_name)
            }
        };
        let pool = Pool::new(config.grpc.client.clone(), connector, Arc::clone(&clock), registry);
        let metrics = RingMetrics::default();
        metrics.register(registry);
        let instance: Arc<str> = ring.instance_id.as_str().into();
        let clustered = config.is_clustered();
        let kv: Arc<dyn Kv> = match clustered {
            false => Arc::new(MemoryKv::new(Arc::clone(&clock))),
            true => {
                Arc::new(EtcdKv::new(&ring.etcd).context("cannot set up the client of etcd (ring.etcd)")?)
            }
        };
        let prober: Arc<dyn Prober> = Arc::new(Alive(Arc::clone(&pool)));
        let open = |role: Role, replication_factor| match clustered {
            false => Ring::fixed(RingView::new(vec![Member::new(&instance, "")], 1)),
            true => {
                let config = RingConfig { replication_factor, ..ring.clone() };
                let (kv, clock) = (Arc::clone(&kv), Arc::clone(&clock));
                Ring::new(kv, role.as_str(), &config, Some(Arc::clone(&prober)), clock, &metrics)
            }
        };
        Ok(Self {
            ingesters: open(Role::Ingester, ring.replication_factor),
            distributors: open(Role::Distributor, 1),
            queriers: open(Role::Querier, OWNERS_OF_A_BLOCK),
            compactors: open(Role::Compactor, OWNERS_OF_A_DAY),
            rulers: open(Role::Ruler, OWNERS_OF_A_GROUP),
            prefix: ring.etcd.prefix.clone(),
            config: ring,
            instance,
            kv,
            pool,
            metrics,
            clock,
            clustered,
        })
    }

    /// What `/ring` shows; nothing where nobody else can be.
    pub fn shown(&self) -> Vec<RoleRing> {
        let rings = self.rings().map(|(role, ring)| RoleRing { role: role.as_str(), ring: ring.clone() });
        if self.clustered { rings.into() } else { Vec::new() }
    }

    pub fn rings(&self) -> [(Role, &Ring); 5] {
        [
            (Role::Ingester, &self.ingesters),
            (Role::Distributor, &self.distributors),
            (Role::Querier, &self.queriers),
            (Role::Compactor, &self.compactors),
            (Role::Ruler, &self.rulers),
        ]
    }

    /// Our own place in a role's ring; none if we are alone.
    pub fn membership(&self, role: Role, disk: Disk) -> Option<Lifecycler> {
        let config = match role {
            Role::Ingester => self.config.clone(),
            _ => RingConfig { replication_factor: 1, ..self.config.clone() },
        };
        let (kv, clock) = (Arc::clone(&self.kv), Arc::clone(&self.clock));
        self.clustered.then(|| Lifecycler::new(kv, role.as_str(), &config, disk, clock, &self.metrics))
    }

    /// Waits until a role's ring gives us what is ours in it.
    pub fn joined(&self, ring: &Ring) -> impl Future<Output = ()> + Send + 'static {
        let (ring, instance) = (ring.clone(), Arc::clone(&self.instance));
        async move {
            let is_in = |view: &Arc<RingView>| {
                view.position(&instance).is_some_and(|at| view.members()[usize::from(at)].is_placeable())
            };
            // The ring holds the sender.
            let _ = ring.subscribe().wait_for(is_in).await;
        }
    }

    /// Whether the ring's store tells us of changes at present.
    pub fn follows_store(&self) -> impl Fn() -> bool + Send + Sync + 'static {
        let rings = self.rings().map(|(_, ring)| ring.clone());
        move || rings.iter().any(Ring::follows_store)
    }

    /// How many distributors there are, this one included.
    pub fn count_distributors(&self) -> Arc<dyn Fn() -> usize + Send + Sync> {
        let ring = self.distributors.clone();
        Arc::new(move || ring.view().members().iter().filter(|m| m.is_healthy()).count().max(1))
    }

    /// Whether a member is this process.
    pub fn is_here(&self) -> impl Fn(&Member) -> bool + Clone + Send + Sync + 'static {
        let instance = Arc::clone(&self.instance);
        move |member| member.id == instance
    }

    pub fn view(ring: &Ring) -> querier::ViewSource {
        let ring = ring.clone();
        Arc::new(move || ring.view())
    }
}

/// Members are alive when their gRPC server says so.
struct Alive(Arc<Pool>);

#[async_trait]
impl Prober for Alive {
    async fn alive(&self, address: &str) -> bool {
        self.0.alive(address).await
    }
}

fn host_name() -> anyhow::Result<String> {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    anyhow::ensure!(!name.is_empty(), "this host has no name: set ring.instance_id");
    Ok(name)
}
