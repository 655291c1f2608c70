//! Follows lines as they come in at all ingesters.

mod seen;

use crate::{QuerierMetrics, ViewSource};
use futures::StreamExt;
use hash_ring::{Member, RingView};
use model::{Matcher, TenantId};
use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;
use seen::Seen;
use service_api::{Code, Error, LogsTail, Result, TailItem};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};
use tokio_stream::{StreamMap, wrappers::ReceiverStream};

/// Gives a client of a member, or the member itself if it is in this process.
pub type ConnectTail = Arc<dyn Fn(&Member) -> Arc<dyn LogsTail> + Send + Sync>;

/// Of one tenant in this process.
const MAX_TAILS: usize = 10;
/// How soon one is followed that joins the ring, or comes back.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Items that wait for the reader. Behind them others wait at the ingesters, which count what they
/// drop.
const MAX_ITEMS: usize = 64;

/// Lines of all ingesters as they come in, each told once whichever replicas tell of it.
///
/// It goes on as long as its reader does: ingesters may come, go and come back.
pub struct RingTail {
    ring: ViewSource,
    connect: ConnectTail,
    tails: Arc<Mutex<HashMap<TenantId, usize>>>,
    metrics: QuerierMetrics,
}

impl RingTail {
    pub fn new(ring: ViewSource, connect: ConnectTail, metrics: QuerierMetrics) -> Self {
        Self { ring, connect, tails: Arc::default(), metrics }
    }

    fn count(&self, tenant: &TenantId) -> Result<Counted> {
        let mut tails = self.tails.lock();
        let of_tenant = tails.entry(tenant.clone()).or_default();
        if *of_tenant >= MAX_TAILS {
            let message = format!("a tenant may follow its logs in {MAX_TAILS} places at once");
            return Err(Error::new(Code::RateLimited, message));
        }
        *of_tenant += 1;
        self.metrics.tails.inc();
        let gauge = self.metrics.tails.clone();
        Ok(Counted { tails: Arc::clone(&self.tails), tenant: tenant.clone(), gauge })
    }
}

impl LogsTail for RingTail {
    /// Called inside the tokio runtime.
    fn tail(&self, tenant: &TenantId, matchers: Vec<Matcher>) -> Result<mpsc::Receiver<TailItem>> {
        let (sender, receiver) = mpsc::channel(MAX_ITEMS);
        let mut session = Session {
            ring: Arc::clone(&self.ring),
            connect: Arc::clone(&self.connect),
            metrics: self.metrics.clone(),
            tenant: tenant.clone(),
            matchers,
            followed: StreamMap::new(),
            seen: Seen::default(),
            sender,
            _counted: self.count(tenant)?,
        };
        // Whoever watches is told at once that nobody can be watched.
        let last_error = session.follow_all();
        if session.followed.is_empty() {
            return Err(last_error.unwrap_or_else(|| Error::unavailable("there is no ingester to follow")));
        }
        tokio::spawn(session.run());
        Ok(receiver)
    }
}

/// One tail, for as long as it is there.
struct Counted {
    tails: Arc<Mutex<HashMap<TenantId, usize>>>,
    tenant: TenantId,
    gauge: Gauge,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.gauge.dec();
        let mut tails = self.tails.lock();
        if let Some(count) = tails.get_mut(&self.tenant) {
            *count -= 1;
            if *count == 0 {
                tails.remove(&self.tenant);
            }
        }
    }
}

struct Session {
    ring: ViewSource,
    connect: ConnectTail,
    metrics: QuerierMetrics,
    tenant: TenantId,
    matchers: Vec<Matcher>,
    /// By address: one that comes back elsewhere is another.
    followed: StreamMap<Arc<str>, ReceiverStream<TailItem>>,
    seen: Seen,
    sender: mpsc::Sender<TailItem>,
    _counted: Counted,
}

impl Session {
    /// Until the reader goes away.
    async fn run(mut self) {
        let mut look_again = interval(LOOK_AGAIN);
        look_again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.sender.closed() => return,
                // Streams that end fall out of the map, and are looked for again.
                Some((_, item)) = self.followed.next() => {
                    let (item, repeated) = self.seen.news(item);
                    self.metrics.repeated_tail_lines.inc_by(repeated);
                    // While the reader is slow, items wait at the ingesters.
                    if let Some(item) = item
                        && self.sender.send(item).await.is_err()
                    {
                        return;
                    }
                }
                _ = look_again.tick() => {
                    self.follow_all();
                }
            }
        }
    }

    /// Follows those members that are not followed yet, and no more those that are gone. Returns
    /// why the last one could not be followed.
    fn follow_all(&mut self) -> Option<Error> {
        let view: Arc<RingView> = (self.ring)();
        let members = || view.members().iter().filter(|member| member.is_healthy() && member.may_hold_data());
        let addresses: BTreeSet<&str> = members().map(|member| member.address.as_str()).collect();
        let gone: Vec<Arc<str>> =
            self.followed.keys().filter(|address| !addresses.contains(&***address)).cloned().collect();
        for address in gone {
            self.followed.remove(&address);
        }
        let mut last_error = None;
        for member in members() {
            if self.followed.contains_key(member.address.as_str()) {
                continue;
            }
            match (self.connect)(member).tail(&self.tenant, self.matchers.clone()) {
                Ok(items) => {
                    self.followed.insert(member.address.as_str().into(), ReceiverStream::new(items));
                }
                Err(error) => {
                    tracing::debug!(ingester = %member.id, %error, "an ingester cannot be followed");
                    last_error = Some(error);
                }
            }
        }
        last_error
    }
}

#[cfg(test)]
mod tests;
