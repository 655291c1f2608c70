//! One group that runs: a task that waits until it is due, evaluates it, and waits again.

use crate::{Claims, RulerMetrics, fenced::Fenced, schedule::GroupKey, schedule::Schedule};
use model::Timestamp;
use parking_lot::Mutex;
use promql::ParseOptions;
use rules::{Around, GroupRun, Queries, Results, RunConfig, StoredGroup, Timing};
use runtime::Clock;
use service_api::{Alert, GroupState, Notify};
use std::{sync::Arc, time::Duration};
use tokio::sync::{Semaphore, watch};

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
    pub places: Semaphore,
    pub metrics: RulerMetrics,
}

/// The handle to a group's task.
pub struct Running {
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
    pub fn start(common: Arc<Common>, key: GroupKey, stored: Arc<StoredGroup>) -> Self {
        let (definition, wanted) = watch::channel(Wanted::Run(Arc::clone(&stored)));
        let state = Arc::default();
        let task = Task::new(common, key, stored, wanted, Arc::clone(&state));
        Self { definition, state, task: tokio::spawn(task.run()) }
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
    claim: String,
    run: GroupRun,
    schedule: Schedule,
    wanted: watch::Receiver<Wanted>,
    state: Arc<Mutex<Option<GroupState>>>,
    is_restored: bool,
}

/// Why a wait is over.
enum Next {
    Due,
    Change(Wanted),
}

impl Task {
    fn new(
        common: Arc<Common>,
        key: GroupKey,
        stored: Arc<StoredGroup>,
        wanted: watch::Receiver<Wanted>,
        state: Arc<Mutex<Option<GroupState>>>,
    ) -> Self {
        let claim = key.claim();
        let results = Fenced {
            results: Arc::clone(&common.results),
            claims: Arc::clone(&common.claims),
            group: claim.clone(),
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
        Self { common, key, claim, run, schedule, wanted, state, is_restored: false }
    }

    async fn run(mut self) {
        let mut last = self.common.clock.now_ms();
        loop {
            let due = self.schedule.after(last);
            match self.wait(due).await {
                Next::Due => {
                    let now = self.common.clock.now_ms();
                    if due - now > self.schedule.interval() {
                        // The clock was set back by more than that.
                        last = now;
                        continue;
                    }
                    last = self.turn(due).await;
                }
                Next::Change(Wanted::Run(stored)) => self.change(&stored),
                Next::Change(Wanted::HandOver) => return,
                Next::Change(Wanted::End) => return self.end().await,
            }
        }
    }

    async fn wait(&mut self, due: Timestamp) -> Next {
        loop {
            let left = due - self.common.clock.now_ms();
            if left <= 0 || left > self.schedule.interval() {
                return Next::Due;
            }
            let pause = Duration::from_millis(left.unsigned_abs()).min(LOOK_AT_CLOCK);
            tokio::select! {
                biased;
                changed = self.wanted.changed() => {
                    let wanted = self.wanted.borrow_and_update().clone();
                    // Nobody is there any more to say what is wanted.
                    return Next::Change(if changed.is_err() { Wanted::HandOver } else { wanted });
                }
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    fn change(&mut self, stored: &StoredGroup) {
        let timing = self.common.timing_of(stored);
        self.schedule = Schedule::new(&self.key, timing.interval);
        self.run.change(stored.group.clone(), timing);
        *self.state.lock() = Some(self.run.state());
    }

    /// Evaluates what is due at `due`. Gives the time from which on the next one is looked for.
    async fn turn(&mut self, due: Timestamp) -> Timestamp {
        let common = Arc::clone(&self.common);
        // It cannot be closed.
        let _place = common.places.acquire().await;
        let metrics = &common.metrics;
        if !common.claims.holds(&self.claim) {
            metrics.fenced_evaluations.inc();
            return due;
        }
        let began = common.clock.now_ms();
        metrics.lag.observe((began - due).max(0) as f64 / 1000.0);
        if !self.restored(due).await {
            metrics.missed_evaluations.inc();
            return due;
        }
        let started = common.clock.monotonic();
        let (claims, notifier) = (Arc::clone(&common.claims), Arc::clone(&common.notifier));
        let (claim, tenant) = (&self.claim, &self.key.tenant);
        let mut notify = |alerts: Vec<Alert>| {
            if claims.holds(claim) && !alerts.is_empty() {
                notifier.notify(tenant, alerts);
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
        let missed = self.schedule.missed(due, common.clock.now_ms());
        metrics.missed_evaluations.inc_by(missed.unsigned_abs());
        due + missed * self.schedule.interval()
    }

    /// Whether it is known what the group's alerts were before we ran it. Without that, alerts that fire would
    /// seem to be new ones.
    async fn restored(&mut self, at: Timestamp) -> bool {
        if !self.is_restored {
            match self.run.restore(at).await {
                Ok(()) => self.is_restored = true,
                Err(error) => {
                    self.common.metrics.failed_restores.inc();
                    let GroupKey { tenant, name } = &self.key;
                    tracing::warn!(%tenant, group = %name, %error, "what alerts were before cannot be read; the group waits");
                }
            }
        }
        self.is_restored
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
            interval: group.interval.unwrap_or(self.timing.interval),
            query_offset: group.query_offset.unwrap_or(self.timing.query_offset),
        }
    }
}
