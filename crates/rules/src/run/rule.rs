//! One rule that is run, of either kind: its turn, its series, its health.

use super::{Around, Evaluation, RunConfig, Timing, alerting::Alerting, millis, recording, stale};
use crate::{Expression, ResultSample, Rule, RuleKind};
use model::{Labels, TenantId, Timestamp};
use service_api::{Alert, Result, RuleHealth, RuleKindState, RuleState};
use std::{collections::BTreeMap, time::Duration};
use vectors::Sample;

/// A rule with what it keeps between evaluations.
pub struct Running {
    rule: Rule,
    labels: Labels,
    pub kind: Kind,
    /// The series that its last evaluation has written, with whether they are of histograms.
    pub series: BTreeMap<Labels, bool>,
    pub health: RuleHealth,
    pub last_evaluation: Option<Timestamp>,
    pub evaluation_time: Duration,
}

pub enum Kind {
    Recording,
    Alerting(Alerting),
}

/// What the rules of a group need to know of an evaluation.
#[derive(Clone, Copy)]
pub struct Turn<'a> {
    pub tenant: &'a TenantId,
    pub around: &'a std::sync::Arc<Around>,
    pub config: &'a RunConfig,
    pub timing: Timing,
    pub limit: usize,
    pub at: Timestamp,
}

impl Turn<'_> {
    /// As of when it is queried, and the time of the samples that come of it.
    pub fn sample_time(&self) -> Timestamp {
        self.at.saturating_sub(millis(self.timing.query_offset))
    }
}

impl Running {
    pub fn new(rule: &Rule) -> Self {
        let kind = match &rule.kind {
            RuleKind::Record(_) => Kind::Recording,
            RuleKind::Alert { name, hold, keep_firing_for, annotations } => {
                Kind::Alerting(Alerting::new(name, *hold, *keep_firing_for, &rule.labels, annotations))
            }
        };
        Self {
            rule: rule.clone(),
            labels: Labels::from_pairs(&rule.labels),
            kind,
            series: BTreeMap::new(),
            health: RuleHealth::Unknown,
            last_evaluation: None,
            evaluation_time: Duration::ZERO,
        }
    }

    pub fn name(&self) -> &str {
        self.rule.name()
    }

    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// Whether this one goes on with the other's state.
    pub fn is_same(&self, other: &Self) -> bool {
        std::mem::discriminant(&self.kind) == std::mem::discriminant(&other.kind)
            && self.name() == other.name()
            && self.labels == other.labels
    }

    pub fn go_on_from(&mut self, old: Self) {
        if old.rule == self.rule {
            self.health = old.health;
        }
        self.series = old.series;
        self.last_evaluation = old.last_evaluation;
        self.evaluation_time = old.evaluation_time;
        if let (Kind::Alerting(new), Kind::Alerting(old)) = (&mut self.kind, old.kind) {
            new.go_on_from(old);
        }
    }

    /// Evaluates it and writes what comes of it. `earlier` are the rules that had their turn before.
    ///
    /// What samples were refused for is returned: the others are written all the same.
    pub async fn evaluate(
        &mut self,
        turn: &Turn<'_>,
        earlier: &[Self],
        notify: &mut (dyn FnMut(Vec<Alert>) + Send),
        evaluation: &mut Evaluation,
    ) -> Result<Option<String>> {
        let queries = &turn.around.queries;
        let answer = queries.instant(turn.tenant, &self.rule.expr, turn.sample_time()).await?;
        for warning in &answer.warnings {
            tracing::debug!(tenant = %turn.tenant, rule = self.rule.name(), warning, "a rule's query warns");
        }
        let made = match &mut self.kind {
            Kind::Recording => recording::record(&self.rule, answer, turn.limit)?,
            Kind::Alerting(alerting) => {
                let taken_over = alerting.evaluate(turn, &self.rule, answer).await?;
                self.series.extend(taken_over.into_iter().map(|labels| (labels, false)));
                let generator = generator_url(&turn.around.external_url, &self.rule.expr);
                let due = alerting.due(turn, &generator);
                evaluation.sent += due.len() as u64;
                if !due.is_empty() {
                    notify(due);
                }
                alerting.samples()
            }
        };
        self.write(turn, made, earlier, evaluation).await
    }

    /// Writes samples, and stale markers for the series that are not among them any more.
    async fn write(
        &mut self,
        turn: &Turn<'_>,
        made: Vec<(Labels, Sample)>,
        earlier: &[Self],
        evaluation: &mut Evaluation,
    ) -> Result<Option<String>> {
        let timestamp = turn.sample_time();
        let is_histogram = |value: &Sample| matches!(value, Sample::Histogram(_));
        let mut returned: BTreeMap<_, _> =
            made.iter().map(|(labels, value)| (labels.clone(), is_histogram(value))).collect();
        let mut refused = None;
        if !made.is_empty() {
            let count = made.len() as u64;
            let samples = made.into_iter().map(|(labels, value)| ResultSample { labels, timestamp, value });
            let outcome = turn.around.results.write(turn.tenant, samples.collect()).await?;
            evaluation.samples += count;
            evaluation.refused += outcome.rejected;
            for rejection in &outcome.rejections {
                returned.remove(&rejection.labels);
            }
            refused = outcome.rejections.first().map(|first| {
                let (rejected, reason) = (outcome.rejected, first.reason.word());
                format!(
                    "{rejected} of {count} samples were refused, such as that of {} ({reason})",
                    first.labels
                )
            });
        }
        // Somebody who has just written a series keeps it: a marker would be another value at the same time.
        let is_taken = |labels: &Labels| earlier.iter().any(|rule| rule.series.contains_key(labels));
        let mut ended = std::mem::replace(&mut self.series, returned);
        ended.retain(|labels, _| !self.series.contains_key(labels) && !is_taken(labels));
        if !ended.is_empty() {
            let markers =
                ended.iter().map(|(labels, histogram)| stale(labels.clone(), *histogram, timestamp));
            let written = turn.around.results.write(turn.tenant, markers.collect()).await;
            if written.is_err() {
                // To be tried again by the next evaluation.
                self.series.append(&mut ended);
            }
            written?;
        }
        Ok(refused)
    }

    /// Alerts that fire, as they are told when the rule is no more.
    pub fn resolve(&mut self, at: Timestamp, around: &Around) -> Vec<Alert> {
        let generator = generator_url(&around.external_url, &self.rule.expr);
        match &mut self.kind {
            Kind::Recording => Vec::new(),
            Kind::Alerting(alerting) => alerting.resolve(at, around, &generator),
        }
    }

    pub fn state(&self) -> RuleState {
        let kind = match &self.kind {
            Kind::Recording => RuleKindState::Recording,
            Kind::Alerting(alerting) => alerting.state(),
        };
        RuleState {
            name: self.name().to_owned(),
            lang: self.rule.expr.lang(),
            query: printed(&self.rule.expr),
            labels: self.labels.clone(),
            health: self.health.clone(),
            last_evaluation: self.last_evaluation,
            evaluation_time: self.evaluation_time,
            kind,
        }
    }
}

fn printed(expr: &Expression) -> String {
    match expr {
        Expression::Promql { expr, .. } => expr.to_string(),
        Expression::Logql { expr, .. } => expr.to_string(),
    }
}

/// The page that Prometheus names for an expression.
fn generator_url(external_url: &str, expr: &Expression) -> String {
    format!("{external_url}/graph?g0.expr={}&g0.tab=1", query_escape(&printed(expr)))
}

/// As Go's `url.QueryEscape`, which is what Prometheus's links are made with.
fn query_escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
