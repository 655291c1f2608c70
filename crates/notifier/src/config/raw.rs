//! The YAML, and the checks of it.

use super::{Alerting, AlertmanagerSet, Auth, Credentials, Records, Source, Tls, Trust, alerts_path};
use crate::{
    host::{Host, HostPort},
    relabel::{Relabel, RelabelConfig},
};
use query_syntax::parse_duration;
use runtime::Secret;
use serde::Deserialize;
use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

/// Of the text.
const MAX_BYTES: usize = 1 << 20;
/// A tenant's.
const TENANT_BYTES: usize = 64 << 10;
const TENANT_SETS: usize = 16;
const TENANT_TARGETS: usize = 16;
const TENANT_NAMES: usize = 3;
const TENANT_RULES: usize = 100;
const TENANT_REFRESH: Duration = Duration::from_secs(30);

const REFRESH: Duration = Duration::from_secs(1);
const MAX_TIMEOUT: Duration = Duration::from_secs(300);

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawAlerting {
    alertmanagers: Option<Vec<RawSet>>,
    alert_relabel_configs: Option<Vec<RelabelConfig>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawSet {
    scheme: Option<String>,
    path_prefix: Option<String>,
    timeout: Option<String>,
    api_version: Option<String>,
    basic_auth: Option<BasicAuth>,
    authorization: Option<Authorization>,
    tls_config: Option<RawTls>,
    static_configs: Option<Vec<StaticConfig>>,
    dns_sd_configs: Option<Vec<DnsConfig>>,
    file_sd_configs: Option<Vec<FileConfig>>,
    relabel_configs: Option<Vec<RelabelConfig>>,
    alert_relabel_configs: Option<Vec<RelabelConfig>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BasicAuth {
    #[serde(default)]
    username: String,
    password: Option<Secret>,
    password_file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Authorization {
    #[serde(rename = "type")]
    kind: Option<String>,
    credentials: Option<Secret>,
    credentials_file: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawTls {
    ca_file: Option<PathBuf>,
    cert_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
    server_name: Option<String>,
    insecure_skip_verify: bool,
}

/// Also what files of targets have.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StaticConfig {
    #[serde(default)]
    pub targets: Option<Vec<String>>,
    #[serde(default)]
    pub labels: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DnsConfig {
    names: Vec<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    port: Option<u16>,
    refresh_interval: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileConfig {
    files: Vec<String>,
    refresh_interval: Option<String>,
}

pub(super) fn parse(yaml: &str, trust: Trust) -> Result<Alerting, String> {
    let most = if trust == Trust::Tenant { TENANT_BYTES } else { MAX_BYTES };
    if yaml.len() > most {
        return Err(format!(
            "the alerting configuration has {} bytes, at most {most} are allowed",
            yaml.len()
        ));
    }
    let raw: Option<RawAlerting> = from_yaml(yaml)?;
    let raw = raw.unwrap_or_default();
    let rules = raw.alert_relabel_configs.unwrap_or_default();
    let raw_sets = raw.alertmanagers.unwrap_or_default();
    if trust == Trust::Tenant {
        let all = raw_sets.iter().flat_map(|set| &set.alert_relabel_configs).map(Vec::len).sum::<usize>();
        at_most("relabelling rules", all + rules.len(), TENANT_RULES)?;
        at_most("entries of alertmanagers", raw_sets.len(), TENANT_SETS)?;
    }
    let sets: Vec<Arc<AlertmanagerSet>> =
        raw_sets.into_iter().map(|raw| set(raw, trust).map(Arc::new)).collect::<Result<_, _>>()?;
    if trust == Trust::Tenant {
        check_tenant(&sets)?;
    }
    Ok(Alerting { relabel: Arc::new(Relabel::new(rules)?), sets })
}

/// Reads YAML without showing any of its values in an error, for they may be secrets.
pub(crate) fn from_yaml<'de, T: Deserialize<'de>>(yaml: &'de str) -> Result<T, String> {
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_str_with_options(yaml, options).map_err(|error| without_values(&error.to_string()))
}

/// serde tells a value of the wrong type between quotes or backquotes: `invalid type: string "…", expected …`.
fn without_values(message: &str) -> String {
    let Some(start) = message.find("invalid type: ").or_else(|| message.find("invalid value: ")) else {
        return message.to_owned();
    };
    let expected = message.rfind(", expected ").filter(|at| *at > start);
    let (before, after) = (&message[..start], expected.map_or("", |at| &message[at..]));
    format!("{before}a value is of the wrong kind{after}")
}

fn at_most(what: &str, count: usize, most: usize) -> Result<(), String> {
    if count > most {
        return Err(format!("there are {count} {what}, at most {most} are allowed"));
    }
    Ok(())
}

fn check_tenant(sets: &[Arc<AlertmanagerSet>]) -> Result<(), String> {
    let (mut targets, mut names) = (0, 0);
    for source in sets.iter().flat_map(|set| &set.sources) {
        match source {
            Source::Static(found) => targets += found.len(),
            Source::Dns { names: found, .. } => names += found.len(),
            Source::Files { .. } => {}
        }
    }
    at_most("targets", targets, TENANT_TARGETS)?;
    at_most("DNS names", names, TENANT_NAMES)
}

fn set(raw: RawSet, trust: Trust) -> Result<AlertmanagerSet, String> {
    if raw.relabel_configs.is_some_and(|rules| !rules.is_empty()) {
        return Err(
            "relabel_configs, which change targets, are not supported here: name the targets as they are \
                    reached; alert_relabel_configs change alerts"
                .into(),
        );
    }
    if let Some(version) = raw.api_version.filter(|version| version != "v2") {
        return Err(format!("api_version must be v2, is {version:?}: v1 was removed from Alertmanager 0.27"));
    }
    let scheme = raw.scheme.as_deref().unwrap_or("http").parse()?;
    let path = alerts_path(raw.path_prefix.as_deref().unwrap_or_default())?;
    let timeout = raw.timeout.as_deref().map(|text| duration("timeout", text)).transpose()?;
    if timeout.is_some_and(|timeout| timeout.is_zero() || timeout > MAX_TIMEOUT) {
        return Err("timeout must be above 0 and at most 5m".into());
    }
    let auth = match (raw.basic_auth, raw.authorization) {
        (Some(_), Some(_)) => return Err("only one of basic_auth and authorization may be given".into()),
        (Some(basic), None) => Some(basic_auth(basic, trust)?),
        (None, Some(authorization)) => Some(scheme_auth(authorization, trust)?),
        (None, None) => None,
    };
    let tls = raw.tls_config.map(|raw| tls(raw, trust)).transpose()?.unwrap_or_default();
    let mut sources = Vec::new();
    for config in raw.static_configs.unwrap_or_default() {
        sources.push(Source::Static(targets(config)?));
    }
    for config in raw.dns_sd_configs.unwrap_or_default() {
        sources.push(dns(config, trust)?);
    }
    for config in raw.file_sd_configs.unwrap_or_default() {
        if trust == Trust::Tenant {
            return Err(
                "file_sd_configs are not allowed: files of the server are not read for tenants".into()
            );
        }
        sources.push(files(config)?);
    }
    let relabel = Relabel::new(raw.alert_relabel_configs.unwrap_or_default())?;
    Ok(AlertmanagerSet { trust, scheme, path, timeout, auth, tls, sources, relabel })
}

/// Those of one entry of `static_configs`, or of a file.
pub(crate) fn targets(config: StaticConfig) -> Result<Vec<HostPort>, String> {
    if let Some(name) = config.labels.iter().flat_map(BTreeMap::keys).find(|name| name.starts_with("__")) {
        return Err(format!(
            "label {name:?} of targets has no effect here: use scheme and path_prefix of the entry"
        ));
    }
    config.targets.iter().flatten().map(|target| HostPort::parse(target)).collect()
}

fn duration(key: &str, text: &str) -> Result<Duration, String> {
    let ms = parse_duration(text).map_err(|e| format!("{key}: {e}"))?;
    Ok(Duration::from_millis(ms.unsigned_abs()))
}

fn refresh(text: Option<&str>, usual: Duration, least: Duration) -> Result<Duration, String> {
    let every = text.map_or(Ok(usual), |text| duration("refresh_interval", text))?;
    if every < least {
        return Err(format!("refresh_interval must be at least {}s", least.as_secs()));
    }
    Ok(every)
}

fn dns(config: DnsConfig, trust: Trust) -> Result<Source, String> {
    let least = if trust == Trust::Tenant { TENANT_REFRESH } else { REFRESH };
    let every = refresh(config.refresh_interval.as_deref(), Duration::from_secs(30), least)?;
    let kind = config.kind.as_deref().unwrap_or("SRV").to_uppercase();
    let port =
        || config.port.filter(|port| *port > 0).ok_or("dns_sd_configs need a port except for SRV records");
    let records = match kind.as_str() {
        "SRV" => Records::Srv,
        "A" => Records::A { port: port()? },
        "AAAA" => Records::Aaaa { port: port()? },
        other => return Err(format!("type {other:?} of dns_sd_configs must be SRV, A or AAAA")),
    };
    if config.names.is_empty() {
        return Err("dns_sd_configs need names".into());
    }
    for name in &config.names {
        if !matches!(name.parse(), Ok(Host::Name(_))) {
            return Err(format!("{name:?} in dns_sd_configs is no DNS name"));
        }
    }
    Ok(Source::Dns { names: config.names, records, every })
}

fn files(config: FileConfig) -> Result<Source, String> {
    if config.files.is_empty() {
        return Err("file_sd_configs need files".into());
    }
    for pattern in &config.files {
        let (folder, name) = pattern.rsplit_once('/').unwrap_or(("", pattern));
        let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_lowercase());
        let known = matches!(extension.as_deref(), Some("json" | "yml" | "yaml"));
        if folder.contains('*') || !known {
            return Err(format!(
                "{pattern:?} in file_sd_configs must end with .json, .yml or .yaml and may have '*' only in the \
                 file's name"
            ));
        }
    }
    let every = refresh(config.refresh_interval.as_deref(), Duration::from_secs(300), REFRESH)?;
    Ok(Source::Files { patterns: config.files, every })
}

fn credentials(
    key: &str,
    given: Option<Secret>,
    file: Option<PathBuf>,
    trust: Trust,
) -> Result<Option<Credentials>, String> {
    match (given, file) {
        (Some(_), Some(_)) => Err(format!("only one of {key} and {key}_file may be given")),
        (_, Some(_)) if trust == Trust::Tenant => {
            Err(format!("{key}_file is not allowed: files of the server are not read for tenants"))
        }
        (_, Some(file)) => Ok(Some(Credentials::File(file))),
        (Some(secret), None) if secret.reveal().chars().any(char::is_control) => {
            Err(format!("{key} has a control character, which cannot be sent"))
        }
        (Some(secret), None) => Ok(Some(Credentials::Given(secret))),
        (None, None) => Ok(None),
    }
}

fn basic_auth(raw: BasicAuth, trust: Trust) -> Result<Auth, String> {
    if raw.username.contains(':') || raw.username.chars().any(char::is_control) {
        return Err("username of basic_auth may have neither ':' nor control characters".into());
    }
    let password = credentials("password", raw.password, raw.password_file, trust)?;
    let password = password.unwrap_or_else(|| Credentials::Given(Secret::new("")));
    Ok(Auth::Basic { username: raw.username, password })
}

fn scheme_auth(raw: Authorization, trust: Trust) -> Result<Auth, String> {
    let scheme = raw.kind.unwrap_or_default().trim().to_owned();
    let scheme = if scheme.is_empty() { "Bearer".to_owned() } else { scheme };
    if scheme.eq_ignore_ascii_case("basic") {
        return Err("authorization cannot be of type basic: use basic_auth".into());
    }
    if !scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
        return Err(format!("type {scheme:?} of authorization must be a word such as Bearer"));
    }
    let credentials = credentials("credentials", raw.credentials, raw.credentials_file, trust)?;
    let credentials = credentials.ok_or("authorization needs credentials or credentials_file")?;
    Ok(Auth::Scheme { scheme, credentials })
}

fn tls(raw: RawTls, trust: Trust) -> Result<Tls, String> {
    let RawTls { ca_file, cert_file, key_file, server_name, insecure_skip_verify } = raw;
    if trust == Trust::Tenant && (ca_file.is_some() || cert_file.is_some() || key_file.is_some()) {
        return Err(
            "files of tls_config are not allowed: files of the server are not read for tenants".into()
        );
    }
    if cert_file.is_some() != key_file.is_some() {
        return Err("cert_file and key_file of tls_config must be given together".into());
    }
    let server_name = server_name.filter(|name| !name.is_empty());
    if let Some(name) = &server_name {
        name.parse::<Host>().map_err(|e| format!("server_name of tls_config: {e}"))?;
    }
    Ok(Tls { ca_file, cert_file, key_file, server_name, insecure_skip_verify })
}
