//! The settings of the ring.

use runtime::Secret;
use serde::{Deserialize, Serialize};
use std::{path::PathBuf, time::Duration};

/// `ring` in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RingConfig {
    pub store: RingStore,
    pub etcd: EtcdConfig,
    /// Names this instance's place in the ring; it must stay the same when it restarts. Empty
    /// takes the host's name.
    pub instance_id: String,
    /// What fails together with this instance: a rack, an availability zone. Empty for none.
    pub zone: String,
    /// How many ingesters get each entry; a quorum of them must have it before it is acknowledged.
    pub replication_factor: usize,
    /// `host:port` at which others reach this instance's gRPC server; empty takes the address that
    /// it listens on.
    pub advertise: String,
    /// Seconds without a heartbeat after which an instance counts as unhealthy.
    pub heartbeat_timeout: u64,
    /// Seconds without a heartbeat after which an instance is forgotten, and for which what was on
    /// a lost disk counts as missing. Its peers must have flushed what they share with it by then.
    pub forget_after: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RingStore {
    /// Of this process only.
    #[default]
    Memory,
    Etcd,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EtcdConfig {
    /// Addresses of its members, separated by commas: `http://host:2379` or `https://…`.
    pub endpoints: String,
    /// What all keys start with.
    pub prefix: String,
    /// Empty where etcd asks for no name.
    pub username: String,
    pub password: Option<Secret>,
    pub tls: EtcdTls,
}

/// Files in PEM form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EtcdTls {
    /// Who may have signed etcd's certificate.
    pub ca_file: Option<PathBuf>,
    /// Our own certificate and its key, if etcd asks for them.
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
}

impl Default for RingConfig {
    fn default() -> Self {
        Self {
            store: RingStore::Memory,
            etcd: EtcdConfig::default(),
            instance_id: String::new(),
            zone: String::new(),
            replication_factor: 3,
            advertise: String::new(),
            heartbeat_timeout: 15,
            forget_after: 4 * 3600,
        }
    }
}

impl Default for EtcdConfig {
    fn default() -> Self {
        Self {
            endpoints: "http://127.0.0.1:2379".into(),
            prefix: "yagura".into(),
            username: String::new(),
            password: None,
            tls: EtcdTls::default(),
        }
    }
}

impl RingConfig {
    /// What is wrong with these settings, naming the key.
    pub fn validate(&self) -> Result<(), String> {
        for (key, name) in [("instance_id", &self.instance_id), ("zone", &self.zone)] {
            // They become parts of keys and of file names.
            let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            if name.len() > 128 || !name.chars().all(allowed) {
                return Err(format!(
                    "{key} must be at most 128 letters, digits, '.', '_' and '-', is {name:?}"
                ));
            }
        }
        if !(1..=15).contains(&self.replication_factor) {
            return Err(format!(
                "replication_factor must be between 1 and 15, is {}",
                self.replication_factor
            ));
        }
        if !(2..=600).contains(&self.heartbeat_timeout) {
            return Err(format!(
                "heartbeat_timeout must be between 2 and 600, is {}",
                self.heartbeat_timeout
            ));
        }
        if !(self.heartbeat_timeout * 2..=30 * 86_400).contains(&self.forget_after) {
            return Err(format!(
                "forget_after must be between twice heartbeat_timeout and 2592000, is {}",
                self.forget_after
            ));
        }
        let port = self
            .advertise
            .rsplit_once(':')
            .and_then(|(host, port)| port.parse::<u16>().ok().filter(|_| !host.is_empty()));
        if !self.advertise.is_empty() && port.is_none() {
            return Err(format!("advertise must be host:port, is {:?}", self.advertise));
        }
        match self.store {
            RingStore::Memory => Ok(()),
            RingStore::Etcd => self.etcd.validate().map_err(|message| format!("etcd.{message}")),
        }
    }

    pub fn heartbeat_timeout(&self) -> Duration {
        Duration::from_secs(self.heartbeat_timeout.max(1))
    }

    pub fn forget_after(&self) -> Duration {
        Duration::from_secs(self.forget_after)
    }
}

impl EtcdConfig {
    fn validate(&self) -> Result<(), String> {
        let endpoints = self.endpoints();
        if endpoints.is_empty() {
            return Err("endpoints is empty".into());
        }
        for endpoint in &endpoints {
            let rest = endpoint.strip_prefix("http://").or_else(|| endpoint.strip_prefix("https://"));
            if rest.is_none_or(|rest| rest.is_empty() || rest.contains(['/', '@'])) {
                return Err(format!(
                    "endpoints must be http://host:port or https://host:port, has {endpoint:?}"
                ));
            }
        }
        let secure = endpoints.iter().filter(|e| e.starts_with("https://")).count();
        if secure != 0 && secure != endpoints.len() {
            return Err("endpoints must all be http:// or all https://".into());
        }
        if self.prefix.trim_matches('/').is_empty() {
            return Err("prefix is empty".into());
        }
        if self.username.is_empty() != self.password.is_none() {
            return Err("username and password go together".into());
        }
        let EtcdTls { ca_file, cert_file, key_file } = &self.tls;
        if cert_file.is_some() != key_file.is_some() {
            return Err("tls.cert_file and tls.key_file go together".into());
        }
        if secure > 0 && ca_file.is_none() {
            return Err("tls.ca_file is needed for endpoints that are https://".into());
        }
        if secure == 0 && (ca_file.is_some() || cert_file.is_some()) {
            return Err("tls needs endpoints that are https://".into());
        }
        Ok(())
    }

    pub(crate) fn endpoints(&self) -> Vec<&str> {
        self.endpoints.split(',').map(str::trim).filter(|e| !e.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn etcd(change: impl FnOnce(&mut RingConfig)) -> Result<(), String> {
        let mut config = RingConfig { store: RingStore::Etcd, ..RingConfig::default() };
        change(&mut config);
        config.validate()
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(RingConfig::default().validate(), Ok(()));
        assert_eq!(etcd(|_| ()), Ok(()));
        let wrong = |change: fn(&mut RingConfig)| etcd(change).unwrap_err();
        assert!(wrong(|c| c.instance_id = "a/b".into()).starts_with("instance_id "));
        assert!(wrong(|c| c.zone = "x".repeat(129)).starts_with("zone "));
        assert!(wrong(|c| c.replication_factor = 0).starts_with("replication_factor "));
        assert!(wrong(|c| c.heartbeat_timeout = 1).starts_with("heartbeat_timeout "));
        assert!(wrong(|c| c.forget_after = 20).starts_with("forget_after "));
        for bad in ["localhost", ":7946", "host:port", "host:70000"] {
            assert!(etcd(|c| c.advertise = bad.into()).unwrap_err().starts_with("advertise "), "{bad}");
        }
        assert_eq!(etcd(|c| c.advertise = "[::1]:7946".into()), Ok(()));
        for bad in ["", " , ", "localhost:2379", "http://", "http://a:1,https://b:1", "http://u:p@h:1"] {
            assert!(
                etcd(|c| c.etcd.endpoints = bad.into()).unwrap_err().starts_with("etcd.endpoints "),
                "{bad}"
            );
        }
        assert_eq!(etcd(|c| c.etcd.endpoints = "http://a:1, http://b:1".into()), Ok(()));
        assert_eq!(wrong(|c| c.etcd.prefix = "/".into()), "etcd.prefix is empty");
        assert_eq!(wrong(|c| c.etcd.username = "u".into()), "etcd.username and password go together");
        assert!(wrong(|c| c.etcd.tls.ca_file = Some("ca.pem".into())).starts_with("etcd.tls "));
        assert!(wrong(|c| c.etcd.endpoints = "https://a:1".into()).starts_with("etcd.tls.ca_file "));
        assert!(wrong(|c| c.etcd.tls.key_file = Some("k.pem".into())).starts_with("etcd.tls.cert_file "));
    }

    #[test]
    fn the_password_is_never_shown_and_keys_are_checked() {
        let mut config = RingConfig::default();
        config.etcd.password = Some(Secret::new("hunter2"));
        let shown = format!("{config:?} {}", serde_json::to_string(&config).unwrap());
        assert!(shown.contains("***") && !shown.contains("hunter2"), "{shown}");
        assert!(serde_json::from_str::<RingConfig>(r#"{"etcd":{"endpoint":"x"}}"#).is_err());
    }
}
