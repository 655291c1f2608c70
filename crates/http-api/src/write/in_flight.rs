//! Bounds the bytes of all write requests that are in memory at once.

use service_api::{Error, Result};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Shared by all requests. One that does not fit is told to come back, rather than made to
/// wait: what waits holds a connection, and senders retry by themselves.
#[derive(Clone, Debug)]
pub struct InFlight {
    bytes: Arc<Semaphore>,
}

/// Bytes of one request; given back on drop.
#[derive(Debug)]
pub struct Held(OwnedSemaphorePermit);

impl Held {
    /// Joins bytes of the same request.
    pub fn add(&mut self, more: Self) {
        self.0.merge(more.0);
    }
}

impl InFlight {
    pub fn new(max_bytes: usize) -> Self {
        Self { bytes: Arc::new(Semaphore::new(max_bytes.min(Semaphore::MAX_PERMITS))) }
    }

    pub fn hold(&self, bytes: usize) -> Result<Held> {
        let permits = u32::try_from(bytes).ok();
        let held = permits.and_then(|n| Arc::clone(&self.bytes).try_acquire_many_owned(n).ok());
        held.map(Held).ok_or_else(|| {
            Error::unavailable(
                "too many bytes of write requests in flight (write.max_in_flight_bytes); try again later",
            )
        })
    }
}
