//! Errors of ours in the log: not more of them than somebody can read.

use parking_lot::Mutex;
use runtime::Clock;
use service_api::{Code, Error};
use std::{sync::Arc, time::Duration};

/// Of each kind so many are logged in so much time; beyond, they are counted.
const LOGGED: u64 = 10;
const TIME: Duration = Duration::from_secs(10);

/// Travels with an answer to where it is logged.
#[derive(Clone, Debug)]
pub struct Complaint(pub Error);

/// What was logged lately.
#[derive(Clone)]
pub struct Complaints {
    clock: Arc<dyn Clock>,
    failed: Arc<Mutex<Window>>,
    refused: Arc<Mutex<Window>>,
}

#[derive(Default)]
struct Window {
    start: Duration,
    count: u64,
}

impl Complaints {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, failed: Arc::default(), refused: Arc::default() }
    }

    /// Errors are the sender's business, except those that are ours.
    pub fn log(&self, error: &Error, route: &str) {
        let now = self.clock.monotonic();
        match error.code {
            Code::Internal => {
                if let Some(left_out) = self.failed.lock().admit(now) {
                    tracing::error!(%error, route, left_out, "request failed");
                }
            }
            Code::Unavailable => {
                if let Some(left_out) = self.refused.lock().admit(now) {
                    tracing::warn!(%error, route, left_out, "request refused");
                }
            }
            _ => tracing::debug!(%error, route, "request refused"),
        }
    }
}

impl Window {
    /// How many were left out since the last one that was logged; `None` to leave out this one too.
    fn admit(&mut self, now: Duration) -> Option<u64> {
        let mut left_out = 0;
        if now.saturating_sub(self.start) >= TIME {
            left_out = self.count.saturating_sub(LOGGED);
            (self.start, self.count) = (now, 0);
        }
        self.count += 1;
        (self.count <= LOGGED).then_some(left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_not_logged() {
        let mut window = Window::default();
        let mut logged = |second| window.admit(Duration::from_secs(second));
        assert_eq!((0..1000).filter_map(|_| logged(20)).collect::<Vec<_>>(), [0; 10]);
        assert_eq!(logged(29), None);
        assert_eq!(logged(30), Some(991));
        assert_eq!(logged(31), Some(0));
    }
}
