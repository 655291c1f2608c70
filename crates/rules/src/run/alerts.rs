//! The alerts of one rule, from evaluation to evaluation: pending, firing, resolved.

use model::{Labels, Timestamp};
use service_api::AlertPhase;
use std::collections::BTreeMap;

/// Alerts that are pending or firing, and those that were firing not long ago.
#[derive(Debug, Default)]
pub struct Alerts(pub BTreeMap<Labels, Active>);

/// One alert.
#[derive(Clone, Debug)]
pub struct Active {
    pub annotations: Vec<(String, String)>,
    pub value: f64,
    pub phase: AlertPhase,
    /// Since when the expression gives it.
    pub active_at: Timestamp,
    pub fired_at: Option<Timestamp>,
    pub resolved_at: Option<Timestamp>,
    pub last_sent_at: Option<Timestamp>,
    pub keep_firing_since: Option<Timestamp>,
    /// The expression gives it now.
    pub is_found: bool,
    /// It was taken over from an earlier run, and the expression has not given it since. It may be an alert of
    /// another group, so nobody is told that it is over.
    pub is_unconfirmed: bool,
}

/// What the expression gives of an alert.
#[derive(Clone, Debug)]
pub struct Found {
    pub annotations: Vec<(String, String)>,
    pub value: f64,
}

/// How a rule has alerts fire and end, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    pub hold: i64,
    pub keep_firing_for: i64,
    pub resolved_retention: i64,
}

/// Resolved alerts that are kept in any case. Rules whose labels change all the time would have ever more.
const MOST_RESOLVED: usize = 100_000;

impl Alerts {
    /// Goes from one evaluation to the next, which is at `at` and has given `found`. Returns how many are pending or
    /// firing.
    pub fn advance(&mut self, at: Timestamp, found: BTreeMap<Labels, Found>, terms: &Terms) -> usize {
        for alert in self.0.values_mut() {
            alert.is_found = false;
        }
        for (labels, found) in found {
            match self.0.get_mut(&labels) {
                Some(alert) if alert.phase != AlertPhase::Inactive => alert.find(found),
                _ => {
                    self.0.insert(labels, Active::new(at, found));
                }
            }
        }
        self.0.retain(|_, alert| alert.advance(at, terms));
        let active = self.0.values().filter(|alert| alert.is_active()).count();
        if self.0.len() - active > MOST_RESOLVED {
            self.0.retain(|_, alert| alert.is_active() || alert.resolved_at == Some(at));
        }
        active
    }

    /// Those that are pending or firing.
    pub fn active(&self) -> impl Iterator<Item = (&Labels, &Active)> {
        self.0.iter().filter(|(_, alert)| alert.is_active())
    }

    /// Those that are to be sent now. They count as sent with that.
    pub fn due(&mut self, at: Timestamp, resend_delay: i64) -> impl Iterator<Item = (&Labels, &Active)> {
        self.0.iter_mut().filter_map(move |(labels, alert)| {
            alert.is_due(at, resend_delay).then(|| {
                alert.last_sent_at = Some(at);
                (labels, &*alert)
            })
        })
    }
}

impl Active {
    fn new(at: Timestamp, found: Found) -> Self {
        Self {
            annotations: found.annotations,
            value: found.value,
            phase: AlertPhase::Pending,
            active_at: at,
            fired_at: None,
            resolved_at: None,
            last_sent_at: None,
            keep_firing_since: None,
            is_found: true,
            is_unconfirmed: false,
        }
    }

    pub fn is_active(&self) -> bool {
        self.phase != AlertPhase::Inactive
    }

    fn find(&mut self, found: Found) {
        self.annotations = found.annotations;
        self.value = found.value;
        self.is_found = true;
        self.is_unconfirmed = false;
        self.keep_firing_since = None;
    }

    /// False if nothing needs to be known of it any more.
    fn advance(&mut self, at: Timestamp, terms: &Terms) -> bool {
        if !self.is_found {
            match self.phase {
                AlertPhase::Pending => return false,
                AlertPhase::Inactive => {
                    return self
                        .resolved_at
                        .is_some_and(|resolved| at.saturating_sub(resolved) <= terms.resolved_retention);
                }
                AlertPhase::Firing => {
                    let since = *self.keep_firing_since.get_or_insert(at);
                    if at.saturating_sub(since) >= terms.keep_firing_for {
                        self.phase = AlertPhase::Inactive;
                        self.resolved_at = Some(at);
                        return !self.is_unconfirmed;
                    }
                }
            }
        }
        let held = at.saturating_sub(self.active_at) >= terms.hold;
        match self.phase {
            AlertPhase::Pending if held => {
                self.phase = AlertPhase::Firing;
                self.fired_at = Some(at);
            }
            // The rule holds alerts for longer than it did.
            AlertPhase::Firing if !held => {
                self.phase = AlertPhase::Pending;
                self.fired_at = None;
                self.last_sent_at = None;
                self.keep_firing_since = None;
            }
            _ => {}
        }
        true
    }

    fn is_due(&self, at: Timestamp, resend_delay: i64) -> bool {
        let Some(sent) = self.last_sent_at else { return self.phase != AlertPhase::Pending };
        match self.phase {
            AlertPhase::Pending => false,
            _ if self.resolved_at.is_some_and(|resolved| resolved > sent) => true,
            // Prometheus waits for more than the delay, which with an interval as long as the delay, as both are by
            // default, is two intervals: then two evaluations that fail end the alert.
            _ => sent.saturating_add(resend_delay) <= at,
        }
    }
}
