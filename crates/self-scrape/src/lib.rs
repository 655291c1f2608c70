//! Writes the process's own metrics and log lines into a tenant of its own, so that a process can be looked at
//! where there is no Prometheus and no log agent.

mod config;
mod exposition;
mod lines;
mod metrics;
mod scraper;
mod target;
mod watch;

pub use config::SelfScrapeConfig;
pub use metrics::SelfScrapeMetrics;

use lines::Lines;
use model::{Signal, TenantId, Timestamp};
use prometheus_client::registry::Registry;
use runtime::{Clock, OwnLines, own_writes};
use scraper::{Scrape, Scraper};
use service_api::{Push, PushLogs};
use std::{convert::Infallible, sync::Arc, time::Duration};
use target::Target;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use watch::Watch;

/// How long the last samples and lines of a process may take to be written.
const LAST_TRY: Duration = Duration::from_secs(3);

/// Scrapes this much from when they are due count as on time, and their samples lie an interval apart, which takes
/// less room. As in Prometheus.
const TOLERANCE: Timestamp = 2;

/// What it works with.
pub struct Dependencies {
    /// Names the process.
    pub instance: Arc<str>,
    pub push: Arc<dyn Push>,
    pub push_logs: Arc<dyn PushLogs>,
    /// What `/metrics` shows.
    pub registry: Arc<Registry>,
    /// What the process logs.
    pub lines: Arc<OwnLines>,
    pub clock: Arc<dyn Clock>,
    pub metrics: SelfScrapeMetrics,
}

pub struct SelfScrape {
    samples: Samples,
    lines: Lines,
}

struct Samples {
    interval: Duration,
    scraper: Scraper,
    push: Arc<dyn Push>,
    tenant: TenantId,
    target: Arc<Target>,
    clock: Arc<dyn Clock>,
    watch: Arc<Watch>,
    last: Timestamp,
}

impl SelfScrape {
    /// `config` is a valid one, for `tenant`.
    pub fn new(config: &SelfScrapeConfig, tenant: TenantId, dependencies: Dependencies) -> Self {
        let Dependencies { instance, push, push_logs, registry, lines, clock, metrics } = dependencies;
        let target = Arc::new(Target::new(config, &instance));
        let watch = Arc::new(Watch::new(Arc::clone(&clock), metrics));
        let lines = Lines::new(lines, push_logs, tenant.clone(), Arc::clone(&target), Arc::clone(&watch));
        let scraper = Scraper::new(registry, Arc::clone(&target), Arc::clone(&clock));
        let samples = Samples {
            interval: config.interval(),
            scraper,
            push,
            tenant,
            target,
            clock,
            watch,
            last: Timestamp::MIN,
        };
        Self { samples, lines }
    }

    /// Writes until `drain`; then the series are ended and the lines that wait are written, if that is quickly done.
    pub async fn run(self, drain: CancellationToken) -> Result<(), Infallible> {
        let all = async { tokio::join!(self.samples.run(&drain), self.lines.run(&drain)) };
        let too_late = async {
            drain.cancelled().await;
            tokio::time::sleep(LAST_TRY).await;
        };
        tokio::select! {
            ((), ()) = all => {}
            () = too_late => tracing::warn!("the last of this process's own data was not written in time"),
        }
        Ok(())
    }
}

impl Samples {
    async fn run(mut self, drain: &CancellationToken) {
        let interval_ms = self.interval.as_millis() as i64;
        let mut due = self.target.next_scrape(self.clock.now_ms(), interval_ms);
        loop {
            let wait = u64::try_from(due - self.clock.now_ms()).unwrap_or(0);
            let wait = tokio::time::sleep(Duration::from_millis(wait).min(self.interval));
            if drain.run_until_cancelled(wait).await.is_none() {
                break;
            }
            let now = self.clock.now_ms();
            // A clock that was set back makes it wait once more, for an interval at most.
            if now >= due - TOLERANCE || due - now > interval_ms {
                let time = if (now - due).abs() <= TOLERANCE { due } else { now };
                self.last = time;
                let scrape = self.scraper.scrape(time);
                self.write(scrape).await;
                due = self.target.next_scrape(time, interval_ms);
            }
        }
        let scrape = self.scraper.last(self.clock.now_ms().max(self.last.saturating_add(1)));
        self.write(scrape).await;
    }

    async fn write(&mut self, scrape: Scrape) {
        let (mut is_done, metadata) = (true, scrape.has_metadata());
        for batch in scrape.into_batches() {
            let result = self.push.push(&self.tenant, batch).instrument(own_writes()).await;
            is_done &= self.watch.is_done(Signal::Metrics, &result);
        }
        if is_done {
            self.scraper.written(metadata);
        }
    }
}

#[cfg(test)]
mod tests;
