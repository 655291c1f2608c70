//! Alerts go to servers on the loopback interface that answer as a test says.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

mod fake;
mod finding;
mod reaching;
mod sending;
mod tls;

use super::*;
use crate::{Trust, dns::Family, host::HostPort};
use async_trait::async_trait;
use fake::Fake;
use model::Labels;
use prometheus_client::encoding::text::encode;
use runtime::SystemClock;
use std::net::IpAddr;

/// A notifier at work, with what a test asks of it.
struct Setup {
    notifier: Arc<Notifier>,
    registry: Registry,
    drain: CancellationToken,
    run: tokio::task::JoinHandle<Result<(), Infallible>>,
}

impl Setup {
    fn new(config: NotifierConfig) -> Self {
        Self::with_lookup(config, Arc::new(Names::default()))
    }

    fn with_lookup(config: NotifierConfig, lookup: Arc<dyn Lookup>) -> Self {
        let mut registry = Registry::default();
        let clock = Arc::new(SystemClock::new());
        let notifier = Notifier::with_lookup(config, clock, &mut registry, lookup);
        let drain = CancellationToken::new();
        let run = tokio::spawn(notifier.clone().run(drain.clone()));
        Self { notifier, registry, drain, run }
    }

    fn notify(&self, tenant: &str, names: &[&str]) {
        let alerts = names.iter().map(|name| alert(&[("alertname", name)]));
        self.notifier.notify(&TenantId::new(tenant).unwrap(), alerts.collect());
    }

    /// The value of a metric whose line begins so.
    fn metric(&self, line: &str) -> f64 {
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap();
        let found =
            text.lines().find_map(|l| l.strip_prefix(line)).unwrap_or_else(|| panic!("{line} in {text}"));
        found.trim().parse().unwrap()
    }
}

fn config() -> NotifierConfig {
    NotifierConfig { timeout: Duration::from_secs(2), ..NotifierConfig::default() }
}

fn operators(yaml: &str) -> Alerting {
    Alerting::parse(yaml, Trust::Operator).unwrap()
}

fn tenants(yaml: &str) -> Alerting {
    Alerting::parse(yaml, Trust::Tenant).unwrap()
}

/// One that fires for a minute.
fn alert(labels: &[(&str, &str)]) -> Alert {
    let now = SystemClock::new().now_ms();
    Alert {
        labels: Labels::from_pairs(labels.iter().copied()),
        annotations: vec![("summary".into(), "it burns".into())],
        starts_at: now,
        ends_at: now + 60_000,
        generator_url: "http://yagura/graph".into(),
    }
}

/// Waits until it is so.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..500 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within 5 s: {what}");
}

/// Names and what they are, in place of the DNS. Each time a name is asked for, its next answer is given; the last
/// one for ever.
#[derive(Default)]
struct Names {
    addresses: Mutex<HashMap<String, Vec<Vec<&'static str>>>>,
    services: Mutex<HashMap<String, Vec<Vec<String>>>>,
}

fn next<T: Clone>(answers: &Mutex<HashMap<String, Vec<Vec<T>>>>, name: &str) -> Result<Vec<T>, String> {
    let mut answers = answers.lock();
    let answers = answers.get_mut(name).ok_or_else(|| format!("nobody knows {name}"))?;
    Ok(if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() })
}

#[async_trait]
impl Lookup for Names {
    async fn addresses(&self, name: &str, _: Family) -> Result<BTreeSet<IpAddr>, String> {
        Ok(next(&self.addresses, name)?.into_iter().map(|address| address.parse().unwrap()).collect())
    }

    async fn services(&self, name: &str) -> Result<BTreeSet<HostPort>, String> {
        Ok(next(&self.services, name)?.into_iter().map(|target| HostPort::parse(&target).unwrap()).collect())
    }
}
