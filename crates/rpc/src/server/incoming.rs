//! Connections that a server takes.

use futures::{Stream, StreamExt, stream};
use rustls::ServerConfig;
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tonic::transport::server::Connected;

const HANDSHAKES: usize = 256;
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// After an accept that failed, mostly for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// The connections of a TCP listener.
pub fn tcp_incoming(listener: TcpListener) -> impl Stream<Item = TcpStream> + Send + 'static {
    stream::unfold(listener, |listener| async move {
        loop {
            match listener.accept().await {
                Ok((tcp, _)) => {
                    // A socket on which this fails is broken, and says so at its first use.
                    let _ = tcp.set_nodelay(true);
                    return Some((tcp, listener));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    })
}

/// Those of them that get through TLS's handshake in time. `config` is asked for each, so that
/// certificates can change.
pub fn tls_incoming<IO>(
    incoming: impl Stream<Item = IO> + Send + 'static,
    config: impl Fn() -> Arc<ServerConfig> + Send + 'static,
) -> impl Stream<Item = TlsStream<IO>> + Send + 'static
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = move |io| TlsAcceptor::from(config()).accept(io);
    let handshakes = incoming.map(move |io| tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake(io)));
    handshakes.buffer_unordered(HANDSHAKES).filter_map(|done| async {
        match done {
            Ok(Ok(tls)) => Some(tls),
            Ok(Err(error)) => {
                tracing::debug!(%error, "a TLS handshake failed");
                None
            }
            Err(_) => {
                tracing::debug!("a TLS handshake took too long");
                None
            }
        }
    })
}

/// A connection of whatever kind, of which the server need know nothing more.
pub struct Connection<IO> {
    io: IO,
    _place: OwnedSemaphorePermit,
}

impl<IO> Connection<IO> {
    /// Waits until there is room for it.
    pub async fn admit(io: IO, room: Arc<Semaphore>) -> io::Result<Self> {
        Ok(Self { io, _place: room.acquire_owned().await.map_err(io::Error::other)? })
    }
}

impl<IO> Connected for Connection<IO> {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl<IO: AsyncRead + Unpin> AsyncRead for Connection<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Connection<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
