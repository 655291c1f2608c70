//! How bytes reach a peer: a seam, so that TCP, TLS and a simulated network look the same.

use futures::future::BoxFuture;
use rustls::{ClientConfig, pki_types::ServerName};
use std::{io, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

/// A connection, whatever it is made of.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + ?Sized> Io for T {}

pub type BoxIo = Box<dyn Io>;

/// Opens a connection to an address of the form `host:port`. The pool bounds how long it may take.
pub type Connector = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<BoxIo>> + Send + Sync>;

/// Plain TCP.
pub fn tcp_connector() -> Connector {
    Arc::new(|address| Box::pin(async move { Ok(Box::new(connect(&address).await?) as BoxIo) }))
}

/// TLS over TCP. Peers are known by `server_name`, or by the host of their address if it is empty.
pub fn tls_connector(config: Arc<ClientConfig>, server_name: &str) -> Connector {
    let (connector, server_name) = (TlsConnector::from(config), server_name.to_owned());
    Arc::new(move |address| {
        let (connector, server_name) = (connector.clone(), server_name.clone());
        Box::pin(async move {
            let name = if server_name.is_empty() { host(&address).to_owned() } else { server_name };
            let name = ServerName::try_from(name).map_err(io::Error::other)?;
            let tls = connector.connect(name, connect(&address).await?).await?;
            Ok(Box::new(tls) as BoxIo)
        })
    })
}

async fn connect(address: &str) -> io::Result<TcpStream> {
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    Ok(tcp)
}

/// The host of `host:port`, an IPv6 address without its brackets.
fn host(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_taken_out_of_addresses() {
        assert_eq!(host("ingester-1:9095"), "ingester-1");
        assert_eq!(host("10.0.0.1:9095"), "10.0.0.1");
        assert_eq!(host("[::1]:9095"), "::1");
    }
}
