//! Jobs that failed are tried again, each time after a longer while.

use crate::Job;
use model::{Signal, TenantId, TimeRange};
use std::{collections::HashMap, time::Duration};

const FIRST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(3600);

/// The jobs that failed last time, by what they are to do. Times are of the monotonic clock.
#[derive(Debug, Default)]
pub struct Patience(HashMap<(TenantId, Signal, TimeRange), Failed>);

#[derive(Debug)]
struct Failed {
    wait: Duration,
    until: Duration,
}

impl Patience {
    pub fn may_try(&self, job: &Job, now: Duration) -> bool {
        self.0.get(&key(job)).is_none_or(|failed| failed.until <= now)
    }

    /// Gives how long the job is left alone.
    pub fn failed(&mut self, job: &Job, now: Duration) -> Duration {
        let failed = self.0.entry(key(job)).or_insert(Failed { wait: FIRST / 2, until: now });
        failed.wait = (failed.wait * 2).min(LONGEST);
        failed.until = now + failed.wait;
        failed.wait
    }

    pub fn done(&mut self, job: &Job) {
        self.0.remove(&key(job));
    }

    /// Forgets what has not been tried again: there is no such job any more.
    pub fn forget(&mut self, now: Duration) {
        self.0.retain(|_, failed| failed.until + 2 * LONGEST > now);
    }
}

fn key(job: &Job) -> (TenantId, Signal, TimeRange) {
    (job.tenant.clone(), job.signal, job.window)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_waits_longer_each_time_it_fails_and_no_longer_than_an_hour() {
        let job = Job {
            tenant: TenantId::anonymous(),
            signal: Signal::Logs,
            window: TimeRange::new(0, 1),
            inputs: Vec::new(),
        };
        let (mut patience, mut now) = (Patience::default(), Duration::from_secs(10));
        assert!(patience.may_try(&job, now));
        let mut waits = Vec::new();
        for _ in 0..8 {
            let wait = patience.failed(&job, now);
            assert!(!patience.may_try(&job, now + wait - Duration::from_millis(1)));
            now += wait;
            assert!(patience.may_try(&job, now));
            waits.push(wait.as_secs());
        }
        assert_eq!(waits, [60, 120, 240, 480, 960, 1920, 3600, 3600]);
        patience.done(&job);
        assert_eq!(patience.failed(&job, now).as_secs(), 60);
        patience.forget(now + 3 * LONGEST);
        assert!(patience.may_try(&job, now));
    }
}
