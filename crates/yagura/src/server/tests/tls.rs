//! The server behind TLS: who gets in, who does not, and certificates that change.

use super::*;
use crate::{reread::Reread, tls::HttpTlsConfig};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use std::{fs, path::Path};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// An authority, and what it signs.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key, as PEM.
struct Signed {
    cert: String,
    key: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    fn sign(&self) -> Signed {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap().pem();
        Signed { cert, key: key.serialize_pem() }
    }
}

impl Signed {
    fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.cert.as_bytes()).unwrap()
    }

    fn write(&self, dir: &Path) {
        fs::write(dir.join("cert.pem"), &self.cert).unwrap();
        fs::write(dir.join("key.pem"), &self.key).unwrap();
    }
}

struct Secure {
    server: Running,
    authority: Authority,
    reread: Arc<Reread>,
    dir: tempfile::TempDir,
}

async fn secure(mutual: bool) -> Secure {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().unwrap());
    authority.sign().write(dir.path());
    fs::write(dir.path().join("ca.pem"), &authority.pem).unwrap();
    let config = HttpTlsConfig {
        cert_file: dir.path().join("cert.pem"),
        key_file: dir.path().join("key.pem"),
        client_ca_file: if mutual { dir.path().join("ca.pem") } else { Default::default() },
    };
    let reread = Reread::new(&mut Registry::default());
    let tls = config.open(&reread).unwrap();
    Secure { server: start_with(tls, 10, MINUTE).await, authority, reread, dir }
}

impl Secure {
    async fn connect(&self, shown: Option<&Signed>, alpn: &[&str]) -> io::Result<TlsStream<TcpStream>> {
        self.agree(TcpStream::connect(self.server.address).await?, shown, alpn).await
    }

    /// The handshake.
    async fn agree(
        &self,
        stream: TcpStream,
        shown: Option<&Signed>,
        alpn: &[&str],
    ) -> io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.authority.pem.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match shown {
            None => builder.with_no_client_auth(),
            Some(signed) => {
                let key = PrivateKeyDer::from_pem_slice(signed.key.as_bytes()).unwrap();
                builder.with_client_auth_cert(vec![signed.der()], key).unwrap()
            }
        };
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    /// What is answered over HTTP/1.1; an error where nobody is let in.
    async fn ask(&self, shown: Option<&Signed>) -> io::Result<String> {
        asked(self.connect(shown, &["http/1.1"]).await?).await
    }

    fn refused(&self) -> u64 {
        self.counted("yagura_http_tls_refused_handshakes_total ")
    }

    fn counted(&self, name: &str) -> u64 {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.server.registry).unwrap();
        text.lines().find_map(|line| line.strip_prefix(name)).unwrap().parse().unwrap()
    }

    async fn refused_becomes(&self, want: u64) {
        let counted = async {
            while self.refused() != want {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let counted = tokio::time::timeout(Duration::from_secs(10), counted).await;
        counted.unwrap_or_else(|_| panic!("{} refused, not {want}", self.refused()));
    }
}

async fn asked(mut stream: TlsStream<TcpStream>) -> io::Result<String> {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    Ok(text)
}

#[tokio::test]
async fn both_versions_of_http_are_served() {
    let secure = secure(false).await;
    assert!(secure.ask(None).await.unwrap().ends_with("hello"));
    let stream = secure.connect(None, &["h2", "http/1.1"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    assert_eq!(secure.refused(), 0);
}

#[tokio::test]
async fn plain_text_is_not_answered() {
    let secure = secure(false).await;
    let text = answer_bytes(send(secure.server.address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await).await;
    assert!(!text.windows(4).any(|window| window == b"HTTP"), "{text:?}");
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    assert!(!answer_bytes(send(secure.server.address, preface).await).await.starts_with(&[0, 0]));
    secure.refused_becomes(2).await;
}

#[tokio::test]
async fn with_an_authority_for_clients_only_those_that_it_signed_are_let_in() {
    let secure = secure(true).await;
    assert!(secure.ask(Some(&secure.authority.sign())).await.unwrap().ends_with("hello"));
    secure.ask(None).await.unwrap_err();
    secure.ask(Some(&Authority::new().sign())).await.unwrap_err();
    secure.refused_becomes(2).await;
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_new_connections_and_ends_none() {
    let secure = secure(true).await;
    let client = secure.authority.sign();
    let shown = |stream: &TlsStream<TcpStream>| stream.get_ref().1.peer_certificates().unwrap()[0].clone();
    let mut old = secure.connect(Some(&client), &["http/1.1"]).await.unwrap();
    let new = secure.authority.sign();
    // As long as the key is not there, too, nothing changes.
    fs::write(secure.dir.path().join("cert.pem"), &new.cert).unwrap();
    secure.reread.reload().unwrap_err();
    let stream = secure.connect(Some(&client), &["http/1.1"]).await.unwrap();
    assert_eq!(shown(&stream), shown(&old));

    new.write(secure.dir.path());
    secure.reread.reload().unwrap();
    let stream = secure.connect(Some(&client), &["http/1.1"]).await.unwrap();
    assert_eq!(shown(&stream), new.der());
    old.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut text = String::new();
    old.read_to_string(&mut text).await.unwrap();
    assert!(text.ends_with("hello"), "{text}");

    // Who signed clients' certificates can be changed, too.
    let other = Authority::new();
    fs::write(secure.dir.path().join("ca.pem"), &other.pem).unwrap();
    secure.reread.reload().unwrap();
    secure.ask(Some(&client)).await.unwrap_err();
    assert!(secure.ask(Some(&other.sign())).await.unwrap().ends_with("hello"));
}

#[tokio::test]
async fn who_does_not_finish_the_handshake_holds_nobody_up() {
    let secure = secure(false).await;
    let waiting = send(secure.server.address, "\x16\x03\x01").await;
    assert!(secure.ask(None).await.unwrap().ends_with("hello"));
    // From here on time passes as soon as nothing else can happen.
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    let mut waiting = waiting;
    let mut rest = Vec::new();
    let _ = waiting.read_to_end(&mut rest).await;
    // Timers count whole milliseconds, and round up.
    assert!(began.elapsed() <= HANDSHAKE_WITHIN + Duration::from_millis(1), "{:?}", began.elapsed());
    secure.refused_becomes(1).await;
}

#[tokio::test]
async fn a_handshake_during_which_the_router_changes_goes_on() {
    let secure = secure(false).await;
    let stream = TcpStream::connect(secure.server.address).await.unwrap();
    while secure.counted("yagura_http_connections ") == 0 {
        tokio::task::yield_now().await;
    }
    let another = Router::new().route("/", get(async || "another"));
    secure.server.routers.send_modify(|now| *now = another);
    let stream = secure.agree(stream, None, &["http/1.1"]).await.unwrap();
    assert!(asked(stream).await.unwrap().ends_with("another"));
}

#[tokio::test]
async fn a_handshake_that_hangs_does_not_keep_the_process() {
    let secure = secure(false).await;
    let waiting = send(secure.server.address, "\x16\x03\x01").await;
    secure.server.drain.cancel();
    assert_eq!(answer_bytes(waiting).await, b"");
    secure.server.task.await.unwrap().unwrap();
}
