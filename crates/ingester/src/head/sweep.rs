//! Forgetting series that hold nothing any more.
//!
//! Appends look references up first and use them later, so a series goes in steps. One
//! that is empty in two sweeps is condemned: its slot says so, then the index and the keys
//! forget it and a new epoch of appends begins. When the last append of the old epochs has
//! ended, nobody can name it and it is freed; its reference is used again. Samples that
//! come in between bring it back.

use super::{Beside, Epoch, Head, Slot, State};
use hashbrown::HashSet;
use std::sync::{Arc, Weak};

/// Condemned series, and the appends that may still name them.
pub struct Grave {
    epoch: Weak<()>,
    series: Vec<u32>,
}

impl<S: Slot> Head<S> {
    /// Condemns what is empty for the second time; frees what nobody can name any more.
    /// Returns how many were condemned.
    pub fn sweep(&self) -> usize {
        let mut graves = self.graveyard.lock();
        self.free_graves(&mut graves);
        let mut candidates = Vec::new();
        self.slab.for_each(|reference, slot| {
            if !slot.is_empty() {
                return;
            }
            let state = slot.state();
            match *state {
                State::Live => *state = State::Idle,
                State::Idle => {
                    *state = State::Condemned;
                    candidates.push(reference);
                }
                State::Condemned => {}
            }
        });
        if candidates.is_empty() {
            return 0;
        }
        let mut condemned = Vec::new();
        let epoch: Epoch = self.keys.retire(|| {
            let mut index = self.index.write();
            // Samples may have brought some back since.
            let still =
                |&series: &u32| self.slab.with(series, |s| *s.state() == State::Condemned).unwrap_or(false);
            let dead: HashSet<u32> = candidates.into_iter().filter(still).collect();
            index.condemn(&dead);
            condemned.extend(&dead);
            move |series| dead.contains(&series)
        });
        let count = condemned.len();
        graves.push(Grave { epoch: Arc::downgrade(&epoch), series: condemned });
        count
    }

    /// Makes a condemned series findable again; gives the one that has its labels now.
    pub(super) fn resurrect(&self, series: u32) -> u32 {
        let mut graves = self.graveyard.lock();
        let mut index = self.index.write();
        let found = index.resurrect(series);
        if found == series {
            graves.iter_mut().for_each(|grave| grave.series.retain(|&other| other != series));
        }
        // Under the index's lock, so that a sweep sees both or neither.
        self.slab.with(found, |slot| *slot.state() = State::Live);
        found
    }

    /// Graves are emptied in order: an append of an old epoch may name what was condemned
    /// in a later one.
    fn free_graves(&self, graves: &mut Vec<Grave>) {
        let done = graves.iter().position(|g| g.epoch.strong_count() > 0).unwrap_or(graves.len());
        for grave in graves.drain(..done) {
            // Before the references can be given out again.
            self.log.lock().forget(&grave.series);
            self.beside.forget(&grave.series);
            let mut index = self.index.write();
            for series in grave.series {
                if index.free(series) {
                    self.slab.free(series);
                }
            }
        }
    }
}
