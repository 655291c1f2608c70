//! A tenant that says itself where its alerts go: they go there, if that is allowed, and nowhere else.

use super::until;
use integration_tests::{Answer, Inbox, Settings, Yagura};
use serde_json::Value;
use std::collections::BTreeSet;

const GROUP: &str = "name: g\ninterval: 1s\nrules:\n- {alert: Always, expr: vector(1)}\n";

async fn send(yagura: &Yagura, method: &str, path: &str, tenant: &str, body: &str) -> Answer {
    let headers = [("x-scope-orgid", tenant)];
    yagura.http.send(method, &yagura.url(path), &headers, body.as_bytes().to_vec()).await.unwrap()
}

fn alerting(inbox: &Inbox) -> String {
    format!("alertmanagers:\n- static_configs:\n  - targets: ['{}']\n", inbox.address)
}

/// Whose alerts one got, from the given post on: `tenant` is a label of theirs.
fn tenants(inbox: &Inbox, from: usize) -> BTreeSet<String> {
    let posted = inbox.posted();
    let alerts = posted[from..].iter().flat_map(|posted| posted.body.as_array().unwrap());
    alerts.map(|alert| alert["labels"]["tenant"].as_str().unwrap().to_owned()).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alerts_go_where_the_tenant_wants_them() {
    let (operators, own) = (Inbox::start().await, Inbox::start().await);
    let url = format!("ruler.alertmanager_url={}", operators.url());
    let settings = Settings::new(&[
        &url,
        "ruler.resend_delay=1s",
        "ruler.tenant_networks=127.0.0.0/8",
        "limits.own_alertmanagers=true",
        "multitenancy.enabled=true",
    ]);
    let yagura = settings.start().await;
    let taken = send(&yagura, "POST", "/api/v1/alerts", "choosy", &alerting(&own)).await;
    assert_eq!(taken.status, 201, "{}", taken.body);
    let yaml = [("x-scope-orgid", "choosy"), ("accept", "application/yaml")];
    let shown = yagura.http.send("GET", &yagura.url("/api/v1/alerts"), &yaml, Vec::new()).await.unwrap();
    assert_eq!(shown.body, alerting(&own));
    for tenant in ["choosy", "easy"] {
        let group =
            GROUP.replace("vector(1)", "vector(1), labels: {tenant: TENANT}").replace("TENANT", tenant);
        let taken = send(&yagura, "POST", "/api/v1/rules/ns", tenant, &group).await;
        assert_eq!(taken.status, 202, "{}", taken.body);
    }
    let enough = |inbox: &Inbox, more: usize| (inbox.posted().len() >= more).then_some(());
    until("the tenant's own hears of it", async || enough(&own, 3)).await;
    until("the operator's hears of the other's", async || enough(&operators, 3)).await;
    assert_eq!(tenants(&own, 0), set(&["choosy"]));
    assert_eq!(tenants(&operators, 0), set(&["easy"]));
    for (tenant, inbox) in [("choosy", &own), ("easy", &operators)] {
        let known = send(&yagura, "GET", "/api/v1/alertmanagers", tenant, "").await;
        let known: Value = serde_json::from_str(&known.body).unwrap();
        let known = known["data"]["activeAlertmanagers"].as_array().unwrap();
        assert_eq!(known.len(), 1, "{known:?}");
        assert!(known[0]["url"].as_str().unwrap().starts_with(&inbox.url()), "{known:?}");
    }

    // Back to the operator's.
    let gone = send(&yagura, "DELETE", "/api/v1/alerts", "choosy", "").await;
    assert_eq!(gone.status, 200, "{}", gone.body);
    until("the operator's hears of it now", async || tenants(&operators, 0).contains("choosy").then_some(()))
        .await;
    let (from, more) = (own.posted().len(), operators.posted().len() + 4);
    until("more comes", async || enough(&operators, more)).await;
    assert_eq!(own.posted().len(), from, "and the tenant's own of no more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_and_tenants_that_may_not_are_refused() {
    let own = Inbox::start().await;
    let settings = Settings::new(&["limits.own_alertmanagers=true"]);
    let yagura = settings.start().await;
    let private = "alertmanagers:\n- static_configs:\n  - targets: ['169.254.169.254:80']\n".to_owned();
    let file = "alertmanagers:\n- file_sd_configs:\n  - files: ['/etc/passwd']\n".to_owned();
    for (what, yaml) in [("loopback", alerting(&own)), ("link-local", private), ("a file", file)] {
        let refused = send(&yagura, "POST", "/api/v1/alerts", "", &yaml).await;
        assert_eq!(refused.status, 400, "{what}: {}", refused.body);
    }
    let refused = send(&yagura, "POST", "/api/v1/alerts", "", &alerting(&own)).await;
    assert!(refused.body.contains("127.0.0.1"), "it says what it is about: {}", refused.body);

    let settings = Settings::new(&["ruler.tenant_networks=127.0.0.0/8"]);
    let yagura = settings.start().await;
    let refused = send(&yagura, "POST", "/api/v1/alerts", "", &alerting(&own)).await;
    assert_eq!(refused.status, 403, "{}", refused.body);
    assert!(refused.body.contains("limits.own_alertmanagers"), "{}", refused.body);
    assert!(own.posted().is_empty());
}
