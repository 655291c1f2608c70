//! Sends alerts to Alertmanagers: which ones there are, queues, batches, and what may be reached.
//!
//! As Prometheus's notifier, with these differences: a batch that could not be sent is tried again as long as its
//! alerts are of use; an alert waits once, however often it is sent again; and Alertmanagers that tenants have named
//! are reached at public addresses alone.

mod address;
mod body;
mod client;
mod config;
mod discovery;
mod dns;
mod host;
mod metrics;
mod notifier;
mod pool;
mod queue;
mod relabel;
mod sender;
mod tls;

pub use address::Networks;
pub use config::{Alerting, Trust};
pub use notifier::{Notifier, NotifierConfig};

use relabel::Relabel;
use service_api::Alert;
use std::sync::Arc;

/// Alerts as they are behind some rules; those without labels are none.
fn relabelled(relabel: &Relabel, alerts: &[Arc<Alert>]) -> Vec<Arc<Alert>> {
    let relabelled = alerts.iter().filter_map(|alert| {
        let labels = relabel.apply(&alert.labels).filter(|labels| !labels.is_empty())?;
        if labels == alert.labels {
            return Some(alert.clone());
        }
        let mut changed = Alert::clone(alert);
        changed.labels = labels;
        Some(Arc::new(changed))
    });
    relabelled.collect()
}
