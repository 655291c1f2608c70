//! Alerting rules: what a query gives becomes alerts, the series that tell of them, and notifications.

use super::{
    Around,
    alerts::{Active, Alerts, Found, Terms},
    millis,
    restore::Restored,
    rule::Turn,
    templates::{self, Templates},
};
use crate::{Answer, Rule};
use model::{Labels, LabelsBuilder, METRIC_NAME, Timestamp};
use service_api::{Alert, AlertPhase, AlertState, Error, Result, RuleKindState};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
    time::Duration,
};
use vectors::Sample;

pub const ALERTS: &str = "ALERTS";
pub const ALERTS_FOR_STATE: &str = "ALERTS_FOR_STATE";
pub const ALERT_NAME: &str = "alertname";
pub const ALERT_STATE: &str = "alertstate";

/// Alerts that one rule may have in any case; the memory of the query is no bound to what is kept of them.
const MOST_ALERTS: usize = 100_000;

/// An alerting rule with its alerts.
pub struct Alerting {
    hold: Duration,
    keep_firing_for: Duration,
    /// As they are written.
    annotations: Vec<(String, String)>,
    templates: Arc<Templates>,
    alerts: Alerts,
    /// What an earlier run has left; the first evaluation uses it up.
    pub restored: Restored,
}

impl Alerting {
    pub fn new(
        name: &str,
        hold: Duration,
        keep_firing_for: Duration,
        labels: &BTreeMap<String, String>,
        annotations: &BTreeMap<String, String>,
    ) -> Self {
        Self {
            hold,
            keep_firing_for,
            annotations: annotations.iter().map(|(n, v)| (n.clone(), v.clone())).collect(),
            templates: Arc::new(Templates::new(name, labels, annotations)),
            alerts: Alerts::default(),
            restored: Restored::default(),
        }
    }

    pub fn go_on_from(&mut self, old: Self) {
        self.alerts = old.alerts;
        self.restored = old.restored;
    }

    /// Brings the alerts up to date with the query's answer. Returns the series of an earlier run that are this
    /// one's now.
    pub async fn evaluate(&mut self, turn: &Turn<'_>, rule: &Rule, answer: Answer) -> Result<Vec<Labels>> {
        let terms = Terms {
            hold: millis(self.hold),
            keep_firing_for: millis(self.keep_firing_for),
            resolved_retention: millis(turn.config.resolved_retention),
        };
        let count = answer.samples.len();
        if count > MOST_ALERTS {
            return Err(Error::unprocessable(format!(
                "the rule makes {count} alerts, but a rule may have {MOST_ALERTS}: aggregate more, or alert on less"
            )));
        }
        let samples = answer.samples.into_iter().map(|(labels, value)| match value {
            Sample::Float(value) => (labels, value),
            // Prometheus has no number for it either.
            Sample::Histogram(_) => (labels, 0.0),
        });
        let found = self.found(turn, rule, samples.collect()).await?;
        let taken_over = self.take_over(turn, rule, &found, &terms).await?;
        let active = self.alerts.advance(turn.at, found, &terms);
        if turn.limit > 0 && active > turn.limit {
            self.alerts = Alerts::default();
            let limit = turn.limit;
            return Err(Error::unprocessable(format!("exceeded limit of {limit} with {active} alerts")));
        }
        Ok(taken_over)
    }

    /// What the rule makes of samples: alerts by their labels.
    async fn found(
        &self,
        turn: &Turn<'_>,
        rule: &Rule,
        samples: Vec<(Labels, f64)>,
    ) -> Result<BTreeMap<Labels, Found>> {
        let mut found = BTreeMap::new();
        for (labels, alert) in templates::expand(&self.templates, turn, rule, samples).await? {
            match found.entry(labels) {
                Entry::Vacant(entry) => entry.insert(alert),
                Entry::Occupied(_) => {
                    return Err(Error::unprocessable(
                        "vector contains metrics with the same labelset after applying alert labels",
                    ));
                }
            };
        }
        Ok(found)
    }

    /// Takes alerts over from an earlier run, as far as `found` shows that they are this rule's or the rule keeps
    /// them firing.
    async fn take_over(
        &mut self,
        turn: &Turn<'_>,
        rule: &Rule,
        found: &BTreeMap<Labels, Found>,
        terms: &Terms,
    ) -> Result<Vec<Labels>> {
        let restored = std::mem::take(&mut self.restored);
        let mut series = Vec::new();
        let mut kept = Vec::new();
        for (labels, earlier) in restored.0 {
            if found.contains_key(&labels) {
                let alert = earlier.go_on(turn, terms);
                series.extend(earlier.series);
                if let Some(alert) = alert {
                    self.alerts.0.insert(labels, alert);
                }
            } else if let Some(alert) = earlier.keep_firing(turn, terms) {
                kept.push((labels, alert));
            }
        }
        // What the expression gave is not known any more: annotations are made of the alert's own labels.
        let samples = kept.iter().map(|(labels, _)| (labels.clone(), f64::NAN)).collect();
        let expanded = templates::expand(&self.templates, turn, rule, samples).await?;
        for ((labels, alert), (_, found)) in kept.into_iter().zip(expanded) {
            self.alerts.0.insert(labels, Active { annotations: found.annotations, ..alert });
        }
        Ok(series)
    }

    /// `ALERTS` and `ALERTS_FOR_STATE` of those that are pending or firing.
    pub fn samples(&self) -> Vec<(Labels, Sample)> {
        let mut samples = Vec::new();
        for (labels, alert) in self.alerts.active() {
            let mut builder = LabelsBuilder::from_labels(labels);
            let state = builder.set(METRIC_NAME, ALERTS_FOR_STATE).build();
            let alerts = builder.set(METRIC_NAME, ALERTS).set(ALERT_STATE, alert.phase.as_str()).build();
            samples.push((alerts, Sample::Float(1.0)));
            samples.push((state, Sample::Float(alert.active_at.div_euclid(1000) as f64)));
        }
        samples
    }

    /// Alerts that are to be sent now.
    pub fn due(&mut self, turn: &Turn<'_>, generator_url: &str) -> Vec<Alert> {
        let resend_delay = millis(turn.config.resend_delay);
        // Two evaluations, or ways to the Alertmanager, may fail until it takes the alert for over.
        let lasts = resend_delay.max(millis(turn.timing.interval)).saturating_mul(4);
        let due = self.alerts.due(turn.at, resend_delay);
        let told = |(labels, alert): (&Labels, &Active)| {
            let ends_at = alert.resolved_at.unwrap_or(turn.at.saturating_add(lasts));
            tell(labels, alert, ends_at, turn.around, generator_url)
        };
        due.map(told).collect()
    }

    /// Those that fire, as over at `at`.
    pub fn resolve(&mut self, at: Timestamp, around: &Around, generator_url: &str) -> Vec<Alert> {
        let firing = |(_, alert): &(&Labels, &Active)| {
            alert.phase == AlertPhase::Firing && !alert.is_unconfirmed && alert.last_sent_at.is_some()
        };
        let firing = self.alerts.active().filter(firing);
        firing.map(|(labels, alert)| tell(labels, alert, at, around, generator_url)).collect()
    }

    pub fn state(&self) -> RuleKindState {
        let alerts = self.alerts.active().map(|(labels, alert)| AlertState {
            labels: labels.clone(),
            annotations: alert.annotations.clone(),
            phase: alert.phase,
            active_at: alert.active_at,
            keep_firing_since: alert.keep_firing_since,
            value: alert.value,
        });
        RuleKindState::Alerting {
            hold: self.hold,
            keep_firing_for: self.keep_firing_for,
            annotations: self.annotations.clone(),
            alerts: alerts.collect(),
        }
    }
}

fn tell(labels: &Labels, alert: &Active, ends_at: Timestamp, around: &Around, generator_url: &str) -> Alert {
    let mut builder = LabelsBuilder::from_labels(labels);
    for (name, value) in around.external_labels.iter() {
        if labels.get(name).is_none() {
            builder.set(name, value);
        }
    }
    Alert {
        labels: builder.build(),
        annotations: alert.annotations.clone(),
        starts_at: alert.fired_at.unwrap_or(alert.active_at),
        ends_at,
        generator_url: generator_url.to_owned(),
    }
}
