//! Which Alertmanagers there are and how they are spoken to, as Prometheus has it under `alerting:`.

mod raw;
mod urls;

pub(crate) use raw::{StaticConfig, from_yaml, targets};

use crate::{
    address::Networks,
    host::{Host, HostPort},
    relabel::Relabel,
};
use runtime::Secret;
use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

/// Alertmanagers that somebody has named, and what is done to alerts that go to them.
#[derive(Clone, Debug, PartialEq)]
pub struct Alerting {
    pub(crate) relabel: Arc<Relabel>,
    pub(crate) sets: Vec<Arc<AlertmanagerSet>>,
}

/// Who has named them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// May have files read and any address connected to.
    Operator,
    /// May not: public addresses, and those of [`crate::NotifierConfig::tenant_networks`].
    Tenant,
}

/// Alertmanagers that are found and spoken to alike.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AlertmanagerSet {
    pub trust: Trust,
    pub scheme: Scheme,
    /// Of the request: `/prefix/api/v2/alerts`.
    pub path: String,
    /// None for the notifier's own.
    pub timeout: Option<Duration>,
    pub auth: Option<Auth>,
    pub tls: Tls,
    pub sources: Vec<Source>,
    pub relabel: Relabel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Scheme {
    Http,
    Https,
}

/// What a request shows of who sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Auth {
    Basic { username: String, password: Credentials },
    Scheme { scheme: String, credentials: Credentials },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Credentials {
    Given(Secret),
    /// Read anew for each request.
    File(PathBuf),
}

/// Files are in PEM form, and read anew for each connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Tls {
    pub ca_file: Option<PathBuf>,
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    pub server_name: Option<String>,
    pub insecure_skip_verify: bool,
}

/// Where targets are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Static(Vec<HostPort>),
    Dns { names: Vec<String>, records: Records, every: Duration },
    Files { patterns: Vec<String>, every: Duration },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Records {
    Srv,
    A {
        port: u16,
    },
    Aaaa {
        port: u16,
    },
    /// Of either family.
    Any {
        port: u16,
    },
}

impl Alerting {
    /// Reads what Prometheus's configuration has under `alerting`: `alertmanagers` and `alert_relabel_configs`.
    ///
    /// # Errors
    /// A sentence, without any secret, that says what is wrong and what is allowed.
    pub fn parse(yaml: &str, trust: Trust) -> Result<Self, String> {
        raw::parse(yaml, trust)
    }

    /// Takes URLs of Alertmanagers, separated by commas, as Cortex and Loki do: a user and a password may stand in
    /// them. In `dns+http://host:9093` each address of the host is one; `dnssrv+http://_http._tcp.host`, and a
    /// host that begins with `_`, are looked up as SRV records.
    ///
    /// # Errors
    /// As of `parse`.
    pub fn from_urls(urls: &str) -> Result<Self, String> {
        urls::parse(urls)
    }

    /// These and those of `other`, with the rules of `other` for all alerts.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.sets.extend(other.sets);
        Self { sets: self.sets, ..other }
    }

    /// Whether all addresses that stand in it may be connected to. Names are looked up, and their addresses
    /// checked, when they are connected to.
    ///
    /// # Errors
    /// A sentence that says which address may not.
    pub fn check_addresses(&self, networks: &Networks) -> Result<(), String> {
        for set in self.sets.iter().filter(|set| set.trust == Trust::Tenant) {
            for source in &set.sources {
                let Source::Static(targets) = source else { continue };
                for target in targets {
                    if let Host::Ip(address) = target.host
                        && !networks.allow(address)
                    {
                        return Err(format!(
                            "target {target}: this address is not allowed; use a public one"
                        ));
                    }
                }
            }
        }
        Ok(())
    }
}

impl AlertmanagerSet {
    /// Whether it has to be looked for again and again.
    pub fn is_discovered(&self) -> bool {
        self.sources.iter().any(|source| !matches!(source, Source::Static(_)))
    }
}

impl Scheme {
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Https => "https",
        })
    }
}

impl std::str::FromStr for Scheme {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "http" => Ok(Self::Http),
            "https" => Ok(Self::Https),
            _ => Err(format!("scheme {text:?} must be http or https")),
        }
    }
}

/// The request's path behind a prefix.
fn alerts_path(prefix: &str) -> Result<String, String> {
    const MAX_PREFIX: usize = 1_024;
    let parts: Vec<&str> = prefix.split('/').filter(|part| !part.is_empty()).collect();
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%".contains(&b);
    let plain = parts.iter().all(|part| *part != "." && *part != ".." && part.bytes().all(allowed));
    if prefix.len() > MAX_PREFIX || !plain {
        return Err(format!("path prefix {prefix:?} must be a path of a URL, such as /alertmanager"));
    }
    let parts = parts.into_iter().chain(["api", "v2", "alerts"]);
    Ok(parts.fold(String::new(), |path, part| path + "/" + part))
}

#[cfg(test)]
mod tests;
