//! Takes the place of an Alertmanager, or of whoever one tells, and notes what is posted to it.

use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Bytes, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::{net::TcpListener, task::JoinHandle};

/// What one request brought, and when, in milliseconds since the Unix epoch.
#[derive(Clone, Debug)]
pub struct Posted {
    pub at_ms: i64,
    pub path: String,
    pub body: Value,
}

/// A server on loopback that answers 200 to everything.
#[derive(Debug)]
pub struct Inbox {
    pub address: SocketAddr,
    posted: Arc<Mutex<Vec<Posted>>>,
    serving: JoinHandle<()>,
}

impl Inbox {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let posted: Arc<Mutex<Vec<Posted>>> = Arc::default();
        let taken = Arc::clone(&posted);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let taken = Arc::clone(&taken);
                let service = service_fn(move |request| note(request, Arc::clone(&taken)));
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connection);
            }
        });
        Self { address, posted, serving }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn posted(&self) -> Vec<Posted> {
        self.posted.lock().unwrap().clone()
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn note(
    request: Request<Incoming>,
    posted: Arc<Mutex<Vec<Posted>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    if let Ok(body) = request.into_body().collect().await {
        let body = serde_json::from_slice(&body.to_bytes()).unwrap_or_default();
        posted.lock().unwrap().push(Posted { at_ms: crate::now_ms(), path, body });
    }
    Ok(Response::new(Full::default()))
}
