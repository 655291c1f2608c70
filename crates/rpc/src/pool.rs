//! Clients of all peers, by address.

mod dial;
mod peer;

use crate::{
    RING_STORE,
    append::EncodedCache,
    client::{IngesterClient, RulerClient},
    connect::Connector,
    convert,
    metrics::Metrics,
};
use block_store::BlockMeta;
use model::Signal;
use parking_lot::Mutex;
pub(crate) use peer::{Answer, Method, Peer, SILENCE};
use prometheus_client::registry::Registry;
use runtime::Clock;
use serde::{Deserialize, Serialize};
use service_api::{LogBatch, RuleStates, Source, WriteBatch};
use std::{collections::HashMap, sync::Arc, time::Duration};
use vectors::Evaluate;

/// How other processes are called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PoolConfig {
    /// Bytes of appends to one peer that are not answered yet. Beyond it appends to that peer fail
    /// at once, so that one that hangs does not take the memory.
    pub max_in_flight_bytes: u32,
    /// Appends, and apart from them reads, of one peer that are under way.
    pub max_in_flight_requests: u32,
    /// Seconds after which an append that is not answered fails.
    pub write_timeout: u64,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self { max_in_flight_bytes: 32 << 20, max_in_flight_requests: 1024, write_timeout: 10 }
    }
}

/// Peers that nobody called for this long are forgotten when a new one comes.
const IDLE: Duration = Duration::from_secs(600);

/// Connections to peers: opened when they are needed, opened again when they break.
pub struct Pool {
    shared: Arc<Shared>,
    peers: Mutex<HashMap<String, Arc<Peer>>>,
}

/// What all peers of a pool use.
pub(crate) struct Shared {
    pub config: PoolConfig,
    pub connector: Connector,
    pub clock: Arc<dyn Clock>,
    pub metrics: Arc<Metrics>,
    pub appends: EncodedCache<WriteBatch>,
    pub log_appends: EncodedCache<LogBatch>,
}

impl Pool {
    pub fn new(
        config: PoolConfig,
        connector: Connector,
        clock: Arc<dyn Clock>,
        registry: &mut Registry,
    ) -> Arc<Self> {
        let metrics = Metrics::register("client", Arc::clone(&clock), registry);
        let (appends, log_appends) = (EncodedCache::default(), EncodedCache::default());
        let shared = Arc::new(Shared { config, connector, clock, metrics, appends, log_appends });
        Arc::new(Self { shared, peers: Mutex::default() })
    }

    /// The ingester at `address` (`host:port`). Called inside the tokio runtime; connects later.
    pub fn ingester(&self, address: &str) -> Arc<IngesterClient> {
        Arc::new(IngesterClient::new(self.peer(address)))
    }

    /// As `ingester`, but what is read is the data of this disk: one that has another by now refuses.
    pub fn ingester_on(&self, address: &str, disk: &str) -> Arc<IngesterClient> {
        Arc::new(IngesterClient::of_disk(self.peer(address), disk))
    }

    /// The given blocks of `signal`, as the querier at `address` reads them.
    pub fn blocks(&self, address: &str, signal: Signal, blocks: Vec<BlockMeta>) -> Arc<dyn Source> {
        Arc::new(IngesterClient::of_blocks(self.peer(address), convert::blocks_out(signal, &blocks)))
    }

    /// The querier at `address`, as it evaluates queries.
    pub fn evaluator(&self, address: &str) -> Arc<dyn Evaluate> {
        self.ingester(address)
    }

    /// The rules that the ruler at `address` runs.
    pub fn ruler(&self, address: &str) -> Arc<dyn RuleStates> {
        Arc::new(RulerClient::new(self.peer(address)))
    }

    /// Whether the process at `address` says that it serves.
    pub async fn alive(&self, address: &str) -> bool {
        self.peer(address).alive().await
    }

    /// Whether the process at `address` has heard of the ring's store lately; none if it does not answer.
    pub async fn store_alive(&self, address: &str) -> Option<bool> {
        self.peer(address).serves(RING_STORE).await
    }

    /// Forgets peers whose address `keep` does not want. Calls under way go on.
    pub fn retain(&self, keep: impl Fn(&str) -> bool) {
        self.peers.lock().retain(|address, _| keep(address));
    }

    fn peer(&self, address: &str) -> Arc<Peer> {
        let mut peers = self.peers.lock();
        if let Some(peer) = peers.get(address) {
            peer.touch();
            return Arc::clone(peer);
        }
        let now = self.shared.clock.monotonic();
        peers.retain(|_, peer| now.saturating_sub(peer.last_used()) < IDLE);
        let peer = Arc::new(Peer::new(address, Arc::clone(&self.shared)));
        peers.insert(address.to_owned(), Arc::clone(&peer));
        peer
    }
}
