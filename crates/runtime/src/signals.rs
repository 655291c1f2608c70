//! The signals that a process of ours answers to.

use std::io;
use tokio::signal::unix::{self, SignalKind};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM or SIGINT: drain and go.
    Terminate(&'static str),
    /// SIGHUP: read again what may change while we run.
    Reload,
}

/// Signals of this process. Made before the services start, so that none is missed.
#[derive(Debug)]
pub struct Signals {
    terminate: unix::Signal,
    interrupt: unix::Signal,
    hangup: unix::Signal,
}

impl Signals {
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: unix::signal(SignalKind::terminate())?,
            interrupt: unix::signal(SignalKind::interrupt())?,
            hangup: unix::signal(SignalKind::hangup())?,
        })
    }

    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::Terminate("SIGTERM"),
            _ = self.interrupt.recv() => Signal::Terminate("SIGINT"),
            _ = self.hangup.recv() => Signal::Reload,
        }
    }

    /// Waits for a signal to stop; others are dropped.
    pub async fn terminate(&mut self) -> &'static str {
        loop {
            if let Signal::Terminate(name) = self.next().await {
                return name;
            }
        }
    }
}
