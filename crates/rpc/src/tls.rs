//! TLS on both sides, with mutual authentication where certificates are given.

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use serde::{Deserialize, Serialize};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// How processes of one cluster talk to each other. Empty paths are not set; all empty is plain text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsConfig {
    /// PEM: who may sign a peer's certificate.
    pub ca_file: PathBuf,
    /// PEM: our certificate, shown as server and as client, with those between it and the authority.
    pub cert_file: PathBuf,
    /// PEM: the certificate's key.
    pub key_file: PathBuf,
    /// The name that peers' certificates have, if it is not the host of their addresses.
    pub server_name: String,
}

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{}: {message}", file.display())]
    File { file: PathBuf, message: String },
    #[error("TLS settings: {0}")]
    Settings(String),
}

impl TlsConfig {
    pub fn enabled(&self) -> bool {
        *self != Self::default()
    }

    /// For the server of a cluster's process: with a CA file, peers must show a certificate.
    pub fn server(&self) -> Result<Arc<ServerConfig>, TlsError> {
        server_config(&self.cert_file, &self.key_file, set(&self.ca_file))
    }

    /// For the clients of a cluster's process.
    pub fn client(&self) -> Result<Arc<ClientConfig>, TlsError> {
        if set(&self.ca_file).is_none() {
            return Err(TlsError::Settings("ca_file is needed to know peers by".into()));
        }
        client_config(&self.ca_file, set(&self.cert_file).zip(set(&self.key_file)))
    }
}

fn set(path: &Path) -> Option<&Path> {
    (!path.as_os_str().is_empty()).then_some(path)
}

/// A server's side. With `client_ca`, only clients with a certificate that it signed are let in.
/// Offers HTTP/2 and HTTP/1.1.
pub fn server_config(
    cert: &Path,
    key: &Path,
    client_ca: Option<&Path>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(settings)?;
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(ca)?), provider())
                .build()
                .map_err(|e| TlsError::File { file: ca.to_owned(), message: e.to_string() })?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_single_cert(certificates(cert)?, private_key(key)?).map_err(settings)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// A client's side: trusts `ca`, shows the certificate and key of `identity`. Offers HTTP/2.
pub fn client_config(ca: &Path, identity: Option<(&Path, &Path)>) -> Result<Arc<ClientConfig>, TlsError> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(settings)?
        .with_root_certificates(roots(ca)?);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some((cert, key)) => {
            builder.with_client_auth_cert(certificates(cert)?, private_key(key)?).map_err(settings)?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn settings(error: rustls::Error) -> TlsError {
    TlsError::Settings(error.to_string())
}

fn roots(file: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots
            .add(certificate)
            .map_err(|e| TlsError::File { file: file.to_owned(), message: e.to_string() })?;
    }
    Ok(roots)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let error = |message: String| TlsError::File { file: file.to_owned(), message };
    let all = CertificateDer::pem_file_iter(file).map_err(|e| error(e.to_string()))?;
    let all: Vec<_> = all.collect::<Result<_, _>>().map_err(|e| error(e.to_string()))?;
    if all.is_empty() { Err(error("there is no certificate in it".into())) } else { Ok(all) }
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(file)
        .map_err(|e| TlsError::File { file: file.to_owned(), message: e.to_string() })
}

#[cfg(test)]
mod tests;
