//! One peer: its connection, and what bounds the calls to it.

use super::{Shared, dial::Dial};
use crate::{
    MAX_MESSAGE_BYTES,
    codec::ClientCodec,
    convert::{DISK, TENANT},
    proto::health::{HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus},
    status::from_status,
    trace,
};
use bytes::Bytes;
use futures::Stream;
use http::uri::PathAndQuery;
use model::TenantId;
use parking_lot::Mutex;
use prost::Message;
use service_api::{Error, ReadContext, Result};
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{
    Request, Status, Streaming,
    client::Grpc,
    metadata::AsciiMetadataValue,
    transport::{Channel, Endpoint},
};
use tracing::{Instrument, Span};

/// A peer that says nothing for this long is asked, and has as long again to answer. So one that is
/// frozen or cut off is noticed in 10 s.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;
const FRAME: u32 = 128 << 10;

/// A method of a service.
pub(crate) struct Method {
    pub name: &'static str,
    pub path: &'static str,
}

/// How long a peer may say nothing in the middle of an answer before it is asked whether it lives.
pub(crate) const SILENCE: Duration = Duration::from_secs(2);

/// How long a peer may take to say that it is alive.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(1);

const HEALTH: Method = Method { name: "Check", path: "/grpc.health.v1.Health/Check" };

pub(crate) struct Peer {
    address: Arc<str>,
    channel: Channel,
    shared: Arc<Shared>,
    bytes: Arc<Semaphore>,
    writes: Arc<Semaphore>,
    reads: Arc<Semaphore>,
    last_used: Mutex<Duration>,
}

impl Peer {
    pub fn new(address: &str, shared: Arc<Shared>) -> Self {
        let dial = Dial::new(address, Arc::clone(&shared.connector));
        // The dial knows where to; what is written here is what the peer sees as our wish.
        let channel = Endpoint::from_static("http://yagura")
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_frame_size(FRAME)
            .connect_with_connector_lazy(tower::service_fn(move |_| {
                let dial = Arc::clone(&dial);
                async move { dial.connect().await }
            }));
        let requests = shared.config.max_in_flight_requests as usize;
        Self {
            address: address.into(),
            channel,
            bytes: Arc::new(Semaphore::new(shared.config.max_in_flight_bytes as usize)),
            writes: Arc::new(Semaphore::new(requests)),
            reads: Arc::new(Semaphore::new(requests)),
            last_used: Mutex::new(shared.clock.monotonic()),
            shared,
        }
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    pub fn last_used(&self) -> Duration {
        *self.last_used.lock()
    }

    pub fn touch(&self) {
        *self.last_used.lock() = self.shared.clock.monotonic();
    }

    /// An append: bounded in bytes, in number and in time.
    pub async fn write<R: Message + Default + 'static>(
        &self,
        method: &Method,
        tenant: &TenantId,
        body: Bytes,
    ) -> Result<R> {
        let config = &self.shared.config;
        if body.len() > MAX_MESSAGE_BYTES {
            let code = service_api::Code::TooLarge;
            return Err(Error::new(code, format!("an append of {} bytes", body.len())));
        }
        // One that is larger than the bound passes when nothing else is under way.
        let bytes = u32::try_from(body.len()).unwrap_or(u32::MAX).min(config.max_in_flight_bytes);
        let full = |_| Error::unavailable(format!("{}: too many appends wait for its answer", self.address));
        let _request = self.writes.try_acquire().map_err(full)?;
        let _bytes = self.bytes.try_acquire_many(bytes).map_err(full)?;
        let gauge = InFlight::new(&self.shared.metrics.in_flight_bytes, body.len());
        let timeout = Duration::from_secs(config.write_timeout);
        let answer = tokio::time::timeout(timeout, self.unary(method, Some(tenant), body)).await;
        drop(gauge);
        answer.unwrap_or_else(|_| {
            let message = format!("{}: no answer within {} s", self.address, timeout.as_secs());
            Err(Error::unavailable(message))
        })
    }

    /// One message there, one back.
    pub async fn unary<R: Message + Default + 'static>(
        &self,
        method: &Method,
        tenant: Option<&TenantId>,
        body: Bytes,
    ) -> Result<R> {
        let span = trace::client_span(method.name, &self.address);
        let request = self.request(body, tenant, &span)?;
        let call = async {
            let mut grpc = self.grpc().await?;
            let path = PathAndQuery::from_static(method.path);
            let answer = grpc.unary(request, path, ClientCodec::default()).await;
            answer.map(tonic::Response::into_inner).map_err(|status| self.error(&status))
        };
        self.shared.metrics.observe(method.name, call.instrument(span)).await
    }

    /// Whether the process says that it serves.
    pub async fn alive(&self) -> bool {
        self.serves("").await == Some(true)
    }

    /// What it says of one of its services; none if it says nothing.
    pub async fn serves(&self, service: &str) -> Option<bool> {
        let body = HealthCheckRequest { service: service.to_owned() }.encode_to_vec().into();
        let call = self.unary::<HealthCheckResponse>(&HEALTH, None, body);
        let answer = tokio::time::timeout(HEALTH_TIMEOUT, call).await.ok()?.ok()?;
        match answer.status() {
            ServingStatus::Serving => Some(true),
            ServingStatus::NotServing => Some(false),
            ServingStatus::Unknown | ServingStatus::ServiceUnknown => None,
        }
    }

    /// A read: messages there, messages back, of the data of `disk` if one is named. It ends when the query is
    /// canceled.
    pub async fn read<R: Message + Default + 'static>(
        self: &Arc<Self>,
        method: &'static Method,
        ctx: &ReadContext,
        disk: &str,
        requests: impl Stream<Item = Bytes> + Send + 'static,
    ) -> Result<Answer<R>> {
        let full = |_| Error::unavailable(format!("{}: too many reads under way", self.address));
        let permit = Arc::clone(&self.reads).try_acquire_owned().map_err(full)?;
        let span = trace::client_span(method.name, &self.address);
        let mut request = self.request(requests, Some(&ctx.tenant), &span)?;
        if !disk.is_empty() {
            let disk = AsciiMetadataValue::try_from(disk);
            let disk = disk.map_err(|_| Error::internal("a disk's name that is not ASCII"))?;
            request.metadata_mut().insert(DISK, disk);
        }
        let call = async {
            let mut grpc = self.grpc().await?;
            let path = PathAndQuery::from_static(method.path);
            let answer = grpc.streaming(request, path, ClientCodec::default()).await;
            answer.map(tonic::Response::into_inner).map_err(|status| self.error(&status))
        };
        let call = self.shared.metrics.observe(method.name, call.instrument(span));
        let messages = until_canceled(ctx, call).await?;
        Ok(Answer { messages, method, peer: Arc::clone(self), _permit: permit })
    }

    fn request<T>(&self, message: T, tenant: Option<&TenantId>, span: &Span) -> Result<Request<T>> {
        let mut request = Request::new(message);
        if let Some(tenant) = tenant {
            let name = AsciiMetadataValue::try_from(tenant.as_str());
            let name = name.map_err(|_| Error::bad_request("a tenant's name that is not ASCII"))?;
            request.metadata_mut().insert(TENANT, name);
        }
        trace::inject(span, request.metadata_mut());
        Ok(request)
    }

    async fn grpc(&self) -> Result<Grpc<Channel>> {
        let mut grpc = Grpc::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES);
        grpc.ready().await.map_err(|e| Error::unavailable(format!("{}: {e}", self.address)))?;
        Ok(grpc)
    }

    fn error(&self, status: &Status) -> Error {
        from_status(status, &self.address)
    }
}

/// The messages of an answer. Dropping it tells the peer to stop.
pub(crate) struct Answer<R> {
    messages: Streaming<R>,
    method: &'static Method,
    peer: Arc<Peer>,
    _permit: OwnedSemaphorePermit,
}

impl<R> Answer<R> {
    pub async fn next(&mut self, ctx: &ReadContext) -> Result<Option<R>> {
        let peer = &self.peer;
        let messages = &mut self.messages;
        let next = async { messages.message().await.map_err(|status| peer.error(&status)) };
        let next = until_canceled(ctx, next).await;
        if let Err(error) = &next {
            peer.shared.metrics.failed(self.method.name, error.code);
        }
        next
    }

    /// As `next`, where the answer must go on. A peer that says nothing for a while is asked whether it lives,
    /// for its replicas answer sooner than the connection of a frozen one breaks. One that only has much to do
    /// is waited for.
    pub async fn more(&mut self, ctx: &ReadContext) -> Result<R> {
        let peer = Arc::clone(&self.peer);
        let mut next = pin!(self.next(ctx));
        let next = loop {
            if let Ok(next) = tokio::time::timeout(SILENCE, &mut next).await {
                break next?;
            }
            // The answer may go on meanwhile, and what it brings has to be taken: unread it would keep the
            // connection's window, through which the peer says that it lives.
            tokio::select! {
                biased;
                next = &mut next => break next?,
                alive = peer.alive() => if !alive {
                    return Err(Error::unavailable(format!("{}: it is silent", peer.address)));
                }
            }
        };
        next.ok_or_else(|| Error::unavailable(format!("{}: the answer was cut short", peer.address)))
    }
}

async fn until_canceled<T>(ctx: &ReadContext, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        biased;
        result = work => result,
        () = ctx.cancel.cancelled() => {
            ctx.check()?;
            Err(Error::new(service_api::Code::Canceled, "the query was canceled"))
        }
    }
}

struct InFlight<'a> {
    gauge: &'a prometheus_client::metrics::gauge::Gauge,
    bytes: i64,
}

impl<'a> InFlight<'a> {
    fn new(gauge: &'a prometheus_client::metrics::gauge::Gauge, bytes: usize) -> Self {
        gauge.inc_by(bytes as i64);
        Self { gauge, bytes: bytes as i64 }
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.gauge.dec_by(self.bytes);
    }
}
