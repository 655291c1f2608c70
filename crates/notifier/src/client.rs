//! One Alertmanager as it is spoken to: a connection that is kept, and what may be reached.

use crate::{
    address::Networks,
    config::{AlertmanagerSet, Auth, Credentials, Scheme, Trust},
    discovery::read_bounded,
    dns::{Family, Lookup},
    host::{Host, HostPort},
    tls::{SystemRoots, client_config},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use model::TenantId;
use rustls::pki_types::ServerName;
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

/// Of an answer.
const MAX_ANSWER: usize = 4 << 10;
/// Of an answer's head.
const MAX_HEAD: usize = 64 << 10;
/// Of a file with a password.
const MAX_SECRET: u64 = 64 << 10;
/// For each of a name's addresses.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const MAX_ADDRESSES: usize = 8;

/// What all clients share.
pub(crate) struct Reach {
    pub networks: Networks,
    pub lookup: Arc<dyn Lookup>,
    pub roots: SystemRoots,
}

pub(crate) struct Client {
    set: Arc<AlertmanagerSet>,
    target: HostPort,
    reach: Arc<Reach>,
    connection: Option<Connection>,
}

struct Connection {
    requests: SendRequest<Full<Bytes>>,
    _driver: AbortOnDropHandle<()>,
}

/// Why alerts were not taken, as a sentence.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// They would be refused again.
    Refused(String),
    Failed(String),
}

impl Client {
    pub fn new(set: Arc<AlertmanagerSet>, target: HostPort, reach: Arc<Reach>) -> Self {
        Self { set, target, reach, connection: None }
    }

    /// Sends a body. A call that is dropped on the way leaves nothing behind.
    pub async fn post(&mut self, tenant: &TenantId, body: Bytes) -> Result<(), Failure> {
        let request = self.request(tenant, body).await.map_err(Failure::Failed)?;
        // A connection that is kept may have been closed meanwhile, which is known only when it is used.
        if let Some(mut kept) = self.connection.take()
            && kept.requests.ready().await.is_ok()
            && let Ok(answer) = kept.requests.send_request(request.clone()).await
        {
            return self.answered(answer, kept).await;
        }
        let mut connection = self.connect().await.map_err(Failure::Failed)?;
        let answer = connection.requests.send_request(request).await;
        let answer = answer.map_err(|e| Failure::Failed(format!("it did not answer: {}", causes(&e))))?;
        self.answered(answer, connection).await
    }

    async fn answered(
        &mut self,
        answer: hyper::Response<Incoming>,
        connection: Connection,
    ) -> Result<(), Failure> {
        let status = answer.status();
        let (text, whole) = read(answer.into_body()).await;
        if whole {
            self.connection = Some(connection);
        }
        if status.is_success() {
            return Ok(());
        }
        let mut message = format!("it answered {}", status.as_u16());
        // What a server that a tenant has named says is nobody else's business.
        if self.set.trust == Trust::Operator && !text.is_empty() {
            message = format!("{message}: {text:?}");
        }
        if status.is_redirection() {
            message += "; redirects are not followed";
        }
        let later = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
        Err(if status.is_server_error() || later {
            Failure::Failed(message)
        } else {
            Failure::Refused(message)
        })
    }

    async fn request(&self, tenant: &TenantId, body: Bytes) -> Result<Request<Full<Bytes>>, String> {
        let mut builder = Request::post(&self.set.path)
            .header(header::HOST, self.target.to_string())
            .header(header::USER_AGENT, concat!("Yagura/", env!("CARGO_PKG_VERSION")))
            .header(header::CONTENT_TYPE, "application/json")
            // Alertmanagers of Cortex and Mimir tell tenants apart by it.
            .header("X-Scope-OrgID", tenant.as_str());
        if let Some(auth) = &self.set.auth {
            builder = builder.header(header::AUTHORIZATION, authorization(auth).await?);
        }
        builder.body(Full::new(body)).map_err(|e| e.to_string())
    }

    async fn connect(&self) -> Result<Connection, String> {
        let port = self.target.port.unwrap_or(self.set.scheme.default_port());
        let mut last = String::new();
        for address in self.addresses().await?.into_iter().take(MAX_ADDRESSES) {
            let address = SocketAddr::new(address, port);
            match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return self.greet(stream).await,
                Ok(Err(e)) => last = e.to_string(),
                Err(_late) => last = format!("no connection within {} s", CONNECT_TIMEOUT.as_secs()),
            }
        }
        Err(format!("it cannot be connected to: {last}"))
    }

    /// Where to connect to. Nobody looks the name up again after these have been checked.
    async fn addresses(&self) -> Result<Vec<IpAddr>, String> {
        let found: Vec<IpAddr> = match &self.target.host {
            Host::Ip(address) => vec![*address],
            Host::Name(name) => self.reach.lookup.addresses(name, Family::Any).await?.into_iter().collect(),
        };
        if found.is_empty() {
            return Err(format!("{} has no address", self.target.host));
        }
        if self.set.trust == Trust::Operator {
            return Ok(found);
        }
        let allowed: Vec<IpAddr> =
            found.into_iter().filter(|address| self.reach.networks.allow(*address)).collect();
        if allowed.is_empty() {
            return Err(format!("the address of {} is not allowed; use a public one", self.target.host));
        }
        Ok(allowed)
    }

    async fn greet(&self, stream: TcpStream) -> Result<Connection, String> {
        // Without it requests of two packets wait for acknowledgements; those that cannot have it work, too.
        let _ = stream.set_nodelay(true);
        if self.set.scheme == Scheme::Http {
            return speak(stream).await;
        }
        let (set, reach) = (self.set.clone(), self.reach.clone());
        let config = runtime::blocking(move || client_config(&set.tls, &reach.roots)).await;
        let config = config.map_err(|lost| lost.to_string())??;
        let name = match (&self.set.tls.server_name, &self.target.host) {
            (Some(name), _) => ServerName::try_from(name.clone()).map_err(|e| e.to_string())?,
            (None, Host::Name(name)) => ServerName::try_from(name.clone()).map_err(|e| e.to_string())?,
            (None, Host::Ip(address)) => ServerName::IpAddress((*address).into()),
        };
        let stream = TlsConnector::from(config).connect(name, stream).await;
        speak(stream.map_err(|e| format!("TLS: {}", causes(&e)))?).await
    }
}

async fn speak(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Result<Connection, String> {
    let builder = http1::Builder::new().max_buf_size(MAX_HEAD).handshake(TokioIo::new(stream)).await;
    let (requests, connection) = builder.map_err(|e| causes(&e))?;
    let driver = tokio::spawn(async move {
        // Whoever waits for the answer is told.
        let _ = connection.await;
    });
    Ok(Connection { requests, _driver: AbortOnDropHandle::new(driver) })
}

/// The beginning of an answer, and whether that is all of it.
async fn read(mut body: Incoming) -> (String, bool) {
    let mut bytes = Vec::new();
    let whole = loop {
        match body.frame().await {
            None => break true,
            Some(Err(_)) => break false,
            Some(Ok(frame)) => {
                let data = frame.into_data().unwrap_or_default();
                bytes.extend_from_slice(&data[..data.len().min(MAX_ANSWER - bytes.len())]);
                if bytes.len() >= MAX_ANSWER {
                    break false;
                }
            }
        }
    };
    (String::from_utf8_lossy(&bytes).trim().to_owned(), whole)
}

async fn authorization(auth: &Auth) -> Result<HeaderValue, String> {
    let text = match auth {
        Auth::Basic { username, password } => {
            let pair = format!("{username}:{}", secret(password).await?);
            format!("Basic {}", BASE64_STANDARD.encode(pair))
        }
        Auth::Scheme { scheme, credentials } => format!("{scheme} {}", secret(credentials).await?),
    };
    // The error would say nothing of the value, and neither does this.
    let mut value = HeaderValue::from_str(&text)
        .map_err(|_| "its credentials have characters that cannot be sent".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

async fn secret(credentials: &Credentials) -> Result<String, String> {
    match credentials {
        Credentials::Given(secret) => Ok(secret.reveal().to_owned()),
        Credentials::File(file) => {
            let owned = file.clone();
            let read = runtime::blocking(move || read_bounded(&owned, MAX_SECRET)).await;
            let text = read.map_err(|lost| lost.to_string())?;
            Ok(text.map_err(|e| format!("{}: {e}", file.display()))?.trim().to_owned())
        }
    }
}

/// An error with what lies behind it.
fn causes(error: &dyn std::error::Error) -> String {
    let mut out = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !out.contains(&text) {
            out = format!("{out}: {text}");
        }
        source = cause.source();
    }
    out
}
