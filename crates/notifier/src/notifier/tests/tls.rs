//! Alertmanagers behind TLS.

use super::*;
use rustls::pki_types::PrivateKeyDer;
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// Takes whatever is sent to it.
async fn server(key: &rcgen::CertifiedKey<rcgen::KeyPair>) -> SocketAddr {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let secret = PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], secret)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut bytes = [0; 4096];
            if stream.read(&mut bytes).await.is_ok_and(|count| count > 0) {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
            }
        }
    });
    address
}

#[tokio::test]
async fn certificates_are_checked_unless_one_says_not_to() {
    let key = rcgen::generate_simple_self_signed(["am.example".to_owned()]).unwrap();
    let address = server(&key).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, key.cert.pem()).unwrap();
    let ca = format!("ca_file: '{}'", file.display());
    let cases = [
        (format!("{ca}, server_name: am.example"), true),
        (format!("{ca}, server_name: other.example"), false),
        (ca, false),
        ("server_name: am.example".to_owned(), false),
        ("insecure_skip_verify: true".to_owned(), true),
        ("ca_file: /nowhere".to_owned(), false),
    ];
    for (tls, taken) in cases {
        let setup = Setup::new(config());
        setup.notifier.set_operators(operators(&format!(
            "alertmanagers: [{{scheme: https, tls_config: {{{tls}}}, static_configs: [{{targets: ['{address}']}}]}}]"
        )));
        setup.notify("a", &["one"]);
        let by = format!("{{alertmanager=\"https://{address}/api/v2/alerts\"}}");
        let count = |what: &str| setup.metric(&format!("yagura_notifications_{what}_total{by}"));
        until("an end", || count("sent") + count("failed") > 0.0).await;
        assert_eq!(count("sent") > 0.0, taken, "{tls}");
    }
}
