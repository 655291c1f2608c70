//! What has happened, in order: the same seed gives the same history.

use crate::clock::Time;
use parking_lot::Mutex;
use std::{collections::VecDeque, fmt, sync::Arc};

/// Lines that are kept to be shown when something goes wrong.
const KEPT: usize = 4000;

/// Clones are the same history.
#[derive(Clone)]
pub struct History {
    time: Time,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    hash: u64,
    events: u64,
    last: VecDeque<String>,
}

impl History {
    pub fn new(time: Time) -> Self {
        Self { time, state: Arc::default() }
    }

    pub fn note(&self, who: &str, what: fmt::Arguments<'_>) {
        let line = format!("{:>6} {who}: {what}", self.time.elapsed().as_millis());
        let mut state = self.state.lock();
        state.hash = xxhash_rust::xxh3::xxh3_64_with_seed(line.as_bytes(), state.hash);
        state.events += 1;
        if state.last.len() == KEPT {
            state.last.pop_front();
        }
        state.last.push_back(line);
    }

    pub fn hash(&self) -> u64 {
        self.state.lock().hash
    }

    pub fn events(&self) -> u64 {
        self.state.lock().events
    }

    /// The last events, one a line.
    pub fn last(&self) -> Vec<String> {
        self.state.lock().last.iter().cloned().collect()
    }
}
