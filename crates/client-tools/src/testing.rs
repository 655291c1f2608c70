//! What tests of commands share: a server that answers from a list, and the clock.

use axum::{Router, body::Bytes, extract::Request, http::StatusCode, response::IntoResponse};
use parking_lot::Mutex;
use std::sync::Arc;

/// Has a TLS provider for the process, as `yagura` does.
pub fn tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A request as the server got it.
#[derive(Clone, Debug)]
pub struct Received {
    /// Method and path with query.
    pub line: String,
    pub headers: axum::http::HeaderMap,
    pub body: Bytes,
}

/// Answers by method and path; what is not listed is not found.
pub struct FakeServer {
    pub address: String,
    received: Arc<Mutex<Vec<Received>>>,
}

/// Method and path, status, and body.
pub type Canned = (&'static str, u16, String);

impl FakeServer {
    /// Several answers to one request are given one after the other, the last one again and again.
    pub async fn start(answers: Vec<Canned>) -> Self {
        tls();
        let received = Arc::new(Mutex::new(Vec::new()));
        let (seen, answers) = (Arc::clone(&received), Arc::new(Mutex::new(answers)));
        let router = Router::new().fallback(move |request: Request| {
            let (seen, answers) = (Arc::clone(&seen), Arc::clone(&answers));
            async move {
                let (parts, body) = request.into_parts();
                let body = axum::body::to_bytes(body, 64 << 20).await.unwrap();
                let line = format!("{} {}", parts.method, parts.uri);
                seen.lock().push(Received { line: line.clone(), headers: parts.headers, body });
                let mut answers = answers.lock();
                let of_this: Vec<usize> = (0..answers.len()).filter(|at| answers[*at].0 == line).collect();
                match of_this[..] {
                    [] => (StatusCode::NOT_FOUND, "nothing here".to_owned()).into_response(),
                    [only] => {
                        let (_, status, text) = answers[only].clone();
                        (StatusCode::from_u16(status).unwrap(), text).into_response()
                    }
                    [first, ..] => {
                        let (_, status, text) = answers.remove(first);
                        (StatusCode::from_u16(status).unwrap(), text).into_response()
                    }
                }
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, received }
    }

    pub fn received(&self) -> Vec<Received> {
        self.received.lock().clone()
    }

    pub fn lines(&self) -> Vec<String> {
        self.received().into_iter().map(|received| received.line).collect()
    }

    pub fn server(&self) -> crate::Server {
        crate::Server::new(&crate::ServerOptions {
            address: self.address.clone(),
            tenant: Some("team".into()),
            token: Some(runtime::Secret::new("hush")),
            tls_ca: None,
        })
        .unwrap()
    }
}
