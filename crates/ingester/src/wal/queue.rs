//! What waits for the writer.

use std::{mem, time::Duration};

use parking_lot::{Condvar, Mutex};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{Record, WalError};

pub(super) enum Entry {
    Record(Queued),
    Cut(oneshot::Sender<Result<u64, WalError>>),
}

pub(super) struct Queued {
    pub record: Box<dyn Record>,
    pub approx_bytes: usize,
    /// Room in the queue; given back once the record has been told.
    pub permit: Option<OwnedSemaphorePermit>,
}

/// Bounded by the permits that records carry.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    entries: Vec<Entry>,
    bytes: usize,
    closed: bool,
    /// The writer sleeps until so many bytes wait.
    wake_at: usize,
}

/// What [`Queue::take`] found.
pub(super) struct Taken {
    pub entries: Vec<Entry>,
    /// Nothing will follow.
    pub closed: bool,
}

impl Queue {
    /// Gives the entry back if the queue is closed.
    pub(super) fn push(&self, entry: Entry) -> Result<(), Entry> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(entry);
        }
        state.bytes += match &entry {
            Entry::Record(queued) => queued.approx_bytes,
            // Nobody has to wait for a window to pass.
            Entry::Cut(_) => state.wake_at,
        };
        state.entries.push(entry);
        if state.bytes >= state.wake_at {
            self.changed.notify_one();
        }
        Ok(())
    }

    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_one();
    }

    /// Lets more gather, for so long or until so many bytes wait.
    pub(super) fn gather(&self, bytes: usize, window: Duration) {
        let mut state = self.state.lock();
        state.wake_at = bytes;
        self.changed.wait_while_for(&mut state, |state| state.bytes < bytes && !state.closed, window);
        state.wake_at = 0;
    }

    /// All that waits.
    pub(super) fn take(&self) -> Taken {
        let mut state = self.state.lock();
        state.bytes = 0;
        Taken { entries: mem::take(&mut state.entries), closed: state.closed }
    }

    /// Sleeps until something waits, the queue is closed or the time is over.
    pub(super) fn wait(&self, patience: Option<Duration>) {
        let mut state = self.state.lock();
        let idle = |state: &mut State| state.entries.is_empty() && !state.closed;
        match patience {
            Some(patience) => {
                self.changed.wait_while_for(&mut state, idle, patience);
            }
            None => self.changed.wait_while(&mut state, idle),
        }
    }
}
