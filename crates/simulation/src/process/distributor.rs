//! A distributor's process, and the senders that write through it.

use super::{INGESTERS, Life, ring_config};
use crate::{
    bugs::{Bug, QuorumOfRequests},
    workload,
    world::{Host, World},
};
use distributor::{Connect, Dependencies, Distributor, DistributorConfig};
use hash_ring::Member;
use service_api::IngestAll;
use std::sync::Arc;

pub async fn live(world: &Arc<World>, host: &Host) -> Result<(), String> {
    let mut life = Life::new(world, host);
    let mut config = ring_config(world, host);
    if world.has(Bug::AcknowledgeAtOne) {
        config.replication_factor = 1;
    }
    let ring = life.ring(world, host, INGESTERS, &config);
    let distributors = world.shape.distributors;
    let dependencies = Dependencies {
        ring,
        connect: connect(world, &life),
        distributors: Arc::new(move || distributors),
        kv: Arc::new(host.kv.clone()),
        kv_prefix: "yagura".into(),
        limits: Arc::clone(&life.limits),
        clock: Arc::clone(&life.clock),
        instance: host.name.as_str().into(),
    };
    let config = DistributorConfig { write_timeout: 5, ..DistributorConfig::default() };
    let distributor = Arc::new(Distributor::new(config, dependencies, &mut life.registry));
    tokio::spawn(Arc::clone(&distributor).run(life.drain.clone()));
    workload::send(world, host, &distributor, life.seed).await
}

fn connect(world: &Arc<World>, life: &Life) -> Connect {
    let pool = Arc::clone(&life.pool);
    if world.has(Bug::QuorumOfRequests) {
        let done = Arc::default();
        return Arc::new(move |member: &Member| -> Arc<dyn IngestAll> {
            Arc::new(QuorumOfRequests { inner: pool.ingester(&member.address), done: Arc::clone(&done) })
        });
    }
    Arc::new(move |member: &Member| -> Arc<dyn IngestAll> { pool.ingester(&member.address) })
}
