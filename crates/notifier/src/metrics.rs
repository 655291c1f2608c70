//! What is counted of notifications.

use parking_lot::Mutex;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use std::{collections::HashMap, sync::Arc, time::Duration};

/// Stands for all Alertmanagers that tenants have named, so that no tenant makes series.
pub(crate) const TENANTS: &str = "tenant";
/// Stands for those that are still to be found.
pub(crate) const UNDISCOVERED: &str = "undiscovered";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByAlertmanager {
    alertmanager: String,
}

/// Cloning it counts references.
#[derive(Clone)]
pub(crate) struct Metrics {
    sent: Family<ByAlertmanager, Counter>,
    failed: Family<ByAlertmanager, Counter>,
    dropped: Family<ByAlertmanager, Counter>,
    queue_length: Family<ByAlertmanager, Gauge>,
    seconds: Family<ByAlertmanager, Histogram, fn() -> Histogram>,
    discovered: Gauge,
    pub failed_lookups: Counter,
    /// How many Alertmanagers have each label.
    users: Arc<Mutex<HashMap<String, usize>>>,
}

/// What is counted of one Alertmanager, as long as it is there.
pub(crate) struct Meter {
    metrics: Metrics,
    label: ByAlertmanager,
    is_server: bool,
    pub sent: Counter,
    pub failed: Counter,
    pub dropped: Counter,
    pub queue_length: Gauge,
}

impl Metrics {
    pub fn register(queue_capacity: usize, registry: &mut Registry) -> Self {
        let metrics = Self {
            sent: Family::default(),
            failed: Family::default(),
            dropped: Family::default(),
            queue_length: Family::default(),
            seconds: Family::new_with_constructor(buckets),
            discovered: Gauge::default(),
            failed_lookups: Counter::default(),
            users: Arc::default(),
        };
        let capacity: Gauge = Gauge::default();
        capacity.set(queue_capacity as i64);
        let registry = registry.sub_registry_with_prefix("yagura_notifications");
        registry.register("sent", "Alerts that an Alertmanager has taken", metrics.sent.clone());
        let help = "Alerts whose sending failed; it is tried again unless the Alertmanager refused them";
        registry.register("failed", help, metrics.failed.clone());
        let help = "Alerts that were given up: refused, too old, or the oldest of a full queue";
        registry.register("dropped", help, metrics.dropped.clone());
        registry.register("queue_length", "Alerts that wait", metrics.queue_length.clone());
        let help = "Alerts that may wait for one Alertmanager; those of one tenant a quarter";
        registry.register("queue_capacity", help, capacity);
        let help = "How long it took to send a batch of alerts that was taken";
        registry.register("latency_seconds", help, metrics.seconds.clone());
        let help = "Alertmanagers that alerts are sent to, of the operator and of all tenants";
        registry.register("alertmanagers_discovered", help, metrics.discovered.clone());
        let help = "Looks for Alertmanagers, in DNS and in files, that failed";
        registry.register("failed_lookups", help, metrics.failed_lookups.clone());
        metrics
    }

    /// Of an Alertmanager.
    pub fn server(&self, label: &str) -> Meter {
        self.discovered.inc();
        self.meter(label, true)
    }

    /// Of a queue that has no Alertmanager yet.
    pub fn undiscovered(&self) -> Meter {
        self.meter(UNDISCOVERED, false)
    }

    fn meter(&self, label: &str, is_server: bool) -> Meter {
        *self.users.lock().entry(label.to_owned()).or_default() += 1;
        let label = ByAlertmanager { alertmanager: label.to_owned() };
        Meter {
            metrics: self.clone(),
            is_server,
            sent: self.sent.get_or_create(&label).clone(),
            failed: self.failed.get_or_create(&label).clone(),
            dropped: self.dropped.get_or_create(&label).clone(),
            queue_length: self.queue_length.get_or_create(&label).clone(),
            label,
        }
    }
}

impl Meter {
    /// A batch was taken.
    pub fn took(&self, time: Duration) {
        self.metrics.seconds.get_or_create(&self.label).observe(time.as_secs_f64());
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        let Self { metrics, label, is_server, .. } = self;
        if *is_server {
            metrics.discovered.dec();
        }
        let mut users = metrics.users.lock();
        let Some(count) = users.get_mut(&label.alertmanager) else { return };
        *count -= 1;
        // Addresses that come and go must not leave series behind; what is counted for all goes on.
        if *count == 0 {
            users.remove(&label.alertmanager);
            if *is_server && label.alertmanager != TENANTS {
                metrics.sent.remove(label);
                metrics.failed.remove(label);
                metrics.dropped.remove(label);
                metrics.queue_length.remove(label);
                metrics.seconds.remove(label);
            }
        }
    }
}

fn buckets() -> Histogram {
    Histogram::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0])
}
