//! Real Alertmanagers get alerts, group them and tell of them, and one that dies loses none.

use integration_tests::{Alertmanager, Notified, Webhook};
use model::{Labels, TenantId};
use notifier::{Alerting, Notifier, NotifierConfig};
use prometheus_client::registry::Registry;
use runtime::{Clock, SystemClock};
use serde_json::Value;
use service_api::{Alert, Notify};
use std::{collections::BTreeSet, path::Path, sync::Arc, time::Duration};
use tokio_util::sync::{CancellationToken, DropGuard};

const PATIENCE: Duration = Duration::from_secs(30);

/// Two Alertmanagers, whoever hears of them, and a notifier that sends to both.
struct Setup {
    first: Alertmanager,
    second: Alertmanager,
    webhook: Webhook,
    notifier: Arc<Notifier>,
    _end: DropGuard,
}

impl Setup {
    async fn new(folder: &Path) -> Self {
        let webhook = Webhook::start().await;
        let start = async |name: &str| {
            Alertmanager::start(&folder.join(name), "team", &webhook.url(&format!("/{name}"))).await
        };
        let (first, second) = (start("first").await, start("second").await);
        let clock = Arc::new(SystemClock::new());
        let notifier = Notifier::new(NotifierConfig::default(), clock, &mut Registry::default());
        let urls = format!("{}, {}", first.base(), second.base());
        notifier.set_operators(Alerting::from_urls(&urls).unwrap());
        let end = CancellationToken::new();
        tokio::spawn(notifier.clone().run(end.clone()));
        Self { first, second, webhook, notifier, _end: end.drop_guard() }
    }

    /// Tells of an alert that ends so many milliseconds from now.
    fn notify(&self, name: &str, team: &str, ends_in: i64) {
        let now = SystemClock::new().now_ms();
        let alert = Alert {
            labels: Labels::from_pairs([("alertname", name), ("team", team)]),
            annotations: vec![("summary".into(), format!("{name} \"burns\""))],
            starts_at: now - 60_000,
            ends_at: now + ends_in,
            generator_url: "http://yagura/graph".into(),
        };
        self.notifier.notify(&TenantId::anonymous(), vec![alert]);
    }
}

fn name(alert: &Value) -> String {
    alert["labels"]["alertname"].as_str().unwrap().to_owned()
}

/// The last that one has told of a group: its alerts with their status.
fn last(notified: &[Notified], path: &str, team: &str) -> BTreeSet<String> {
    let of_group = |n: &&Notified| n.path == path && n.group["team"] == team;
    let told = notified.iter().rfind(of_group).map(|n| n.alerts.as_slice()).unwrap_or_default();
    told.iter().map(|alert| format!("{} {}", name(alert), alert["status"].as_str().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_are_received_grouped_and_resolved() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::new(folder.path()).await;
    for (name, team) in [("DiskFull", "storage"), ("DiskSlow", "storage"), ("LinkDown", "network")] {
        setup.notify(name, team, 300_000);
    }
    let both = |team: &'static str, expected: &'static [&'static str]| {
        let expected: BTreeSet<String> = expected.iter().map(|text| (*text).to_owned()).collect();
        move |n: &[Notified]| ["/first", "/second"].iter().all(|path| last(n, path, team) == expected)
    };
    let webhook = &setup.webhook;
    webhook.until("two fire", PATIENCE, both("storage", &["DiskFull firing", "DiskSlow firing"])).await;
    webhook.until("one fires", PATIENCE, both("network", &["LinkDown firing"])).await;
    let alert = webhook.notified()[0].alerts[0].clone();
    assert_eq!(alert["annotations"]["summary"], format!("{} \"burns\"", name(&alert)));
    assert_eq!(alert["generatorURL"], "http://yagura/graph");
    setup.notify("DiskFull", "storage", 0);
    let resolved = both("storage", &["DiskFull resolved", "DiskSlow firing"]);
    webhook.until("one is resolved", PATIENCE, resolved).await;
    webhook.until("the other group is as it was", PATIENCE, both("network", &["LinkDown firing"])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_is_killed_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let mut setup = Setup::new(folder.path()).await;
    let mut sent = Vec::new();
    let (killed_at, back_at, all) = (40, 100, 160);
    for at in 0..all {
        if at == killed_at {
            setup.first.kill();
        }
        if at == back_at {
            setup.first.restart().await;
        }
        let name = format!("Alert{at}");
        setup.notify(&name, "storage", 300_000);
        sent.push(name);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let told = |notified: &[Notified], path: &str| -> BTreeSet<String> {
        notified.iter().filter(|n| n.path == path).flat_map(|n| &n.alerts).map(name).collect()
    };
    // The second heard of everything, and the first of all that came while it was away.
    let everything = |n: &[Notified]| sent.iter().all(|name| told(n, "/second").contains(name));
    setup.webhook.until("the second tells of all", PATIENCE, everything).await;
    let missed = |n: &[Notified]| sent[killed_at..].iter().all(|name| told(n, "/first").contains(name));
    setup.webhook.until("the first tells of what it missed", PATIENCE, missed).await;
    let held: BTreeSet<String> = setup.first.alerts().await.iter().map(name).collect();
    assert!(sent[killed_at..].iter().all(|name| held.contains(name)), "{held:?}");
    assert_eq!(setup.second.alerts().await.len(), all);
}
