//! The loop that keeps a ring up to date.

use super::{Prober, Ring, Source};
use crate::{Change, KvError, backoff::backoff};
use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};
use tokio::time::{Interval, MissedTickBehavior};

/// Probes that are under way at one time.
const MOST_PROBES: usize = 64;
/// A store that was followed for so long and then fails does not fail again: it is a new failure.
const LONG: Duration = Duration::from_secs(30);

pub(super) struct Follower<'a> {
    ring: &'a Ring,
    source: &'a Source,
    ticks: Interval,
    probes: FuturesUnordered<BoxFuture<'static, (Arc<str>, bool)>>,
    failures: u32,
}

impl<'a> Follower<'a> {
    pub fn new(ring: &'a Ring, source: &'a Source) -> Self {
        let mut ticks = tokio::time::interval(Self::interval(source));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { ring, source, ticks, probes: FuturesUnordered::new(), failures: 0 }
    }

    fn interval(source: &Source) -> Duration {
        source.config.heartbeat_timeout() / 3
    }

    /// Follows the store for ever, through all its failures.
    pub async fn run(mut self) -> Infallible {
        loop {
            let began = self.source.clock.monotonic();
            let Err(error) = self.follow().await;
            if self.source.clock.monotonic() > began + LONG {
                self.failures = 0;
            }
            self.source.metrics.kv_error(&error);
            self.source.roster.lock().disconnect();
            self.ring.publish(self.source);
            self.failures += 1;
            // A watch that breaks now and then is no news.
            if self.failures == 2 {
                let role = self.source.keys.root();
                tracing::warn!(role, %error, "the ring's store cannot be followed: the last members stay");
            }
            let pause = backoff(&self.source.config.instance_id, self.failures);
            self.meanwhile(tokio::time::sleep(pause)).await;
        }
    }

    /// Follows the store until it fails.
    async fn follow(&mut self) -> Result<Infallible, KvError> {
        let Source { kv, keys, roster, clock, listed, .. } = self.source;
        let listing = self.meanwhile(kv.list(keys.root())).await?;
        let rejected = roster.lock().list(&listing, keys, clock.monotonic());
        self.learned(rejected);
        listed.send_replace(true);
        let mut watch = self.meanwhile(kv.watch(keys.root(), listing.revision + 1)).await?;
        loop {
            let mut next = self.meanwhile(watch.next()).await;
            let mut rejected = None;
            // What has come meanwhile is taken along: placing takes time, and when many members
            // start, once for all of them is enough.
            loop {
                let ended = || Err(KvError::Unavailable("the watch ended".into()));
                let batch = next.unwrap_or_else(ended)?;
                let doubt = roster.lock().change(&batch, keys, clock.monotonic());
                rejected = doubt.or(rejected);
                match watch.next().now_or_never() {
                    Some(more) => next = more,
                    None => break,
                }
            }
            self.learned(rejected);
        }
    }

    fn learned(&mut self, rejected: Option<&'static str>) {
        if let Some(reason) = rejected {
            self.source.metrics.rejected(reason);
            let role = self.source.keys.root();
            tracing::warn!(role, reason, "not all that the ring's store says is believed");
        }
        self.ring.publish(self.source);
        self.start_probes();
    }

    /// Does what is due with time while something is waited for.
    async fn meanwhile<T>(&mut self, wait: impl Future<Output = T>) -> T {
        let mut wait = pin!(wait);
        loop {
            // In this order, always: a simulation must come out the same, and a store that never
            // rests must not keep members from being asked.
            tokio::select! {
                biased;
                _ = self.ticks.tick() => self.tick().await,
                Some((id, alive)) = self.probes.next(), if !self.probes.is_empty() => {
                    self.source.roster.lock().probed(&id, alive, self.source.clock.monotonic());
                    self.ring.publish(self.source);
                    self.start_probes();
                }
                done = &mut wait => return done,
            }
        }
    }

    async fn tick(&mut self) {
        self.ring.publish(self.source);
        self.start_probes();
        self.forget().await;
    }

    fn start_probes(&mut self) {
        let Some(prober) = &self.source.prober else { return };
        let free = MOST_PROBES.saturating_sub(self.probes.len());
        let due = self.source.roster.lock().take_due(free, self.source.clock.monotonic());
        for (id, address) in due {
            let timeout = Self::interval(self.source);
            self.probes.push(probe(prober.clone(), id, address, timeout).boxed());
        }
    }

    /// Removes a member that has been dead for long. All that follow the ring try; one succeeds.
    async fn forget(&mut self) {
        let Source { kv, keys, roster, clock, metrics, .. } = self.source;
        let Some((id, guards)) = roster.lock().forgettable(keys, clock.monotonic()) else { return };
        match kv.commit(&guards, Change::Delete { key: keys.record(&id) }).await {
            Ok(Some(_)) => {
                metrics.forgot();
                tracing::warn!(id = &*id, "forgot a member of the ring that had been dead for long");
            }
            // It came back, or somebody else was quicker.
            Ok(None) => {}
            Err(error) => metrics.kv_error(&error),
        }
    }
}

async fn probe(
    prober: Arc<dyn Prober>,
    id: Arc<str>,
    address: String,
    timeout: Duration,
) -> (Arc<str>, bool) {
    let answer = tokio::time::timeout(timeout, prober.alive(&address)).await;
    (id, answer.unwrap_or(false))
}
