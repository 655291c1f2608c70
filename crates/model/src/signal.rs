//! The two kinds of data.

use std::fmt;

/// Metrics or logs. Both live on one spine; what differs is how entries are encoded and read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Signal {
    Metrics,
    Logs,
}

impl Signal {
    pub const ALL: [Self; 2] = [Self::Metrics, Self::Logs];

    /// Its name in paths, metrics and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Logs => "logs",
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
