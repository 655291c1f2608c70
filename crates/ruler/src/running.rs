//! One group that runs: a task that waits until it is due, evaluates it, and waits again.

use crate::{
    Claims, RulerMetrics,
    claims::Claim,
    fenced::Fenced,
    places::{Place, Places},
    schedule::{GroupKey, Schedule},
};
use model::Timestamp;
use parking_lot::Mutex;
use promql::ParseOptions;
use rules::{Around, GroupRun, Queries, Results, RunConfig, StoredGroup, Timing};
use runtime::Clock;
use service_api::{Alert, Code, GroupState, Notify};
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// An interval that is shorter is as long as this.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

/// For how long a group waits for what its alerts were before, if that cannot be read at the moment. Alertmanagers
/// are told of nothing in that time, and end no alert yet.
const RESTORE_WITHIN: i64 = 120_000;

/// How long at most a wait lasts before the wall clock is looked at again: it may have been set.
const LOOK_AT_CLOCK: Duration = Duration::from_secs(10);

/// What all groups share.
pub struct Common {
    pub queries: Arc<dyn Queries>,
    pub results: Arc<dyn Results>,
    pub notifier: Arc<dyn Notify>,
    pub claims: Arc<Claims>,
    pub clock: Arc<dyn Clock>,
    pub config: Arc<RunConfig>,
    /// Of groups that do not say.
    pub timing: Timing,
    pub external_labels: model::Labels,
    pub external_url: String,
    pub promql: ParseOptions,
    /// Places for evaluations at once.
    pub places: Places,
    pub metrics: RulerMetrics,
}

/// The handle to a group's task.
pub struct Running {
    pub claim: Claim,
    definition: watch::Sender<Wanted>,
    state: Arc<Mutex<Option<GroupState>>>,
    task: tokio::task::JoinHandle<()>,
}

/// What the task is to do.
#[derive(Clone)]
enum Wanted {
    Run(Arc<StoredGroup>),
    /// Somebody else goes on with it.
    HandOver,
    /// There is no such group any more.
    End,
}

impl Running {
    pub fn start(common: Arc<Common>, key: GroupKey, claim: Claim, stored: Arc<StoredGroup>) -> Self {
        let (definition, wanted) = watch::channel(Wanted::Run(Arc::clone(&stored)));
        let state = Arc::default();
        let task = Task::new(common, key, claim.clone(), stored, wanted, Arc::clone(&state));
        Self { claim, definition, state, task: tokio::spawn(task.run()) }
    }

    /// Goes on with this definition if it is another one.
    pub fn define(&self, stored: &Arc<StoredGroup>) {
        self.definition.send_if_modified(|wanted| match wanted {
            Wanted::Run(known) if known == stored => false,
            _ => {
                *wanted = Wanted::Run(Arc::clone(stored));
                true
            }
        });
    }

    /// Returns when nothing is done for the group any more; an evaluation that has begun is ended.
    pub async fn stop(self, is_gone: bool) {
        self.definition.send_replace(if is_gone { Wanted::End } else { Wanted::HandOver });
        if let Err(error) = self.task.await {
            tracing::error!(%error, "a rule group's task failed");
        }
    }

    /// As if its process had died.
    #[cfg(test)]
    pub fn kill(self) {
        self.task.abort();
    }

    /// Whether its task has ended by itself, which only a fault of ours makes it do.
    pub fn has_ended(&self) -> bool {
        self.task.is_finished()
    }

    pub fn state(&self) -> Option<GroupState> {
        self.state.lock().clone()
    }
}

struct Task {
    common: Arc<Common>,
    key: GroupKey,
    claim: Claim,
    run: GroupRun,
    schedule: Schedule,
    /// When it was last due.
    last: Timestamp,
    wanted: watch::Receiver<Wanted>,
    state: Arc<Mutex<Option<GroupState>>>,
    restore: Restore,
}

/// Whether it is known what the group's alerts were before we ran it.
enum Restore {
    /// Not yet; since when that has been tried, if it has.
    Wanted(Option<Timestamp>),
    Done,
}

/// Why a wait is over.
enum Next {
    /// There is a place.
    Due(Place),
    /// The clock was set.
    Lost,
    Change(Wanted),
}

impl Task {
    fn new(
        common: Arc<Common>,
        key: GroupKey,
        claim: Claim,
        stored: Arc<StoredGroup>,
        wanted: watch::Receiver<Wanted>,
        state: Arc<Mutex<Option<GroupState>>>,
    ) -> Self {
        let results = Fenced {
            results: Arc::clone(&common.results),
            claims: Arc::clone(&common.claims),
            claim: claim.clone(),
        };
        let around = Around {
            queries: Arc::clone(&common.queries),
            results: Arc::new(results),
            clock: Arc::clone(&common.clock),
            external_labels: common.external_labels.clone(),
            external_url: common.external_url.clone(),
            promql: common.promql,
        };
        let timing = common.timing_of(&stored);
        let schedule = Schedule::new(&key, timing.interval);
        let run = GroupRun::new(
            key.tenant.clone(),
            &key.name.namespace,
            stored.group.clone(),
            timing,
            Arc::clone(&common.config),
            Arc::new(around),
        );
        *state.lock() = Some(run.state());
        let last = common.clock.now_ms();
        Self { common, key, claim, run, schedule, last, wanted, state, restore: Restore::Wanted(None) }
    }

    async fn run(mut self) {
        loop {
            match self.next().await {
                Next::Due(place) => self.turn(place).await,
                Next::Lost => self.last = self.common.clock.now_ms(),
                Next::Change(Wanted::Run(stored)) => self.change(&stored),
                Next::Change(Wanted::HandOver) => return,
                Next::Change(Wanted::End) => return self.end().await,
            }
        }
    }

    /// Waits until the group is due and there is a place, or until something else is wanted.
    async fn next(&mut self) -> Next {
        let (due, interval) = (self.schedule.after(self.last), self.schedule.interval());
        let (common, tenant) = (Arc::clone(&self.common), self.key.tenant.clone());
        let due_and_placed = async {
            loop {
                let left = due - common.clock.now_ms();
                if left > interval {
                    return None;
                }
                if left <= 0 {
                    return Some(common.places.take(&tenant).await);
                }
                tokio::time::sleep(Duration::from_millis(left.unsigned_abs()).min(LOOK_AT_CLOCK)).await;
            }
        };
        tokio::select! {
            biased;
            changed = self.wanted.changed() => match changed {
                Ok(()) => Next::Change(self.wanted.borrow_and_update().clone()),
                // Nobody is there any more to say what is wanted.
                Err(_) => Next::Change(Wanted::HandOver),
            },
            place = due_and_placed => place.map_or(Next::Lost, Next::Due),
        }
    }

    fn change(&mut self, stored: &StoredGroup) {
        let timing = self.common.timing_of(stored);
        self.schedule = Schedule::new(&self.key, timing.interval);
        // What would have been due by a shorter interval was not.
        self.last = self.last.max(self.common.clock.now_ms() - self.schedule.interval());
        self.run.change(stored.group.clone(), timing);
        *self.state.lock() = Some(self.run.state());
    }

    /// Evaluates what is due. If several evaluations are by now, it is the newest of them.
    async fn turn(&mut self, _place: Place) {
        let common = Arc::clone(&self.common);
        let metrics = &common.metrics;
        let due = self.newest_due();
        if !common.claims.holds(&self.claim) {
            metrics.fenced_evaluations.inc();
            return;
        }
        if !self.restored(due).await {
            metrics.missed_evaluations.inc();
            return;
        }
        let due = self.newest_due();
        metrics.lag.observe((common.clock.now_ms() - due).max(0) as f64 / 1000.0);
        let started = common.clock.monotonic();
        let (claim, tenant) = (&self.claim, &self.key.tenant);
        let mut notify = |alerts: Vec<Alert>| {
            if common.claims.holds(claim) && !alerts.is_empty() {
                common.notifier.notify(tenant, alerts);
            }
        };
        let evaluated = self.run.evaluate(due, &mut notify).await;
        metrics.evaluations.inc();
        metrics.rule_evaluations.inc_by(evaluated.rules);
        metrics.failed_rule_evaluations.inc_by(evaluated.failures);
        metrics.samples.inc_by(evaluated.samples);
        metrics.refused_samples.inc_by(evaluated.refused);
        metrics.duration.observe(common.clock.monotonic().saturating_sub(started).as_secs_f64());
        *self.state.lock() = Some(self.run.state());
    }

    /// The newest time at which the group is due by now, from the last one on; those between are counted as missed.
    fn newest_due(&mut self) -> Timestamp {
        let now = self.common.clock.now_ms();
        let next = self.schedule.after(self.last);
        if next <= now {
            let missed = self.schedule.missed(next, now);
            self.common.metrics.missed_evaluations.inc_by(missed.unsigned_abs());
            self.last = next + missed * self.schedule.interval();
        }
        self.last
    }

    /// Whether it is known what the group's alerts were before we ran it, or will not be. Without that, alerts that fire
    /// would seem to be new ones.
    async fn restored(&mut self, at: Timestamp) -> bool {
        let Restore::Wanted(since) = self.restore else { return true };
        let error = match self.run.restore(at).await {
            Ok(()) => {
                self.restore = Restore::Done;
                return true;
            }
            Err(error) => error,
        };
        self.common.metrics.failed_restores.inc();
        let since = since.unwrap_or(at);
        let passes = matches!(error.code, Code::Unavailable | Code::Timeout);
        let waits = passes && at - since < RESTORE_WITHIN.max(3 * self.schedule.interval());
        let GroupKey { tenant, name } = &self.key;
        tracing::warn!(%tenant, group = %name, %error, waits, "what alerts were before cannot be read");
        self.restore = if waits { Restore::Wanted(Some(since)) } else { Restore::Done };
        !waits
    }

    async fn end(self) {
        let common = Arc::clone(&self.common);
        let alerts = self.run.end(common.clock.now_ms()).await;
        if common.claims.holds(&self.claim) && !alerts.is_empty() {
            common.notifier.notify(&self.key.tenant, alerts);
        }
    }
}

impl Common {
    fn timing_of(&self, stored: &StoredGroup) -> Timing {
        let group = &stored.group;
        Timing {
            interval: group.interval.unwrap_or(self.timing.interval).max(SHORTEST_INTERVAL),
            query_offset: group.query_offset.unwrap_or(self.timing.query_offset),
        }
    }
}
