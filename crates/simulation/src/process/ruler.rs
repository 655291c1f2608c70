//! A ruler's process.

use super::{INGESTERS, Life, RULERS, ring_config};
use crate::{
    bugs::Bug,
    clock::EPOCH_MS,
    evaluations::{GROUPS, INTERVAL},
    net,
    world::{Host, World},
};
use ::ruler::{AskStore, Claims, Dependencies, Processes, Ruler, RulerConfig, RulerMetrics, Stored};
use async_trait::async_trait;
use distributor::{Distributor, DistributorConfig};
use hash_ring::{Disk, Kv, Lifecycler, Member, MemoryKv, Ring, RingConfig, RingMetrics};
use model::{Labels, Matcher, Sample, TenantId, TimeRange, Timestamp, is_stale};
use querier::{Connect, Querier, QuerierMetrics, ReplicatedReader};
use rpc::{ServerConfig, Services};
use rules::{Answer, Engines, Expression, Pushed, Queries, Reading, ResultSample, Results, RuleStore};
use service_api::{Alert, Notify, PushOutcome, Result, RuleStates};
use std::{sync::Arc, time::Duration};

/// Rules have data of their own, that readers of the ledger do not see.
const TENANT: &str = "rules";

pub async fn live(world: &Arc<World>, host: &Arc<Host>) -> std::result::Result<(), String> {
    let mut life = Life::new(world, host);
    let config = RingConfig { replication_factor: 3, ..ring_config(world, host) };
    let ring = life.ring(world, host, RULERS, &config);
    let ruler = ruler(world, host, &mut life, ring.clone()).await?;
    let (clock, follows) = (Arc::clone(&life.clock), ring.clone());
    let services = Services::new(ServerConfig::default(), life.drain.clone(), clock, &mut life.registry)
        .health(|| true, move || follows.follows_store())
        .ruler(Arc::clone(&ruler) as Arc<dyn RuleStates>);
    let connections = net::incoming().await.map_err(|error| error.to_string())?;
    tokio::spawn(async move { services.serve(connections).await });
    let (kv, clock) = (Arc::new(host.kv.clone()), Arc::clone(&life.clock));
    let member = Lifecycler::new(kv, RULERS, &config, Disk::default(), clock, &RingMetrics::default());
    member.activate();
    let drain = life.drain.clone();
    tokio::spawn(async move { member.run(drain).await });
    let ended = ruler.run(life.drain.clone()).await;
    Err(format!("the ruler ended: {ended:?}"))
}

async fn ruler(
    world: &Arc<World>,
    host: &Arc<Host>,
    life: &mut Life,
    ring: Ring,
) -> std::result::Result<Arc<Ruler>, String> {
    let config = RulerConfig {
        poll_interval: 5,
        evaluation_interval: INTERVAL.as_secs(),
        claim_timeout: 3,
        resend_delay: INTERVAL.as_secs(),
        ..RulerConfig::default()
    };
    let reading = Reading { lang: None, promql: promql::ParseOptions::default() };
    let bucket = life.manifests.bucket().clone();
    let store = Stored::new(bucket, vec![], reading, Arc::clone(&life.limits), Default::default());
    put_rules(&store, &reading).await;
    let seam = Arc::new(Seam {
        world: Arc::clone(world),
        host: Arc::clone(host),
        results: Pushed(Arc::new(distributor(world, host, life))),
        queries: engines(world, host, life),
    });
    let (name, ours): (Arc<str>, _) = (host.name.as_str().into(), ring.clone());
    let us = Arc::clone(&name);
    let dependencies = Dependencies {
        store: Arc::new(store),
        queries: seam.clone(),
        results: seam.clone(),
        notifier: seam,
        set_alerting: Arc::new(|_, _| {}),
        claims: Arc::new(claims(world, host, life, &ring, name)),
        owns: Arc::new(move |token| {
            let view = ours.view();
            let us = view.position(&us);
            us.is_some() && view.owner(token, us, |_| false) == us
        }),
        ring,
        clock: Arc::clone(&life.clock),
        metrics: RulerMetrics::default(),
    };
    Ok(Ruler::new(&config, "http://simulated".into(), dependencies))
}

/// The same groups from whoever starts first; an unreachable bucket is tried again by who starts next.
async fn put_rules(store: &Stored, reading: &Reading) {
    let Ok(tenant) = TenantId::new(TENANT) else { return };
    for number in 0..GROUPS {
        let yaml = format!(
            "name: group-{number}\nrules:\n- record: recorded_{number}\n  expr: vector({number})\n- alert: Always\n  \
             expr: recorded_{number} >= 0\n  for: 12s\n  labels: {{group: '{number}'}}\n"
        );
        if let Ok(group) = rules::read_group(&yaml, reading) {
            let _ = store.put(&tenant, "simulated", group).await;
        }
    }
}

fn claims(world: &World, host: &Host, life: &Life, ring: &Ring, name: Arc<str>) -> Claims {
    let clock = Arc::clone(&life.clock);
    let kv: Arc<dyn Kv> = match world.has(Bug::ClaimsNotShared) {
        false => Arc::new(host.kv.clone()),
        true => Arc::new(MemoryKv::new(Arc::clone(&clock))),
    };
    let pool = Arc::clone(&life.pool);
    let ask: AskStore = Arc::new(move |address| {
        let (pool, address) = (Arc::clone(&pool), address.to_owned());
        Box::pin(async move { pool.store_alive(&address).await })
    });
    let witnesses = Processes { rulers: ring.clone(), others: vec![], instance: Arc::clone(&name), ask };
    Claims::new(kv, "yagura", name, Duration::from_secs(3), clock, Arc::new(witnesses))
}

fn distributor(world: &World, host: &Host, life: &mut Life) -> Distributor {
    let ring = ingesters(host, life, &ring_config(world, host));
    let pool = Arc::clone(&life.pool);
    let dependencies = distributor::Dependencies {
        ring,
        connect: Arc::new(move |member: &Member| pool.ingester(&member.address)),
        distributors: Arc::new(|| 1),
        kv: Arc::new(host.kv.clone()),
        kv_prefix: "yagura".into(),
        limits: Arc::clone(&life.limits),
        clock: Arc::clone(&life.clock),
        instance: host.name.as_str().into(),
    };
    let config = DistributorConfig { write_timeout: 5, ..DistributorConfig::default() };
    Distributor::new(config, dependencies, &mut life.registry)
}

/// Follows the ingesters. Who is dead is not judged by a host that may be cut off itself.
fn ingesters(host: &Host, life: &Life, config: &RingConfig) -> Ring {
    let (kv, clock) = (Arc::new(host.kv.clone()), Arc::clone(&life.clock));
    let ring = Ring::new(kv, INGESTERS, config, None, clock, &RingMetrics::default());
    let (running, drain) = (ring.clone(), life.drain.clone());
    tokio::spawn(async move { running.run(drain).await });
    ring
}

/// Rules read recent data only.
fn engines(world: &World, host: &Host, life: &mut Life) -> Engines {
    let ring = ingesters(host, life, &ring_config(world, host));
    let metrics = QuerierMetrics::register(&mut life.registry);
    let pool = Arc::clone(&life.pool);
    let connect: Connect = Arc::new(move |member| pool.ingester_on(&member.address, &member.disk));
    let view = Arc::new(move || ring.view());
    let recent = Arc::new(ReplicatedReader::new(view, connect, metrics.clone()));
    let nothing = Arc::new(block_store::BlocksReader::new(
        Arc::clone(&life.manifests),
        &block_store::BlockCacheConfig::default(),
    ));
    let reader = Arc::new(Querier::new(recent, nothing, metrics));
    Engines {
        promql: Arc::default(),
        logql: Arc::default(),
        metrics: reader.clone(),
        logs: reader,
        limits: Arc::clone(&life.limits),
        clock: Arc::clone(&life.clock),
    }
}

/// What rules ask, write and tell, watched.
struct Seam {
    world: Arc<World>,
    host: Arc<Host>,
    results: Pushed,
    queries: Engines,
}

#[async_trait]
impl Queries for Seam {
    async fn instant(&self, tenant: &TenantId, expr: &Expression, at: Timestamp) -> Result<Answer> {
        self.queries.instant(tenant, expr, at).await
    }

    async fn last(
        &self,
        tenant: &TenantId,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<(Labels, Sample)>> {
        if self.world.has(Bug::AlertsForgotten) {
            return Ok(vec![]);
        }
        self.queries.last(tenant, matchers, range).await
    }
}

#[async_trait]
impl Results for Seam {
    async fn write(&self, tenant: &TenantId, samples: Vec<ResultSample>) -> Result<PushOutcome> {
        let written: Vec<_> = samples
            .iter()
            .filter(|s| !matches!(s.value, vectors::Sample::Float(value) if is_stale(value)))
            .map(|s| (s.labels.to_string(), s.timestamp))
            .collect();
        let outcome = self.results.write(tenant, samples).await;
        let told = outcome.as_ref().map(|outcome| outcome.rejected);
        self.world.history.note(&self.host.name, format_args!("rules write {written:?}: {told:?}"));
        if outcome.is_ok() {
            for (series, time) in &written {
                self.world.evaluations.wrote(&self.world, &self.host.name, series, *time);
            }
        }
        outcome
    }
}

impl Notify for Seam {
    fn notify(&self, _: &TenantId, alerts: Vec<Alert>) {
        // Alertmanagers go by a clock that is right.
        let now = EPOCH_MS + self.world.time.elapsed().as_millis() as i64;
        for alert in alerts {
            self.world.history.note(&self.host.name, format_args!("tells {alert:?} at {now}"));
            self.world.evaluations.told(&self.world, &self.host.name, &alert, now);
        }
    }

    fn alertmanagers(&self, _: &TenantId) -> Vec<String> {
        vec![]
    }
}
