//! What was sent and what was answered, kept outside of the cluster, and compared with what it answers.

use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A sample or line: its series or stream, and its time in seconds of simulated data. All else, its
/// value or text, follows from that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    pub kind: Kind,
    pub series: u32,
    pub time: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Sample,
    Line,
}

impl Entry {
    /// The value of the sample.
    pub fn value(&self) -> f64 {
        (i64::from(self.series) * 1_000_003 + self.time % 1_000_003) as f64
    }

    /// The text of the line.
    pub fn text(&self) -> String {
        format!("line {} of stream {}", self.time, self.series)
    }
}

/// Clones are the same ledger.
#[derive(Clone, Default)]
pub struct Ledger(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Everything that was ever sent; with the number of its acknowledgement, if there was any.
    entries: BTreeMap<Entry, Option<u64>>,
    acknowledged: u64,
}

/// A moment: what was acknowledged before it must be in every answer to a question asked after it.
#[derive(Clone, Copy, Debug)]
pub struct Moment(u64);

impl Ledger {
    /// Before the first byte leaves.
    pub fn sent(&self, entries: &[Entry]) {
        let mut state = self.0.lock();
        for entry in entries {
            state.entries.entry(*entry).or_insert(None);
        }
    }

    pub fn acknowledged(&self, entries: &[Entry]) {
        let mut state = self.0.lock();
        for entry in entries {
            state.acknowledged += 1;
            let number = state.acknowledged;
            state.entries.entry(*entry).and_modify(|at| *at = at.or(Some(number)));
        }
    }

    pub fn now(&self) -> Moment {
        Moment(self.0.lock().acknowledged)
    }

    /// Compares an answer with what was known at the moment when it was asked for. `wanted` tells
    /// which entries the question is about.
    ///
    /// # Errors
    /// What is wrong with the answer.
    pub fn check(
        &self,
        asked: Moment,
        found: &[Entry],
        wanted: impl Fn(&Entry) -> bool,
    ) -> Result<(), String> {
        let state = self.0.lock();
        let mut seen = BTreeSet::new();
        for entry in found {
            if !seen.insert(*entry) {
                return Err(format!("twice: {entry:?}"));
            }
            if !state.entries.contains_key(entry) {
                return Err(format!("never sent: {entry:?}"));
            }
        }
        let due = |(entry, at): &(&Entry, &Option<u64>)| wanted(entry) && at.is_some_and(|at| at <= asked.0);
        let missing: Vec<_> =
            state.entries.iter().filter(due).map(|(entry, _)| entry).filter(|e| !seen.contains(e)).collect();
        match missing.first() {
            Some(first) => {
                Err(format!("{} acknowledged entries are missing, the first is {first:?}", missing.len()))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_answers_are_found() {
        let ledger = Ledger::default();
        let entry = |time| Entry { kind: Kind::Line, series: 1, time };
        ledger.sent(&[entry(1), entry(2), entry(3)]);
        let before = ledger.now();
        ledger.acknowledged(&[entry(1), entry(2)]);
        let after = ledger.now();
        let check = |at, found: &[Entry]| ledger.check(at, found, |_| true).map_err(|e| e[..5].to_owned());
        assert_eq!(check(before, &[]), Ok(()));
        assert_eq!(check(after, &[entry(1), entry(2)]), Ok(()));
        assert_eq!(check(after, &[entry(1), entry(2), entry(3)]), Ok(()));
        assert_eq!(check(after, &[entry(1)]), Err("1 ack".into()));
        assert_eq!(check(before, &[entry(3), entry(3)]), Err("twice".into()));
        assert_eq!(check(before, &[entry(4)]), Err("never".into()));
    }
}
