//! Who gets the next place: tenants in turn, each of their queries in order.

use super::{Place, QueryMetrics};
use crate::state::ReadConfig;
use model::TenantId;
use parking_lot::Mutex;
use service_api::{Error, Result};
use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::sync::oneshot;

/// A tenant may take one more of something as long as it then has at most so many times as much as
/// is still free. So one alone leaves a quarter to others, and however many come, something is left
/// for the next one.
const SHARE: usize = 3;

/// All places, and all who have one or wait for one.
#[derive(Debug)]
pub struct Queue {
    places: usize,
    max_waiting: usize,
    /// Whether no tenant may have everything.
    shares: bool,
    metrics: QueryMetrics,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    running: usize,
    waiting: usize,
    tenants: HashMap<TenantId, Tenant>,
    /// Tenants with waiting queries, whose turn is next first.
    turns: VecDeque<TenantId>,
    last_number: u64,
}

#[derive(Debug, Default)]
struct Tenant {
    running: usize,
    /// Places that it may have at once; 0 is no bound.
    bound: u64,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    place: oneshot::Sender<Place>,
}

/// How a query gets its place.
#[derive(Debug)]
pub enum Wait {
    Over(Place),
    For(Turn),
}

impl Queue {
    pub fn new(config: &ReadConfig, shares: bool, metrics: QueryMetrics) -> Self {
        Self {
            places: config.max_concurrent_queries.max(1),
            max_waiting: config.max_queued_queries,
            shares,
            metrics,
            state: Mutex::default(),
        }
    }

    /// A place, or one in the queue.
    pub fn enter(self: &Arc<Self>, tenant: &TenantId, bound: u64) -> Result<Wait> {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let of = state.tenants.entry(tenant.clone()).or_default();
        of.bound = bound;
        // Whoever waits may not run yet, or would: so nobody is overtaken who could run now.
        if of.waiting.is_empty() && self.may_run(state.running, of) {
            return Ok(Wait::Over(self.start(tenant, of, &mut state.running)));
        }
        if !self.may_take(of.waiting.len(), state.waiting, self.max_waiting) {
            if of.is_idle() {
                state.tenants.remove(tenant);
            }
            self.metrics.refused.inc();
            return Err(Error::unavailable("too many queries are running and waiting; try again later"));
        }
        let (place, granted) = oneshot::channel();
        state.last_number += 1;
        let number = state.last_number;
        if of.waiting.is_empty() {
            state.turns.push_back(tenant.clone());
        }
        of.waiting.push_back(Waiting { number, place });
        state.waiting += 1;
        self.metrics.waiting.inc();
        Ok(Wait::For(Turn { queue: Arc::clone(self), tenant: tenant.clone(), number, granted }))
    }

    /// Gives a place back.
    pub fn leave(self: &Arc<Self>, tenant: &TenantId) {
        let mut granted = Vec::new();
        {
            let mut guard = self.state.lock();
            let state = &mut *guard;
            state.running -= 1;
            self.metrics.running.dec();
            if let Some(of) = state.tenants.get_mut(tenant) {
                of.running -= 1;
                if of.is_idle() {
                    state.tenants.remove(tenant);
                }
            }
            self.grant(state, &mut granted);
        }
        for (place, waiting) in granted {
            // One that has just gone away drops the place, which gives it back.
            let _ = waiting.place.send(place);
        }
    }

    /// Takes those out of the queue who may run now, tenant by tenant.
    fn grant(self: &Arc<Self>, state: &mut State, granted: &mut Vec<(Place, Waiting)>) {
        let mut passed_over = 0;
        while passed_over < state.turns.len() && state.running < self.places {
            let Some(tenant) = state.turns.pop_front() else { break };
            let Some(of) = state.tenants.get_mut(&tenant) else { continue };
            if !self.may_run(state.running, of) {
                state.turns.push_back(tenant);
                passed_over += 1;
                continue;
            }
            if let Some(waiting) = of.waiting.pop_front() {
                state.waiting -= 1;
                self.metrics.waiting.dec();
                granted.push((self.start(&tenant, of, &mut state.running), waiting));
                passed_over = 0;
            }
            if !of.waiting.is_empty() {
                state.turns.push_back(tenant);
            }
        }
    }

    fn start(self: &Arc<Self>, tenant: &TenantId, of: &mut Tenant, running: &mut usize) -> Place {
        of.running += 1;
        *running += 1;
        self.metrics.running.inc();
        Place { queue: Arc::clone(self), tenant: tenant.clone() }
    }

    fn may_run(&self, running: usize, of: &Tenant) -> bool {
        let bounded = of.bound > 0 && of.running as u64 >= of.bound;
        !bounded && self.may_take(of.running, running, self.places)
    }

    /// Whether somebody who has `own` of what `all` have together may take one more.
    fn may_take(&self, own: usize, all: usize, limit: usize) -> bool {
        let Some(left) = limit.checked_sub(all + 1) else { return false };
        !self.shares || own == 0 || own < SHARE.saturating_mul(left)
    }

    /// Takes one out of the queue who waits no more.
    fn give_up(&self, tenant: &TenantId, number: u64) {
        let mut state = self.state.lock();
        let state = &mut *state;
        let Some(of) = state.tenants.get_mut(tenant) else { return };
        let Some(at) = of.waiting.iter().position(|waiting| waiting.number == number) else { return };
        of.waiting.remove(at);
        state.waiting -= 1;
        self.metrics.waiting.dec();
        if of.waiting.is_empty() {
            state.turns.retain(|other| other != tenant);
        }
        if of.is_idle() {
            state.tenants.remove(tenant);
        }
    }
}

impl Tenant {
    fn is_idle(&self) -> bool {
        self.running == 0 && self.waiting.is_empty()
    }
}

/// Waits for a place. Dropping it leaves the queue.
#[derive(Debug)]
pub struct Turn {
    queue: Arc<Queue>,
    tenant: TenantId,
    number: u64,
    granted: oneshot::Receiver<Place>,
}

impl Future for Turn {
    type Output = Result<Place>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.granted).poll(cx).map_err(|_| Error::unavailable("the process is stopping"))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.queue.give_up(&self.tenant, self.number);
    }
}

#[cfg(test)]
mod tests;
