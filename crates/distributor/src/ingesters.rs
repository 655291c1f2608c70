//! The ingesters of the ring, and the clients that reach them.

use crate::metrics::Metrics;
use hash_ring::{Member, Ring, RingView, State};
use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use service_api::IngestAll;
use std::sync::{Arc, atomic::AtomicU64};

/// Makes the client of a member of the ring: one that calls it, or the ingester of this process.
pub type Connect = Arc<dyn Fn(&Member) -> Arc<dyn IngestAll> + Send + Sync>;

/// One ingester.
pub struct Ingester {
    pub id: Arc<str>,
    pub client: Arc<dyn IngestAll>,
    pub requests: Counter,
    pub failures: Counter,
    /// Bytes of requests to it that nobody waits for any longer.
    pub detached: AtomicU64,
    address: String,
}

/// Follows the ring.
pub struct Ingesters {
    ring: Ring,
    connect: Connect,
    known: Mutex<Arc<Known>>,
}

/// The ingesters of one view of the ring, by their numbers in it.
pub struct Known {
    pub view: Arc<RingView>,
    pub ingesters: Vec<Arc<Ingester>>,
}

impl Ingesters {
    pub fn new(ring: Ring, connect: Connect, metrics: &Metrics) -> Self {
        let known = Known::of(ring.view(), &[], &connect, metrics);
        Self { ring, connect, known: Mutex::new(Arc::new(known)) }
    }

    /// The ring as it is now.
    pub fn now(&self, metrics: &Metrics) -> Arc<Known> {
        let view = self.ring.view();
        let mut known = self.known.lock();
        if !Arc::ptr_eq(&known.view, &view) {
            let next = Known::of(view, &known.ingesters, &self.connect, metrics);
            for gone in &known.ingesters {
                if !next.ingesters.iter().any(|still| still.id == gone.id) {
                    metrics.forget_ingester(&gone.id);
                }
            }
            *known = Arc::new(next);
        }
        Arc::clone(&known)
    }
}

impl Known {
    /// Members keep the client that they have for as long as their address is the same.
    fn of(view: Arc<RingView>, before: &[Arc<Ingester>], connect: &Connect, metrics: &Metrics) -> Self {
        let ingester = |member: &Member| {
            let same = |known: &&Arc<Ingester>| known.id == member.id && known.address == member.address;
            before.iter().find(same).cloned().unwrap_or_else(|| {
                let (requests, failures) = metrics.of_ingester(&member.id);
                Arc::new(Ingester {
                    id: member.id.clone(),
                    client: connect(member),
                    requests,
                    failures,
                    detached: AtomicU64::new(0),
                    address: member.address.clone(),
                })
            })
        };
        let ingesters = view.members().iter().map(ingester).collect();
        Self { view, ingesters }
    }

    /// Why a member is not to be sent anything, if so. Whether one without a heartbeat is there is for its client
    /// to find out: it may be the ring's store that does not reach it.
    pub fn unable(&self, member: usize) -> Option<&'static str> {
        match self.view.members()[member].state {
            State::Active => None,
            State::Joining => Some("the ingester is not ready yet"),
            State::Leaving => Some("the ingester is leaving"),
        }
    }

    /// The one ingester, if there is no other and none is needed.
    pub fn only(&self) -> Option<&Ingester> {
        match &*self.ingesters {
            [only] if self.view.write_quorum() == 1 && self.unable(0).is_none() => Some(only),
            _ => None,
        }
    }
}
