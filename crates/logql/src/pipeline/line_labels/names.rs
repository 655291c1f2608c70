//! Sets of names of labels.

use super::Span;
use foldhash::fast::{FixedState, RandomState};
use std::{collections::HashSet, hash::BuildHasher};

/// So many names are looked through one by one.
const FEW: usize = 64;

/// The names that were parsed out of the line so far. What was found first stays.
#[derive(Default)]
pub struct Extracted {
    hashes: Vec<u32>,
    names: Vec<Span>,
    /// The names behind the first few, which only strange lines have.
    more: HashSet<Box<str>, RandomState>,
    /// How many of the hinted labels are among them.
    pub required: usize,
}

impl Extracted {
    pub fn clear(&mut self) {
        self.hashes.clear();
        self.names.clear();
        self.more.clear();
        self.required = 0;
    }

    pub fn contains(&self, arena: &str, name: &str) -> bool {
        let hash = hash(name);
        self.hashes.iter().zip(&self.names).any(|(h, n)| *h == hash && &arena[n.range()] == name)
            || !self.more.is_empty() && self.more.contains(name)
    }

    /// Whether it is new.
    pub fn insert(&mut self, arena: &str, name: Span) -> bool {
        let text = &arena[name.range()];
        let new = !self.contains(arena, text);
        if new && self.names.len() >= FEW {
            self.more.insert(text.into());
        } else if new {
            self.hashes.push(hash(text));
            self.names.push(name);
        }
        new
    }
}

fn hash(name: &str) -> u32 {
    FixedState::default().hash_one(name.as_bytes()) as u32
}

/// Tells most names that are not in a set from those that are, without looking at the set.
#[derive(Default)]
pub struct NameFilter(u64);

impl NameFilter {
    fn bit(name: &str) -> u64 {
        let bytes = name.as_bytes();
        let ends = bytes.first().zip(bytes.last()).map_or(0, |(a, b)| u32::from(*a) * 7 + u32::from(*b));
        1 << ((ends + bytes.len() as u32 * 5) % 64)
    }

    pub fn insert(&mut self, name: &str) {
        self.0 |= Self::bit(name);
    }

    #[inline]
    pub fn may_have(&self, name: &str) -> bool {
        self.0 & Self::bit(name) != 0
    }
}
