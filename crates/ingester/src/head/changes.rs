//! Which minutes of data time have got entries, and with which record of the log last.
//!
//! A result that was kept is right as long as no minute that it depends on has got any since.

use super::window_of;
use model::{TimeRange, Timestamp};
use parking_lot::Mutex;
use smallvec::SmallVec;
use std::collections::BTreeMap;

const MINUTE: i64 = 60_000;

/// The minutes that one record has entries for.
#[derive(Debug, Default)]
pub struct Minutes(SmallVec<[Timestamp; 4]>);

impl Minutes {
    /// Gives the minute that the time is in.
    pub fn touch(&mut self, timestamp: Timestamp) -> TimeRange {
        let minute = window_of(timestamp, MINUTE);
        // Few are looked through, as in a batch most are the same; some may be there twice.
        if !self.0.iter().rev().take(8).any(|start| *start == minute.start) {
            self.0.push(minute.start);
        }
        minute
    }
}

/// The changes of a head that are not in blocks yet.
#[derive(Debug, Default)]
pub struct ChangeLog(Mutex<Changed>);

#[derive(Debug, Default)]
struct Changed {
    /// Records that have been applied.
    sequence: u64,
    /// By its start, the last record that touched a minute.
    minutes: BTreeMap<Timestamp, u64>,
}

impl ChangeLog {
    /// A record has been applied; its entries can be read already.
    pub fn note(&self, minutes: &Minutes) {
        if minutes.0.is_empty() {
            return;
        }
        let mut changed = self.0.lock();
        changed.sequence += 1;
        let sequence = changed.sequence;
        changed.minutes.extend(minutes.0.iter().map(|minute| (*minute, sequence)));
    }

    pub fn sequence(&self) -> u64 {
        self.0.lock().sequence
    }

    /// The first minute that was touched after a record, or at all; and the last record.
    pub fn since(&self, sequence: Option<u64>) -> (Option<Timestamp>, u64) {
        let changed = self.0.lock();
        if sequence == Some(changed.sequence) {
            return (None, changed.sequence);
        }
        let is_later = |(_, last): &(_, &u64)| sequence.is_none_or(|known| **last > known);
        (changed.minutes.iter().find(is_later).map(|(minute, _)| *minute), changed.sequence)
    }

    /// Everything that records up to `sequence` had in the window has left the head for a listed block.
    pub fn forget(&self, window: TimeRange, sequence: u64) {
        let is_within =
            |minute: Timestamp| window.contains(minute) && window.contains(window_of(minute, MINUTE).end);
        self.0.lock().minutes.retain(|minute, last| *last > sequence || !is_within(*minute));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(log: &ChangeLog, times: &[Timestamp]) {
        let mut minutes = Minutes::default();
        for time in times {
            minutes.touch(*time);
        }
        log.note(&minutes);
    }

    #[test]
    fn the_earliest_minute_since_a_record_is_told() {
        let log = ChangeLog::default();
        assert_eq!(log.since(None), (None, 0));
        note(&log, &[120_000, 180_001, 179_999]);
        note(&log, &[240_000]);
        note(&log, &[]);
        assert_eq!(log.since(None), (Some(120_000), 2));
        assert_eq!(log.since(Some(0)), (Some(120_000), 2));
        assert_eq!(log.since(Some(1)), (Some(240_000), 2));
        assert_eq!(log.since(Some(2)), (None, 2));
        note(&log, &[-1]);
        assert_eq!(log.since(Some(2)), (Some(-60_000), 3));
        note(&log, &[Timestamp::MIN, Timestamp::MAX]);
        assert_eq!(log.since(Some(3)), (Some(Timestamp::MIN), 4));
    }

    #[test]
    fn what_came_after_the_copy_is_not_forgotten_with_it() {
        let log = ChangeLog::default();
        note(&log, &[0, 60_000, 120_000]);
        let copied = log.sequence();
        note(&log, &[60_000]);
        log.forget(TimeRange::new(0, 119_999), copied);
        assert_eq!(log.since(None), (Some(60_000), 2));
        log.forget(TimeRange::new(0, 119_999), log.sequence());
        assert_eq!(log.since(None), (Some(120_000), 2));
        // A minute that reaches beyond the window may have something outside of it.
        log.forget(TimeRange::new(120_000, 150_000), log.sequence());
        assert_eq!(log.since(None), (Some(120_000), 2));
    }
}
