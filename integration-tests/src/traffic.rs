//! Writers and readers of a cluster, all at once, and what they say in the end.

use crate::{
    cluster::{Cluster, Role, now},
    known::write_known,
    ledger::Ledger,
    prober::{Prober, Tally},
    remote_write::{Version, now_ms},
    senders::Senders,
    tools::tell,
    wire::Wire,
};
use std::time::{Duration, Instant};

/// What a test lets loose on a cluster.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Of each signal.
    pub writers: usize,
    /// Of each writer; a request has one entry for each.
    pub series: usize,
    /// Between a writer's requests.
    pub pause: Duration,
    /// Seconds in the past at which entries begin and milliseconds from one to the next, so that blocks
    /// become full as they are written; none for the machine's time.
    pub past: Option<(i64, i64)>,
}

impl Default for Load {
    fn default() -> Self {
        Self { writers: 2, series: 10, pause: Duration::from_millis(20), past: None }
    }
}

#[derive(Debug)]
pub struct Traffic {
    senders: Senders,
    prober: Prober,
    start: Instant,
}

/// What writers and readers met with.
#[derive(Debug)]
pub struct Report {
    pub acknowledged: usize,
    pub write_errors: usize,
    pub reads: Tally,
    pub ledgers: Vec<Ledger>,
    first_error: Option<String>,
}

impl Traffic {
    pub async fn start(cluster: &Cluster, load: Load) -> Self {
        Self::start_as(cluster, "writer", load).await
    }

    /// As [`Self::start`], with other names for the writers than the traffic before had.
    pub async fn start_as(cluster: &Cluster, name: &str, load: Load) -> Self {
        let targets = cluster.bases(Role::Distributor);
        let questions = write_known(&cluster.http, &targets[0], name).await;
        let wires = [
            Wire::RemoteWrite(Version::V1),
            Wire::LokiProtobuf,
            Wire::RemoteWrite(Version::V2),
            Wire::LokiJson,
        ];
        let ledger = |n: usize| {
            let ledger = Ledger::new(&format!("{name}-{n}"), load.series, wires[n % 4]).replicated();
            match load.past {
                Some((ago, step)) => ledger.with_times(now_ms() - ago * 1000 + n as i64, step),
                None => ledger,
            }
        };
        let ledgers = Vec::from_iter((0..2 * load.writers).map(ledger));
        let watches = ledgers.iter().map(Ledger::watch).collect();
        let senders = Senders::start(ledgers, &cluster.balancer(Role::Distributor), load.pause);
        let readers = cluster.of(Role::Querier).len();
        let prober = Prober::start(readers, &cluster.balancer(Role::Querier), questions, watches);
        Self { senders, prober, start: now() }
    }

    /// Ends it, reads every ledger back through every querier that runs, and says how it went.
    pub async fn finish(self, cluster: &Cluster, what: &str) -> Report {
        let reads = self.prober.finish().await;
        let ledgers = self.senders.finish().await;
        let seconds = self.start.elapsed().as_secs();
        for querier in cluster.running(Role::Querier) {
            for ledger in &ledgers {
                ledger.check_at(&cluster.http, &cluster.member(&querier).base()).await;
            }
        }
        let acknowledged = ledgers.iter().map(Ledger::acknowledged).sum();
        let write_errors = ledgers.iter().map(|ledger| ledger.failures().0).sum();
        let first_error = ledgers.iter().find_map(|ledger| ledger.failures().1.map(str::to_owned));
        tell(&format!(
            "{what}: {acknowledged} entries acknowledged in {seconds} s, 0 lost, {write_errors} write errors; \
             {} queries, {} failed, {} wrong, slowest {:?}",
            reads.asked, reads.failed, reads.wrong, reads.slowest
        ));
        Report { acknowledged, write_errors, reads, ledgers, first_error }
    }
}

impl Report {
    /// Ends the test unless there were enough reads and writes to show something, and none failed.
    pub fn nobody_noticed(&self) {
        self.something_was_done();
        assert_eq!(self.write_errors, 0, "writes failed, the first one with: {:?}", self.first_error);
        assert_eq!(self.reads.failed, 0, "queries failed:\n{}", self.reads.notes.join("\n"));
        self.nothing_was_wrong();
    }

    pub fn something_was_done(&self) {
        assert!(self.acknowledged >= 1000, "{} entries are too few to show anything", self.acknowledged);
        assert!(self.reads.asked >= 100, "{} queries are too few to show anything", self.reads.asked);
    }

    pub fn nothing_was_wrong(&self) {
        assert_eq!(self.reads.wrong, 0, "answers were wrong:\n{}", self.reads.notes.join("\n"));
    }
}
