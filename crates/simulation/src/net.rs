//! The simulated network as the real gRPC code sees it.

use crate::world::PORT;
use futures::{Stream, stream};
use rpc::{BoxIo, Connector};
use std::{io, net::Ipv4Addr, sync::Arc};
use turmoil::net::{TcpListener, TcpStream};

/// Connects to `host:port`.
pub fn connector() -> Connector {
    Arc::new(|address| {
        Box::pin(async move {
            let (host, port) = address.rsplit_once(':').ok_or(io::ErrorKind::InvalidInput)?;
            let port: u16 = port.parse().map_err(|_| io::ErrorKind::InvalidInput)?;
            Ok(Box::new(TcpStream::connect((host, port)).await?) as BoxIo)
        })
    })
}

/// Connections that come in at this host.
pub async fn incoming() -> io::Result<impl Stream<Item = TcpStream> + Send + 'static> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).await?;
    Ok(stream::unfold(listener, |listener| async move {
        loop {
            if let Ok((tcp, _)) = listener.accept().await {
                return Some((tcp, listener));
            }
        }
    }))
}
