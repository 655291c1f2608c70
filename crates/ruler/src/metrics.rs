//! What a ruler counts.

use prometheus_client::{
    metrics::{
        counter::Counter,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

/// Cloning it counts references.
#[derive(Clone, Debug)]
pub struct RulerMetrics {
    pub groups: Gauge,
    pub waiting_groups: Gauge,
    pub claims: Gauge,
    pub evaluations: Counter,
    pub missed_evaluations: Counter,
    pub fenced_evaluations: Counter,
    pub rule_evaluations: Counter,
    pub failed_rule_evaluations: Counter,
    pub failed_restores: Counter,
    pub samples: Counter,
    pub refused_samples: Counter,
    pub failed_polls: Counter,
    /// Seconds since the Unix epoch.
    pub last_poll: Gauge,
    pub duration: Histogram,
    pub lag: Histogram,
}

impl Default for RulerMetrics {
    fn default() -> Self {
        let seconds = || Histogram::new(exponential_buckets(0.005, 4.0, 8));
        Self {
            groups: Gauge::default(),
            waiting_groups: Gauge::default(),
            claims: Gauge::default(),
            evaluations: Counter::default(),
            missed_evaluations: Counter::default(),
            fenced_evaluations: Counter::default(),
            rule_evaluations: Counter::default(),
            failed_rule_evaluations: Counter::default(),
            failed_restores: Counter::default(),
            samples: Counter::default(),
            refused_samples: Counter::default(),
            failed_polls: Counter::default(),
            last_poll: Gauge::default(),
            duration: seconds(),
            lag: seconds(),
        }
    }
}

impl RulerMetrics {
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("yagura_ruler");
        for (name, help, counter) in [
            ("evaluations", "Evaluations of groups", &self.evaluations),
            (
                "missed_evaluations",
                "Evaluations of groups that were left out because the one before took too long, or nothing could be read",
                &self.missed_evaluations,
            ),
            (
                "fenced_evaluations",
                "Evaluations of groups that were left out because this ruler could not be sure to be the only one",
                &self.fenced_evaluations,
            ),
            ("rule_evaluations", "Evaluations of single rules", &self.rule_evaluations),
            (
                "failed_rule_evaluations",
                "Evaluations of single rules that failed",
                &self.failed_rule_evaluations,
            ),
            (
                "failed_restores",
                "Times that it could not be read what a group's alerts were before",
                &self.failed_restores,
            ),
            ("samples", "Samples that rules have made", &self.samples),
            ("refused_samples", "Samples that rules have made and that were refused", &self.refused_samples),
            ("failed_polls", "Looks for changed rules that failed", &self.failed_polls),
        ] {
            registry.register(name, help, counter.clone());
        }
        for (name, help, gauge) in [
            ("groups", "Groups that this ruler runs", &self.groups),
            (
                "waiting_groups",
                "Groups that are to be run here and are not claimed yet",
                &self.waiting_groups,
            ),
            ("claims", "Groups that this ruler has claimed", &self.claims),
            ("last_poll_timestamp_seconds", "When rules were last looked for, or the start", &self.last_poll),
        ] {
            registry.register(name, help, gauge.clone());
        }
        let help = "How long evaluations of groups took";
        registry.register("evaluation_duration_seconds", help, self.duration.clone());
        let help = "How long after they were due evaluations of groups began";
        registry.register("evaluation_lag_seconds", help, self.lag.clone());
    }
}
