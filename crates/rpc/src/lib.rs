//! gRPC between roles: roles see traits of `service-api` on both sides and never gRPC.
//!
//! [`Pool`] gives clients by address; [`Services`] puts a process's side behind a server. Both take
//! their connections from outside, so that TCP, TLS and a simulated network serve alike.

mod append;
mod client;
mod codec;
mod connect;
mod convert;
mod metrics;
mod pool;
mod proto;
mod rules;
mod series;
mod server;
mod status;
#[cfg(test)]
mod tests;
pub mod tls;
mod trace;

pub use append::{decode_append, decode_append_logs, encode_append, encode_append_logs};
pub use client::IngesterClient;
pub use connect::{BoxIo, Connector, Io, tcp_connector, tls_connector};
pub use pool::{Pool, PoolConfig};
pub use proto::ingester::{AppendLogsRequest, AppendRequest};
pub use series::merge_replicas;
pub use server::{BlockSources, Heads, ReaderDeps, ServerConfig, Services, tcp_incoming, tls_incoming};
pub use tls::TlsConfig;

/// The largest message that is sent or taken.
pub(crate) const MAX_MESSAGE_BYTES: usize = 64 << 20;

/// The health service's name for the store of the ring, as the answering process sees it.
pub(crate) const RING_STORE: &str = "ring-store";

/// About how large one message of a streamed answer gets.
pub(crate) const FRAME_BYTES: usize = 1 << 20;
