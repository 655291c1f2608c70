//! A server that keeps what it is sent.

use super::until;
use axum::{
    Router,
    body::Bytes,
    extract::ConnectInfo,
    http::{HeaderMap, StatusCode, Uri},
    response::IntoResponse,
};
use parking_lot::Mutex;
use serde_json::Value;
use std::{collections::BTreeSet, net::SocketAddr, sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

/// What it does with a request.
#[derive(Clone, Default)]
pub struct Answer {
    /// 200 if it is 0.
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
    pub delay: Duration,
}

#[derive(Clone, Debug)]
pub struct Received {
    pub path: String,
    pub headers: HeaderMap,
    pub alerts: Vec<Value>,
    pub peer: SocketAddr,
}

pub struct Fake {
    pub address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    _server: AbortOnDropHandle<()>,
}

impl Fake {
    pub async fn new() -> Self {
        Self::answering(|_| Answer::default()).await
    }

    pub async fn answering(answer: impl Fn(usize) -> Answer + Clone + Send + Sync + 'static) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), answer).await
    }

    /// `answer` gets the number of requests before.
    pub async fn at(
        at: SocketAddr,
        answer: impl Fn(usize) -> Answer + Clone + Send + Sync + 'static,
    ) -> Self {
        Self::serve(at, move |count, _: &HeaderMap| answer(count)).await
    }

    /// Fails for one tenant.
    pub async fn failing_for(tenant: &'static str) -> Self {
        let answer = move |_, headers: &HeaderMap| {
            let status = if headers["x-scope-orgid"] == tenant { 500 } else { 200 };
            Answer { status, ..Answer::default() }
        };
        Self::serve("127.0.0.1:0".parse().unwrap(), answer).await
    }

    async fn serve(
        at: SocketAddr,
        answer: impl Fn(usize, &HeaderMap) -> Answer + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(at).await.unwrap();
        let address = listener.local_addr().unwrap();
        let received: Arc<Mutex<Vec<Received>>> = Arc::default();
        let kept = received.clone();
        let handler = move |ConnectInfo(peer): ConnectInfo<SocketAddr>,
                            uri: Uri,
                            headers: HeaderMap,
                            body: Bytes| {
            let (kept, answer) = (kept.clone(), answer.clone());
            async move {
                let answer = {
                    let mut kept = kept.lock();
                    let answer = answer(kept.len(), &headers);
                    let alerts = serde_json::from_slice(&body).unwrap();
                    kept.push(Received { path: uri.path().to_owned(), headers, alerts, peer });
                    answer
                };
                tokio::time::sleep(answer.delay).await;
                let status = StatusCode::from_u16(answer.status.max(200)).unwrap();
                let headers: HeaderMap =
                    answer.headers.iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap())).collect();
                (status, headers, answer.body).into_response()
            }
        };
        let app = Router::new().fallback(handler).into_make_service_with_connect_info::<SocketAddr>();
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, received, _server: AbortOnDropHandle::new(server) }
    }

    pub fn received(&self) -> Vec<Received> {
        self.received.lock().clone()
    }

    /// The names of all alerts, in their order.
    pub fn names(&self) -> Vec<String> {
        let received = self.received.lock();
        let alerts = received.iter().flat_map(|received| &received.alerts);
        alerts.map(|alert| alert["labels"]["alertname"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits for these alerts, whatever else comes.
    pub async fn has(&self, names: &[&str]) {
        let has = || {
            let all: BTreeSet<String> = self.names().into_iter().collect();
            names.iter().all(|name| all.contains(*name))
        };
        until(&format!("{names:?} at {}", self.address), has).await;
    }
}

/// An address of the loopback interface at which nobody listens.
pub fn nobody() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
