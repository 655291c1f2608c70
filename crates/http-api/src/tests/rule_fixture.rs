//! Rules in memory: some of tenant `anonymous` that are run, some that are not yet, and what tests put there.

use async_trait::async_trait;
use model::{Labels, TenantId};
use parking_lot::Mutex;
use rules::{GroupName, Reading, RuleGroup, RuleStore, StoredGroup, read_group};
use service_api::{
    AlertPhase, AlertState, Code, Error, GroupState, Result, RuleHealth, RuleKindState, RuleLanguage,
    RuleState, RuleStates, Warned,
};
use std::{collections::BTreeMap, time::Duration};

type Groups = BTreeMap<GroupName, StoredGroup>;

#[derive(Default)]
pub struct MemoryRules {
    groups: Mutex<BTreeMap<TenantId, Groups>>,
    alerting: Mutex<BTreeMap<TenantId, String>>,
    /// Of whom rulers were told that rules were changed.
    pub changed: Mutex<Vec<TenantId>>,
    /// What rulers answer in place of anything else.
    pub rulers_fail: Mutex<Option<Error>>,
    pub store_fails: Mutex<Option<Error>>,
}

impl MemoryRules {
    pub fn new() -> Self {
        let rules = Self::default();
        for (namespace, text, is_fixed) in [
            ("nodes.yml", LATER, false),
            ("operator's", "name: fixed\nrules:\n- record: a:b\n  expr: vector(1)\n", true),
        ] {
            let group = read_group(text, &Reading::default()).unwrap();
            rules.add(&TenantId::anonymous(), StoredGroup { namespace: namespace.into(), group, is_fixed });
        }
        rules
    }

    fn add(&self, tenant: &TenantId, stored: StoredGroup) {
        let name = GroupName { namespace: stored.namespace.clone(), group: stored.group.name.clone() };
        self.groups.lock().entry(tenant.clone()).or_default().insert(name, stored);
    }

    fn fail(&self) -> Result<()> {
        self.store_fails.lock().clone().map_or(Ok(()), Err)
    }
}

const LATER: &str = r#"
name: later
interval: 90s
limit: 7
labels: {team: a, gone: x}
rules:
- alert: Slow
  expr: rate(x[5m])>1
  for: 5m
  keep_firing_for: 1m
  labels: {gone: ""}
  annotations: {summary: "{{ $value }}"}
- record: lines
  expr: sum(count_over_time({app="x"}|="y"[1m]))
  lang: logql
"#;

fn rule(name: &str, query: &str, labels: &[(&str, &str)], kind: RuleKindState) -> RuleState {
    RuleState {
        name: name.into(),
        lang: RuleLanguage::Promql,
        query: query.into(),
        labels: Labels::from_pairs(labels.iter().copied()),
        health: RuleHealth::Ok,
        last_evaluation: Some(599_250),
        evaluation_time: Duration::from_micros(1500),
        kind,
    }
}

fn alert(instance: &str, phase: AlertPhase, value: f64) -> AlertState {
    AlertState {
        labels: Labels::from_pairs([("alertname", "Down"), ("instance", instance)]),
        annotations: vec![("summary".into(), format!("{instance} is \"down\""))],
        phase,
        active_at: 540_001,
        keep_firing_since: (phase == AlertPhase::Firing).then_some(580_000),
        value,
    }
}

fn alerting(alerts: Vec<AlertState>) -> RuleKindState {
    RuleKindState::Alerting {
        hold: Duration::from_secs(60),
        keep_firing_for: Duration::from_millis(1500),
        annotations: vec![("summary".into(), "{{ $labels.instance }}".into())],
        alerts,
    }
}

/// What rulers run of tenant `anonymous`.
fn running() -> Vec<GroupState> {
    let group = |namespace: &str, name: &str, rules| GroupState {
        namespace: namespace.into(),
        name: name.into(),
        interval: Duration::from_secs(60),
        query_offset: Duration::ZERO,
        limit: 0,
        rules,
        last_evaluation: Some(599_000),
        evaluation_time: Duration::from_millis(25),
    };
    let firing = vec![alert("x:1", AlertPhase::Firing, 1.0), alert("y:1", AlertPhase::Pending, f64::NAN)];
    let failed = RuleState {
        lang: RuleLanguage::Logql,
        health: RuleHealth::Failed("too many\nlines".into()),
        ..rule("Errors", "sum(rate({app=\"x\"}[5m])) > 1", &[("severity", "page")], alerting(Vec::new()))
    };
    vec![
        group(
            "nodes.yml",
            "a",
            vec![
                rule("job:up:sum", "sum by (job) (up)", &[("team", "a")], RuleKindState::Recording),
                rule("Down", "up == 0", &[("severity", "page"), ("team", "a")], alerting(firing)),
            ],
        ),
        group("nodes.yml", "b", vec![failed]),
        group("web/über.yml", "a", vec![rule("one", "vector(1)", &[], RuleKindState::Recording)]),
    ]
}

#[async_trait]
impl RuleStates for MemoryRules {
    async fn groups(&self, tenant: &TenantId) -> Result<Warned<Vec<GroupState>>> {
        self.rulers_fail.lock().clone().map_or(Ok(()), Err)?;
        Ok(if *tenant == TenantId::anonymous() { running() } else { Vec::new() }.into())
    }

    async fn changed(&self, tenant: &TenantId) -> Result<()> {
        self.changed.lock().push(tenant.clone());
        self.rulers_fail.lock().clone().map_or(Ok(()), Err)
    }

    async fn alertmanagers(&self, tenant: &TenantId) -> Result<Vec<String>> {
        Ok(vec![format!("http://{tenant}:9093/api/v2/alerts")])
    }
}

fn not_there() -> Error {
    Error::new(Code::NotFound, "not there")
}

#[async_trait]
impl RuleStore for MemoryRules {
    async fn groups(&self, tenant: &TenantId, namespace: Option<&str>) -> Result<Vec<StoredGroup>> {
        self.fail()?;
        let groups = self.groups.lock();
        let all = groups.get(tenant).into_iter().flat_map(BTreeMap::values);
        Ok(all.filter(|stored| namespace.is_none_or(|wanted| wanted == stored.namespace)).cloned().collect())
    }

    async fn put(&self, tenant: &TenantId, namespace: &str, group: RuleGroup) -> Result<()> {
        self.fail()?;
        if namespace == "operator's" {
            return Err(Error::new(Code::Forbidden, "the group is in a file of the operator's"));
        }
        self.add(tenant, StoredGroup { namespace: namespace.into(), group, is_fixed: false });
        Ok(())
    }

    async fn delete(&self, tenant: &TenantId, name: &GroupName) -> Result<()> {
        self.fail()?;
        let removed = self.groups.lock().get_mut(tenant).and_then(|groups| groups.remove(name));
        removed.map(drop).ok_or_else(not_there)
    }

    async fn delete_namespace(&self, tenant: &TenantId, namespace: &str) -> Result<()> {
        self.fail()?;
        let mut groups = self.groups.lock();
        let groups = groups.get_mut(tenant).ok_or_else(not_there)?;
        let before = groups.len();
        groups.retain(|name, _| name.namespace != namespace);
        if groups.len() < before { Ok(()) } else { Err(not_there()) }
    }

    async fn alerting(&self, tenant: &TenantId) -> Result<Option<String>> {
        self.fail()?;
        Ok(self.alerting.lock().get(tenant).cloned())
    }

    async fn set_alerting(&self, tenant: &TenantId, yaml: Option<&str>) -> Result<()> {
        self.fail()?;
        match yaml {
            Some(yaml) => drop(self.alerting.lock().insert(tenant.clone(), yaml.to_owned())),
            None => drop(self.alerting.lock().remove(tenant).ok_or_else(not_there)?),
        }
        Ok(())
    }
}
