//! S3's protocol over a folder and a real socket, with faults on demand.

use crate::random::Random;
use futures::stream;
use http_body_util::StreamBody;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Frame, Incoming},
    header,
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use s3s::{
    Body, HttpError,
    auth::SimpleAuth,
    service::{S3Service, S3ServiceBuilder},
};
use s3s_fs::FileSystem;
use std::{
    fmt, fs, io,
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    net::TcpListener,
    task::{JoinHandle, JoinSet},
    time::sleep,
};

/// What goes wrong at the endpoint. Nothing by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct S3Faults {
    /// Every request is answered with 503.
    pub unavailable: bool,
    /// Each request takes so much longer.
    pub delay: Duration,
    /// Of 100 requests, how many are answered with 500: half of them before anything is done, the
    /// other half when it has been done.
    pub errors: usize,
    /// Of 100 answers, how many end too early: the connection breaks, or (objects only) the server
    /// takes the piece for the whole.
    pub cuts: usize,
}

/// Buckets that are folders in one folder.
pub struct S3 {
    address: SocketAddr,
    endpoint: Arc<Endpoint>,
    server: Option<JoinHandle<()>>,
}

struct Endpoint {
    service: S3Service,
    state: Mutex<State>,
    /// s3s-fs looks whether an object is there and then writes it; two that do so at once would both
    /// be told that they were first.
    conditional: tokio::sync::Mutex<()>,
}

struct State {
    faults: S3Faults,
    random: Random,
    requests: u64,
    broken: u64,
}

impl S3 {
    pub const KEY: &str = "test-key";
    pub const SECRET: &str = "a-secret-that-must-stay-one";

    /// Serves the folders in `root` at a port of `ip`.
    pub async fn start(root: &Path, ip: IpAddr) -> Self {
        fs::create_dir_all(root).unwrap();
        let mut builder = S3ServiceBuilder::new(FileSystem::new(root).unwrap());
        builder.set_auth(SimpleAuth::from_single(Self::KEY, Self::SECRET));
        let state = State { faults: S3Faults::default(), random: Random::seeded(10), requests: 0, broken: 0 };
        let endpoint = Endpoint {
            service: builder.build(),
            state: Mutex::new(state),
            conditional: tokio::sync::Mutex::default(),
        };
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        let mut s3 =
            Self { address: listener.local_addr().unwrap(), endpoint: Arc::new(endpoint), server: None };
        s3.serve(listener);
        s3
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The settings that make Yagura keep its blocks in `bucket`, which may be followed by a prefix.
    pub fn settings(&self, bucket: &str) -> Vec<String> {
        vec![
            format!("bucket.url=s3://{bucket}"),
            format!("s3.endpoint={}", self.url()),
            format!("s3.access_key_id={}", Self::KEY),
            format!("s3.secret_access_key={}", Self::SECRET),
        ]
    }

    pub fn set_faults(&self, faults: S3Faults) {
        self.endpoint.state.lock().unwrap().faults = faults;
    }

    /// How many requests came, and to how many of them a fault was done.
    pub fn counts(&self) -> (u64, u64) {
        let state = self.endpoint.state.lock().unwrap();
        (state.requests, state.broken)
    }

    /// Connections break and new ones are refused.
    pub async fn go_away(&mut self) {
        if let Some(server) = self.server.take() {
            server.abort();
            let _ = server.await;
        }
    }

    /// Listens again where it did before.
    pub async fn come_back(&mut self) {
        if self.server.is_none() {
            let listener = TcpListener::bind(self.address).await.unwrap();
            self.serve(listener);
        }
    }

    fn serve(&mut self, listener: TcpListener) {
        let endpoint = Arc::clone(&self.endpoint);
        self.server = Some(tokio::spawn(async move {
            // Dropped with this task, and with it all connections.
            let mut connections = JoinSet::new();
            loop {
                let Ok((socket, _)) = listener.accept().await else { continue };
                let _ = socket.set_nodelay(true);
                while connections.try_join_next().is_some() {}
                let endpoint = Arc::clone(&endpoint);
                connections.spawn(async move {
                    let service = service_fn(move |request| {
                        let endpoint = Arc::clone(&endpoint);
                        async move { endpoint.answer(request).await }
                    });
                    let builder = auto::Builder::new(TokioExecutor::new());
                    let _ = builder.serve_connection(TokioIo::new(socket), service).await;
                });
            }
        }));
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.abort();
        }
    }
}

impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3 at {}", self.address)
    }
}

/// What is done to one request.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Served,
    Refused(StatusCode),
    /// It is done, and the answer says otherwise.
    Disowned,
    Broken,
    Shortened,
}

impl Endpoint {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, HttpError> {
        let (delay, fate) = self.fate();
        sleep(delay).await;
        if let Fate::Refused(status) = fate {
            return Ok(refusal(status));
        }
        let conditional =
            [header::IF_NONE_MATCH, header::IF_MATCH].iter().any(|name| request.headers().contains_key(name));
        let object = request.method() == Method::GET && request.uri().query().is_none();
        let lock = match conditional && request.method() == Method::PUT {
            true => Some(self.conditional.lock().await),
            false => None,
        };
        let response = self.service.call(request.map(Body::from)).await?;
        drop(lock);
        match fate {
            Fate::Disowned => Ok(refusal(StatusCode::INTERNAL_SERVER_ERROR)),
            Fate::Broken => Ok(broken(response).await),
            Fate::Shortened if object && response.status().is_success() => Ok(shortened(response).await),
            Fate::Shortened => Ok(broken(response).await),
            Fate::Served | Fate::Refused(_) => Ok(response),
        }
    }

    fn fate(&self) -> (Duration, Fate) {
        let mut state = self.state.lock().unwrap();
        let faults = state.faults;
        state.requests += 1;
        let (roll, half) = (state.random.below(100), state.random.below(2) == 0);
        let fate = match () {
            () if faults.unavailable => Fate::Refused(StatusCode::SERVICE_UNAVAILABLE),
            () if roll < faults.errors && half => Fate::Refused(StatusCode::INTERNAL_SERVER_ERROR),
            () if roll < faults.errors => Fate::Disowned,
            () if roll < faults.errors + faults.cuts && half => Fate::Broken,
            () if roll < faults.errors + faults.cuts => Fate::Shortened,
            () => Fate::Served,
        };
        state.broken += u64::from(fate != Fate::Served || !faults.delay.is_zero());
        (faults.delay, fate)
    }
}

fn refusal(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// The first half of the body, and then the connection breaks.
async fn broken(response: Response<Body>) -> Response<Body> {
    let (head, half) = halved(response).await;
    let frames = [Ok(Frame::data(half.into())), Err(io::Error::other("cut on purpose"))];
    Response::from_parts(head, Body::http_body_unsync(StreamBody::new(stream::iter(frames))))
}

/// The first half of the body as if it were all of it.
async fn shortened(response: Response<Body>) -> Response<Body> {
    let (mut head, half) = halved(response).await;
    head.headers.insert(header::CONTENT_LENGTH, half.len().into());
    Response::from_parts(head, Body::from(half))
}

async fn halved(response: Response<Body>) -> (hyper::http::response::Parts, Vec<u8>) {
    let (head, mut body) = response.into_parts();
    let all = body.store_all_limited(usize::MAX).await.unwrap();
    (head, all[..all.len() / 2].to_vec())
}
