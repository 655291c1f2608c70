//! What is on disk and where, in memory: some 50 bytes a part.

use foldhash::fast::FixedState;
use std::{
    collections::{HashMap, HashSet, VecDeque},
    fs::File,
    sync::Arc,
};

#[derive(Default)]
pub(super) struct Index {
    /// By the parts' keys.
    places: HashMap<u64, Place, FixedState>,
    /// By number, the oldest first; the last one is being written.
    segments: VecDeque<Segment>,
    bytes: u64,
    /// Keys of parts that wait to be written.
    claimed: HashSet<u64, FixedState>,
}

/// Where a record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) segment: u32,
    pub(super) len: u32,
    pub(super) offset: u64,
}

struct Segment {
    number: u32,
    file: Arc<File>,
    len: u64,
    /// Of all records that were written to it, wherever they are by now.
    keys: Vec<u64>,
}

/// A record that is on disk.
pub(super) struct Found {
    pub(super) file: Arc<File>,
    pub(super) place: Place,
    /// Its segment is among those that go next.
    pub(super) old: bool,
}

impl Index {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn has(&self, key: u64) -> bool {
        self.places.contains_key(&key)
    }

    pub(super) fn find(&self, key: u64, capacity: u64) -> Option<Found> {
        let place = *self.places.get(&key)?;
        let at = self.segments.binary_search_by_key(&place.segment, |segment| segment.number).ok()?;
        let nearly_full = self.bytes > capacity / 4 * 3;
        let old = nearly_full && at < self.segments.len() / 4;
        Some(Found { file: Arc::clone(&self.segments[at].file), place, old })
    }

    /// Whether whoever asks is to have the part written: nobody else does, and it is not there (or is, but is to
    /// be written again).
    pub(super) fn claim(&mut self, key: u64, again: bool) -> bool {
        (again || !self.has(key)) && self.claimed.insert(key)
    }

    pub(super) fn release(&mut self, key: u64) {
        self.claimed.remove(&key);
    }

    /// Begins a segment, whose number is above all others.
    pub(super) fn begin(&mut self, number: u32, file: Arc<File>, len: u64) {
        self.segments.push_back(Segment { number, file, len, keys: Vec::new() });
        self.bytes += len;
    }

    /// The segment that is being written, and its length.
    pub(super) fn last(&self) -> Option<(u32, Arc<File>, u64)> {
        self.segments.back().map(|segment| (segment.number, Arc::clone(&segment.file), segment.len))
    }

    /// Adds a record behind the others of the last segment.
    pub(super) fn append(&mut self, key: u64, len: u32) {
        let Some(segment) = self.segments.back_mut() else { return };
        self.places.insert(key, Place { segment: segment.number, len, offset: segment.len });
        segment.keys.push(key);
        segment.len += u64::from(len);
        self.bytes += u64::from(len);
    }

    /// Forgets a record, unless it has been written elsewhere meanwhile.
    pub(super) fn forget(&mut self, key: u64, place: &Place) {
        if self.places.get(&key) == Some(place) {
            self.places.remove(&key);
        }
    }

    /// The number of the segment that is to go next.
    pub(super) fn oldest(&self) -> Option<u32> {
        self.segments.front().map(|segment| segment.number)
    }

    /// Forgets the oldest segment; gives the number of parts that are gone with it.
    pub(super) fn drop_oldest(&mut self) -> u64 {
        let Some(segment) = self.segments.pop_front() else { return 0 };
        self.bytes -= segment.len;
        let mut gone = 0;
        for key in segment.keys {
            if self.places.get(&key).is_some_and(|place| place.segment == segment.number) {
                self.places.remove(&key);
                gone += 1;
            }
        }
        gone
    }
}
