//! The process's own log lines, kept for whoever stores them, without those that come of storing them.

mod layer;

pub(crate) use layer::{NAME as OWN_WRITE, own_lines};
pub use layer::{log_into, own_writes};

use crate::Clock;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tracing::Level;

/// Lines that wait; what comes then is dropped and counted.
const MAX_LINES: usize = 10_000;

/// A longer line is dropped: it would fill the queue at the cost of all others.
const MAX_LINE: usize = 64 << 10;

/// While the clock is set back by less than this, lines keep their order and get times after the last one.
const SMALL_STEP: i64 = 1_000_000_000;

/// A line as it is printed, without its newline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnLine {
    /// Nanoseconds since the Unix epoch. Of two lines the later one has the later time.
    pub time: i64,
    pub level: Level,
    /// JSON.
    pub text: Box<str>,
}

/// Lines from where they are printed to where they are stored.
pub struct OwnLines {
    clock: Arc<dyn Clock>,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    lines: VecDeque<OwnLine>,
    bytes: usize,
    last: i64,
    dropped: u64,
}

impl OwnLines {
    /// Bytes of lines that wait.
    pub const MAX_BYTES: usize = 4 << 20;

    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { clock, queue: Mutex::default() })
    }

    /// The oldest lines, `max_bytes` of them and one at least if there is any; they are no longer in the queue.
    pub fn take(&self, max_bytes: usize) -> Vec<OwnLine> {
        let mut queue = self.lock();
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while let Some(length) = queue.lines.front().map(|line| line.text.len()) {
            bytes += length;
            if bytes > max_bytes && !taken.is_empty() {
                break;
            }
            queue.bytes -= length;
            taken.extend(queue.lines.pop_front());
        }
        taken
    }

    /// Lines that were dropped so far because the queue was full, or they were too long.
    pub fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    fn push(&self, level: Level, text: &str) {
        let now = self.clock.now_ms().saturating_mul(1_000_000);
        let mut queue = self.lock();
        let is_full = queue.lines.len() >= MAX_LINES || queue.bytes + text.len() > Self::MAX_BYTES;
        if is_full || text.len() > MAX_LINE {
            queue.dropped += 1;
            return;
        }
        // The clock tells milliseconds, and lines of one time would have no order.
        let behind = queue.last.saturating_sub(now);
        let time = if (0..SMALL_STEP).contains(&behind) { queue.last + 1 } else { now };
        queue.last = time;
        queue.bytes += text.len();
        queue.lines.push_back(OwnLine { time, level, text: text.into() });
    }

    /// Whoever panicked with the queue in hand had changed it as a whole or not at all.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
