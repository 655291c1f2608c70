//! Who gets in and who does not. The certificates in `testdata` are for this alone.

use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::{TlsAcceptor, TlsConnector};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tls/testdata").join(name)
}

fn config(name: &str) -> TlsConfig {
    let (cert_file, key_file) = (file(&format!("{name}.pem")), file(&format!("{name}.key")));
    TlsConfig { ca_file: file("ca.pem"), cert_file, key_file, server_name: String::new() }
}

async fn talk(server: &TlsConfig, client: &TlsConfig, name: &str) -> std::io::Result<u8> {
    let (acceptor, connector) =
        (TlsAcceptor::from(server.server().unwrap()), TlsConnector::from(client.client().unwrap()));
    let (near, far) = tokio::io::duplex(1 << 16);
    let serve = async {
        let mut tls = acceptor.accept(far).await?;
        tls.write_u8(7).await?;
        tls.flush().await
    };
    let name = rustls::pki_types::ServerName::try_from(name.to_owned()).unwrap();
    let ask = async { connector.connect(name, near).await?.read_u8().await };
    let (served, got) = tokio::join!(serve, ask);
    served.and(got)
}

#[tokio::test]
async fn peers_know_each_other_by_their_authority() {
    let (node, stranger) = (config("node"), config("stranger"));
    let nameless = TlsConfig { cert_file: PathBuf::new(), key_file: PathBuf::new(), ..config("node") };
    assert_eq!(talk(&node, &node, "ingester").await.unwrap(), 7);
    assert_eq!(talk(&node, &node, "127.0.0.1").await.unwrap(), 7);
    assert!(talk(&node, &node, "elsewhere").await.is_err());
    assert!(talk(&node, &nameless, "ingester").await.is_err());
    assert!(talk(&node, &stranger, "ingester").await.is_err());
    assert!(talk(&stranger, &node, "ingester").await.is_err());
    let open = TlsConfig { ca_file: PathBuf::new(), ..config("node") };
    assert_eq!(talk(&open, &nameless, "ingester").await.unwrap(), 7);
}

#[test]
fn what_is_wrong_with_files_is_told() {
    let missing = TlsConfig { key_file: file("nowhere.key"), ..config("node") };
    assert!(missing.server().unwrap_err().to_string().contains("nowhere.key"));
    let no_key = TlsConfig { cert_file: file("node.key"), ..config("node") };
    assert!(no_key.client().unwrap_err().to_string().contains("there is no certificate in it"));
    assert!(TlsConfig::default().client().is_err());
    assert!(!TlsConfig::default().enabled() && config("node").enabled());
}
