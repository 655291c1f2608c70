//! What travels with a query: whose it is, when it must end, how much memory it may hold.

use crate::{Code, Error, Limits, Result};
use model::{Signal, TenantId};
use parking_lot::Mutex;
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// Counts the memory of one query against its limit.
#[derive(Debug)]
pub struct MemoryBudget {
    limit: u64,
    used: AtomicU64,
}

impl MemoryBudget {
    /// `limit` is in bytes.
    pub fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicU64::new(0) })
    }

    /// Takes `bytes` until the reservation is dropped; over the limit it is an error that
    /// ends the query.
    pub fn reserve(self: &Arc<Self>, bytes: usize) -> Result<Reservation> {
        let mut reservation = Reservation { budget: Arc::clone(self), bytes: 0 };
        reservation.grow(bytes)?;
        Ok(reservation)
    }

    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }
}

/// Memory counted against a budget; given back on drop.
#[derive(Debug)]
pub struct Reservation {
    budget: Arc<MemoryBudget>,
    bytes: u64,
}

impl Reservation {
    pub fn grow(&mut self, bytes: usize) -> Result<()> {
        let bytes = bytes as u64;
        let before = self.budget.used.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        if before.saturating_add(bytes) > self.budget.limit {
            return Err(Error::unprocessable(format!(
                "the query needs more memory than limits.query_memory allows ({} bytes)",
                self.budget.limit
            )));
        }
        Ok(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Versions of a tenant's manifests that a query has heard of.
///
/// An ingester lets go of what is in a listed block. Whoever reads heads in other processes and
/// then blocks must read a list at least as new as the one for which a head let go.
#[derive(Debug, Default)]
pub struct Listed([AtomicU64; 2]);

impl Listed {
    pub fn raise(&self, signal: Signal, sequence: u64) {
        self.0[signal as usize].fetch_max(sequence, Ordering::AcqRel);
    }

    /// The newest version heard of; 0 if none.
    pub fn get(&self, signal: Signal) -> u64 {
        self.0[signal as usize].load(Ordering::Acquire)
    }
}

/// The ingesters that every answer of a query was made with.
///
/// An answer is given without those who are late. What they alone had is not in it, so nothing may be
/// concluded later from their not having changed.
#[derive(Debug, Default)]
pub struct Heard(Mutex<Option<BTreeSet<Arc<str>>>>);

impl Heard {
    /// One of the answers was made of what these said.
    pub fn from(&self, ids: impl Iterator<Item = Arc<str>>) {
        let ids: BTreeSet<_> = ids.collect();
        match &mut *self.0.lock() {
            Some(heard) => heard.retain(|id| ids.contains(id)),
            heard => *heard = Some(ids),
        }
    }

    /// Those; none if there was no answer that was made of what ingesters said.
    pub fn ids(&self) -> Option<BTreeSet<Arc<str>>> {
        self.0.lock().clone()
    }

    /// Whether no answer was made without it.
    pub fn always(&self, id: &str) -> bool {
        self.0.lock().as_ref().is_none_or(|heard| heard.contains(id))
    }
}

/// What travels with a query.
#[derive(Clone, Debug)]
pub struct ReadContext {
    pub tenant: TenantId,
    /// Further tenants whose data is read with that of `tenant`. Only the reader that reads them one
    /// by one ever sees any.
    pub also: Arc<[TenantId]>,
    pub listed: Arc<Listed>,
    /// Where somebody wants to know who was heard. Then it is worth a moment to hear everybody.
    pub heard: Option<Arc<Heard>>,
    pub budget: Arc<MemoryBudget>,
    /// Series or streams that one selection may have; 0 is no limit. Heads and blocks ask `check_count` as they find some,
    /// queriers where they put sources together.
    pub max_series: u64,
    /// Cancelled when the client goes away or the timeout passes; `timed_out` tells which.
    pub cancel: CancellationToken,
    pub timed_out: Arc<std::sync::atomic::AtomicBool>,
}

impl ReadContext {
    pub fn new(tenant: TenantId, memory_limit: u64) -> Self {
        Self {
            tenant,
            also: Arc::default(),
            listed: Arc::default(),
            heard: None,
            budget: MemoryBudget::new(memory_limit),
            max_series: 0,
            cancel: CancellationToken::new(),
            timed_out: Arc::default(),
        }
    }

    /// With a tenant's limits of memory and of series; of time there is none yet (see `end_after`).
    pub fn within(tenant: TenantId, limits: &Limits) -> Self {
        Self { max_series: limits.max_query_series, ..Self::new(tenant, limits.query_memory) }
    }

    /// The same query over one tenant's data alone.
    pub fn for_tenant(&self, tenant: &TenantId) -> Self {
        Self { tenant: tenant.clone(), also: Arc::default(), listed: Arc::default(), ..self.clone() }
    }

    /// Ends the query when it has taken so long, unless what is returned has been dropped by then. A task of its
    /// own does it, so that it comes even while the query keeps its own task busy.
    pub fn end_after(&self, timeout: Duration) -> Deadline {
        let (cancel, timed_out) = (self.cancel.clone(), Arc::clone(&self.timed_out));
        Deadline(tokio::spawn(async move {
            tokio::time::sleep(timeout).await;
            timed_out.store(true, Ordering::Relaxed);
            cancel.cancel();
        }))
    }

    /// An error if a selection has more series, or streams, than it may.
    pub fn check_count(&self, signal: Signal, found: usize) -> Result<()> {
        if self.max_series == 0 || found as u64 <= self.max_series {
            return Ok(());
        }
        let max = self.max_series;
        let what = match signal {
            Signal::Metrics => "series",
            Signal::Logs => "streams",
        };
        Err(Error::unprocessable(format!(
            "the query selects more {what} than limits.max_query_series allows ({max})"
        )))
    }

    /// An error if the query should stop. Cheap: call it once per series, not per sample.
    pub fn check(&self) -> Result<()> {
        if !self.cancel.is_cancelled() {
            return Ok(());
        }
        Err(if self.timed_out.load(Ordering::Relaxed) {
            Error::new(Code::Timeout, "query timed out in expression evaluation")
        } else {
            Error::new(Code::Canceled, "query was canceled in expression evaluation")
        })
    }
}

/// The time at which a query ends; dropped, it does not.
#[derive(Debug)]
pub struct Deadline(tokio::task::JoinHandle<()>);

impl Drop for Deadline {
    fn drop(&mut self) {
        self.0.abort();
    }
}
