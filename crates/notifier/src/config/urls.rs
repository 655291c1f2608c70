//! Alertmanagers as a list of URLs.

use super::{Alerting, AlertmanagerSet, Auth, Credentials, Records, Scheme, Source, Tls, Trust, alerts_path};
use crate::{
    host::{Host, HostPort},
    relabel::Relabel,
};
use runtime::Secret;
use std::{sync::Arc, time::Duration};

/// Cortex's and Loki's `alertmanager_refresh_interval`.
const EVERY: Duration = Duration::from_secs(60);
const MAX_URLS: usize = 256;

pub(super) fn parse(urls: &str) -> Result<Alerting, String> {
    let urls: Vec<&str> = urls.split(',').map(str::trim).filter(|url| !url.is_empty()).collect();
    if urls.len() > MAX_URLS {
        return Err(format!(
            "there are {} URLs of Alertmanagers, at most {MAX_URLS} are allowed",
            urls.len()
        ));
    }
    // A URL may hold a password, so it is named by its place.
    let numbered = urls.iter().enumerate();
    let sets = numbered.map(|(at, url)| {
        set(url).map(Arc::new).map_err(|message| format!("URL {} of Alertmanagers: {message}", at + 1))
    });
    Ok(Alerting { relabel: Arc::default(), sets: sets.collect::<Result<_, _>>()? })
}

fn set(url: &str) -> Result<AlertmanagerSet, String> {
    let form = "write it as http://alertmanager:9093/prefix";
    let (scheme, rest) = url.split_once("://").ok_or(form)?;
    let (discovery, scheme) = match scheme.split_once('+') {
        Some((discovery, scheme)) => (Some(discovery), scheme),
        None => (None, scheme),
    };
    let scheme: Scheme = scheme.parse()?;
    if rest.contains(['?', '#', '\\']) || rest.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(format!("it has a query, a fragment or a character that no URL has; {form}"));
    }
    let (authority, prefix) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    if prefix.contains('@') {
        return Err("'@' may stand in its path, and '/' in its password, only percent-encoded".into());
    }
    let (user, target) = match authority.rsplit_once('@') {
        Some((user, target)) => (Some(user), target),
        None => (None, authority),
    };
    let auth = user.map(basic_auth).transpose()?;
    let target = HostPort::parse(target)?;
    let mut tls = Tls::default();
    let source = match (discovery, &target.host) {
        (None, Host::Name(name)) if name.starts_with('_') => srv(name),
        (None, _) => Source::Static(vec![target]),
        (Some("dnssrv" | "dnssrvnoa"), Host::Name(name)) => srv(name),
        (Some("dns"), Host::Name(name)) => {
            // Addresses are connected to, but certificates are for the name.
            tls.server_name = Some(name.clone());
            let port = target.port.unwrap_or(scheme.default_port());
            Source::Dns { names: vec![name.clone()], records: Records::Any { port }, every: EVERY }
        }
        (Some("dns" | "dnssrv" | "dnssrvnoa"), Host::Ip(_)) => {
            return Err("an address cannot be looked up: leave out what stands before '+'".into());
        }
        (Some(_), _) => return Err("what stands before '+' must be dns, dnssrv or dnssrvnoa".into()),
    };
    Ok(AlertmanagerSet {
        trust: Trust::Operator,
        scheme,
        path: alerts_path(prefix)?,
        timeout: None,
        auth,
        tls,
        sources: vec![source],
        relabel: Relabel::default(),
    })
}

fn srv(name: &str) -> Source {
    Source::Dns { names: vec![name.to_owned()], records: Records::Srv, every: EVERY }
}

fn basic_auth(user: &str) -> Result<Auth, String> {
    let (username, password) = user.split_once(':').unwrap_or((user, ""));
    let wrong = || "its user or password is not percent-encoded right".to_owned();
    let username = decode(username).ok_or_else(wrong)?;
    let password = decode(password).ok_or_else(wrong)?;
    if username.contains(':') || username.chars().chain(password.chars()).any(char::is_control) {
        return Err(wrong());
    }
    Ok(Auth::Basic { username, password: Credentials::Given(Secret::new(password)) })
}

fn decode(text: &str) -> Option<String> {
    let (mut out, mut bytes) = (Vec::new(), text.bytes());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|b| char::from(b).to_digit(16));
        out.push((digit()? << 4 | digit()?) as u8);
    }
    String::from_utf8(out).ok()
}
