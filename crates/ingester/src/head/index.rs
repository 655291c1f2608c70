//! The index of one tenant's head: interned labels, the series they name, and postings.

mod postings;
#[cfg(test)]
mod tests;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashTable};
use model::Labels;
use std::hash::BuildHasher;

/// An interned name and value. It is also where the postings of the pair are.
pub type PairId = u32;

/// Labels are interned as pairs, so that a series' labels are one `u32` each and the
/// postings of a pair need no table of their own.
#[derive(Default)]
pub struct Index {
    names: Vec<Name>,
    free_names: Vec<u32>,
    names_by_text: HashTable<u32>,
    pairs: Vec<Pair>,
    free_pairs: Vec<PairId>,
    /// By reference; none where the series is not (or no longer) live.
    series: Vec<Option<Box<[PairId]>>>,
    by_pairs: HashTable<u32>,
    /// Series that nobody finds any more but that an append in flight may still name.
    condemned: HashMap<u32, Box<[PairId]>>,
    /// References to be given out again.
    free_series: Vec<u32>,
    active: usize,
    hasher: RandomState,
}

#[derive(Default)]
struct Name {
    text: Box<str>,
    values: HashTable<PairId>,
}

#[derive(Default)]
struct Pair {
    name: u32,
    /// How many series, live or condemned, have the pair.
    uses: u32,
    value: Box<str>,
    /// Live series, ascending.
    refs: Vec<u32>,
}

/// Why a series was not created.
#[derive(Debug, PartialEq, Eq)]
pub struct SeriesLimit;

/// The series of a label set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    Known(u32),
    /// It is new: its slot is to be made.
    Created(u32),
}

impl Index {
    /// Series that can be found.
    pub fn active(&self) -> usize {
        self.active
    }

    /// The series with these labels, created if there are fewer than `limit` (0: no limit).
    pub fn get_or_create(&mut self, labels: &Labels, limit: u64) -> Result<Found, SeriesLimit> {
        if let Some(series) = self.get(labels) {
            return Ok(Found::Known(series));
        }
        if (limit > 0 && self.active as u64 >= limit) || self.series.len() >= u32::MAX as usize {
            return Err(SeriesLimit);
        }
        let pairs: Box<[PairId]> = labels.iter().map(|(name, value)| self.intern(name, value)).collect();
        for &pair in &pairs {
            self.pairs[pair as usize].uses += 1;
        }
        let series = store(&mut self.series, &mut self.free_series, None);
        self.link(series, pairs);
        Ok(Found::Created(series))
    }

    pub fn get(&self, labels: &Labels) -> Option<u32> {
        let pairs: Option<smallvec::SmallVec<[PairId; 32]>> =
            labels.iter().map(|(name, value)| self.pair(name, value)).collect();
        self.by_pairs(&pairs?)
    }

    /// The labels of a series, live or condemned.
    pub fn labels(&self, series: u32) -> Option<Labels> {
        Some(Labels::from_sorted(self.pairs_of(series)?.iter().map(|&pair| self.pair_text(pair))))
    }

    /// The interned labels of a series, live or condemned, in the order of their names.
    pub fn pairs_of(&self, series: u32) -> Option<&[PairId]> {
        let live = self.series.get(series as usize)?.as_deref();
        live.or_else(|| self.condemned.get(&series).map(|pairs| &**pairs))
    }

    pub fn pair_text(&self, pair: PairId) -> (&str, &str) {
        let pair = &self.pairs[pair as usize];
        (&self.names[pair.name as usize].text, &pair.value)
    }

    /// Makes series unfindable; their labels stay until they are freed.
    pub fn condemn(&mut self, dead: &hashbrown::HashSet<u32>) {
        let mut touched = hashbrown::HashSet::new();
        for &series in dead {
            let Some(pairs) = self.series.get_mut(series as usize).and_then(Option::take) else { continue };
            let hash = self.hasher.hash_one(&*pairs);
            if let Ok(entry) = self.by_pairs.find_entry(hash, |&other| other == series) {
                entry.remove();
            }
            touched.extend(pairs.iter().copied());
            self.condemned.insert(series, pairs);
            self.active -= 1;
        }
        for pair in touched {
            let refs = &mut self.pairs[pair as usize].refs;
            refs.retain(|series| !dead.contains(series));
            if refs.capacity() > 4 * refs.len() + 64 {
                refs.shrink_to_fit();
            }
        }
    }

    /// Makes a condemned series findable again, because samples came for it. If its labels
    /// have got another series meanwhile, that one is returned.
    pub fn resurrect(&mut self, series: u32) -> u32 {
        let Some(pairs) = self.condemned.get(&series) else { return series };
        if let Some(other) = self.by_pairs(pairs) {
            return other;
        }
        if let Some(pairs) = self.condemned.remove(&series) {
            self.link(series, pairs);
        }
        series
    }

    /// Forgets the labels of a condemned series; its reference will be used again. False if
    /// it lives.
    pub fn free(&mut self, series: u32) -> bool {
        let Some(pairs) = self.condemned.remove(&series) else { return false };
        for &pair in &pairs {
            self.release(pair);
        }
        self.free_series.push(series);
        true
    }

    fn by_pairs(&self, pairs: &[PairId]) -> Option<u32> {
        let hash = self.hasher.hash_one(pairs);
        let same = |&series: &u32| self.series[series as usize].as_deref() == Some(pairs);
        self.by_pairs.find(hash, same).copied()
    }

    fn link(&mut self, series: u32, pairs: Box<[PairId]>) {
        for &pair in &pairs {
            let refs = &mut self.pairs[pair as usize].refs;
            // New references are mostly the greatest; those used again go in between.
            let at = if refs.last().is_none_or(|&last| last < series) {
                refs.len()
            } else {
                refs.partition_point(|&other| other < series)
            };
            refs.insert(at, series);
        }
        let Self { series: all, hasher, by_pairs, .. } = self;
        let hash = hasher.hash_one(&*pairs);
        all[series as usize] = Some(pairs);
        by_pairs.insert_unique(hash, series, |&other| {
            hasher.hash_one(all[other as usize].as_deref().unwrap_or(&[]))
        });
        self.active += 1;
    }

    fn pair(&self, name: &str, value: &str) -> Option<PairId> {
        let name = &self.names[self.name(name)? as usize];
        name.values
            .find(self.hasher.hash_one(value), |&pair| *self.pairs[pair as usize].value == *value)
            .copied()
    }

    fn name(&self, text: &str) -> Option<u32> {
        let hash = self.hasher.hash_one(text);
        self.names_by_text.find(hash, |&name| *self.names[name as usize].text == *text).copied()
    }

    fn intern(&mut self, name: &str, value: &str) -> PairId {
        let name = self.intern_name(name);
        let Self { names, pairs, free_pairs, hasher, .. } = self;
        let hash = hasher.hash_one(value);
        let values = &mut names[name as usize].values;
        if let Some(&pair) = values.find(hash, |&pair| *pairs[pair as usize].value == *value) {
            return pair;
        }
        let new = Pair { name, value: value.into(), ..Pair::default() };
        let id = store(pairs, free_pairs, new);
        values.insert_unique(hash, id, |&pair| hasher.hash_one(&*pairs[pair as usize].value));
        id
    }

    fn intern_name(&mut self, text: &str) -> u32 {
        if let Some(name) = self.name(text) {
            return name;
        }
        let Self { names, free_names, names_by_text, hasher, .. } = self;
        let id = store(names, free_names, Name { text: text.into(), values: HashTable::new() });
        names_by_text
            .insert_unique(hasher.hash_one(text), id, |&name| hasher.hash_one(&*names[name as usize].text));
        id
    }

    /// Counts one use of a pair less; the last one frees it, and its name if it was the last.
    fn release(&mut self, id: PairId) {
        let Self { names, free_names, names_by_text, pairs, free_pairs, hasher, .. } = self;
        let pair = &mut pairs[id as usize];
        pair.uses -= 1;
        if pair.uses > 0 {
            return;
        }
        let Pair { name, value, .. } = std::mem::take(pair);
        free_pairs.push(id);
        let values = &mut names[name as usize].values;
        if let Ok(entry) = values.find_entry(hasher.hash_one(&*value), |&pair| pair == id) {
            entry.remove();
        }
        if values.is_empty() {
            let text = std::mem::take(&mut names[name as usize]).text;
            if let Ok(entry) = names_by_text.find_entry(hasher.hash_one(&*text), |&other| other == name) {
                entry.remove();
            }
            free_names.push(name);
        }
    }
}

/// Puts an element where one was freed, or at the end.
fn store<T>(all: &mut Vec<T>, free: &mut Vec<u32>, new: T) -> u32 {
    if let Some(id) = free.pop() {
        all[id as usize] = new;
        return id;
    }
    all.push(new);
    // There are fewer than 2^32: each takes tens of bytes.
    (all.len() - 1) as u32
}
