//! The settings of the ruler.

use model::Labels;
use notifier::{Alerting, Networks};
use runtime::Secret;
use serde::{Deserialize, Serialize};
use std::{path::PathBuf, time::Duration};

/// `ruler` in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RulerConfig {
    /// A folder of rule files, one folder in it for each tenant. Empty for none.
    pub rules_dir: PathBuf,
    /// The same with Loki's rule files: rules are LogQL unless they say otherwise.
    pub log_rules_dir: PathBuf,
    /// Seconds between two looks for rules that have changed.
    pub poll_interval: u64,
    /// Seconds between two evaluations of a group that does not say.
    pub evaluation_interval: u64,
    /// Seconds that queries of groups look back that do not say.
    pub query_offset: u64,
    /// Groups that are evaluated at once.
    pub concurrent_evaluations: usize,
    /// Whether queriers evaluate expressions, and not the ruler itself.
    pub remote_evaluation: bool,
    /// Seconds for which a ruler that has died, or cannot be reached, keeps others from running its groups.
    pub claim_timeout: u64,
    /// Seconds after which an alert that still fires is sent again.
    pub resend_delay: u64,
    /// Seconds that alerting may have stood still for `for` to go on where it was.
    pub outage_tolerance: u64,
    /// Seconds that an alert at least waits again behind such an outage, unless its `for` is shorter.
    pub grace_period: u64,
    /// Where users reach this server, for links in alerts. Empty for the address of the HTTP API.
    pub external_url: String,
    /// Labels that are added to alerts that are sent: `name=value`, separated by commas.
    pub external_labels: String,
    /// URLs of Alertmanagers, separated by commas; a name and a password may be in them.
    pub alertmanager_url: Option<Secret>,
    /// A file with the section `alerting` of Prometheus's configuration, reread when it changes.
    pub alertmanagers_file: PathBuf,
    /// Networks (`10.0.0.0/8`, separated by commas) beyond the public ones in which Alertmanagers of tenants may be.
    pub tenant_networks: String,
}

impl Default for RulerConfig {
    fn default() -> Self {
        Self {
            rules_dir: PathBuf::new(),
            log_rules_dir: PathBuf::new(),
            poll_interval: 60,
            evaluation_interval: 60,
            query_offset: 0,
            concurrent_evaluations: 16,
            remote_evaluation: false,
            claim_timeout: 15,
            resend_delay: 60,
            outage_tolerance: 3600,
            grace_period: 600,
            external_url: String::new(),
            external_labels: String::new(),
            alertmanager_url: None,
            alertmanagers_file: PathBuf::new(),
            tenant_networks: String::new(),
        }
    }
}

impl RulerConfig {
    /// What is wrong with these settings, naming the key.
    pub fn validate(&self) -> Result<(), String> {
        let bounds = [
            ("poll_interval", self.poll_interval, 1..=86_400),
            ("evaluation_interval", self.evaluation_interval, 1..=86_400),
            ("query_offset", self.query_offset, 0..=86_400),
            ("concurrent_evaluations", self.concurrent_evaluations as u64, 1..=4096),
            ("claim_timeout", self.claim_timeout, 3..=600),
            ("resend_delay", self.resend_delay, 1..=86_400),
            ("outage_tolerance", self.outage_tolerance, 0..=30 * 86_400),
            ("grace_period", self.grace_period, 0..=86_400),
        ];
        for (key, value, allowed) in bounds {
            if !allowed.contains(&value) {
                let (low, high) = (allowed.start(), allowed.end());
                return Err(format!("{key} must be between {low} and {high}, is {value}"));
            }
        }
        self.tenant_networks.parse::<Networks>().map_err(|why| format!("tenant_networks {why}"))?;
        let urls = self.alertmanager_url.as_ref().map_or("", Secret::reveal);
        Alerting::from_urls(urls).map_err(|why| format!("alertmanager_url {why}"))?;
        self.external_labels().map(|_| ())
    }

    /// # Errors
    /// What is wrong with them, naming the key.
    pub fn external_labels(&self) -> Result<Labels, String> {
        let pairs = self.external_labels.split(',').map(str::trim).filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| {
            let (name, value) =
                pair.split_once('=').filter(|(name, _)| !name.trim().is_empty()).ok_or_else(|| {
                    format!(
                        "external_labels must be name=value with commas between, is {:?}",
                        self.external_labels
                    )
                })?;
            Ok((name.trim(), value.trim()))
        });
        Ok(Labels::from_pairs(pairs.collect::<Result<Vec<_>, String>>()?))
    }

    pub(crate) fn poll_interval(&self) -> Duration {
        Duration::from_secs(self.poll_interval.max(1))
    }

    pub fn claim_timeout(&self) -> Duration {
        Duration::from_secs(self.claim_timeout.max(3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_named_and_no_password_is_shown() {
        assert_eq!(RulerConfig::default().validate(), Ok(()));
        let wrong = |change: fn(&mut RulerConfig)| {
            let mut config = RulerConfig::default();
            change(&mut config);
            config.validate().err().unwrap_or_default()
        };
        assert!(wrong(|c| c.claim_timeout = 1).starts_with("claim_timeout must be between 3 and "));
        assert!(wrong(|c| c.tenant_networks = "10.0.0.0/8, intern".into()).starts_with("tenant_networks "));
        assert!(wrong(|c| c.external_labels = "a=b,c".into()).starts_with("external_labels "));
        let shown = wrong(|c| c.alertmanager_url = Some(Secret::new("ftp://me:hunter2@am:9093")));
        assert!(shown.starts_with("alertmanager_url ") && !shown.contains("hunter2"), "{shown}");
    }
}
