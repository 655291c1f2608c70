//! Requests to delete: how the HTTP API hands them in and asks for them, without knowing of buckets.

use crate::Result;
use async_trait::async_trait;
use model::{Signal, TenantId, TimeRange};

/// Takes requests to delete, and tells how far they are.
#[async_trait]
pub trait DeletionRequests: Send + Sync {
    /// Asks for all that is there in the range (milliseconds, both ends are part of it) and that one of the
    /// queries names: of metrics selectors, of logs log queries. Gives the id of the request. If an equal one
    /// is listed that is not due yet, it is that one's, so that a request may be sent again.
    ///
    /// # Errors
    /// `BadRequest`: a query or the range says nothing that could be deleted. `Forbidden`: the tenant may not
    /// delete. `RateLimited`: it has too many requests already.
    async fn request(
        &self,
        tenant: &TenantId,
        signal: Signal,
        queries: Vec<String>,
        range: TimeRange,
    ) -> Result<String>;

    /// All requests that are listed, in the order in which they came.
    async fn list(&self, tenant: &TenantId, signal: Signal) -> Result<Vec<DeletionRequest>>;

    /// Takes a request back, so that what it hides is there again. Once it is due only with `force`; what has
    /// been taken out of blocks by then is gone.
    ///
    /// # Errors
    /// `NotFound`: no such request is listed. `BadRequest`: it is due, and not forced.
    async fn cancel(&self, tenant: &TenantId, signal: Signal, id: &str, force: bool) -> Result<()>;
}

/// A request, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletionRequest {
    pub id: String,
    pub queries: Vec<String>,
    pub range: TimeRange,
    /// When it came, in milliseconds since the Unix epoch.
    pub requested: i64,
    /// Until when it can be taken back, in milliseconds since the Unix epoch.
    pub due: i64,
    pub state: DeletionState,
}

/// How far a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletionState {
    /// It can be cancelled. What it names is hidden.
    Received,
    /// Blocks are rewritten. What it names is hidden.
    Processing,
    /// Nothing that it names is left, but in objects that nobody reads and that are about to be removed.
    Processed,
}
