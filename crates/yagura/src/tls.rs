//! TLS of the listeners: its settings, and certificates that are read again when they change.

use crate::reread::Reread;
use arc_swap::ArcSwap;
use rpc::tls::{TlsConfig, server_config};
use rustls::ServerConfig;
use serde::{Deserialize, Serialize};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

/// What new connections are served with; those that are open keep what they began with.
pub type LiveTls = Arc<ArcSwap<ServerConfig>>;

/// Settings of the section `http.tls`. Empty paths are not set; all empty is plain text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpTlsConfig {
    pub cert_file: PathBuf,
    pub key_file: PathBuf,
    /// With it clients must show a certificate that it signed.
    pub client_ca_file: PathBuf,
}

impl HttpTlsConfig {
    /// # Errors
    /// A file cannot be read or is not what it should be.
    pub fn open(&self, reread: &Reread) -> anyhow::Result<Option<LiveTls>> {
        let files = [&self.cert_file, &self.key_file, &self.client_ca_file];
        open("http.tls", files.map(PathBuf::as_path), reread)
    }

    /// What is wrong, as a key and a sentence.
    pub fn problem(&self) -> Option<(&'static str, &'static str)> {
        let [cert, key, ca] =
            [&self.cert_file, &self.key_file, &self.client_ca_file].map(|path| !path.as_os_str().is_empty());
        match (cert, key) {
            (true, false) => Some(("http.tls.key_file", "the certificate's key is wanted")),
            (false, true) => Some(("http.tls.cert_file", "the certificate of the key is wanted")),
            (false, false) if ca => {
                Some(("http.tls.cert_file", "clients can show a certificate only to one who has one"))
            }
            _ => None,
        }
    }
}

/// TLS of the listener for the cluster's processes, who show each other their certificates.
///
/// # Errors
/// A file cannot be read or is not what it should be.
pub fn open_grpc(tls: &TlsConfig, reread: &Reread) -> anyhow::Result<Option<LiveTls>> {
    open("grpc.tls", [&tls.cert_file, &tls.key_file, &tls.ca_file].map(PathBuf::as_path), reread)
}

/// gRPC between processes believes who sends it which tenant it is for. So where HTTP asks for
/// tokens, gRPC must not stand open to those who have none.
pub fn grpc_problem(
    tokens_file: &str,
    listen: &str,
    tls: &TlsConfig,
) -> Option<(&'static str, &'static str)> {
    let alone = listen.parse::<SocketAddr>().is_ok_and(|address| address.ip().is_loopback());
    let mutual =
        [&tls.cert_file, &tls.key_file, &tls.ca_file].iter().all(|path| !path.as_os_str().is_empty());
    let why = "with auth.tokens_file the processes must know each other by certificates: set all of \
               grpc.tls.ca_file, grpc.tls.cert_file and grpc.tls.key_file, or listen on 127.0.0.1";
    (!tokens_file.is_empty() && !alone && !mutual).then_some(("grpc.listen", why))
}

fn open(
    setting: &'static str,
    [cert, key, client_ca]: [&Path; 3],
    reread: &Reread,
) -> anyhow::Result<Option<LiveTls>> {
    if cert.as_os_str().is_empty() {
        return Ok(None);
    }
    let client_ca = (!client_ca.as_os_str().is_empty()).then(|| client_ca.to_owned());
    let (cert, key) = (cert.to_owned(), key.to_owned());
    let files: Vec<PathBuf> = [&cert, &key].into_iter().chain(&client_ca).cloned().collect();
    let load = move || server_config(&cert, &key, client_ca.as_deref());
    let live = Arc::new(ArcSwap::new(load()?));
    let taken = Arc::clone(&live);
    reread.watch(setting, files, move |_| {
        taken.store(load()?);
        Ok(())
    })?;
    Ok(Some(live))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_needs_its_key_and_the_other_way_round() {
        let problem = |cert: &str, key: &str, client_ca: &str| {
            let [cert_file, key_file, client_ca_file] = [cert, key, client_ca].map(PathBuf::from);
            HttpTlsConfig { cert_file, key_file, client_ca_file }.problem().map(|(key, _)| key)
        };
        assert_eq!(problem("", "", ""), None);
        assert_eq!(problem("c", "k", ""), None);
        assert_eq!(problem("c", "k", "a"), None);
        assert_eq!(problem("c", "", ""), Some("http.tls.key_file"));
        assert_eq!(problem("", "k", ""), Some("http.tls.cert_file"));
        assert_eq!(problem("", "", "a"), Some("http.tls.cert_file"));
    }

    #[test]
    fn where_tokens_are_asked_for_grpc_knows_its_peers_or_stays_on_this_machine() {
        let tls = |ca: &str, cert: &str, key: &str| TlsConfig {
            ca_file: ca.into(),
            cert_file: cert.into(),
            key_file: key.into(),
            ..TlsConfig::default()
        };
        let (none, mutual) = (tls("", "", ""), tls("a", "c", "k"));
        for (tokens, listen, tls, good) in [
            ("", "0.0.0.0:9095", &none, true),
            ("t", "0.0.0.0:9095", &mutual, true),
            ("t", "127.0.0.1:9095", &none, true),
            ("t", "[::1]:9095", &none, true),
            ("t", "0.0.0.0:9095", &none, false),
            ("t", "[::]:9095", &none, false),
            ("t", "10.0.0.1:9095", &tls("", "c", "k"), false),
            ("t", "10.0.0.1:9095", &tls("a", "", ""), false),
            ("t", "nonsense", &none, false),
        ] {
            assert_eq!(grpc_problem(tokens, listen, tls).is_none(), good, "{tokens} {listen} {tls:?}");
        }
    }
}
