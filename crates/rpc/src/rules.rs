//! States of rules on the wire: groups, rules and alerts one after the other, and groups out of them again.

use crate::{
    convert::{labels_in, labels_out},
    proto::ruler::{self, Alert, Alerting, Group, Item, Rule, alert::Phase, item, rule},
};
use bytes::Bytes;
use service_api::{
    AlertPhase, AlertState, Error, GroupState, Result, RuleHealth, RuleKindState, RuleLanguage, RuleState,
};
use std::time::Duration;

/// Each group, its rules behind it, and behind each rule its alerts.
pub fn items_out(groups: Vec<GroupState>) -> impl Iterator<Item = Item> {
    let item = |item| Item { item: Some(item) };
    groups.into_iter().flat_map(move |mut group| {
        let rules = std::mem::take(&mut group.rules);
        let rules = rules.into_iter().flat_map(move |rule| {
            let (rule, alerts) = rule_out(rule);
            let alerts = alerts.into_iter().map(move |alert| item(item::Item::Alert(alert_out(alert))));
            std::iter::once(item(item::Item::Rule(rule))).chain(alerts)
        });
        std::iter::once(item(item::Item::Group(group_out(group)))).chain(rules)
    })
}

fn group_out(group: GroupState) -> Group {
    Group {
        namespace: group.namespace,
        name: group.name,
        interval: nanos(group.interval),
        query_offset: nanos(group.query_offset),
        limit: group.limit as u64,
        last_evaluation: group.last_evaluation,
        evaluation_time: nanos(group.evaluation_time),
    }
}

fn rule_out(rule: RuleState) -> (Rule, Vec<AlertState>) {
    let (health, error) = match rule.health {
        RuleHealth::Unknown => (rule::Health::Unknown, String::new()),
        RuleHealth::Ok => (rule::Health::Ok, String::new()),
        RuleHealth::Failed(error) => (rule::Health::Failed, error),
    };
    let lang = match rule.lang {
        RuleLanguage::Promql => rule::Language::Promql,
        RuleLanguage::Logql => rule::Language::Logql,
    };
    let (alerting, alerts) = match rule.kind {
        RuleKindState::Recording => (None, Vec::new()),
        RuleKindState::Alerting { hold, keep_firing_for, annotations, alerts } => {
            let (hold, keep_firing_for) = (nanos(hold), nanos(keep_firing_for));
            (Some(Alerting { hold, keep_firing_for, annotations: pairs_out(annotations) }), alerts)
        }
    };
    let rule = Rule {
        name: rule.name,
        lang: lang.into(),
        query: rule.query,
        labels: labels_out(&rule.labels),
        health: health.into(),
        error,
        last_evaluation: rule.last_evaluation,
        evaluation_time: nanos(rule.evaluation_time),
        alerting,
    };
    (rule, alerts)
}

fn alert_out(alert: AlertState) -> Alert {
    let phase = match alert.phase {
        AlertPhase::Inactive => Phase::Inactive,
        AlertPhase::Pending => Phase::Pending,
        AlertPhase::Firing => Phase::Firing,
    };
    Alert {
        labels: labels_out(&alert.labels),
        annotations: pairs_out(alert.annotations),
        phase: phase.into(),
        active_at: alert.active_at,
        keep_firing_since: alert.keep_firing_since,
        value: Some(alert.value),
    }
}

/// Groups as their items come.
#[derive(Default)]
pub struct ReceivedGroups {
    groups: Vec<GroupState>,
}

impl ReceivedGroups {
    /// # Errors
    /// The item makes no sense where it stands.
    pub fn add(&mut self, item: Item) -> Result<()> {
        match item.item.ok_or_else(|| wrong("an item that is nothing"))? {
            item::Item::Group(group) => self.groups.push(group_in(group)?),
            item::Item::Rule(rule) => {
                let group = self.groups.last_mut().ok_or_else(|| wrong("a rule of no group"))?;
                group.rules.push(rule_in(rule)?);
            }
            item::Item::Alert(alert) => {
                let rule = self.groups.last_mut().and_then(|group| group.rules.last_mut());
                let Some(RuleKindState::Alerting { alerts, .. }) = rule.map(|rule| &mut rule.kind) else {
                    return Err(wrong("an alert of no alerting rule"));
                };
                alerts.push(alert_in(alert)?);
            }
        }
        Ok(())
    }

    pub fn finish(self) -> Vec<GroupState> {
        self.groups
    }
}

fn wrong(what: &str) -> Error {
    Error::internal(format!("an answer about rules has {what}"))
}

fn group_in(group: Group) -> Result<GroupState> {
    Ok(GroupState {
        namespace: group.namespace,
        name: group.name,
        interval: Duration::from_nanos(group.interval),
        query_offset: Duration::from_nanos(group.query_offset),
        limit: usize::try_from(group.limit).map_err(|_| wrong("a limit that is too large"))?,
        rules: Vec::new(),
        last_evaluation: group.last_evaluation,
        evaluation_time: Duration::from_nanos(group.evaluation_time),
    })
}

fn rule_in(rule: Rule) -> Result<RuleState> {
    let health = match rule::Health::try_from(rule.health) {
        Ok(rule::Health::Unknown) => RuleHealth::Unknown,
        Ok(rule::Health::Ok) => RuleHealth::Ok,
        Ok(rule::Health::Failed) => RuleHealth::Failed(rule.error),
        Err(_) => return Err(wrong("a health that is not known here")),
    };
    let lang = match rule::Language::try_from(rule.lang) {
        Ok(rule::Language::Promql) => RuleLanguage::Promql,
        Ok(rule::Language::Logql) => RuleLanguage::Logql,
        Err(_) => return Err(wrong("a language that is not known here")),
    };
    let kind = match rule.alerting {
        None => RuleKindState::Recording,
        Some(Alerting { hold, keep_firing_for, annotations }) => RuleKindState::Alerting {
            hold: Duration::from_nanos(hold),
            keep_firing_for: Duration::from_nanos(keep_firing_for),
            annotations: pairs_in(annotations)?,
            alerts: Vec::new(),
        },
    };
    Ok(RuleState {
        name: rule.name,
        lang,
        query: rule.query,
        labels: packed(&rule.labels)?,
        health,
        last_evaluation: rule.last_evaluation,
        evaluation_time: Duration::from_nanos(rule.evaluation_time),
        kind,
    })
}

fn alert_in(alert: ruler::Alert) -> Result<AlertState> {
    let phase = match Phase::try_from(alert.phase) {
        Ok(Phase::Inactive) => AlertPhase::Inactive,
        Ok(Phase::Pending) => AlertPhase::Pending,
        Ok(Phase::Firing) => AlertPhase::Firing,
        Err(_) => return Err(wrong("a phase that is not known here")),
    };
    Ok(AlertState {
        labels: packed(&alert.labels)?,
        annotations: pairs_in(alert.annotations)?,
        phase,
        active_at: alert.active_at,
        keep_firing_since: alert.keep_firing_since,
        value: alert.value.ok_or_else(|| wrong("an alert without a value"))?,
    })
}

fn packed(labels: &Bytes) -> Result<model::Labels> {
    labels_in(labels).map_err(|_| wrong("labels that are not packed right"))
}

/// Durations beyond 584 years become that.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn pairs_out(pairs: Vec<(String, String)>) -> Vec<String> {
    pairs.into_iter().flat_map(|(name, value)| [name, value]).collect()
}

fn pairs_in(words: Vec<String>) -> Result<Vec<(String, String)>> {
    if !words.len().is_multiple_of(2) {
        return Err(wrong("a name without a value"));
    }
    let mut words = words.into_iter();
    Ok(std::iter::from_fn(|| Some((words.next()?, words.next()?))).collect())
}

#[cfg(test)]
mod tests;
