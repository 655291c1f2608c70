//! Label sets of kept lines, each held once and named by a small number.

use super::line_labels::{Category, LineLabels};
use model::Labels;
use service_api::Error;
use std::collections::HashMap;

/// The number of a label set in the run that gave it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LabelSetId(pub u32);

/// Why a line gets no label set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelsError {
    /// More label sets than a run may hold.
    TooManySets,
    /// More bytes than the labels of one line may take.
    TooLong,
}

impl From<LabelsError> for Error {
    fn from(error: LabelsError) -> Self {
        Self::unprocessable(match error {
            LabelsError::TooManySets => "the query has too many series",
            LabelsError::TooLong => "the query makes more labels of one line than can be kept",
        })
    }
}

/// The labels of a line by where they come from. A name is in one of the three only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct LabelSet {
    /// Of its stream, as far as they were not dropped or replaced.
    pub stream: Labels,
    /// Structured metadata.
    pub metadata: Labels,
    /// What stages found or made, with `__error__`. Other than elsewhere values may be empty,
    /// as Loki shows them.
    pub parsed: Labels,
}

impl LabelSet {
    /// All three as one.
    pub fn all(&self) -> Labels {
        if self.metadata.is_empty() && self.parsed.is_empty() {
            return self.stream.clone();
        }
        let mut pairs: Vec<(&str, &str)> =
            self.stream.iter().chain(self.metadata.iter()).chain(self.parsed.iter()).collect();
        pairs.sort_unstable();
        Labels::from_sorted(pairs)
    }
}

/// Sets that are each held once, found by the bytes of a key.
pub struct Interner<T> {
    ids: HashMap<Box<[u8]>, LabelSetId, foldhash::fast::RandomState>,
    sets: Vec<T>,
    max: usize,
    /// Of the keys. A set is about as large as its key.
    key_bytes: usize,
}

impl<T> Interner<T> {
    pub fn new(max: usize) -> Self {
        Self { ids: HashMap::default(), sets: Vec::new(), max, key_bytes: 0 }
    }

    pub fn intern(&mut self, key: &[u8], make: impl FnOnce() -> T) -> Result<LabelSetId, LabelsError> {
        if let Some(id) = self.ids.get(key) {
            return Ok(*id);
        }
        if self.sets.len() >= self.max {
            return Err(LabelsError::TooManySets);
        }
        let id = LabelSetId(self.sets.len() as u32);
        self.sets.push(make());
        self.key_bytes += key.len();
        self.ids.insert(key.into(), id);
        Ok(id)
    }

    pub fn get(&self, id: LabelSetId) -> &T {
        &self.sets[id.0 as usize]
    }

    pub fn len(&self) -> usize {
        self.sets.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.sets.iter()
    }

    fn clear(&mut self) {
        self.ids.clear();
        self.sets.clear();
        self.key_bytes = 0;
    }
}

/// The label sets of a log query.
pub struct LabelSets {
    sets: Interner<LabelSet>,
    /// The id of the stream's own labels, once a line had these.
    unchanged: Option<LabelSetId>,
    key: Key,
}

impl LabelSets {
    pub(super) fn new(max: usize) -> Self {
        Self { sets: Interner::new(max), unchanged: None, key: Key::default() }
    }

    /// The set of that id, which must be of this run and given out since it was last cleared.
    pub fn get(&self, id: LabelSetId) -> &LabelSet {
        self.sets.get(id)
    }

    /// Sets by id.
    pub fn iter(&self) -> impl Iterator<Item = &LabelSet> {
        self.sets.iter()
    }

    pub fn len(&self) -> usize {
        self.sets.len()
    }

    /// Bytes that the sets and their keys take, about.
    pub fn bytes(&self) -> usize {
        2 * self.sets.key_bytes
    }

    pub fn is_empty(&self) -> bool {
        self.sets.len() == 0
    }

    pub(super) fn new_stream(&mut self) {
        self.unchanged = None;
    }

    pub(super) fn clear(&mut self) {
        self.unchanged = None;
        self.sets.clear();
    }

    pub(super) fn intern(&mut self, labels: &LineLabels) -> Result<LabelSetId, LabelsError> {
        if labels.is_too_long() {
            return Err(LabelsError::TooLong);
        }
        if let (true, Some(id)) = (labels.is_unchanged(), self.unchanged) {
            return Ok(id);
        }
        let key = self.key.write(labels.view().iter());
        let id = self.sets.intern(key, || categorized(labels))?;
        if labels.is_unchanged() {
            self.unchanged = Some(id);
        }
        Ok(id)
    }
}

fn categorized(labels: &LineLabels) -> LabelSet {
    let of = |category| {
        let mut pairs: Vec<(&str, &str)> = labels
            .view()
            .iter()
            .filter(|(c, ..)| *c == category)
            .map(|(_, name, value)| (name, value))
            .collect();
        pairs.sort_unstable();
        Labels::from_sorted(pairs)
    };
    LabelSet {
        stream: if labels.is_unchanged() { labels.base().clone() } else { of(Category::Stream) },
        metadata: of(Category::Metadata),
        parsed: of(Category::Parsed),
    }
}

/// The bytes of a label set, to find it by.
#[derive(Default)]
pub struct Key {
    bytes: Vec<u8>,
    /// Where each label lies in them.
    labels: Vec<(u32, u32)>,
}

impl Key {
    /// Writes labels so that equal sets give equal bytes, whatever order they come in.
    pub fn write<'l>(&mut self, labels: impl Iterator<Item = (Category, &'l str, &'l str)>) -> &[u8] {
        // These bytes are nowhere in UTF-8.
        const VALUE: u8 = 0xff;
        const CATEGORY: u8 = 0xf8;
        let Self { bytes, labels: places } = self;
        bytes.clear();
        places.clear();
        for (category, name, value) in labels {
            let start = bytes.len() as u32;
            bytes.extend_from_slice(name.as_bytes());
            bytes.push(VALUE);
            bytes.extend_from_slice(value.as_bytes());
            bytes.push(CATEGORY + category as u8);
            places.push((start, bytes.len() as u32));
        }
        let total = bytes.len();
        let label = |at: &(u32, u32)| &bytes[at.0 as usize..at.1 as usize];
        if !places.is_sorted_by(|a, b| label(a) <= label(b)) {
            places.sort_unstable_by(|a, b| label(a).cmp(label(b)));
            for &(start, end) in &*places {
                bytes.extend_from_within(start as usize..end as usize);
            }
            bytes.drain(..total);
        }
        bytes
    }
}
