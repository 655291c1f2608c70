//! A ruler that is asked from another process, and what a process says of the ring's store.

use super::{
    fake::{Fake, labels},
    net::{ADDRESS, Net, Settings},
};
use async_trait::async_trait;
use model::TenantId;
use service_api::{
    AlertPhase, AlertState, Code, Error, GroupState, Result, RuleHealth, RuleKindState, RuleLanguage,
    RuleState, RuleStates, Warned,
};
use std::{sync::atomic::Ordering, time::Duration};

#[async_trait]
impl RuleStates for Fake {
    async fn groups(&self, tenant: &TenantId) -> Result<Warned<Vec<GroupState>>> {
        let groups = || Warned { value: self.groups.lock().clone(), warnings: vec!["a warning".into()] };
        self.answer(tenant, groups).await
    }

    async fn changed(&self, tenant: &TenantId) -> Result<()> {
        self.answer(tenant, || ()).await
    }

    async fn alertmanagers(&self, tenant: &TenantId) -> Result<Vec<String>> {
        self.answer(tenant, || vec!["http://a:9093/api/v2/alerts".into(), "http://b/x".into()]).await
    }
}

fn tenant() -> TenantId {
    TenantId::new("team-1").unwrap()
}

fn alert(n: usize) -> AlertState {
    AlertState {
        labels: labels(n),
        annotations: vec![("summary".into(), "it is down, ".repeat(40))],
        phase: AlertPhase::Firing,
        active_at: n as i64,
        keep_firing_since: None,
        value: n as f64,
    }
}

/// Of groups so many, each with a rule of so many alerts and one that has none.
fn groups(count: usize, alerts: usize) -> Vec<GroupState> {
    let alerting = |alerts| RuleKindState::Alerting {
        hold: Duration::from_secs(60),
        keep_firing_for: Duration::ZERO,
        annotations: Vec::new(),
        alerts,
    };
    let rule = |name: &str, kind| RuleState {
        name: name.to_owned(),
        lang: RuleLanguage::Logql,
        query: "vector(1)".into(),
        labels: labels(7),
        health: RuleHealth::Failed("no".into()),
        last_evaluation: Some(5),
        evaluation_time: Duration::from_millis(3),
        kind,
    };
    let group = |n| GroupState {
        namespace: "a/../b %2F".into(),
        name: format!("g{n:05}"),
        interval: Duration::from_secs(60),
        query_offset: Duration::ZERO,
        limit: 0,
        rules: vec![
            rule("down", alerting((0..alerts).map(alert).collect())),
            rule("quiet", alerting(Vec::new())),
            rule("r", RuleKindState::Recording),
        ],
        last_evaluation: None,
        evaluation_time: Duration::ZERO,
    };
    (0..count).map(group).collect()
}

#[tokio::test]
async fn groups_come_in_as_many_messages_as_it_takes() {
    let net = Net::new(Settings::default());
    let ruler = net.pool.ruler(ADDRESS);
    // None at all; more than a message holds of one rule's alerts; more of groups.
    for wanted in [groups(0, 0), groups(1, 10_000), groups(9_000, 0)] {
        net.fake.groups.lock().clone_from(&wanted);
        let found = ruler.groups(&tenant()).await.unwrap();
        assert!(found.value == wanted, "{} groups came back of {}", found.value.len(), wanted.len());
        assert_eq!(found.warnings, ["a warning"]);
        assert_eq!(net.fake.tenant.lock().take(), Some(tenant()));
    }
}

#[tokio::test]
async fn changes_and_alertmanagers_are_the_tenants() {
    let net = Net::new(Settings::default());
    let ruler = net.pool.ruler(ADDRESS);
    ruler.changed(&tenant()).await.unwrap();
    assert_eq!(net.fake.tenant.lock().take(), Some(tenant()));
    let urls = ruler.alertmanagers(&tenant()).await.unwrap();
    assert_eq!(urls, ["http://a:9093/api/v2/alerts", "http://b/x"]);
    assert_eq!(net.fake.tenant.lock().take(), Some(tenant()));
}

#[tokio::test]
async fn errors_come_back_as_they_were() {
    let net = Net::new(Settings::default());
    let ruler = net.pool.ruler(ADDRESS);
    let error = Error::new(Code::NotFound, "no such tenant");
    *net.fake.error.lock() = Some(error.clone());
    assert_eq!(ruler.groups(&tenant()).await.err(), Some(error.clone()));
    assert_eq!(ruler.changed(&tenant()).await.err(), Some(error.clone()));
    assert_eq!(ruler.alertmanagers(&tenant()).await.err(), Some(error));
}

#[tokio::test(start_paused = true)]
async fn a_ruler_that_hangs_is_given_up() {
    let net = Net::new(Settings::default());
    let ruler = net.pool.ruler(ADDRESS);
    net.fake.hangs.store(true, Ordering::Relaxed);
    let began = tokio::time::Instant::now();
    for error in [ruler.groups(&tenant()).await.err(), ruler.changed(&tenant()).await.err()] {
        let error = error.unwrap();
        assert_eq!(error.code, Code::Unavailable);
        assert!(error.message.contains("peer:1"), "{error}");
    }
    assert!(began.elapsed() < Duration::from_secs(21), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_process_says_whether_it_has_heard_of_the_store() {
    let net = Net::new(Settings::default());
    assert_eq!(net.pool.store_alive(ADDRESS).await, Some(true));
    net.fake.store_is_away.store(true, Ordering::Relaxed);
    assert_eq!((net.pool.store_alive(ADDRESS).await, net.pool.alive(ADDRESS).await), (Some(false), true));
    net.fake.store_is_away.store(false, Ordering::Relaxed);
    net.fake.not_ready.store(true, Ordering::Relaxed);
    assert_eq!((net.pool.store_alive(ADDRESS).await, net.pool.alive(ADDRESS).await), (Some(true), false));
    net.server.abort();
    net.cut.cancel();
    assert_eq!(net.pool.store_alive(ADDRESS).await, None);
}
