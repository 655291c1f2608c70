//! How far a command is: a bar on a terminal, elsewhere a line every ten seconds, on standard error.

use crate::{Console, human::bytes};
use indicatif::{ProgressBar, ProgressStyle};
use parking_lot::Mutex;
use runtime::Clock;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

const EVERY: Duration = Duration::from_secs(10);

/// Counts bytes.
pub struct Progress {
    what: String,
    total: Option<u64>,
    done: AtomicU64,
    kind: Kind,
}

enum Kind {
    Bar(ProgressBar),
    Lines { clock: Arc<dyn Clock>, last: Mutex<Duration> },
    Quiet,
}

impl Progress {
    pub fn new(console: Console, clock: Arc<dyn Clock>, what: &str, total: Option<u64>) -> Self {
        let kind = match console {
            Console::Terminal => Kind::Bar(bar(what, total)),
            Console::Lines => {
                let last = Mutex::new(clock.monotonic());
                Kind::Lines { clock, last }
            }
            Console::Quiet => Kind::Quiet,
        };
        Self { what: what.to_owned(), total, done: AtomicU64::new(0), kind }
    }

    pub fn add(&self, more: u64) {
        let done = self.done.fetch_add(more, Relaxed) + more;
        match &self.kind {
            Kind::Bar(bar) => bar.inc(more),
            Kind::Lines { clock, last } => {
                let (now, mut last) = (clock.monotonic(), last.lock());
                if now.saturating_sub(*last) >= EVERY {
                    *last = now;
                    eprintln!("{}", self.line(done));
                }
            }
            Kind::Quiet => {}
        }
    }

    fn line(&self, done: u64) -> String {
        match self.total {
            Some(total) if total > 0 => {
                let percent = done.saturating_mul(100) / total;
                format!("{}: {} of {}, {percent} %", self.what, bytes(done), bytes(total))
            }
            _ => format!("{}: {}", self.what, bytes(done)),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Kind::Bar(bar) = &self.kind {
            bar.finish_and_clear();
        }
    }
}

fn bar(what: &str, total: Option<u64>) -> ProgressBar {
    let (bar, template) = match total {
        Some(total) => (
            ProgressBar::new(total),
            "{msg} [{bar:30}] {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left",
        ),
        None => (ProgressBar::new_spinner(), "{msg} {spinner} {binary_bytes}, {binary_bytes_per_sec}"),
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style).with_message(what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::ManualClock;

    #[test]
    fn a_line_says_how_far_it_is() {
        let clock = Arc::new(ManualClock::at(0));
        let progress = Progress::new(Console::Lines, clock, "verifying", Some(4096));
        assert_eq!(progress.line(1024), "verifying: 1.0 KiB of 4.0 KiB, 25 %");
        let open = Progress::new(Console::Quiet, Arc::new(ManualClock::at(0)), "reading", None);
        assert_eq!(open.line(1024), "reading: 1.0 KiB");
    }
}
