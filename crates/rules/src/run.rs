//! A group that is run: evaluation after evaluation, with what it keeps in between.

mod alerting;
mod alerts;
mod recording;
mod restore;
mod rule;
mod templates;
#[cfg(test)]
mod tests;

use crate::{Queries, ResultSample, Results, RuleGroup};
use model::{Labels, TenantId, Timestamp};
use promql::ParseOptions;
use rule::{Running, Turn};
use runtime::Clock;
use service_api::{Alert, GroupState, Result, RuleHealth};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// What holds for the rules of everybody.
#[derive(Clone, Debug)]
pub struct RunConfig {
    /// An alert that has not changed is sent again when this has passed.
    pub resend_delay: Duration,
    /// Alerts are taken over from an earlier run that ended no longer ago.
    pub outage_tolerance: Duration,
    /// After an outage alerts fire no earlier than this, unless they fired before.
    pub grace_period: Duration,
    /// For how long a resolved alert is sent again and again.
    pub resolved_retention: Duration,
}

impl Default for RunConfig {
    fn default() -> Self {
        Self {
            resend_delay: Duration::from_secs(60),
            outage_tolerance: Duration::from_secs(3600),
            grace_period: Duration::from_secs(600),
            resolved_retention: Duration::from_secs(900),
        }
    }
}

/// What runs stand on.
pub struct Around {
    pub queries: Arc<dyn Queries>,
    pub results: Arc<dyn Results>,
    pub clock: Arc<dyn Clock>,
    /// Given to alerts that have no label of the name, when they are sent.
    pub external_labels: Labels,
    /// Where people find this server; without a slash at the end.
    pub external_url: String,
    /// Of PromQL that templates query for.
    pub promql: ParseOptions,
}

/// When a group is evaluated, with nothing left to default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    pub interval: Duration,
    pub query_offset: Duration,
}

/// A group of one tenant that is run.
pub struct GroupRun {
    tenant: TenantId,
    namespace: String,
    group: RuleGroup,
    timing: Timing,
    config: Arc<RunConfig>,
    around: Arc<Around>,
    rules: Vec<Running>,
    /// Series of rules that are gone; they end with the next evaluation. With whether they are of histograms.
    orphans: BTreeMap<Labels, bool>,
    last_evaluation: Option<Timestamp>,
    evaluation_time: Duration,
}

/// How an evaluation went, for counting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evaluation {
    /// Samples that were made, stale markers aside.
    pub samples: u64,
    /// Rules that were evaluated.
    pub rules: u64,
    /// Those of them that failed.
    pub failures: u64,
    /// Samples that were not taken, one by one.
    pub refused: u64,
    /// Alerts that were due to be sent.
    pub sent: u64,
}

impl GroupRun {
    pub fn new(
        tenant: TenantId,
        namespace: &str,
        group: RuleGroup,
        timing: Timing,
        config: Arc<RunConfig>,
        around: Arc<Around>,
    ) -> Self {
        let rules = group.rules.iter().map(Running::new).collect();
        Self {
            tenant,
            namespace: namespace.to_owned(),
            group,
            timing,
            config,
            around,
            rules,
            orphans: BTreeMap::new(),
            last_evaluation: None,
            evaluation_time: Duration::ZERO,
        }
    }

    /// Goes on with another definition of the group. Rules of the same kind, name and labels keep their state
    /// whatever else of them has changed; of several that are alike in this, the first is the first again.
    pub fn change(&mut self, group: RuleGroup, timing: Timing) {
        let mut before: Vec<_> = std::mem::take(&mut self.rules).into_iter().map(Some).collect();
        self.rules = group.rules.iter().map(Running::new).collect();
        for rule in &mut self.rules {
            let same = before.iter_mut().find(|old| old.as_ref().is_some_and(|old| old.is_same(rule)));
            if let Some(old) = same.and_then(Option::take) {
                rule.go_on_from(old);
            }
        }
        self.orphans.extend(before.into_iter().flatten().flat_map(|old| old.series));
        self.group = group;
        self.timing = timing;
    }

    /// Looks up what an earlier run of the group has left, so that the first evaluation goes on from there. To be
    /// called before that one; later it does nothing.
    ///
    /// # Errors
    /// It could not be read. The run can go on without, or try again.
    pub async fn restore(&mut self, at: Timestamp) -> Result<()> {
        if self.last_evaluation.is_some() {
            return Ok(());
        }
        restore::restore(self, at).await
    }

    /// Evaluates all rules in their order as of `at`. `notify` gets the alerts of a rule that are due to be sent,
    /// right after the rule.
    pub async fn evaluate(
        &mut self,
        at: Timestamp,
        notify: &mut (dyn FnMut(Vec<Alert>) + Send),
    ) -> Evaluation {
        let began = self.around.clock.monotonic();
        let mut evaluation = Evaluation::default();
        let turn = Turn {
            tenant: &self.tenant,
            around: &self.around,
            config: &self.config,
            timing: self.timing,
            limit: self.group.limit,
            at,
        };
        let mut refusal = None;
        for index in 0..self.rules.len() {
            let (earlier, rest) = self.rules.split_at_mut(index);
            let Some(rule) = rest.first_mut() else { break };
            let rule_began = self.around.clock.monotonic();
            evaluation.rules += 1;
            rule.health = match rule.evaluate(&turn, earlier, notify, &mut evaluation).await {
                Ok(None) => RuleHealth::Ok,
                Ok(Some(refused)) => {
                    refusal.get_or_insert_with(|| refused.clone());
                    RuleHealth::Failed(refused)
                }
                Err(error) => {
                    evaluation.failures += 1;
                    let (tenant, namespace, group) = (&self.tenant, &self.namespace, &self.group.name);
                    let name = rule.name();
                    tracing::warn!(%tenant, namespace, group, rule = name, %error, "a rule failed");
                    RuleHealth::Failed(error.to_string())
                }
            };
            rule.last_evaluation = Some(at);
            rule.evaluation_time = self.around.clock.monotonic().saturating_sub(rule_began);
        }
        if let Some(first) = refusal {
            let (tenant, namespace, group, refused) =
                (&self.tenant, &self.namespace, &self.group.name, evaluation.refused);
            tracing::warn!(%tenant, namespace, group, refused, first, "samples of rules were refused");
        }
        self.end_orphans(at).await;
        self.last_evaluation = Some(at);
        self.evaluation_time = self.around.clock.monotonic().saturating_sub(began);
        evaluation
    }

    /// How it fares, as of the last evaluation.
    pub fn state(&self) -> GroupState {
        GroupState {
            namespace: self.namespace.clone(),
            name: self.group.name.clone(),
            interval: self.timing.interval,
            query_offset: self.timing.query_offset,
            limit: self.group.limit,
            rules: self.rules.iter().map(Running::state).collect(),
            last_evaluation: self.last_evaluation,
            evaluation_time: self.evaluation_time,
        }
    }

    /// The group has been removed: all series that it wrote end. Alerts that fire are over at `at`, and returned to be
    /// sent as such.
    pub async fn end(mut self, at: Timestamp) -> Vec<Alert> {
        let mut resolved = Vec::new();
        for rule in &mut self.rules {
            resolved.extend(rule.resolve(at, &self.around));
            self.orphans.append(&mut rule.series);
        }
        // A marker at the time of the last sample would be refused as another value of it.
        let after = self.last_evaluation.map_or(at, |last| at.max(last.saturating_add(1)));
        self.end_orphans(after).await;
        resolved
    }

    /// Writes stale markers for series of rules that are gone. If that fails, it is tried again with the next
    /// evaluation.
    async fn end_orphans(&mut self, at: Timestamp) {
        for rule in &self.rules {
            self.orphans.retain(|labels, _| !rule.series.contains_key(labels));
        }
        if self.orphans.is_empty() {
            return;
        }
        let time = at.saturating_sub(millis(self.timing.query_offset));
        let markers = self.orphans.iter().map(|(labels, histogram)| stale(labels.clone(), *histogram, time));
        match self.around.results.write(&self.tenant, markers.collect()).await {
            // That single ones are refused is no wonder where somebody else writes the series now.
            Ok(_) => self.orphans.clear(),
            Err(error) => {
                let (tenant, namespace, group) = (&self.tenant, &self.namespace, &self.group.name);
                tracing::warn!(%tenant, namespace, group, %error, "series of removed rules could not be ended");
            }
        }
    }
}

/// The marker of a series' end, as it is for floats or for native histograms.
fn stale(labels: Labels, is_histogram: bool, timestamp: Timestamp) -> ResultSample {
    let value = if is_histogram {
        let marker = histogram::FloatHistogram { sum: model::stale_nan(), ..Default::default() };
        vectors::Sample::Histogram(Arc::new(marker))
    } else {
        vectors::Sample::Float(model::stale_nan())
    };
    ResultSample { labels, timestamp, value }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
