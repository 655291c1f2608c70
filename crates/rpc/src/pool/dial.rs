//! Opens connections to one peer, and waits longer from one failure to the next.

use crate::connect::{BoxIo, Connector};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use std::{io, sync::Arc, time::Duration};
use tokio::time::{Instant, timeout};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// Short: one that has just come back must be found before the next one dies, and to be refused
/// costs little.
const LONGEST_WAIT: Duration = Duration::from_millis(100);

pub(super) struct Dial {
    address: String,
    connector: Connector,
    /// After a failure: when it may be tried again, and how long the wait was.
    wait: Mutex<Option<(Instant, Duration)>>,
}

impl Dial {
    pub(super) fn new(address: &str, connector: Connector) -> Arc<Self> {
        Arc::new(Self { address: address.to_owned(), connector, wait: Mutex::new(None) })
    }

    /// Fails at once for a while after a failure.
    pub(super) async fn connect(&self) -> io::Result<TokioIo<BoxIo>> {
        if self.wait.lock().is_some_and(|(until, _)| Instant::now() < until) {
            return Err(io::Error::new(io::ErrorKind::NotConnected, "could not be reached just now"));
        }
        let connected = match timeout(CONNECT_TIMEOUT, (self.connector)(self.address.clone())).await {
            Ok(connected) => connected,
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "connecting took too long")),
        };
        let mut wait = self.wait.lock();
        match &connected {
            Ok(_) => *wait = None,
            Err(error) => {
                tracing::debug!(peer = self.address, %error, "connecting failed");
                let next = wait.map_or(FIRST_WAIT, |(_, last)| (2 * last).min(LONGEST_WAIT));
                *wait = Some((Instant::now() + next, next));
            }
        }
        connected.map(TokioIo::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_cannot_be_reached_is_not_tried_all_the_time() {
        let tries = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&tries);
        let dial = Dial::new(
            "a:1",
            Arc::new(move |_| {
                counted.fetch_add(1, Ordering::Relaxed);
                Box::pin(async { Err(io::Error::other("refused")) })
            }),
        );
        // 10 s with a try each 10 ms: a wait of 50 ms, and 100 ms each from there on.
        for _ in 0..1000 {
            assert!(dial.connect().await.is_err());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!((90..=101).contains(&tries.load(Ordering::Relaxed)), "{tries:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn connecting_ends() {
        let dial = Dial::new("a:1", Arc::new(|_| Box::pin(std::future::pending())));
        assert_eq!(dial.connect().await.err().map(|e| e.kind()), Some(io::ErrorKind::TimedOut));
    }
}
