//! Taking over alerts from an earlier run of a group, by the series that it has left.
//!
//! It is read before the first evaluation, so that a group that is handed from one ruler to another goes on as if
//! nothing had happened. Prometheus reads it after two evaluations, as it may still lack samples when it starts.

use super::{
    GroupRun,
    alerting::{ALERT_NAME, ALERT_STATE, ALERTS, ALERTS_FOR_STATE},
    alerts::{Active, Terms},
    millis,
    rule::{Kind, Running, Turn},
};
use crate::Rule;
use model::{Labels, METRIC_NAME, MatchOp, Matcher, Sample, TimeRange, Timestamp, is_stale};
use service_api::{AlertPhase, Error, Result};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Alerts of an earlier run of a rule, by their labels.
#[derive(Debug, Default)]
pub struct Restored(pub BTreeMap<Labels, Earlier>);

/// An alert that was active when the earlier run ended.
#[derive(Clone, Debug)]
pub struct Earlier {
    active_at: Timestamp,
    /// When it was last evaluated.
    down_at: Timestamp,
    was_firing: bool,
    /// The run was interrupted for some evaluations at most.
    is_handover: bool,
    /// Those that told of it.
    pub series: Vec<Labels>,
}

/// An interruption that is no longer is no outage, however short the interval.
const SHORT: i64 = 120_000;

/// Names of alerts in one select. They become a regular expression, which may not grow without end.
const NAMES_AT_ONCE: usize = 100;

/// Reads what an earlier run of the group has left at `at`.
pub async fn restore(run: &mut GroupRun, at: Timestamp) -> Result<()> {
    let alerting = |rule: &&Running| matches!(rule.kind, Kind::Alerting(_));
    let names: BTreeSet<&str> = run.rules.iter().filter(alerting).map(Running::name).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let mut left = Left::default();
    for some in names.chunks(NAMES_AT_ONCE) {
        for (labels, last) in select(run, ALERTS_FOR_STATE, some, at).await? {
            left.add_for_state(labels, last);
        }
        for (labels, last) in select(run, ALERTS, some, at).await? {
            left.add_alert(labels, last);
        }
    }
    let (offset, interval) = (millis(run.timing.query_offset), millis(run.timing.interval));
    let short = interval.saturating_mul(3).max(SHORT);
    for rule in &mut run.rules {
        let own = left.of_rule(rule.rule());
        if let Kind::Alerting(alerting) = &mut rule.kind {
            let earlier = |(labels, active_at, written, told): (&Labels, Timestamp, Timestamp, &Told)| {
                let down_at = written.saturating_add(offset);
                let is_handover = at.saturating_sub(down_at) <= short;
                let (was_firing, series) = (told.was_firing, told.series.clone());
                (labels.clone(), Earlier { active_at, down_at, was_firing, is_handover, series })
            };
            alerting.restored = Restored(own.into_iter().map(earlier).collect());
        }
    }
    Ok(())
}

async fn select(
    run: &GroupRun,
    metric: &str,
    names: &[&str],
    at: Timestamp,
) -> Result<Vec<(Labels, Sample)>> {
    let alert_name = match names {
        [name] => Matcher::equal(ALERT_NAME, name),
        _ => {
            let escaped: Vec<_> = names.iter().map(|name| escape(name)).collect();
            Matcher::new(MatchOp::Regex, ALERT_NAME, &escaped.join("|")).map_err(|e| {
                Error::internal(format!("the names of alerts make no regular expression: {e}"))
            })?
        }
    };
    let back = millis(run.config.outage_tolerance).saturating_add(millis(run.timing.query_offset));
    let range = TimeRange::new(at.saturating_sub(back), at);
    run.around.queries.last(&run.tenant, &[Matcher::equal(METRIC_NAME, metric), alert_name], range).await
}

/// Text of which a regular expression matches nothing but itself.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// What there is of all alerts of some names.
#[derive(Default)]
struct Left {
    /// By alert name: the alert's labels, since when it is active, and when that was written.
    active: HashMap<String, Vec<(Labels, Timestamp, Timestamp)>>,
    /// By the alert's labels.
    told: HashMap<Labels, Told>,
}

#[derive(Default)]
struct Told {
    was_firing: bool,
    series: Vec<Labels>,
}

impl Left {
    fn add_for_state(&mut self, labels: Labels, last: Sample) {
        // A series that has ended is one of an alert that has.
        if is_stale(last.value) {
            return;
        }
        let alert = labels.without_name();
        let name = alert.get(ALERT_NAME).unwrap_or_default().to_owned();
        let active_at = (last.value * 1000.0) as Timestamp;
        self.told.entry(told_by(&labels)).or_default().series.push(labels);
        self.active.entry(name).or_default().push((alert, active_at, last.timestamp));
    }

    fn add_alert(&mut self, labels: Labels, last: Sample) {
        if is_stale(last.value) {
            return;
        }
        let told = self.told.entry(told_by(&labels)).or_default();
        told.was_firing |= labels.get(ALERT_STATE) == Some(AlertPhase::Firing.as_str());
        told.series.push(labels);
    }

    /// Alerts that may be of the rule. Labels that are templates could have become anything.
    fn of_rule(&self, rule: &Rule) -> Vec<(&Labels, Timestamp, Timestamp, &Told)> {
        let is_own = |labels: &Labels| {
            let mut fixed = rule.labels.iter().filter(|(_, value)| !value.contains("{{"));
            fixed.all(|(name, value)| name == ALERT_NAME || labels.get(name).unwrap_or_default() == value)
        };
        let of_name =
            self.active.get(rule.name()).into_iter().flatten().filter(|(labels, ..)| is_own(labels));
        let with_told = of_name.filter_map(|(labels, active_at, written)| {
            Some((labels, *active_at, *written, self.told.get(&told_by(labels))?))
        });
        with_told.collect()
    }
}

/// The labels by which `ALERTS` and `ALERTS_FOR_STATE` of one alert are known: the former has its own `alertstate`.
fn told_by(labels: &Labels) -> Labels {
    labels.without(|name| name == METRIC_NAME || name == ALERT_STATE)
}

impl Earlier {
    /// The alert as it goes on now that the expression gives it again; none if it begins anew.
    pub fn go_on(&self, turn: &Turn<'_>, terms: &Terms) -> Option<Active> {
        if self.is_handover {
            let active_at = self.begin(turn);
            return Some(self.resumed(turn, terms, active_at));
        }
        let grace_period = millis(turn.config.grace_period);
        if terms.hold < grace_period {
            return None;
        }
        // Prometheus's arithmetic: time without us counts neither for nor against the alert, and there is time to see
        // that it is over before it fires.
        let remaining = terms.hold.saturating_sub(self.down_at.saturating_sub(self.active_at));
        let active_at = if remaining <= 0 {
            self.active_at
        } else if remaining < grace_period {
            turn.at.saturating_add(grace_period).saturating_sub(terms.hold)
        } else {
            self.active_at.saturating_add(turn.at.saturating_sub(self.down_at))
        };
        Some(pending(active_at))
    }

    /// The alert as it goes on although the expression does not give it; none if it does not go on.
    pub fn keep_firing(&self, turn: &Turn<'_>, terms: &Terms) -> Option<Active> {
        let kept = turn.at.saturating_sub(self.down_at) < terms.keep_firing_for;
        if !(self.is_handover && self.was_firing && kept) {
            return None;
        }
        let alert = self.resumed(turn, terms, self.begin(turn));
        let keep_firing_since = Some(self.down_at);
        let alert = Active { keep_firing_since, is_found: false, is_unconfirmed: true, ..alert };
        (alert.phase == AlertPhase::Firing).then_some(alert)
    }

    /// As if it had been evaluated all the time. It fires since the first evaluation at which it was due, so that what
    /// is sent of it begins when it did.
    fn resumed(&self, turn: &Turn<'_>, terms: &Terms, active_at: Timestamp) -> Active {
        let over = turn.at.saturating_sub(active_at.saturating_add(terms.hold));
        let alert = pending(active_at);
        if over < 0 {
            return alert;
        }
        let fired_at = turn.at - over / interval(turn) * interval(turn);
        Active { phase: AlertPhase::Firing, fired_at: Some(fired_at), ..alert }
    }

    /// When it became active. That is stored in whole seconds, but was the time of an evaluation; if there was one
    /// within the second, it was that one.
    fn begin(&self, turn: &Turn<'_>) -> Timestamp {
        let after = turn.at.saturating_sub(self.active_at).rem_euclid(interval(turn));
        if after < 1000 { self.active_at.saturating_add(after) } else { self.active_at }
    }
}

fn interval(turn: &Turn<'_>) -> i64 {
    millis(turn.timing.interval).max(1)
}

fn pending(active_at: Timestamp) -> Active {
    Active {
        annotations: Vec::new(),
        value: f64::NAN,
        phase: AlertPhase::Pending,
        active_at,
        fired_at: None,
        resolved_at: None,
        last_sent_at: None,
        keep_firing_since: None,
        is_found: true,
        is_unconfirmed: false,
    }
}
